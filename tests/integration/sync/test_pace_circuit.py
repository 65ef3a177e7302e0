"""While the Registry is away: one request at a time tries, over all replicas; nothing more, during and afterwards."""

import asyncio

import asyncpg
import pytest

from integration.sync.timeline import CLIENT, TERMS, Timeline, assert_within, rate_of
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.store.database.pools import connect
from orcid_sync.store.sync import pace_and_circuit

PAUSES = [5, 10, 20, 40, 60, 60, 60]


@pytest.fixture
async def timeline(connection: asyncpg.Connection) -> Timeline:
    timeline = Timeline(connection)
    await timeline.ask()
    return timeline


async def fail(timeline: Timeline, times: int) -> list[bool]:
    return [await pace_and_circuit.report_failure(timeline.connection, CLIENT) for _ in range(times)]


async def succeed(timeline: Timeline) -> float | None:
    return await pace_and_circuit.report_success(timeline.connection, CLIENT)


async def test_it_opens_at_the_fifth_failure_in_a_row_and_says_so_once(timeline: Timeline) -> None:
    assert await fail(timeline, 4) == [False] * 4
    assert (await timeline.state()).pause == 0
    assert await fail(timeline, 4) == [True, False, False, False]
    assert (await timeline.state()).pause == pytest.approx(5, abs=1)


async def test_a_success_in_between_starts_the_count_anew(timeline: Timeline) -> None:
    await fail(timeline, 4)
    assert await succeed(timeline) is None
    assert await fail(timeline, 4) == [False] * 4


async def test_a_success_closes_it_and_says_how_long_it_was(timeline: Timeline) -> None:
    await fail(timeline, 5)
    await timeline.passes(100)
    assert await succeed(timeline) == pytest.approx(100, abs=1)
    assert await succeed(timeline) is None
    state = await timeline.state()
    assert (state.failures, state.failing_since, state.pause, state.probing) == (0, None, 0, False)


async def test_while_all_is_well_a_success_writes_nothing(timeline: Timeline) -> None:
    before = await timeline.connection.fetchval("select xmin::text from orcid_sync.pace")
    await succeed(timeline)
    assert await timeline.connection.fetchval("select xmin::text from orcid_sync.pace") == before


@pytest.mark.fault("F42")
@pytest.mark.invariant("S14")
async def test_after_each_pause_one_request_tries_however_many_replicas_and_lanes_ask(
    dsn: str, timeline: Timeline
) -> None:
    """And whoever tries may die of it: the next one tries after the next pause, which is longer."""
    await fail(timeline, 5)

    async def replica() -> list[int]:
        async with connect(dsn) as mine:
            return [(await Timeline(mine).ask(lane, 10)).given for lane in Lane]

    for pause in PAUSES:
        assert (await timeline.state()).pause == pytest.approx(pause, abs=1)
        assert sum(sum(given) for given in await asyncio.gather(replica(), replica(), replica())) == 0
        await timeline.passes(pause)
        assert (await timeline.state()).probing
        assert sum(sum(given) for given in await asyncio.gather(replica(), replica(), replica())) == 1


async def test_what_was_on_its_way_counts_for_nothing_during_a_pause(timeline: Timeline) -> None:
    await fail(timeline, 5)
    for pause in PAUSES[1:]:
        await timeline.passes(61)
        assert (await timeline.ask()).given == 1
        assert await fail(timeline, 3) == [False] * 3
        assert (await timeline.state()).pause == pytest.approx(pause, abs=1)


@pytest.mark.fault("F41", "F42")
@pytest.mark.invariant("S14")
async def test_ten_minutes_of_outage_cost_a_handful_of_requests_and_no_herd_follows(timeline: Timeline) -> None:
    """Three replicas have more to ask than they may, all the time."""
    backlog = dict.fromkeys(Lane, 100)
    healthy = len(await timeline.backlog(backlog, 10))

    await timeline.passes(5)
    asked, end = 0, timeline.now + 600
    while timeline.now < end:
        for _replica in range(3):
            booking = await timeline.ask(Lane.CHECK, 1)
            asked += booking.given
            await fail(timeline, booking.given)
        await timeline.passes(max(booking.pause, booking.again, 0.2))

    assert asked <= 25
    assert asked < healthy, "fewer in ten minutes of outage than in ten seconds of health"

    await timeline.passes(61)
    assert (await timeline.ask(Lane.CHECK, 100)).given == 1
    assert await succeed(timeline) == pytest.approx(660, abs=60)
    herd = [moment for moment, _ in await timeline.backlog(backlog, 5)]
    assert_within(herd, TERMS)
    assert rate_of(herd[TERMS.burst :]) == pytest.approx(TERMS.rate, rel=0.05), "nothing of the pace is lost either"
