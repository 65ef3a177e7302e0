"""The crash harness: real processes, a Registry that lies, power failures; and then a quiet moment to be judged in.

Everything that the service needs to be wrong happens here at once, by chance from a seed. The judge is checker.py.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from acceptance.harness.cluster import Cluster
from acceptance.harness.observers import FeedReader, Snapshotter, connected
from acceptance.harness.replica import KEY, Balancer, Replica, environment
from acceptance.harness.workload import SCOPES, World, edit, make_world, switch_faults_on
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.database.pools import connect
from orcid_sync.store.sync import queue

LEASE = 2.0
SECOND_LOOK = 1.0


@dataclass
class Storm:
    """Two replicas behind a balancer, a cluster, a Registry, and who watches them."""

    cluster: Cluster
    dsn: str
    world: World
    replicas: list[Replica]
    balancer: Balancer
    reader: FeedReader
    snapshotter: Snapshotter
    rng: Random
    watching: list[asyncio.Task[None]] = field(default_factory=list)
    _begun: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def read_tokens(self) -> dict[str, str]:
        """The token that the service reads each iD with, or one that reads the same."""
        token_service = self.world.sim.token_service
        own = token_service.client_credentials(token_service.clients[CLIENT_ID], "/read-public").text
        return {orcid: self.world.granted.get(orcid, own) for orcid in self.world.orcids}

    async def rage(self, seconds: float, *, edits_per_second: float) -> None:
        """Let it storm for so long."""
        switch_faults_on(self.world, self.rng)
        async with asyncio.TaskGroup() as group:
            winds = [
                group.create_task(again_and_again(act, lambda pause=pause: self.rng.uniform(*pause)))
                for act, pause in (
                    (self._edit, (0.5 / edits_per_second, 1.5 / edits_per_second)),
                    (self._kill_one, (0.7, 1.5)),
                    (self._freeze_one, (1.5, 3.0)),
                    (self._fail_power, (2.5, 4.0)),
                    (self._supervise, (0.2, 0.3)),
                )
            ]
            await asyncio.sleep(seconds)
            for wind in winds:
                wind.cancel()
        await asyncio.gather(*self._begun)

    async def _edit(self) -> None:
        edit(self.world, self.rng)

    async def _kill_one(self) -> None:
        """kill -9 one replica; the other one goes on meanwhile, if it is alive."""
        await self.rng.choice(self.replicas).kill()

    async def _freeze_one(self) -> None:
        """SIGSTOP for longer than a lease."""
        await self.rng.choice(self.replicas).freeze(LEASE + self.rng.uniform(0.2, 1.0))

    async def _fail_power(self) -> None:
        await self._to_the_end(self.cluster.crash_and_recover(away_seconds=self.rng.uniform(0, 0.4)))

    async def _supervise(self) -> None:
        """Start again what has ended, as an operator's platform does; also what found no database."""
        for replica in self.replicas:
            if not replica.running:
                await self._to_the_end(replica.start())

    async def _to_the_end(self, work: Coroutine[Any, Any, None]) -> None:
        """Half a restart would be of no use: what has begun is finished even if the storm is over."""
        task = asyncio.create_task(work)
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        await asyncio.shield(task)

    async def calm(self) -> None:
        """End all faults: everything runs, the Registry tells the truth, its pace is not remembered as bad."""
        self.world.sim.faults.clear()
        await self._supervise()
        for replica in self.replicas:
            await self._recovered(replica)
        async with connected(self.dsn) as connection:
            await connection.execute("delete from orcid_sync.pace")
        await self._delivered()

    async def _recovered(self, replica: Replica) -> None:
        """Until it serves; one that the storm's last blow met while it was starting is started once more."""
        try:
            await replica.ready()
        except AssertionError:
            if replica.running:
                raise
            killed = await replica.ended() == -signal.SIGKILL
            if not killed and not any(reason in replica.last_words(1) for reason in AWAY):
                raise
            await replica.start()
            await replica.ready()

    async def _delivered(self) -> None:
        """Until the Registry has nobody left to call."""
        count, quiet = -1, 0
        while quiet < 5:
            quiet = quiet + 1 if count == self.world.sim.journal.notification_count else 0
            count = self.world.sim.journal.notification_count
            await asyncio.sleep(0.15)

    async def settled(self, limit: float = 60.0) -> None:
        """Until no generation and no second look is owed; the hours that failures wait pass at once."""
        end = time.monotonic() + limit
        async with connected(self.dsn) as connection:
            while owed := await connection.fetch(OWED):
                assert time.monotonic() < end, f"not settled after {limit} s: {owed[:5]}"
                await connection.execute(HURRY)
                await asyncio.sleep(0.1)

    async def sweep(self) -> None:
        """Ask for a check of every iD, as the schedule would some day, and wait until it is done.

        Again if something is in doubt afterwards: what must be said twice is, a day later.
        """
        for _ in range(SWEEPS):
            async with connect(self.dsn) as connection:
                await connection.execute(A_DAY_LATER)
                await queue.mark_due(connection, self.world.orcids, lane=Lane.CHECK)
            await self.settled()
            async with connect(self.dsn) as connection:
                if not await connection.fetchval("select count(*) from orcid_sync.doubts"):
                    return

    async def look_away(self) -> None:
        """End reader and snapshotter."""
        for task in self.watching:
            task.cancel()
        await asyncio.gather(*self.watching, return_exceptions=True)


AWAY = ("the server shuts down, starts,", "the connection was lost or could not be made", "the connection failed")
"""What a replica says at its end that found no database."""

SWEEPS = 5
A_DAY_LATER = "update orcid_sync.doubts set since = since - interval '1 day', due_at = due_at - interval '1 day'"

OWED = """
select orcid, gen, leased_gen, done_gen, lane, lease_no, lease_until > now() as leased, due_at - now() as due_in,
       second_look_at - now() as second_look_in, last_error
  from orcid_sync.queue where gen > done_gen or second_look_at is not null
"""
HURRY = """
update orcid_sync.queue set due_at = coalesce(least(due_at, greatest(now(), second_look_at)), now())
 where (gen > done_gen or second_look_at is not null) and due_at > now() + interval '1 second'
"""


async def again_and_again(act: Callable[[], Awaitable[None]], pause: Callable[[], float]) -> None:
    """Do it, wait, do it, until cancelled."""
    while True:
        await asyncio.sleep(pause())
        await act()


@asynccontextmanager
async def open_storm(cluster: Cluster, dsn: str, folder: Path, *, count: int, seed: int) -> AsyncIterator[Storm]:
    """Everything running and all iDs connected; nothing has gone wrong yet."""
    world = make_world(count, seed=seed)
    replicas: list[Replica] = []
    balancer = Balancer(lambda: [replica.port for replica in replicas])
    await balancer.open()
    await world.sim.start(deliver=True)
    for name in ("a", "b"):
        settings = environment(
            dsn,
            world.sim.url,
            balancer.url,
            lease_seconds=LEASE,
            second_look_seconds=SECOND_LOOK,
        )
        replicas.append(Replica(settings, folder / f"{name}.log"))
    storm = Storm(cluster, dsn, world, replicas, balancer, FeedReader(dsn), Snapshotter(dsn, pause=0.7), Random(seed))
    try:
        await connect_all(dsn, world)
        for replica in replicas:
            await replica.start()
        storm.watching += [asyncio.create_task(one.run()) for one in (storm.reader, storm.snapshotter)]
        await asyncio.gather(*(replica.ready() for replica in replicas))
        yield storm
    finally:
        await storm.look_away()
        for replica in replicas:
            await replica.kill()
        await balancer.close()
        await world.sim.stop()


async def connect_all(dsn: str, world: World) -> None:
    """Connect every iD, with its holder's token where there is one."""
    vault = Vault({"1": KEY})
    entries = [
        Entry(
            orcid=orcid,
            access_token=vault.seal(world.granted[orcid], orcid=orcid, column="access_token"),
            scopes=SCOPES,
        )
        if orcid in world.granted
        else Entry(orcid=orcid)
        for orcid in world.orcids
    ]
    async with connect(dsn) as connection:
        await connect_orcids(connection, entries)


async def caught_up(storm: Storm) -> int:
    """The feed's head; the online reader takes what it has not seen yet, and ends."""
    await storm.look_away()
    async with connected(storm.dsn) as connection:
        last: int = await connection.fetchval("select last from orcid_sync.feed_head")
        await storm.reader.read(connection)
    return last
