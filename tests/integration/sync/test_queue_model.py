"""Any order of notifications, leases, successes, failures, crashes and late comers keeps the queue's promises."""

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle as States
from hypothesis.stateful import RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Applied, Lane, Settlement
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.database.pools import Database, connect, open_database, transaction
from orcid_sync.store.sync import queue

Sample = Callable[[int], list[Orcid]]

MINUTE = timedelta(minutes=1)
NOW = timedelta()
DONE = Settlement(done=True, due_in=timedelta(days=7), attempts=0)
FAILED = Settlement(done=False, due_in=timedelta(hours=1), attempts=1, error="busy")
APPLIED = Applied(body_digest=b"digest", access="read-public", registry_modified_ms=1)


class QueueMachine(RuleBasedStateMachine):
    """The queue beside a model of it. Few of its iDs are hot: among hot ones a forgotten mark is soon repaired."""

    dsn = ""
    orcids: list[Orcid] = []  # noqa: RUF012 - set by the test, never changed
    leases = States("leases")

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.context = connect(self.dsn)
        self.connection = self.run(self.context.__aenter__())
        self.run(connect_orcids(self.connection, [Entry(orcid=orcid) for orcid in self.orcids]))
        self.moment = 0
        self.marked = dict.fromkeys(self.orcids, 0)
        """When the last acknowledged mark came (connecting is the first)."""
        self.read = dict.fromkeys(self.orcids, -1)
        """When the last successful lease began."""
        self.newest: dict[Orcid, int] = {}
        self.applied: set[tuple[Orcid, int]] = set()
        self.began: dict[tuple[Orcid, int], int] = {}

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.run(self.connection.execute("truncate orcid_sync.connections cascade"))
        self.run(self.context.__aexit__(None, None, None))
        self.runner.close()

    def pick(self, numbers: list[int]) -> list[Orcid]:
        return sorted({self.orcids[number % len(self.orcids)] for number in numbers})

    some = st.lists(st.one_of(st.integers(0, 2), st.integers(0, 63)), min_size=1, max_size=4)

    @rule(numbers=some, lane=st.sampled_from(Lane), delay=st.sampled_from([NOW, 3 * MINUTE]))
    def mark(self, numbers: list[int], lane: Lane, delay: timedelta) -> None:
        orcids = self.pick(numbers)
        self.moment += 1
        known = self.run(queue.mark_due(self.connection, orcids, lane=lane, delay=delay))
        assert sorted(known) == orcids
        self.marked.update(dict.fromkeys(orcids, self.moment))

    @rule(numbers=some)
    def request(self, numbers: list[int]) -> None:
        orcids = self.pick(numbers)
        self.moment += 1
        wanted = self.run(queue.request_sync(self.connection, orcids))
        self.marked.update(dict.fromkeys(orcids, self.moment))
        assert set(self.run(queue.unfinished(self.connection, wanted))) == set(orcids)

    @rule(target=leases, limit=st.integers(1, 3))
    def lease(self, limit: int) -> list[queue.Lease]:
        self.moment += 1
        got = self.run(queue.lease_due(self.connection, limit=limit, lease=MINUTE))
        assert len({lease.orcid for lease in got}) == len(got) <= limit
        for lease in got:
            assert lease.lease_no > self.newest.get(lease.orcid, 0)
            self.newest[lease.orcid] = lease.lease_no
            self.began[lease.orcid, lease.lease_no] = self.moment
        return got

    @rule(group=leases, done=st.booleans(), applies=st.booleans())
    def finish(self, group: list[queue.Lease], done: bool, applies: bool) -> None:  # noqa: FBT001 - drawn
        """By its holder, or by one who was paused and comes back: the group may have been finished or lost before."""
        for lease in group:
            settlement = DONE if done else FAILED
            if applies:
                settlement = Settlement(done=done, due_in=settlement.due_in, applied=APPLIED)
            key = (lease.orcid, lease.lease_no)
            mine = self.newest[lease.orcid] == lease.lease_no and key not in self.applied
            try:
                self.run(self.apply(lease, settlement))
            except queue.LeaseLost:
                assert not mine
                continue
            assert mine
            if applies:
                self.applied.add(key)
            if done:
                self.read[lease.orcid] = max(self.read[lease.orcid], self.began[key])

    async def apply(self, lease: queue.Lease, settlement: Settlement) -> None:
        async with self.connection.transaction():
            await queue.hold(self.connection, lease)
            await queue.settle(self.connection, lease, settlement, grace=NOW)

    @rule(group=leases)
    def lapse(self, group: list[queue.Lease]) -> None:
        """The holder is killed or paused, and time passes."""
        for lease in group:
            self.run(
                self.connection.execute(
                    "update orcid_sync.queue set lease_until = '-infinity' where orcid = $1 and lease_no = $2",
                    lease.orcid,
                    lease.lease_no,
                )
            )

    @rule(group=consumes(leases))
    def give_back(self, group: list[queue.Lease]) -> None:
        for lease in group:
            self.run(queue.release(self.connection, lease))

    @rule(group=leases)
    def prolong(self, group: list[queue.Lease]) -> None:
        for lease in group:
            try:
                self.run(queue.extend(self.connection, lease, MINUTE))
            except queue.LeaseLost:
                assert self.newest[lease.orcid] != lease.lease_no

    @rule(hours=st.sampled_from([-2, 2]))
    def clock_jumps(self, hours: int) -> None:
        """As if the clock stepped at a fail-over (F85): moments move, counters do not."""
        self.run(
            self.connection.execute(
                "update orcid_sync.queue set due_at = due_at + $1, lease_until = lease_until + $1",
                timedelta(hours=hours),
            )
        )

    @invariant()
    def nothing_acknowledged_is_forgotten(self) -> None:
        """S2: a row without work left was read, with success, by a lease that began after the last mark."""
        idle = self.run(self.connection.fetch("select orcid from orcid_sync.queue where gen = done_gen"))
        forgotten = [row["orcid"] for row in idle if self.read[row["orcid"]] <= self.marked[row["orcid"]]]
        assert forgotten == []

    @invariant()
    def counters_are_in_order(self) -> None:
        query = "select 1 from orcid_sync.queue where not (done_gen <= leased_gen and leased_gen <= gen)"
        assert self.run(self.connection.fetchval(query)) is None


@pytest.mark.fault("F16", "F18", "F85")
@pytest.mark.invariant("S2", "S3")
def test_any_interleaving(dsn: str, sample_orcids: Sample) -> None:
    QueueMachine.dsn, QueueMachine.orcids = dsn, sample_orcids(64)
    run_state_machine_as_test(
        QueueMachine,
        settings=settings(
            max_examples=30, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


class Registry:
    """What changes: a version for each iD."""

    def __init__(self, orcids: list[Orcid]) -> None:
        self.versions = dict.fromkeys(orcids, 1)
        self.mirrored = dict.fromkeys(orcids, 0)


async def notify(database: Database, registry: Registry, orcids: list[Orcid], chance: random.Random) -> None:
    """Edit at the Registry, then mark, now and then several at once."""
    for _ in range(120):
        changed = sorted(set(chance.choices(orcids[:3], k=1) + chance.choices(orcids, k=chance.randint(0, 3))))
        for orcid in changed:
            registry.versions[orcid] += 1
        async with transaction(database.intake) as connection:
            await queue.mark_due(connection, changed, lane=Lane.NOTIFICATION, delay=NOW)


async def work_left(database: Database) -> int:
    async with transaction(database.reader) as connection:
        number: int = await connection.fetchval("select count(*) from orcid_sync.queue where gen > done_gen")
        return number


async def work(database: Database, registry: Registry, chance: random.Random, idle: Callable[[], bool]) -> None:
    """Lease, read, apply, settle; some die in the middle, some fail, some come back late."""
    while True:
        async with transaction(database.worker) as connection:
            leases = await queue.lease_due(connection, limit=3, lease=timedelta(milliseconds=20))
        for lease in leases:
            version = registry.versions[lease.orcid]
            if chance.random() < 0.1:
                continue
            await asyncio.sleep(chance.choice([0, 0, 0.001, 0.03]))
            done = chance.random() < 0.8
            settlement = Settlement(done=done, due_in=timedelta(days=1) if done else NOW, applied=APPLIED)
            try:
                async with transaction(database.worker) as connection:
                    await queue.hold(connection, lease)
                    assert version >= registry.mirrored[lease.orcid], "time travel"
                    if done:
                        registry.mirrored[lease.orcid] = version
                    await queue.settle(connection, lease, settlement, grace=NOW)
            except queue.LeaseLost:
                continue
        if not leases:
            if idle() and not await work_left(database):
                return
            await asyncio.sleep(0.002)


@pytest.mark.fault("F15", "F16", "F17", "F18", "F19")
@pytest.mark.invariant("S2", "S3", "L1", "L4")
@pytest.mark.parametrize("seed", range(3))
async def test_concurrent_workers_and_notifiers_converge(dsn: str, sample_orcids: Sample, seed: int) -> None:
    orcids = sample_orcids(80)
    registry = Registry(orcids)
    chance = random.Random(seed)
    async with open_database(dsn, workers=4) as database:
        async with transaction(database.worker) as connection:
            await connect_orcids(connection, [Entry(orcid=orcid) for orcid in orcids])
        notifiers = [
            asyncio.create_task(notify(database, registry, orcids, random.Random(chance.random()))) for _ in range(3)
        ]

        def idle() -> bool:
            return all(task.done() for task in notifiers)

        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(work(database, registry, random.Random(chance.random()), idle))
        await asyncio.gather(*notifiers)
    assert registry.mirrored == registry.versions


@pytest.mark.fault("F18")
async def test_a_mark_passes_while_a_row_is_held_and_a_lease_does_not(
    database: Database, connection: asyncpg.Connection, sample_orcids: Sample
) -> None:
    orcids = sample_orcids(1)
    await connect_orcids(connection, [Entry(orcid=orcid) for orcid in orcids])
    [lease] = await queue.lease_due(connection, limit=1, lease=MINUTE)
    async with transaction(database.worker) as holder:
        await queue.hold(holder, lease)
        async with asyncio.timeout(2):
            await queue.mark_due(connection, orcids, lane=Lane.NOTIFICATION, delay=NOW)
        await connection.execute("update orcid_sync.queue set lease_until = '-infinity'")
        assert await queue.lease_due(connection, limit=1, lease=MINUTE) == []
        await queue.settle(holder, lease, DONE, grace=NOW)
    [again] = await queue.lease_due(connection, limit=1, lease=MINUTE)
    assert (again.done_gen, again.leased_gen, again.lane) == (1, 2, Lane.NOTIFICATION)
