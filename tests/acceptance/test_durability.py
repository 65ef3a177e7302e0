"""What was answered 204 is in the database, whatever ends in the middle: the process (kill -9) or PostgreSQL."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import aiohttp
import pytest

from acceptance.harness.cluster import Cluster
from acceptance.harness.observers import connected
from acceptance.harness.replica import Replica, environment
from orcid_sync.model.ids import Orcid
from orcid_sync.registry.callbacks import callback_url
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.database.pools import connect

ROUNDS = int(os.environ.get("ORCID_SYNC_ROUNDS", "20"))
"""How often each is repeated."""

ORCIDS = [Orcid(numbered_orcid(700_000_000_000 + number)) for number in range(400)]
SENDERS = 12

IDLE = "update orcid_sync.queue set gen = 10, leased_gen = 10, done_gen = 10, due_at = now() + interval '1 day'"
MARKED = "select orcid from orcid_sync.queue where gen > leased_gen and lane = 0 and due_at < now() + interval '1 hour'"


class Stream:
    """Notifications for all iDs, each once, several at a time; remembers which were answered 204."""

    def __init__(self, replica: Replica, rng: Random) -> None:
        """`midway` is set somewhere before the end."""
        self.acknowledged: set[str] = set()
        self.failed: set[str] = set()
        self._replica = replica
        self._waiting = rng.sample(ORCIDS, len(ORCIDS))
        self._enough = rng.randrange(5, len(ORCIDS) // 2)
        self.midway = asyncio.Event()

    async def run(self) -> None:
        """Send them all."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            await asyncio.gather(*(self._send(session) for _ in range(SENDERS)))

    async def _send(self, session: aiohttp.ClientSession) -> None:
        while self._waiting:
            orcid = self._waiting.pop()
            address = callback_url(
                f"http://127.0.0.1:{self._replica.port}",
                secret=b"w" * 40,
                key_version=1,
                environment="custom",
                orcid=orcid,
            )
            try:
                async with session.post(address) as answer:
                    (self.acknowledged if answer.status == 204 else self.failed).add(orcid)
            except aiohttp.ClientError:
                self.failed.add(orcid)
            if len(self.acknowledged) >= self._enough:
                self.midway.set()


@asynccontextmanager
async def listening(dsn: str, folder: Path) -> AsyncIterator[Replica]:
    """The listeners alone, ready, with all iDs connected; nobody reads what is marked."""
    async with connect(dsn) as connection:
        await connect_orcids(connection, [Entry(orcid=orcid) for orcid in ORCIDS])
    settings = environment(dsn, "http://127.0.0.1:9", "http://127.0.0.1:9")
    replica = Replica(settings, folder / "web.log", "--only", "web")
    await replica.start()
    await replica.ready()
    try:
        yield replica
    finally:
        await replica.kill()


async def repeat(dsn: str, replica: Replica, interrupt: Callable[[], Awaitable[None]]) -> None:
    """Interrupt a stream somewhere in its middle, every round elsewhere; compare the 204s with the rows."""
    rng = Random(1)
    for number in range(ROUNDS):
        async with connected(dsn) as connection:
            await connection.execute(IDLE)
        stream = Stream(replica, rng)
        streaming = asyncio.create_task(stream.run())
        await stream.midway.wait()
        await interrupt()
        await streaming
        async with connected(dsn) as connection:
            marked = {row["orcid"] for row in await connection.fetch(MARKED)}
        assert sorted(stream.acknowledged - marked) == [], f"acknowledged and forgotten in round {number}"
        assert stream.failed, "nothing was interrupted"


@pytest.mark.fault("F01", "F02", "F03")
@pytest.mark.invariant("S1")
async def test_no_acknowledged_notification_is_lost_when_the_process_is_killed(crash_dsn: str, tmp_path: Path) -> None:
    async with listening(crash_dsn, tmp_path) as replica:

        async def kill() -> None:
            await replica.kill()
            await replica.start()
            await replica.ready()

        await repeat(crash_dsn, replica, kill)
    assert replica.kills == ROUNDS + 1


@pytest.mark.fault("F03", "F05", "F06", "F75")
@pytest.mark.invariant("S1", "L6")
async def test_no_acknowledged_notification_is_lost_when_postgresql_is_stopped(
    cluster: Cluster, crash_dsn: str, tmp_path: Path
) -> None:
    async with listening(crash_dsn, tmp_path) as replica:

        async def crash() -> None:
            await cluster.crash_and_recover(away_seconds=0)

        await repeat(crash_dsn, replica, crash)
