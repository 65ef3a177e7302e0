"""One limit for all processes, shares for the lanes, and a brake; circuit and budget have tests of their own."""

import asyncio
from collections import Counter
from itertools import pairwise

import asyncpg
import msgspec
import pytest

from integration.sync.timeline import CLIENT, TERMS, Timeline, assert_within, rate_of
from orcid_sync.model.sync.lane_shares import SHARES
from orcid_sync.model.sync.registry_health import BRAKE_FLOOR, BRAKE_STEP, Heard, Sign
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.store.database.pools import connect
from orcid_sync.store.sync import pace_and_circuit
from orcid_sync.store.sync.pace_and_circuit import Terms

RATE, BURST = TERMS.rate, TERMS.burst


@pytest.fixture
def timeline(connection: asyncpg.Connection) -> Timeline:
    return Timeline(connection)


class TestLimit:
    @pytest.mark.invariant("S14")
    @pytest.mark.parametrize("burst", [1, 8])
    async def test_requests_are_sent_in_bursts_then_evenly(self, timeline: Timeline, burst: int) -> None:
        timeline.terms = Terms(10, burst)
        waits = [seconds for _ in range(burst + 3) for seconds in (await timeline.ask()).waits()]
        assert waits[:burst] == [0] * burst
        assert waits[-1] == pytest.approx(0.3, abs=0.1)

    @pytest.mark.invariant("S14")
    @pytest.mark.fault("F44")
    async def test_all_processes_together_keep_to_the_limit(self, dsn: str) -> None:
        """Six at once; two die with what they booked, one of them in the middle of booking (as in measured.md)."""

        async def process(number: int) -> list[float]:
            async with connect(dsn) as mine:
                timeline, moments = Timeline(mine), []
                while len(moments) < (10 if number < 2 else 20):
                    booking = await timeline.ask(Lane.CHECK, 3)
                    moments += [timeline.now + seconds for seconds in booking.waits()]
                    await asyncio.sleep(0 if booking.given else booking.again)
                if number == 0:
                    await mine.execute("begin")
                    await timeline.ask(Lane.CHECK, 3)
                    mine.terminate()
            return moments

        moments = [moment for each in await asyncio.gather(*map(process, range(6))) for moment in each]
        assert_within(moments, TERMS, jitter=0.1)
        assert len(moments) >= 100
        assert rate_of(moments) <= RATE * 1.02 + BURST / (max(moments) - min(moments))

    @pytest.mark.invariant("S14")
    async def test_idleness_saves_nothing_up(self, timeline: Timeline) -> None:
        await timeline.moments(wanted=10)
        await timeline.passes(3600)
        moments = [moment for moment, _ in await timeline.backlog({Lane.CHECK: 50}, 3)]
        assert_within(moments, TERMS)

    @pytest.mark.fault("F85")
    async def test_a_clock_that_is_set_back_stops_nobody(self, timeline: Timeline) -> None:
        await timeline.backlog(dict.fromkeys(Lane, 5), 2)
        await timeline.passes(-3600)
        for lane in Lane:
            assert max((await timeline.ask(lane, 1)).waits()) < 2

    async def test_clients_have_limits_of_their_own(self, timeline: Timeline) -> None:
        await timeline.backlog({Lane.CHECK: 50}, 1)
        other = Timeline(timeline.connection, client="APP-ANOTHERCLIENT000")
        assert (await other.ask()).waits() == [0]

    async def test_who_is_given_nothing_writes_nothing(self, timeline: Timeline) -> None:
        await timeline.ask(Lane.SWEEP, 50)
        before = await timeline.connection.fetchval("select xmin::text from orcid_sync.pace")
        refused = await timeline.ask(Lane.SWEEP, 50)
        assert refused.given == 0
        assert 0 < refused.again < 0.2
        assert await timeline.connection.fetchval("select xmin::text from orcid_sync.pace") == before


class TestLanes:
    @pytest.mark.fault("F25")
    @pytest.mark.invariant("S14", "L2")
    async def test_when_all_want_all_each_gets_its_share(self, timeline: Timeline) -> None:
        sent = await timeline.backlog(dict.fromkeys(Lane, 50), 30)

        counts = Counter(lane for _, lane in sent)
        assert_within([moment for moment, _ in sent], TERMS)
        assert rate_of([moment for moment, _ in sent]) == pytest.approx(RATE, rel=0.03)
        for lane, share in SHARES.items():
            assert counts[lane] / len(sent) == pytest.approx(share.weight, rel=0.15), lane.name

    @pytest.mark.fault("F25")
    @pytest.mark.invariant("L2")
    async def test_under_a_storm_of_notifications_checks_and_sweeps_go_on(self, timeline: Timeline) -> None:
        sent = await timeline.backlog({Lane.NOTIFICATION: 1000, Lane.CHECK: 5, Lane.SWEEP: 5}, 20)

        counts = Counter(lane for _, lane in sent)
        assert counts[Lane.CHECK] / len(sent) == pytest.approx(0.10, abs=0.02)
        assert counts[Lane.SWEEP] / len(sent) == pytest.approx(0.05, abs=0.02)
        assert rate_of([moment for moment, _ in sent]) == pytest.approx(RATE, rel=0.03), "and the storm gets the rest"

    @pytest.mark.fault("F25")
    @pytest.mark.invariant("L2")
    async def test_a_first_load_and_a_full_sweep_do_not_hold_up_notifications(self, timeline: Timeline) -> None:
        waits, counts = [], Counter[Lane]()
        for _ in range(30):
            counts.update(lane for _, lane in await timeline.backlog({Lane.FIRST_LOAD: 50, Lane.SWEEP: 50}, 0.2))
            waits += (await timeline.ask(Lane.NOTIFICATION)).waits()

        assert len(waits) == 30, "each is given its moment at once"
        assert max(waits) <= SHARES[Lane.FIRST_LOAD].horizon + 3 / RATE
        assert counts[Lane.SWEEP] > 0

    @pytest.mark.parametrize("lane", Lane)
    async def test_what_others_do_not_use_is_used(self, timeline: Timeline, lane: Lane) -> None:
        sent = [moment for moment, _ in await timeline.backlog({lane: 50}, 5)]

        assert rate_of(sent[BURST:]) == pytest.approx(RATE, rel=0.02)

    @pytest.mark.parametrize(("better", "worse"), list(pairwise(Lane)))
    async def test_beyond_their_shares_the_better_lane_goes_first(
        self, timeline: Timeline, better: Lane, worse: Lane
    ) -> None:
        sent = await timeline.backlog({worse: 50, better: 50}, 10)

        usually = [lane for _, lane in sent[30:]]  # whoever comes first takes the burst
        assert usually.count(worse) / len(usually) == pytest.approx(SHARES[worse].weight, abs=0.03)


class TestBrake:
    async def test_it_lowers_the_rate_once_for_all_that_was_on_its_way(self, timeline: Timeline) -> None:
        await timeline.ask()
        lowered = [(await timeline.tell(Heard(limited=True))).slowed for _ in range(5)]
        assert lowered == [True, False, False, False, False]
        assert (await timeline.state()).rate == pytest.approx(RATE * BRAKE_STEP, rel=0.01)
        sent = [moment for moment, _ in await timeline.backlog({Lane.CHECK: 50}, 5)]
        assert_within(sent, msgspec.structs.replace(TERMS, rate=RATE * BRAKE_STEP * 1.02))

    async def test_the_rate_is_regained_within_a_minute(self, timeline: Timeline) -> None:
        """Slowly at first, where the limit is, then faster: each time by a factor."""
        await timeline.ask()
        await timeline.tell(Heard(limited=True))
        rates = []
        for seconds in (0, 20, 20, 20, 3600):
            await timeline.passes(seconds)
            rates.append((await timeline.state()).rate)
        assert rates == [pytest.approx(rate, rel=0.02) for rate in (12.0, 12.7, 15.06, 20, 20)]
        assert (await timeline.state()).slowed_at is None
        sent = [moment for moment, _ in await timeline.backlog({Lane.CHECK: 50}, 5)]
        assert rate_of(sent[BURST:]) == pytest.approx(RATE, rel=0.02)

    async def test_it_goes_on_from_what_was_regained_and_has_an_end(self, timeline: Timeline) -> None:
        await timeline.ask()
        rates = []
        for _ in range(8):
            rates.append((await timeline.tell(Heard(limited=True))).health.rate)
            await timeline.passes(6)
        assert rates[0] == pytest.approx(RATE * BRAKE_STEP)
        assert rates[1] == pytest.approx(RATE * BRAKE_STEP**2, rel=0.01)
        assert rates[-1] == RATE * BRAKE_FLOOR

    @pytest.mark.parametrize(("good", "slowed"), [(5, True), (100, False)])
    async def test_503_count_by_their_share_of_all_requests(
        self, timeline: Timeline, good: int, *, slowed: bool
    ) -> None:
        """Nobody reports the good ones: every booking counts itself."""
        await timeline.ask()
        await timeline.tell_one(Sign.CROWDED)
        await timeline.tell_one(Sign.ANSWERED)
        while good > 0:
            good -= (await timeline.ask(wanted=good)).given
            await timeline.passes(0.1)
        for _ in range(3):
            await timeline.ask()
            await timeline.tell_one(Sign.CROWDED)
        assert (await timeline.tell_one(Sign.ANSWERED)).slowed == slowed

    @pytest.mark.fault("F31")
    @pytest.mark.invariant("S14")
    async def test_retry_after_silences_everybody_and_nothing_ends_it_early(self, timeline: Timeline) -> None:
        await timeline.ask()
        for silence in (120, 3):
            await timeline.tell(Heard(limited=True, silence=silence))
        await timeline.tell_one(Sign.AWAY)
        await timeline.tell_one(Sign.ANSWERED)
        for lane in Lane:
            booking = await timeline.ask(lane)
            assert (booking.given, booking.pause) == (0, pytest.approx(120, abs=2))
        await timeline.passes(121)
        assert (await timeline.ask()).given == 1


async def test_nothing_is_known_before_the_first_request(connection: asyncpg.Connection) -> None:
    assert await pace_and_circuit.load(connection, CLIENT) is None
    assert await pace_and_circuit.load_all(connection) == []
