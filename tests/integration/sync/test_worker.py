"""The worker around the reconciliations: leases kept and lost, waking, stopping, and what must not hold up others."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.service.sync import reconcile
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.store.mirror import items
from orcid_sync.store.sync import queue
from rig.service.daemon import settled, working
from rig.service.reconciler import OTHER, Bench, O

WaitUntil = Callable[..., Any]

MANY = [Orcid(numbered_orcid(5_000_100 + number)) for number in range(12)]


LISTENERS = (
    "select pid from pg_stat_activity where application_name = 'orcid_sync listener' and datname = current_database()"
)


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


@pytest.mark.fault("F24")
@pytest.mark.invariant("L2")
async def test_a_defect_with_one_id_delays_nobody_else(
    bench: Bench, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    load = items.load

    async def defective(connection: Any, orcid: str) -> Any:
        if orcid == O:
            raise ZeroDivisionError("canary")
        return await load(connection, orcid)

    monkeypatch.setattr(items, "load", defective)
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
