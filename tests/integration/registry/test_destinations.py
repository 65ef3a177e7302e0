"""Where the service goes: to the Registry, and to no address that a record names (fault F95)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from rig.service.reconciler import Bench, O


class Lure:
    """A server that a record points to wherever it can."""

    def __init__(self) -> None:
        self.visits = 0
        self.url = ""

    @asynccontextmanager
    async def set(self) -> AsyncIterator[None]:
        """Listen while the body runs."""
        async with await asyncio.start_server(self._visited, "127.0.0.1", 0) as server:
            self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/internal"
            yield

    def _visited(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits += 1
        writer.close()


@pytest.mark.fault("F95")
@pytest.mark.invariant("S14")
async def test_no_address_in_a_record_is_visited(bench: Bench) -> None:
    lure = Lure()
    async with lure.set():
        where = {"external-id-type": "uri", "external-id-value": lure.url, "external-id-url": {"value": lure.url}}
        own = where | {"external-id-relationship": "self"}
        items = {
            "researcher-url": {"url-name": lure.url, "url": lure.url},
            "external-identifier": where,
            "work": {"title": lure.url, "type": "other", "url": lure.url, "external-ids": {"external-id": [own]}},
        }
        for section, fields in items.items():
            bench.registry.edit.add_item(O, section, fields)
        await bench.connect()
        assert await bench.turn() == "changed"
        await bench.assert_mirrored()

        stored = await bench.connection.fetchval(
            "select count(*) from orcid.items where doc::text like '%' || $1 || '%'", lure.url
        )
        assert stored == len(items)
        reader, writer = await asyncio.open_connection(*lure.url.split("/")[2].split(":"))
        assert await reader.read() == b""
        writer.close()
    assert lure.visits == 1, "only we ourselves were there"
