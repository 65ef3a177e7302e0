"""Held removals: a read that would remove most of a section waits for a second read, or an operator's decision."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec

from orcid_sync.model.ids import Orcid
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries
from orcid_sync.store.sync import queue

_queries = load_queries(__file__)


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """The removals of one iD that wait."""

    orcid: Orcid
    held_at: datetime
    """When they were first seen."""
    due_at: datetime
    """When the record is read again."""
    released: bool
    """An operator has agreed; the next read that says the same applies them."""
    removals: dict[str, int]
    """How many items would go, by section."""


async def list_holds(connection: AnyConnection) -> list[Hold]:
    """Every hold, the oldest first."""
    return [_hold(row) async for row in _queries.list_holds(connection)]


async def of_orcid(connection: AnyConnection, orcid: Orcid) -> Hold | None:
    """What an iD holds; None: nothing."""
    row = await _queries.of_orcid(connection, orcid=orcid)
    return None if row is None else _hold(row)


async def release(connection: AnyConnection, orcids: Collection[Orcid]) -> list[Orcid]:
    """Let the next read that says the same apply the removals, and read now. Returns those that held something."""
    async with connection.transaction():
        held = [row["orcid"] async for row in _queries.release(connection, orcids=list(orcids))]
        await queue.request_sync(connection, held)
    return held


async def discard(connection: AnyConnection, orcids: Collection[Orcid]) -> list[Orcid]:
    """Forget what is held, and read afresh; if as much is gone then, that is held anew. Returns those that held any."""
    async with connection.transaction():
        held = [row["orcid"] async for row in _queries.discard(connection, orcids=list(orcids))]
        await queue.request_sync(connection, held)
    return held


def _hold(row: Any) -> Hold:
    return Hold(**{**row, "removals": msgspec.json.decode(row["removals"] or b"{}")})
