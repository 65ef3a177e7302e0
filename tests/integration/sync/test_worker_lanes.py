"""The worker and the pace together: lanes take turns, requests carry their lane, nothing grows old in the limiter."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from integration.sync.timeline import Timeline
from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.registry.errors import Paused
from orcid_sync.registry.lanes import in_lane, present_lane
from orcid_sync.service.sync.pace_and_circuit import SharedPace
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.database.pools import statements
from orcid_sync.store.sync import pace_and_circuit, queue
from orcid_sync.store.sync.queue import Lease
from rig.service.daemon import settled, working
from rig.service.reconciler import OTHER, Bench, O

WaitUntil = Callable[..., Awaitable[object]]

MANY = [Orcid(numbered_orcid(5_000_200 + number)) for number in range(10)]


def waited(bench: Bench) -> dict[Lane, int]:
    """Requests by lane, as the metrics count them."""
    counts = {}
    for metric in bench.metrics.slot_seconds.collect():
        for sample in metric.samples:
            if sample.name.endswith("_count"):
                counts[Lane[sample.labels["lane"].upper()]] = int(sample.value)
    return counts


async def due_in(bench: Bench, lanes: dict[Orcid, Lane]) -> None:
    """Connect the iDs; each is due in its lane."""
    for orcid, lane in lanes.items():
        await bench.connect(orcid)
        await bench.connection.execute("update orcid_sync.queue set lane = $2 where orcid = $1", orcid, lane.value)


async def test_every_request_of_a_reconciliation_is_asked_in_its_lane(bench: Bench, wait_until: WaitUntil) -> None:
    """Webhook, own tokens, record, full works: none of them knows of lanes."""
    await bench.connect()
    async with working(bench):
        await wait_until(lambda: settled(bench), 10)
        first_load = waited(bench)
        asked = Counter(request.endpoint for request in bench.registry.journal.requests)
        assert asked.keys() >= {"webhook-put", "token", "record", "works-bulk"}
        assert first_load == {Lane.FIRST_LOAD: asked.total()}

        await bench.notify()
        await wait_until(lambda: settled(bench), 10)

    assert waited(bench) == {**first_load, Lane.NOTIFICATION: 1}


async def test_outside_of_reconciliations_a_person_is_waiting() -> None:
    with in_lane(Lane.SWEEP):
        assert present_lane() is Lane.SWEEP
        begun = await asyncio.create_task(asyncio.to_thread(present_lane))
    assert (begun, present_lane()) == (Lane.SWEEP, Lane.OPERATOR)


@pytest.mark.fault("F25")
@pytest.mark.invariant("L2")
@pytest.mark.parametrize("capacity", [1, 8])
async def test_under_a_storm_of_notifications_every_lane_gets_places(
    bench: Bench, wait_until: WaitUntil, capacity: int
) -> None:
    """All of them are always due; only notifications are many."""
    lanes = dict.fromkeys(MANY, Lane.NOTIFICATION)
    await due_in(bench, lanes | {MANY[0]: Lane.FIRST_LOAD, MANY[1]: Lane.CHECK, MANY[2]: Lane.SWEEP})
    leased: list[Lane] = []

    async def give_back(lease: Lease) -> str:
        leased.append(lease.lane)
        async with statements(bench.database.worker) as connection:
            await queue.release(connection, lease)
        return "given back"

    async with working(bench, capacity=capacity, reconcile=give_back):
        await wait_until(lambda: len(leased) >= 200, 20)

    counts = Counter(leased)
    assert counts[Lane.NOTIFICATION] == max(counts.values())
    assert counts[Lane.CHECK] / counts.total() > 0.05
    assert counts[Lane.SWEEP] / counts.total() > 0.02


@pytest.mark.fault("F25")
@pytest.mark.invariant("L2")
async def test_records_that_take_long_leave_a_place_for_a_notification(bench: Bench, wait_until: WaitUntil) -> None:
    await due_in(bench, dict.fromkeys(MANY, Lane.FIRST_LOAD))
    running: list[Lane] = []

    async def take_long(lease: Lease) -> str:
        running.append(lease.lane)
        await asyncio.Event().wait()
        return "never"

    async with working(bench, capacity=8, poll=60, reconcile=take_long) as worker:
        await wait_until(lambda: len(running) == 7)
        await bench.connect(O)
        await bench.notify(O)
        worker.wake()
        await wait_until(lambda: len(running) == 8)
        for task in worker._running:
            task.cancel()

    assert running == [Lane.FIRST_LOAD] * 7 + [Lane.NOTIFICATION]


@pytest.mark.fault("F41", "F42")
@pytest.mark.invariant("S14")
async def test_an_outage_costs_a_few_requests_and_no_id_a_try_that_it_did_not_have(
    bench: Bench, wait_until: WaitUntil
) -> None:
    lanes = dict.fromkeys([O, OTHER, *MANY], Lane.CHECK)
    await due_in(bench, lanes)
    mine = SharedPace(bench.database.worker, CLIENT_ID, rate=1000, burst=100)
    timeline = Timeline(bench.connection, client=CLIENT_ID)
    bench.registry.faults.add("error", status=502)

    async with working(bench, capacity=8, poll=0.1, admission=mine.admission):
        await wait_until(lambda: opened(bench), 10)
        await wait_until(lambda: nothing_leased(bench), 20)
        before = len(bench.registry.journal.requests)
        assert before <= 16, "the first ones were on their way together"
        for _ in range(4):
            await timeline.passes(61)
            await wait_until(lambda: tried(bench), 10)
            await wait_until(lambda: nothing_leased(bench), 20)
        assert len(bench.registry.journal.requests) == before + 4, "one for each pause"
        tries = await bench.connection.fetchval("select sum(attempts) from orcid_sync.queue")
        assert tries <= len(bench.registry.journal.requests)
        bench.registry.faults.clear()
        await bench.connection.execute("update orcid_sync.queue set due_at = now()")
        await timeline.passes(61)
        await wait_until(lambda: verified_both(bench), 20)


async def state(bench: Bench) -> pace_and_circuit.Pace:
    found = await pace_and_circuit.load(bench.connection, CLIENT_ID)
    assert found is not None
    return found


async def opened(bench: Bench) -> bool:
    found = await pace_and_circuit.load(bench.connection, CLIENT_ID)
    return found is not None and found.doubted


async def tried(bench: Bench) -> bool:
    """Whether the one request was sent that each pause is followed by."""
    return (await state(bench)).paused_seconds > 0


async def nothing_leased(bench: Bench) -> bool:
    leased = await bench.connection.fetchval("select count(*) from orcid_sync.queue where lease_until > now()")
    return leased == 0


async def verified_both(bench: Bench) -> bool:
    rows = [await bench.row(orcid) for orcid in (O, OTHER)]
    return all(row["verified_at"] is not None for row in rows)


async def test_what_is_paused_in_the_middle_is_given_back_undone(bench: Bench, wait_until: WaitUntil) -> None:
    await bench.connect()
    pauses: list[Lease] = []

    async def pause(lease: Lease) -> str:
        pauses.append(lease)
        if len(pauses) == 1:
            raise Paused
        return await bench.reconciler.reconcile(lease)

    async with working(bench, lease=60, reconcile=pause):
        await wait_until(lambda: settled(bench), 10)

    assert len(pauses) == 2
    assert pauses[1].attempts == 0
    assert pauses[1].leased_at - pauses[0].leased_at < timedelta(seconds=5), "the lease was for a minute"
