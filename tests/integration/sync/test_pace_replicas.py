"""Replicas that ask at the same time, each with its own pool: what is really sent, in real time."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest

from integration.sync.timeline import CLIENT, Timeline, assert_within, rate_of
from orcid_sync.model.sync.registry_health import Sign
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.registry.errors import Paused
from orcid_sync.service.sync import pace_and_circuit as shared
from orcid_sync.service.sync.pace_and_circuit import SharedPace
from orcid_sync.store.database.pools import Database, open_database
from orcid_sync.store.sync import pace_and_circuit
from orcid_sync.store.sync.pace_and_circuit import Terms

TERMS = Terms(60.0, 8)
LAG = 0.1
"""How late a busy machine's event loop may send what it booked."""

WaitUntil = Callable[..., Awaitable[object]]


@pytest.fixture
async def databases(dsn: str) -> AsyncIterator[list[Database]]:
    """The pools of three replicas."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_database(dsn, workers=2)) for _ in range(3)]


def shared_pace(database: Database, terms: Terms = TERMS) -> SharedPace:
    return SharedPace(database.worker, CLIENT, rate=terms.rate, burst=terms.burst)


async def backlog(replica: SharedPace, waiting: Mapping[Lane, int], seconds: float) -> list[tuple[float, Lane]]:
    """What one replica sends in so much time, if so many requests always wait in each lane."""
    clock = asyncio.get_running_loop().time
    sent, end = [], clock() + seconds

    async def keep_asking(lane: Lane) -> None:
        while clock() < end:
            await replica.slot(lane)
            if clock() < end:  # then the lanes drain, and their shares say nothing
                sent.append((clock(), lane))

    async with asyncio.TaskGroup() as group:
        for lane, number in waiting.items():
            for _ in range(number):
                group.create_task(keep_asking(lane))
    return sent


@pytest.mark.fault("F44", "F25")
@pytest.mark.invariant("S14")
async def test_three_replicas_together_use_the_rate_and_never_exceed_it(databases: list[Database]) -> None:
    waiting = {Lane.NOTIFICATION: 20, Lane.CHECK: 10}
    each = await asyncio.gather(*(backlog(shared_pace(database), waiting, 4) for database in databases))

    sent = sorted(one for replica in each for one in replica)
    moments = [moment for moment, _ in sent]
    assert_within(moments, TERMS, jitter=LAG)
    steady = [one for one in sent if one[0] > moments[0] + 0.5]
    assert rate_of([moment for moment, _ in steady]) >= 0.95 * TERMS.rate
    lanes = Counter(lane for _, lane in steady)
    assert lanes[Lane.CHECK] / lanes.total() == pytest.approx(0.1, abs=0.03)
    assert min(len(replica) for replica in each) > len(sent) / 6, "and each replica gets its part"


@pytest.mark.fault("F44")
@pytest.mark.invariant("S14")
async def test_a_replica_that_dies_takes_nothing_with_it(databases: list[Database]) -> None:
    alive = [asyncio.create_task(backlog(shared_pace(database), {Lane.CHECK: 10}, 3)) for database in databases[:2]]
    doomed = asyncio.create_task(backlog(shared_pace(databases[2]), {Lane.CHECK: 30}, 60))
    await asyncio.wait(alive, timeout=1)
    doomed.cancel()
    died = asyncio.get_running_loop().time()

    moments = sorted(moment for sent in await asyncio.gather(*alive) for moment, _ in sent)

    assert_within(moments, TERMS, jitter=LAG)
    assert rate_of([moment for moment in moments if moment > died + 0.3]) >= 0.93 * TERMS.rate


async def test_many_that_wait_share_a_statement(databases: list[Database], monkeypatch: pytest.MonkeyPatch) -> None:
    reserve, asked = pace_and_circuit.reserve, []

    async def counted(*arguments: object, **options: int) -> pace_and_circuit.Booking:
        asked.append(options["wanted"])
        return await reserve(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(pace_and_circuit, "reserve", counted)
    replica = shared_pace(databases[0], Terms(1000, 200))
    await asyncio.gather(*(replica.slot(Lane.FIRST_LOAD) for _ in range(200)))

    assert len(asked) <= 3, "one for the first, one for those who came meanwhile"


@pytest.mark.invariant("S14")
async def test_moments_that_nobody_took_are_no_burst_later(databases: list[Database]) -> None:
    """They were booked for requests that were given up."""
    terms = Terms(20, 1)
    replica, now = shared_pace(databases[0], terms), asyncio.get_running_loop().time()
    replica._lanes[Lane.CHECK].booked.extend([now - shared.LAPSED - 0.01] * 10)

    moments = [moment for moment, _ in await backlog(replica, {Lane.CHECK: 10}, 0.5)]

    assert_within(moments, terms, jitter=0.05)


@pytest.mark.fault("F31")
async def test_a_short_silence_is_waited_for_and_a_long_one_is_refused(databases: list[Database]) -> None:
    one, other = (shared_pace(database) for database in databases[:2])
    clock = asyncio.get_running_loop().time
    await one.slot(Lane.CHECK)

    await one.heard(Sign.LIMITED, "record", silence=1.0)
    began = clock()
    await other.slot(Lane.NOTIFICATION)
    assert 0.9 <= clock() - began < 3

    await one.heard(Sign.LIMITED, "record", silence=30.0)
    assert (await other.admission()).seconds == pytest.approx(30, abs=1)
    with pytest.raises(Paused):
        await other.slot(Lane.NOTIFICATION)


@pytest.mark.fault("F42")
async def test_while_the_registry_is_away_one_is_let_in_to_try(
    databases: list[Database], capsys: pytest.CaptureFixture[str]
) -> None:
    replicas = [shared_pace(database) for database in databases]
    await replicas[0].slot(Lane.CHECK)
    for number in range(6):
        await replicas[number % 3].heard(Sign.AWAY, f"iD {number}")
    assert [(await replica.admission()).alone for replica in replicas] == [True] * 3
    assert await replicas[0].slot(Lane.CHECK), "the fixed question"
    await replicas[0].heard(Sign.AWAY, "nobody", probe=True)
    assert all([(await replica.admission()).seconds > 4 for replica in replicas])
    async with databases[0].reader.acquire() as connection:
        await Timeline(connection).passes(5.1)

    admissions = [await replica.admission() for replica in replicas]
    assert [(admission.seconds, admission.alone) for admission in admissions] == [(0, True)] * 3
    tries = await asyncio.gather(*(replica.slot(Lane.CHECK) for replica in replicas), return_exceptions=True)
    assert sorted(str(type(tried).__name__) for tried in tries) == ["Paused", "Paused", "bool"]

    await replicas[1].heard(Sign.ANSWERED, "nobody", probe=True)
    assert not any(await asyncio.gather(*(replica.slot(Lane.CHECK) for replica in replicas)))
    said = capsys.readouterr().out
    assert (said.count("registry away"), said.count("registry back")) == (1, 1)


@pytest.mark.fault("F42")
async def test_what_was_booked_before_a_doubt_is_not_sent_during_it(
    databases: list[Database], wait_until: WaitUntil
) -> None:
    replica = shared_pace(databases[0], Terms(4, 1))
    await replica.slot(Lane.CHECK)
    sent: list[bool] = []

    async def request() -> None:
        sent.append(await replica.slot(Lane.NOTIFICATION))

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(request()) for _ in range(2)]
        await wait_until(lambda: all(not lane.number for lane in replica._lanes.values()), 5)
        for number in range(6):
            await replica.heard(Sign.AWAY, f"iD {number}")
        await wait_until(lambda: sent, 5)
        assert sent == [True], "the fixed question only"
        for task in tasks:
            task.cancel()


async def test_all_that_a_process_hears_at_once_is_told_together(
    databases: list[Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    report, told = pace_and_circuit.report, []

    async def counted(*arguments: Any, **options: Any) -> Any:
        told.append(arguments[2])
        return await report(*arguments, **options)

    monkeypatch.setattr(pace_and_circuit, "report", counted)
    replica = shared_pace(databases[0])
    await replica.slot(Lane.CHECK)
    await asyncio.gather(*(replica.heard(Sign.AWAY, f"iD {number}") for number in range(100)))
    assert len(told) <= 3, "the first, and those who came meanwhile"
    assert (await replica.admission()).alone

    await replica.heard(Sign.ANSWERED, "iD 1")
    told.clear()
    await asyncio.gather(*(replica.heard(Sign.ANSWERED, f"iD {number}") for number in range(100)))
    assert not told, "while all is well nothing is told"


async def test_no_more_is_leased_of_a_lane_than_its_requests_move(
    databases: list[Database], wait_until: WaitUntil
) -> None:
    replica = shared_pace(databases[0], Terms(2, 1))
    await replica.slot(Lane.CHECK)
    waiting = [asyncio.create_task(replica.slot(Lane.CHECK)) for _ in range(6)]
    await wait_until(lambda: replica._lanes[Lane.CHECK].number >= 3)

    admission = await replica.admission()

    assert admission.places == 2
    assert admission.lanes == set(Lane) - {Lane.CHECK}
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)
    assert (await replica.admission()).lanes == set(Lane)
