"""A pace whose time can be moved on, and what is asked about the moments that it gave."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import asyncpg

from orcid_sync.model.sync.registry_health import Heard, Judgement, Sign
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.store.sync import pace_and_circuit
from orcid_sync.store.sync.pace_and_circuit import Booking, Terms

CLIENT = "APP-MADEUPCLIENT0000"
TERMS = Terms(20.0, 8)

STEP = 0.05
"""How often each lane of a backlog asks for moments, seconds."""

JITTER = 0.02
"""A statement's duration: the test's clock does not stand still while it moves it, seconds."""

PASS = """
update orcid_sync.pace
   set tat = tat - $1::interval, silent_until = silent_until - $1::interval, paused_until = paused_until - $1::interval,
       slowed_at = slowed_at - $1::interval, failing_since = failing_since - $1::interval,
       used_up_until = used_up_until - $1::interval, window_at = window_at - $1::interval,
       lane_tats = array(select tat - $1::interval from unnest(lane_tats) with ordinality as l (tat, n) order by n)
"""


@dataclass
class Timeline:
    """One API client's pace. `passes` moves everything that the row knows into the past."""

    connection: asyncpg.Connection
    terms: Terms = TERMS
    client: str = CLIENT
    shifted: float = 0.0

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time() + self.shifted

    async def passes(self, seconds: float) -> None:
        """As if that much time had passed; below 0: as if the clock had been set back."""
        await self.connection.execute(PASS, timedelta(seconds=seconds))
        self.shifted += seconds

    async def ask(self, lane: Lane = Lane.NOTIFICATION, wanted: int = 1) -> Booking:
        return await pace_and_circuit.reserve(self.connection, self.client, self.terms, lane=lane, wanted=wanted)

    async def moments(self, lane: Lane = Lane.NOTIFICATION, wanted: int = 1) -> list[float]:
        """The moments of those that are given now."""
        booking = await self.ask(lane, wanted)
        return [self.now + seconds for seconds in booking.waits()]

    async def tell(self, heard: Heard) -> Judgement:
        """A process tells what it heard."""
        async with self.connection.transaction():
            judgement = await pace_and_circuit.report(self.connection, self.client, heard, rate=self.terms.rate)
        assert judgement is not None
        return judgement

    async def tell_one(self, sign: Sign, who: int = 0, *, probe: bool = False) -> Judgement:
        """One answer, about one iD."""
        return await self.tell(Heard(probe=probe).plus(sign, who))

    async def state(self) -> pace_and_circuit.Pace:
        state = await pace_and_circuit.load(self.connection, self.client)
        assert state is not None
        return state

    async def backlog(self, wanted: Mapping[Lane, int], seconds: float) -> list[tuple[float, Lane]]:
        """What is sent in so much time, if in each lane so many always wait; in the order in which it was booked."""
        rng, given, end = Random(1), [], self.now + seconds
        while self.now < end:
            for lane in rng.sample(list(wanted), len(wanted)):
                given += [(moment, lane) for moment in await self.moments(lane, wanted[lane])]
            await self.passes(STEP)
        return given


def assert_within(moments: Sequence[float], terms: Terms, jitter: float = JITTER) -> None:
    """In every window of w seconds at most rate * w + burst (invariant S14); windows that end with a moment will do."""
    ordered = sorted(moments)
    for window in (0.01, 0.1, 0.5, 1.0, 3.0, 10.0, 60.0):
        start = 0
        for number, moment in enumerate(ordered):
            while ordered[start] <= moment - window:
                start += 1
            sent, allowed = number - start + 1, terms.rate * (window + jitter) + terms.burst
            assert sent <= allowed, f"{sent} in {window} s at {terms.rate}/s + {terms.burst}"


def rate_of(moments: Sequence[float]) -> float:
    """On the average, per second."""
    return (len(moments) - 1) / (max(moments) - min(moments))
