"""While the Registry is away: one request at a time tries, over all replicas; nothing more, during and afterwards."""

import asyncio

import asyncpg
import pytest

from integration.sync.timeline import CLIENT, TERMS, Timeline, assert_within, rate_of
from orcid_sync.model.sync.registry_health import DOUBTFUL_IDS, Sign
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.store.database.pools import connect
from orcid_sync.store.sync import pace_and_circuit

PAUSES = [5, 10, 20, 40, 45, 45, 45]


@pytest.fixture
async def timeline(connection: asyncpg.Connection) -> Timeline:
    timeline = Timeline(connection)
    await timeline.ask()
    return timeline


async def doubt(timeline: Timeline) -> None:
    for who in range(DOUBTFUL_IDS):
        await timeline.tell_one(Sign.AWAY, who)
    assert (await timeline.state()).doubted


async def test_a_doubt_lets_nobody_through_but_the_fixed_question(timeline: Timeline) -> None:
    await doubt(timeline)
    state = await timeline.state()
    assert (state.away, state.pause) == (False, 0)
    first, second = await timeline.ask(Lane.SWEEP, 50), await timeline.ask(Lane.NOTIFICATION, 50)
    assert (first.given, first.probing, first.pause) == (1, True, 0)
    assert (second.given, second.probing, second.pause) == (0, False, pytest.approx(5, abs=1))


async def test_an_answer_closes_it_and_says_how_long_it_was(timeline: Timeline) -> None:
    await doubt(timeline)
    await timeline.ask()
    assert (await timeline.tell_one(Sign.AWAY, probe=True)).went
    await timeline.passes(100)
    assert (await timeline.tell_one(Sign.ANSWERED)).returned_after == pytest.approx(100, abs=1)
    assert (await timeline.tell_one(Sign.ANSWERED)).returned_after is None
    state = await timeline.state()
    assert (state.failures, state.failing_since, state.pause, state.doubted) == (0, None, 0, False)


async def test_while_all_is_well_nobody_is_troubled(timeline: Timeline) -> None:
    assert not await pace_and_circuit.is_troubled(timeline.connection, CLIENT)
    await timeline.tell_one(Sign.AWAY)
    assert await pace_and_circuit.is_troubled(timeline.connection, CLIENT)
    await timeline.tell_one(Sign.ANSWERED)
    assert not await pace_and_circuit.is_troubled(timeline.connection, CLIENT)


@pytest.mark.fault("F42")
@pytest.mark.invariant("S14")
async def test_after_each_pause_one_request_tries_however_many_replicas_and_lanes_ask(
    dsn: str, timeline: Timeline
) -> None:
    """And whoever tries may die of it: the next one tries after the next pause, which is longer."""
    await doubt(timeline)

    async def replica() -> list[int]:
        async with connect(dsn) as mine:
            return [(await Timeline(mine).ask(lane, 10)).given for lane in Lane]

    for pause in [0, *PAUSES]:
        assert (await timeline.state()).pause == pytest.approx(pause, abs=1)
        if pause:
            assert sum(sum(given) for given in await asyncio.gather(replica(), replica(), replica())) == 0
        await timeline.passes(pause)
        assert sum(sum(given) for given in await asyncio.gather(replica(), replica(), replica())) == 1


async def test_what_was_on_its_way_counts_for_nothing_during_a_pause(timeline: Timeline) -> None:
    await doubt(timeline)
    for pause in PAUSES:
        assert (await timeline.ask()).given == 1
        for who in range(20):
            assert not (await timeline.tell_one(Sign.AWAY, who)).went
        assert (await timeline.state()).pause == pytest.approx(pause, abs=1)
        await timeline.passes(61)


async def test_many_processes_are_judged_together(dsn: str, timeline: Timeline) -> None:
    """Each has heard of one iD only, all at the same moment."""

    async def process(who: int) -> None:
        async with connect(dsn) as mine:
            await Timeline(mine).tell_one(Sign.AWAY, who)

    await asyncio.gather(*map(process, range(DOUBTFUL_IDS)))
    assert (await timeline.state()).doubted


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
            for _ in range(booking.given):
                asked += 1
                await timeline.tell_one(Sign.AWAY, asked, probe=booking.probing)
        await timeline.passes(max(booking.pause, booking.again, 0.2))

    assert asked <= 25
    assert asked < healthy, "fewer in ten minutes of outage than in ten seconds of health"

    await timeline.passes(61)
    assert (await timeline.ask(Lane.CHECK, 100)).given == 1
    assert (await timeline.tell_one(Sign.ANSWERED)).returned_after == pytest.approx(660, abs=60)
    herd = [moment for moment, _ in await timeline.backlog(backlog, 5)]
    assert_within(herd, TERMS)
    assert rate_of(herd[TERMS.burst :]) == pytest.approx(TERMS.rate, rel=0.05), "nothing of the pace is lost either"
