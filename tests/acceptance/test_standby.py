"""A real fail-over: the primary dies, its synchronous standby becomes the primary, the old one comes back read-only."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import asyncpg
import pytest

from acceptance.harness.cluster import Cluster, open_cluster
from acceptance.harness.observers import connected
from acceptance.harness.serving import ORCIDS, SETTLED, callback, count, serving
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.database.migrate import migrate

RECOVERY_SECONDS = 10.0
"""L6: the first write comes within this time after a writable primary exists."""


class Pair:
    """A primary and its synchronous standby, both behind one DSN."""

    def __init__(self, primary: Cluster, folder: Path) -> None:
        self.primary = primary
        self.folder = folder
        self.sockets = tempfile.mkdtemp(prefix="orcid-sync-standby-")
        here = parse_qs(urlsplit(primary.dsn).query)["host"][0]
        self.dsn = urlsplit(primary.dsn)._replace(query=f"host={here},{self.sockets}").geturl()
        self.standby_dsn = urlsplit(primary.dsn)._replace(query=f"host={self.sockets}").geturl()
        self._run("pg_basebackup", "-D", str(folder), "-R", "-X", "stream", "-c", "fast", "-h", here, "-U", "postgres")
        owner = primary.server.owner
        os.chown(self.sockets, owner.uid, owner.gid)
        self.control("start", "-o", f'-h "" -k {self.sockets}', "-l", str(folder / "log"))

    def control(self, action: str, *options: str) -> None:
        """pg_ctl on the standby."""
        self._run("pg_ctl", "-D", str(self.folder), "-w", *options, action)

    def _run(self, program: str, *arguments: str) -> None:
        self.primary.server.run(program, *arguments)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with (
        tempfile.TemporaryDirectory(prefix="orcid-sync-primary-", ignore_cleanup_errors=True) as name,
        tempfile.TemporaryDirectory(prefix="orcid-sync-standby-", ignore_cleanup_errors=True) as other,
        open_cluster(Path(name)) as primary,
    ):
        owner = primary.server.owner
        os.chown(other, owner.uid, owner.gid)
        opened = Pair(primary, Path(other))
        asyncio.run(replicate_synchronously(primary.dsn))
        try:
            yield opened
        finally:
            with suppress(Exception):
                opened.control("stop", "-m", "immediate")


async def replicate_synchronously(dsn: str) -> None:
    """From now on a commit is acknowledged when the standby has it too."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("alter system set synchronous_standby_names = '*'")
    await connection.execute("select pg_reload_conf()")
    await connection.close()


async def settled(dsn: str) -> bool:
    """Whether everything was read, second looks included."""
    return await count(dsn, SETTLED) == 0


async def post_until_acknowledged(url: str) -> None:
    """As ORCID does, only sooner: again and again until a 2xx."""
    async with aiohttp.ClientSession() as session, asyncio.timeout(RECOVERY_SECONDS):
        while True:
            with suppress(aiohttp.ClientError):
                async with session.post(url) as answer:
                    if answer.status == 204:
                        return
                    assert answer.status == 503
            await asyncio.sleep(0.1)


@pytest.mark.fault("F76")
@pytest.mark.invariant("S1", "L6")
async def test_the_service_follows_a_fail_over_to_the_new_primary(
    pair: Pair,
    sim: SimulatedRegistry,
    tmp_path: Path,
    wait_until: Callable[..., Any],
) -> None:
    await migrate(pair.dsn)
    async with connected(pair.dsn) as connection:
        await connect_orcids(connection, [Entry(orcid=orcid) for orcid in ORCIDS])
    async with serving(sim, pair.dsn, tmp_path) as replica:
        await wait_until(lambda: settled(pair.dsn), 30)
        before = await count(pair.dsn, "select last from orcid_sync.feed_head")

        await asyncio.to_thread(pair.primary.crash)
        await asyncio.to_thread(pair.control, "promote")
        sim.edit.add_item(ORCIDS[0], "keyword", {"content": "after the fail-over"})
        await post_until_acknowledged(callback(replica, ORCIDS[0]))

        # The old primary comes back, but nobody may write to it.
        with (pair.primary.server.folder / "postgresql.auto.conf").open("a") as file:
            file.write("default_transaction_read_only = on\n")
        await asyncio.to_thread(pair.primary.start)
        found = "select count(*) from orcid.keywords where content = 'after the fail-over'"
        await wait_until(lambda: count(pair.standby_dsn, found), RECOVERY_SECONDS)

        assert await count(pair.standby_dsn, "select last from orcid_sync.feed_head") > before
        assert await count(pair.primary.dsn, found) == 0
        assert replica.running
