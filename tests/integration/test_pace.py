"""One limit for all processes, a brake, and a circuit."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import pytest

from orcid_sync.store import pace
from orcid_sync.store.database import connect
from orcid_sync.store.queries import load_queries

CLIENT = "APP-MADEUPCLIENT0000"
RATE, BURST = 20.0, 8
SECOND = timedelta(seconds=1)


async def reserved(connection: asyncpg.Connection, number: int, *, rate: float = RATE) -> list[datetime]:
    """The moments of `number` requests."""
    await pace.reserve(connection, CLIENT, rate=rate, burst=BURST)
    queries = load_queries("pace")
    rows = [await queries.reserve(connection, client_id=CLIENT, rate=rate, burst=BURST) for _ in range(number)]
    return [row["send_at"] for row in rows]


def most_in_a_second(moments: Sequence[datetime]) -> int:
    ordered = sorted(moments)
    return max(sum(start <= other < start + SECOND for other in ordered) for start in ordered)


async def shift(connection: asyncpg.Connection, column: str, seconds: float) -> None:
    """As if that much time had passed."""
    await connection.execute(
        f"update orcid_sync.pace set {column} = {column} - $1::interval", timedelta(seconds=seconds)
    )


@pytest.mark.invariant("S14")
@pytest.mark.parametrize("burst", [0, 8])
async def test_requests_are_sent_in_bursts_then_evenly(connection: asyncpg.Connection, burst: int) -> None:
    waits = [await pace.reserve(connection, CLIENT, rate=10, burst=burst) for _ in range(burst + 4)]
    assert waits[: burst + 1] == [0] * (burst + 1)
    assert waits[-1] == pytest.approx(0.3, abs=0.1)


@pytest.mark.invariant("S14")
async def test_all_processes_together_keep_to_the_limit(dsn: str) -> None:
    """Six at once; two are killed, one of them in the middle of a reservation (as in measured.md)."""

    async def process(number: int) -> list[datetime]:
        async with connect(dsn) as connection:
            moments = await reserved(connection, 15 if number < 2 else 40)
            if number == 0:
                await connection.execute("begin")
                await reserved(connection, 1)
                connection.terminate()
        return moments

    each = await asyncio.gather(*(process(number) for number in range(6)))
    moments = [moment for moments in each for moment in moments]
    assert len(moments) == 2 * 15 + 4 * 40
    assert most_in_a_second(moments) <= RATE + BURST + 1
    assert max(moments) - min(moments) >= (len(moments) - BURST - 2) / RATE * SECOND, "evenly, on the whole"


@pytest.mark.invariant("S14")
async def test_idleness_saves_nothing_up(connection: asyncpg.Connection) -> None:
    await reserved(connection, 10)
    await shift(connection, "tat", 3600)
    assert most_in_a_second(await reserved(connection, 60)) <= RATE + BURST + 1


async def test_clients_have_limits_of_their_own(connection: asyncpg.Connection) -> None:
    await reserved(connection, 60)
    assert await pace.reserve(connection, "APP-ANOTHERCLIENT000", rate=RATE, burst=BURST) == 0


async def test_slowing_down_halves_the_rate_once_for_all_that_was_on_its_way(connection: asyncpg.Connection) -> None:
    await pace.reserve(connection, CLIENT, rate=RATE, burst=BURST)
    lowered = [await pace.slow_down(connection, CLIENT, rate=RATE) for _ in range(5)]
    assert lowered == [10, None, None, None, None]
    assert most_in_a_second((await reserved(connection, 60))[BURST + 1 :]) <= 10 + BURST + 1


async def test_the_rate_is_regained_with_time(connection: asyncpg.Connection) -> None:
    await pace.reserve(connection, CLIENT, rate=RATE, burst=BURST)
    await pace.slow_down(connection, CLIENT, rate=RATE)
    rates = []
    for minutes in (0, 2, 2, 60):
        await shift(connection, "slowed_at", 60 * minutes)
        state = await pace.load(connection, CLIENT, rate=RATE)
        assert state is not None
        rates.append(round(state.rate, 1))
    assert rates == [10, 12, 14, 20]
    await shift(connection, "tat", 3600)
    evenly = (await reserved(connection, 30))[BURST + 1 :]
    assert (evenly[-1] - evenly[0]).total_seconds() == pytest.approx((len(evenly) - 1) / RATE, abs=0.02)


async def test_slowing_down_goes_on_from_what_was_regained_and_has_an_end(connection: asyncpg.Connection) -> None:
    await pace.reserve(connection, CLIENT, rate=RATE, burst=BURST)
    rates = []
    for _ in range(8):
        rates.append(await pace.slow_down(connection, CLIENT, rate=RATE))
        await shift(connection, "slowed_at", 6)
    assert rates[:2] == [10, pytest.approx(5.05, abs=0.01)]
    assert rates[-1] == 0.5


class TestCircuit:
    @pytest.fixture(autouse=True)
    async def used(self, connection: asyncpg.Connection) -> None:
        await pace.reserve(connection, CLIENT, rate=RATE, burst=BURST)

    async def fail(self, connection: asyncpg.Connection, times: int) -> list[bool]:
        return [await pace.report_failure(connection, CLIENT) for _ in range(times)]

    async def test_it_opens_at_the_fifth_failure_in_a_row_and_says_so_once(
        self, connection: asyncpg.Connection
    ) -> None:
        assert await self.fail(connection, 4) == [False] * 4
        assert await pace.pause(connection, CLIENT) == 0
        assert await self.fail(connection, 4) == [True, False, False, False]
        assert await pace.pause(connection, CLIENT) == pytest.approx(5, abs=1)

    async def test_a_success_in_between_starts_the_count_anew(self, connection: asyncpg.Connection) -> None:
        await self.fail(connection, 4)
        assert await pace.report_success(connection, CLIENT) is None
        assert await self.fail(connection, 4) == [False] * 4

    async def test_after_each_pause_one_failure_opens_it_again_for_longer(self, connection: asyncpg.Connection) -> None:
        await self.fail(connection, 5)
        pauses = []
        for _ in range(6):
            await shift(connection, "paused_until", 61)
            assert await pace.pause(connection, CLIENT) == 0
            assert await self.fail(connection, 3) == [False] * 3, "those that were on their way count for nothing"
            pauses.append(round(await pace.pause(connection, CLIENT)))
        assert pauses == [10, 20, 40, 60, 60, 60]

    async def test_a_success_closes_it_and_says_how_long_it_was(self, connection: asyncpg.Connection) -> None:
        await self.fail(connection, 5)
        await shift(connection, "failing_since", 100)
        assert await pace.report_success(connection, CLIENT) == pytest.approx(100, abs=1)
        assert await pace.report_success(connection, CLIENT) is None
        assert await pace.pause(connection, CLIENT) == 0
        state = await pace.load(connection, CLIENT, rate=RATE)
        assert state == pace.Pace(rate=RATE, slowed_at=None, failures=0, failing_since=None, paused=False)

    async def test_requests_reserved_during_a_pause_come_after_it_at_the_usual_pace(
        self, connection: asyncpg.Connection
    ) -> None:
        await self.fail(connection, 5)
        until = await connection.fetchval("select paused_until from orcid_sync.pace")
        moments = await reserved(connection, 60)
        assert min(moments) == until
        assert most_in_a_second(moments) <= RATE + BURST + 1

    async def test_while_all_is_well_a_success_writes_nothing(self, connection: asyncpg.Connection) -> None:
        before = await connection.fetchval("select xmin::text from orcid_sync.pace")
        await pace.report_success(connection, CLIENT)
        assert await connection.fetchval("select xmin::text from orcid_sync.pace") == before


async def test_nothing_is_known_before_the_first_request(connection: asyncpg.Connection) -> None:
    assert await pace.load(connection, CLIENT, rate=RATE) is None
    assert await pace.pause(connection, CLIENT) == 0
