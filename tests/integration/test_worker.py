"""The worker around the reconciliations: leases kept and lost, waking, stopping, and what must not hold up others."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from service_rig import OTHER, Bench, O

from orcid_sync.model import diff
from orcid_sync.model.ids import Orcid
from orcid_sync.model.lifecycle import Lane
from orcid_sync.model.sections import Section
from orcid_sync.service import reading, reconcile
from orcid_sync.service.health import Heartbeats
from orcid_sync.service.worker import Worker
from orcid_sync.simulator import big_record, numbered_orcid
from orcid_sync.store import mirror, queue

WaitUntil = Callable[..., Any]

MANY = [Orcid(numbered_orcid(5_000_100 + number)) for number in range(12)]


LISTENERS = (
    "select pid from pg_stat_activity where application_name = 'orcid_sync listener' and datname = current_database()"
)


async def no_pause() -> float:
    return 0.0


@asynccontextmanager
async def working(
    bench: Bench, *, lease: float = 60, poll: float = 0.2, capacity: int = 4, reconcile: Any = None
) -> AsyncIterator[Worker]:
    """A worker that runs, as the daemon has it."""
    worker = Worker(
        bench.database,
        reconcile or bench.reconciler.reconcile,
        no_pause,
        capacity=capacity,
        lease=timedelta(seconds=lease),
        poll_seconds=poll,
        heartbeats=Heartbeats(asyncio.get_running_loop().time),
    )
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        await worker.stop(5)
        await running


async def settled(bench: Bench) -> bool:
    """Whether nothing is left to do."""
    left = await bench.connection.fetchval("select count(*) from orcid_sync.queue where gen > done_gen")
    return left == 0


@pytest.mark.fault("F15")
@pytest.mark.invariant("L4", "S5")
async def test_what_a_dead_worker_left_is_done_when_its_lease_lapses(bench: Bench, wait_until: WaitUntil) -> None:
    await bench.connect()
    dead = await bench.lease(lasts=timedelta(seconds=1))

    async with working(bench, poll=0.2):
        await wait_until(lambda: settled(bench), 5)

    row = await bench.row()
    assert row["lease_no"] == dead.lease_no + 1
    waited = row["verified_at"] - dead.leased_at
    assert timedelta(seconds=1) <= waited <= timedelta(seconds=4)
    await bench.assert_mirrored()


@pytest.mark.fault("F34")
@pytest.mark.invariant("S3")
async def test_a_lease_is_kept_alive_while_a_read_takes_longer(bench: Bench, wait_until: WaitUntil) -> None:
    await bench.connect()
    bench.registry.faults.add("delay", "record", seconds=1.5, count=1)

    async with working(bench, lease=0.6), working(bench, lease=0.6):
        await wait_until(lambda: settled(bench), 10)

    assert len(bench.requests("record")) == 1
    assert (await bench.row())["lease_no"] == 1


@pytest.mark.fault("F16", "F17", "F19")
@pytest.mark.invariant("S3", "S4", "S7")
async def test_a_frozen_worker_loses_its_lease_and_writes_nothing_twice(
    bench: Bench, wait_until: WaitUntil, capsys: pytest.CaptureFixture[str]
) -> None:
    await bench.connect()
    thawed = asyncio.Event()
    find = type(bench.reconciler)._find

    async def read_and_freeze(lease: queue.Lease) -> str:
        turn = reconcile._turn(lease)
        finding = await find(bench.reconciler, lease, turn)
        await thawed.wait()
        await bench.reconciler._commit(lease, turn, finding)
        return "written"

    async with working(bench, lease=0.5, reconcile=read_and_freeze) as frozen:
        frozen._keep = lambda _lease: asyncio.sleep(60)  # type: ignore[method-assign]
        await wait_until(lambda: bench.requests("works-bulk"))
        frozen._stopping = True  # it leases nothing more
        async with working(bench):
            await wait_until(lambda: settled(bench), 10)
            await bench.assert_mirrored()
            mirror_before, head = await bench.mirror(), await bench.head()
            thawed.set()
            await wait_until(lambda: not frozen._running)

    assert "lease lost" in capsys.readouterr().out
    assert (await bench.mirror(), await bench.head()) == (mirror_before, head)


class Turns:
    """How much of something happens between two turns of the event loop."""

    def __init__(self) -> None:
        self.most: dict[str, int] = {}
        self._turn = 0
        self._seen: dict[str, tuple[int, int]] = {}

    async def spin(self) -> None:
        while True:
            self._turn += 1
            await asyncio.sleep(0)

    def counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def count(*arguments: Any, **options: Any) -> Any:
            turn, number = self._seen.get(name, (self._turn, 0))
            self._seen[name] = (self._turn, number + 1 if turn == self._turn else 1)
            self.most[name] = max(self.most.get(name, 0), self._seen[name][1])
            return function(*arguments, **options)

        return count


@pytest.mark.fault("F28")
@pytest.mark.invariant("S1")
async def test_a_record_of_3000_works_is_dealt_with_in_small_bites(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted rather than timed: what is done to items between two turns of the event loop."""
    big_record(bench.registry.profiles, MANY[0], works=3000)
    await bench.connect(MANY[0])
    turns = Turns()
    monkeypatch.setattr(reading, "wants_detail", turns.counted("wants_detail", reading.wants_detail))
    monkeypatch.setattr(diff, "addition", turns.counted("addition", diff.addition))
    monkeypatch.setattr(Section, "entry", turns.counted("entry", Section.entry))
    spinning = asyncio.create_task(turns.spin())

    assert await bench.turn(MANY[0]) == "changed"

    spinning.cancel()
    assert turns.most.keys() == {"wants_detail", "addition", "entry"}
    assert max(turns.most.values()) <= 100, turns.most


@pytest.mark.fault("F28")
@pytest.mark.invariant("S1")
async def test_the_event_loop_stays_responsive_during_a_record_of_3000_works(bench: Bench) -> None:
    big_record(bench.registry.profiles, MANY[0], works=3000)
    await bench.connect(MANY[0])
    await bench.turn(MANY[0])  # from now on the simulated Registry answers from memory
    for table in await bench.mirror(MANY[0]):
        await bench.connection.execute(f"truncate orcid.{table} cascade")
    await bench.connection.execute("update orcid_sync.queue set body_digest = null")
    loop, lags = asyncio.get_running_loop(), [0.0]

    def measure(expected: float) -> None:
        lags.append(loop.time() - expected)
        loop.call_later(0.005, measure, loop.time() + 0.005)

    measure(loop.time())

    assert await bench.check(MANY[0]) == "changed"

    assert len(lags) > 50
    assert max(lags) < 0.25, sorted(lags)[-5:]
    await bench.assert_mirrored(MANY[0])


@pytest.mark.fault("F24")
@pytest.mark.invariant("L2")
async def test_a_defect_with_one_id_delays_nobody_else(
    bench: Bench, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    load = mirror.load

    async def defective(connection: Any, orcid: str) -> Any:
        if orcid == O:
            raise ZeroDivisionError("canary")
        return await load(connection, orcid)

    monkeypatch.setattr(mirror, "load", defective)
    await bench.connect(O)
    await bench.connect(OTHER)

    async with working(bench, capacity=1):
        await wait_until(lambda: verified(bench, OTHER), 10)
        await wait_until(lambda: failed(bench, O), 10)

    await bench.assert_mirrored(OTHER)
    row = await bench.row()
    assert (row["last_error"], row["attempts"]) == ("defect: ZeroDivisionError", 1)
    assert await bench.due_in() > timedelta(minutes=1)
    assert "reconciliation failed by a defect" in capsys.readouterr().out


async def verified(bench: Bench, orcid: Orcid) -> bool:
    return (await bench.row(orcid))["verified_at"] is not None


async def failed(bench: Bench, orcid: Orcid) -> bool:
    return bool((await bench.row(orcid))["attempts"])


@pytest.mark.fault("F23")
@pytest.mark.invariant("L1")
async def test_a_defect_in_the_loop_itself_does_not_end_it(
    bench: Bench, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await bench.connect()
    lease_due, defects = queue.lease_due, iter([ZeroDivisionError("canary")])

    async def defective(*arguments: Any, **options: Any) -> Any:
        for defect in defects:
            raise defect
        return await lease_due(*arguments, **options)

    monkeypatch.setattr(queue, "lease_due", defective)

    async with working(bench):
        await wait_until(lambda: settled(bench), 10)

    assert "ZeroDivisionError" in capsys.readouterr().out


@pytest.mark.fault("F82")
async def test_a_notify_wakes_a_sleeping_worker(bench: Bench, wait_until: WaitUntil) -> None:
    async with working(bench, poll=600):
        await wait_until(lambda: listening(bench))
        await bench.connect()
        await queue.wake(bench.connection)

        await wait_until(lambda: settled(bench), 10)


@pytest.mark.fault("F82")
@pytest.mark.invariant("L1")
async def test_without_a_listener_the_poll_finds_the_work(bench: Bench, wait_until: WaitUntil) -> None:
    async with working(bench, poll=0.2):
        await wait_until(lambda: listening(bench))
        await bench.connection.fetch(f"select pg_terminate_backend(pid) from ({LISTENERS}) as l")
        await bench.connect()

        await wait_until(lambda: settled(bench), 10)


async def listening(bench: Bench) -> bool:
    return bool(await bench.connection.fetch(LISTENERS))


@pytest.mark.fault("F25")
@pytest.mark.invariant("L2")
async def test_a_notified_record_is_read_before_waiting_first_loads(bench: Bench, wait_until: WaitUntil) -> None:
    await bench.connect(OTHER)
    await bench.turn(OTHER)
    for orcid in MANY:
        bench.registry.add_record(orcid, works=1)
        await bench.connect(orcid)
    await bench.notify(OTHER)
    bench.reads.clear()

    async with working(bench, capacity=1):
        await wait_until(lambda: settled(bench), 20)

    order = [target.orcid for target in bench.reads.targets if target.endpoint == "record"]
    assert order[0] == OTHER
    assert sorted(order[1:]) == sorted(MANY)


async def test_no_more_records_at_once_than_the_capacity(bench: Bench, wait_until: WaitUntil) -> None:
    for orcid in MANY:
        bench.registry.add_record(orcid, works=1)
        await bench.connect(orcid)
    now, most = 0, 0

    async def counted(lease: queue.Lease) -> str:
        nonlocal now, most
        now += 1
        most = max(most, now)
        try:
            return await bench.reconciler.reconcile(lease)
        finally:
            now -= 1

    async with working(bench, capacity=3, reconcile=counted):
        await wait_until(lambda: settled(bench), 20)

    assert most == 3


@pytest.mark.invariant("L7", "L4")
async def test_stopping_finishes_what_it_can_and_gives_the_rest_back(bench: Bench, wait_until: WaitUntil) -> None:
    await bench.connect(O)
    await bench.connect(OTHER)
    bench.registry.faults.add("delay", "record", orcid=OTHER, seconds=0.3)
    bench.registry.faults.add("timeout", "record", orcid=O, seconds=60)
    async with working(bench) as worker:
        await wait_until(lambda: len(worker._running) == 2)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await worker.stop(1)
        assert loop.time() - began < 3

    await bench.assert_mirrored(OTHER)
    row = await bench.row(O)
    assert row["gen"] > row["done_gen"]
    bench.registry.faults.clear()
    assert await bench.turn(O) == "changed"  # leased again at once, though the lease was for a minute


@pytest.mark.invariant("L4", "L7")
async def test_every_lease_is_given_back_also_if_two_give_back_and_more_comes_meanwhile(bench: Bench) -> None:
    """As when the worker is stopped during a turn."""
    for orcid in MANY:
        await bench.connect(orcid)
    leases = await queue.lease_due(bench.connection, limit=len(MANY), lease=timedelta(minutes=1))
    async with working(bench, capacity=0) as worker:
        worker._abandoned += leases[:6]
        giving = [asyncio.create_task(worker._give_back()) for _ in range(2)]
        for lease in leases[6:]:
            await asyncio.sleep(0)
            worker._abandoned.append(lease)
        await asyncio.gather(*giving)
        await worker._give_back()

    assert len(await queue.lease_due(bench.connection, limit=20, lease=timedelta(minutes=1))) == len(MANY)


@pytest.mark.fault("F78")
@pytest.mark.invariant("S14")
async def test_a_full_disk_does_not_become_a_storm_of_reads(bench: Bench, wait_until: WaitUntil) -> None:
    await bench.connection.execute(
        "create function refuse() returns trigger language plpgsql as $$begin raise disk_full; end$$"
    )
    await bench.connection.execute("create trigger refusing before insert on orcid.changes execute function refuse()")
    await bench.connect()
    async with working(bench, poll=0.1):
        await wait_until(lambda: failed(bench, O), 10)
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 2)

    assert len(bench.requests("record")) <= 2


@pytest.mark.fault("F75")
@pytest.mark.invariant("L6")
async def test_lost_connections_are_replaced(bench: Bench, wait_until: WaitUntil) -> None:
    others = "datname = current_database() and pid <> pg_backend_pid()"
    async with working(bench):
        for number in range(5):
            await bench.connection.fetch(f"select pg_terminate_backend(pid) from pg_stat_activity where {others}")
            bench.registry.edit.set_biography(O, f"number {number}")
            await (bench.connect() if number == 0 else bench.notify())
            await wait_until(lambda: settled(bench), 10)

    await bench.assert_mirrored()


@pytest.mark.fault("F20")
async def test_lanes_are_not_mixed_up_by_a_sweep(bench: Bench) -> None:
    """A scheduled mark never makes a waiting notification wait longer."""
    await bench.connect()
    await bench.turn()
    await bench.notify()

    await queue.mark_due(bench.connection, [O], lane=Lane.SWEEP)

    assert (await bench.lease()).lane is Lane.NOTIFICATION
