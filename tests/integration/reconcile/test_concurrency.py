"""What happens meanwhile: a notification during a read, two workers on one iD, one that was frozen, a cancellation."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from orcid_sync.model.sync.schedule import Lane
from orcid_sync.service.sync import reconcile
from orcid_sync.store.sync import queue
from orcid_sync.store.sync.queue import LeaseLost
from rig.service.reconciler import LIMITED, SECOND_LOOK, Bench, O

NOTIFIED = "update orcid_sync.queue set gen = gen + 1, due_at = now(), lane = 0, notified_at = now() where orcid = $1"


def once(deed: Any) -> Any:
    """Done at the first read of the record, after its answer was made."""
    deeds = iter([deed])
    return lambda target: next(deeds, lambda: None)() if target.endpoint == "record" else None


@pytest.mark.fault("F18")
@pytest.mark.invariant("S2")
async def test_a_notification_during_the_read_leads_to_another_read(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    edit = bench.registry.edit
    edit.add_item(O, "keyword", {"content": "seen"})

    def meanwhile() -> None:
        edit.add_item(O, "keyword", {"content": "missed by this answer"})
        bench.ask_aside(NOTIFIED, O)

    bench.reads.during = once(meanwhile)
    await bench.notify()
    lease = await bench.lease()

    assert await bench.reconciler.reconcile(lease) == "changed"

    row = await bench.row()
    assert row["done_gen"] == lease.leased_gen < row["gen"]  # not jumped to gen
    assert row["lane"] == 0
    assert await bench.due_in() <= bench.reconciler.grace
    assert await bench.when_due() == "changed"
    await bench.assert_mirrored()
    row = await bench.row()
    assert row["done_gen"] == row["gen"]


@pytest.mark.fault("F18")
@pytest.mark.invariant("S2")
async def test_a_notification_during_a_failing_read_is_not_put_off(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    bench.reads.during = once(lambda: bench.ask_aside(NOTIFIED, O))
    bench.registry.faults.add("wrong-length", "record", count=2)

    assert await bench.check() == "failed"

    assert await bench.due_in() <= bench.reconciler.grace


@pytest.mark.fault("F16", "F17", "F19")
@pytest.mark.invariant("S3", "S4", "S7")
async def test_a_worker_that_was_frozen_past_its_lease_writes_nothing(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    bench.registry.edit.add_item(O, "keyword", {"content": "first"})
    await bench.notify()
    frozen = await bench.lease(lasts=timedelta(0))
    finding = await bench.reconciler._find(frozen, reconcile._turn(frozen))  # it has read, and now it sleeps
    bench.registry.edit.add_item(O, "keyword", {"content": "second"})

    assert await bench.turn() == "changed"  # somebody else took over
    head, mirror, row = await bench.head(), await bench.mirror(), await bench.row()
    with pytest.raises(LeaseLost):
        await bench.reconciler._commit(frozen, reconcile._turn(frozen), finding)

    assert (await bench.head(), await bench.mirror(), await bench.row()) == (head, mirror, row)
    await bench.assert_mirrored()


@pytest.mark.fault("F16")
@pytest.mark.invariant("S3", "S7")
async def test_a_frozen_worker_whose_iD_nobody_took_may_finish_once(bench: Bench) -> None:  # noqa: N802 - ORCID's word
    await bench.connect()
    lease = await bench.lease(lasts=timedelta(0))  # lapsed at once

    assert await bench.reconciler.reconcile(lease) == "changed"
    head = await bench.head()
    with pytest.raises(LeaseLost):
        await bench.reconciler.reconcile(lease)

    assert await bench.head() == head


@pytest.mark.fault("F16")
@pytest.mark.invariant("S3", "S10")
async def test_a_frozen_worker_does_not_report_its_failure_either(bench: Bench) -> None:
    await bench.connect()
    frozen = await bench.lease(lasts=timedelta(0))
    await bench.turn()
    row = await bench.row()
    bench.registry.faults.add("error", "record", status=500)

    with pytest.raises(LeaseLost):
        await bench.reconciler.reconcile(frozen)

    assert await bench.row() == row


@pytest.mark.fault("F15")
@pytest.mark.invariant("L4", "S5")
async def test_a_worker_that_died_while_reading_is_taken_over_when_its_lease_lapses(
    bench: Bench, wait_until: Any
) -> None:
    await bench.connect()
    lease = await bench.lease(lasts=timedelta(seconds=60))
    bench.registry.faults.add("timeout", "record", count=1, seconds=30)
    dying = asyncio.create_task(bench.reconciler.reconcile(lease))
    await wait_until(lambda: bench.registry.faults.fired["timeout"])
    dying.cancel()
    await asyncio.wait([dying])

    assert await queue.lease_due(bench.connection, limit=10, lease=timedelta(seconds=60)) == []
    await bench.pass_time(timedelta(seconds=61))
    assert await bench.turn() == "changed"
    await bench.assert_mirrored()


@pytest.mark.fault("F18", "F17")
@pytest.mark.invariant("S3", "S4", "S7")
async def test_two_replicas_never_have_the_same_id(bench: Bench) -> None:
    await bench.connect()
    async with bench.database.worker.acquire() as one, bench.database.worker.acquire() as other:
        leases = await asyncio.gather(
            *(queue.lease_due(c, limit=10, lease=timedelta(seconds=60)) for c in (one, other))
        )

    assert sorted(len(found) for found in leases) == [0, 1]


@pytest.mark.fault("F27")
@pytest.mark.invariant("S5", "S7")
async def test_a_cancellation_at_any_moment_leaves_nothing_half_done(bench: Bench) -> None:
    """Cancelled after each number of turns of the event loop, from none to enough to finish."""
    await bench.connect(scopes=LIMITED)
    token = await bench.connect(scopes=LIMITED)
    await bench.turn()
    finished, steps, cancelled = False, 0, 0
    while not finished:
        bench.registry.edit.add_item(O, "keyword", {"content": f"step {steps}"})
        bench.registry.edit.add_item(O, "work", {"title": f"step {steps}", "type": "other"})
        await bench.notify()
        lease, head, before = await bench.lease(), await bench.head(), await bench.mirror()
        task = asyncio.create_task(bench.reconciler.reconcile(lease))
        for _ in range(steps):
            await asyncio.sleep(0)
            if task.done():
                break
        finished = task.done()
        task.cancel()
        await asyncio.wait([task])
        cancelled += task.cancelled()
        row = await bench.row()
        if row["done_gen"] < row["gen"]:
            assert await bench.head() == head
            assert await bench.mirror() == before
            await queue.release(bench.connection, lease)
        else:
            await bench.assert_mirrored(token=token)
        steps += 1 + steps // 12

    assert cancelled > 20
    await bench.notify()
    await bench.turn()
    await bench.assert_mirrored(token=token)
    async with asyncio.TaskGroup() as group:  # no connection was lost to the pool
        for _ in range(bench.database.worker.get_max_size()):
            group.create_task(bench.database.worker.fetchval("select pg_sleep(0.01)"))
    seqs = [change["seq"] for change in await bench.changes()]
    assert seqs == list(range(1, len(seqs) + 1))


@pytest.mark.invariant("S2")
async def test_the_second_look_comes_once_after_a_notification(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    assert await bench.due_in() > timedelta(days=6)

    assert await bench.notified() == "unchanged"
    assert await bench.due_in() == pytest.approx(SECOND_LOOK, abs=timedelta(seconds=30))
    assert (await bench.row())["lane"] == 3

    assert await bench.when_due() == "unchanged"
    assert (await bench.row())["second_look_at"] is None
    assert await bench.due_in() > timedelta(days=6)


@pytest.mark.invariant("S2")
async def test_an_operators_read_does_not_take_the_second_look_away(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    await bench.notified()
    await bench.pass_time(timedelta(minutes=5))
    await queue.request_sync(bench.connection, [O])

    await bench.turn()

    assert await bench.due_in() == pytest.approx(timedelta(minutes=10), abs=timedelta(seconds=30))


@pytest.mark.invariant("S2")
async def test_a_second_look_that_fails_is_repeated(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    await bench.notified()
    bench.registry.edit.add_item(O, "keyword", {"content": "unannounced"})
    bench.registry.faults.add("error", "record", status=500, count=2)

    assert await bench.when_due() == "failed"
    assert await bench.due_in() < timedelta(minutes=1)
    assert await bench.when_due() == "changed"

    assert (await bench.changes())[-1]["cause"] == "second-look"
    await bench.assert_mirrored()


async def test_a_defect_makes_the_id_wait_and_is_visible(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.connect()
    await bench.turn()

    async def broken(*_: object) -> None:
        raise ZeroDivisionError("canary")

    monkeypatch.setattr(reconcile, "digest_of", broken)

    assert await bench.notified() == "failed"

    row = await bench.row()
    assert row["last_error"] == "defect: ZeroDivisionError"
    assert await bench.due_in() >= timedelta(minutes=1)
    monkeypatch.undo()
    assert await bench.when_due() == "unchanged"


@pytest.mark.fault("F20")
async def test_lanes_are_not_mixed_up_by_a_sweep(bench: Bench) -> None:
    """A scheduled mark never makes a waiting notification wait longer."""
    await bench.connect()
    await bench.turn()
    await bench.notify()

    await queue.mark_due(bench.connection, [O], lane=Lane.SWEEP)

    assert (await bench.lease()).lane is Lane.NOTIFICATION
