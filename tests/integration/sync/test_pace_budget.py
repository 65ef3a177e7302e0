"""A day's budget: shared, kept over restarts, ending first for those whom nobody waits for, said once."""

from collections import Counter

import asyncpg
import msgspec
import pytest

from integration.sync.timeline import CLIENT, TERMS, Timeline
from orcid_sync.model.sync.lane_shares import allowance
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.registry.errors import Paused
from orcid_sync.service.sync.pace_and_circuit import SharedPace
from orcid_sync.store.database.pools import Database, connect
from orcid_sync.store.sync import pace_and_circuit

DAILY = 100
TO_MIDNIGHT = """
select extract(epoch from (date_trunc('day', now() at time zone 'utc') + interval '1 day') at time zone 'utc' - now())
"""


@pytest.fixture
def timeline(connection: asyncpg.Connection) -> Timeline:
    return Timeline(connection, terms=msgspec.structs.replace(TERMS, daily=DAILY))


async def another_day(timeline: Timeline) -> None:
    """As if yesterday had been today."""
    await timeline.passes(3600)
    await timeline.connection.execute("update orcid_sync.pace set day = day - 1")


async def use(timeline: Timeline, number: int) -> None:
    """As if so many requests had been sent today."""
    await timeline.ask()
    await timeline.connection.execute("update orcid_sync.pace set used = $1", number)


def shared(database: Database) -> SharedPace:
    return SharedPace(database.worker, CLIENT, rate=1000, burst=100, daily=DAILY)


async def test_it_ends_for_the_worst_lanes_first(timeline: Timeline) -> None:
    ended = {}
    for lane in reversed(Lane):
        await timeline.backlog({lane: 50}, 8)
        state = await timeline.state()
        ended[lane] = (state.used, [lane for lane in Lane if state.shed(lane)])

    assert ended == {
        Lane.SWEEP: (90, [Lane.SWEEP]),
        Lane.CHECK: (92, [Lane.CHECK, Lane.SWEEP]),
        Lane.FIRST_LOAD: (95, [Lane.FIRST_LOAD, Lane.CHECK, Lane.SWEEP]),
        Lane.OPERATOR: (98, [Lane.OPERATOR, Lane.FIRST_LOAD, Lane.CHECK, Lane.SWEEP]),
        Lane.NOTIFICATION: (100, list(Lane)),
    }


async def test_it_is_never_exceeded_and_a_request_for_many_gets_what_is_left(timeline: Timeline) -> None:
    await use(timeline, DAILY - 3)
    assert [(await timeline.ask(wanted=8)).given for _ in range(3)] == [3, 0, 0]


async def test_nothing_is_sent_until_midnight_and_then_all_begins_anew(dsn: str, timeline: Timeline) -> None:
    await use(timeline, DAILY)
    async with connect(dsn) as after_a_restart:
        refused = await Timeline(after_a_restart, terms=timeline.terms).ask()
        assert refused.given == 0
        assert refused.pause == pytest.approx(float(await timeline.connection.fetchval(TO_MIDNIGHT)), abs=2)

    await another_day(timeline)
    first, second = await timeline.ask(), await timeline.ask()
    assert (first.given, first.used_that_day, first.used) == (1, DAILY, 1)
    assert (second.given, second.used_that_day, second.used) == (1, None, 2)


async def test_without_one_the_day_is_counted_all_the_same(connection: asyncpg.Connection) -> None:
    timeline = Timeline(connection)
    await use(timeline, 2_000_000)
    assert (await timeline.ask(Lane.SWEEP)).given == 1
    state = await timeline.state()
    assert (state.used, state.daily_requests, state.left) == (2_000_001, None, None)


@pytest.mark.parametrize("lane", Lane)
def test_the_parts_of_the_lanes_are_ordered(lane: Lane) -> None:
    parts = [allowance(100_000, each) or 0 for each in Lane]
    assert parts == sorted(parts, reverse=True)
    assert parts[0] == 100_000
    assert allowance(None, lane) is None


async def test_who_is_shed_is_neither_leased_nor_sent(database: Database, timeline: Timeline) -> None:
    await use(timeline, 93)
    replica = shared(database)

    admission = await replica.admission()
    assert (admission.seconds, admission.lanes) == (0, {Lane.NOTIFICATION, Lane.OPERATOR, Lane.FIRST_LOAD})
    with pytest.raises(Paused):
        await replica.slot(Lane.CHECK)
    await replica.slot(Lane.FIRST_LOAD)

    await use(timeline, DAILY)
    admission = await replica.admission()
    assert admission.lanes == frozenset()
    assert admission.seconds == pytest.approx(float(await timeline.connection.fetchval(TO_MIDNIGHT)), abs=2)


async def test_its_end_and_its_beginning_are_logged_once(
    database: Database, timeline: Timeline, capsys: pytest.CaptureFixture[str]
) -> None:
    await use(timeline, 85)
    replicas = [shared(database) for _ in range(3)]
    for _ in range(10):
        for replica in replicas:
            try:
                await replica.slot(Lane.CHECK)
            except Paused:
                continue
    await another_day(timeline)
    for replica in replicas:
        await replica.slot(Lane.CHECK)

    said = Counter(line.split("daily budget ")[1].split("  ")[0] for line in capsys.readouterr().out.splitlines())
    assert said == {"used up": 2, "begins anew": 1}, "the sweep's part, then the check's"


async def test_orcids_word_that_it_is_used_up_holds_for_an_hour(
    database: Database, timeline: Timeline, capsys: pytest.CaptureFixture[str]
) -> None:
    await timeline.ask()
    one, other = shared(database), shared(database)
    await one.used_up()
    await other.used_up()

    assert capsys.readouterr().out.count("daily quota used up") == 1
    assert (await other.admission()).seconds == pytest.approx(3600, abs=2)
    for lane in Lane:
        with pytest.raises(Paused):
            await other.slot(lane)
    await timeline.passes(3601)
    await other.slot(Lane.SWEEP)


async def test_a_budget_that_is_taken_away_is_forgotten(timeline: Timeline) -> None:
    await use(timeline, DAILY)
    assert (await timeline.ask()).given == 0
    timeline.terms = TERMS
    assert (await timeline.ask()).given == 1
    state = await pace_and_circuit.load(timeline.connection, CLIENT)
    assert state is not None
    assert state.daily_requests is None
