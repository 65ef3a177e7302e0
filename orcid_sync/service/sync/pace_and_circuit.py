"""What all replicas share through the database when they ask the Registry: the pace, and our own tokens."""

import asyncio
import math
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from zlib import crc32

import asyncpg
import structlog

from orcid_sync.model.sync.lane_shares import URGENT, Admission, is_shed
from orcid_sync.model.sync.registry_health import Heard, Judgement, Sign
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.registry.errors import Paused
from orcid_sync.registry.pace import LONGEST_PAUSE
from orcid_sync.store.database.encryption import Vault, VaultError
from orcid_sync.store.database.pools import statements, transaction
from orcid_sync.store.sync import client_tokens, pace_and_circuit
from orcid_sync.store.sync.pace_and_circuit import Booking, Terms

SUCCESS_EVERY = 1.0
"""Seconds between two looks at whether the others have trouble, while all is well here."""

LOOK_AGAIN = 0.5
"""Longest time between two looks at whether a short pause is over, seconds: one answer ends it."""

ASK_AGAIN = 0.05
"""Shortest time between two statements for moments of one lane, seconds; all that wait in it share a statement. Half of
the nearest horizon (model.sync.lane_shares), so that no moment is lost meanwhile."""

LAPSED = 0.25
"""Seconds after which a moment that was booked is given up: those who waited for it have gone."""

WAITING_SECONDS = 1.0
"""No more is leased of a lane while as many of its requests wait for a moment as the rate allows in so many seconds:
leases are not to grow old in the limiter. What is urgent is not held up by that."""

log = structlog.get_logger(__name__)


class SharedPace:
    """The limit, the brake, the circuit and the budget of one ORCID API client, as the Registry client wants them."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        client_id: str,
        *,
        rate: float,
        burst: int,
        daily: int | None = None,
        waited: Callable[[Lane, float], None] = lambda _lane, _seconds: None,
    ) -> None:
        """At most `rate` requests per second, `burst` at once after a pause, `daily` per day; all replicas together.

        `waited` is told for each request how many seconds it waited for its moment, for metrics.
        """
        self._pool = pool
        self._client_id = client_id
        self._terms = Terms(rate, burst, daily)
        self._waited = waited
        self._lanes = {lane: _Waiting() for lane in Lane}
        self._troubled = True  # what was before we started is unknown
        self._reported_at = 0.0
        self._heard = Heard()
        self._telling = asyncio.Lock()
        self._doubts = 0

    async def slot(self, lane: Lane) -> bool:
        """Return when a request of the lane may be sent; True: only the fixed question. Raises DatabaseUnavailable.

        Raises Paused if nothing may be sent for longer than a lease should wait.
        """
        clock, waiting = asyncio.get_running_loop().time, self._lanes[lane]
        began = clock()
        doubts = None
        while doubts != self._doubts:  # else what was booked before is not to be sent any more
            doubts = self._doubts
            with waiting:
                async with waiting.door:  # one asks for all that wait in this lane
                    moment = await self._moment(lane, waiting, clock)
            if moment is None:
                return True
            await asyncio.sleep(moment - clock())
        self._waited(lane, clock() - began)
        return False

    async def _moment(self, lane: Lane, waiting: "_Waiting", clock: Callable[[], float]) -> float | None:
        """When to send; None: the fixed question, now."""
        while (moment := waiting.take(clock())) is None:
            await asyncio.sleep(waiting.ask_at - clock())
            async with statements(self._pool) as connection:
                booking = await pace_and_circuit.reserve(
                    connection, self._client_id, self._terms, lane=lane, wanted=waiting.number
                )
            self._tell_of_the_budget(booking)
            if booking.pause > LONGEST_PAUSE:
                raise Paused
            if booking.probing:
                return None
            waiting.keep(booking, clock())
        return moment

    async def admission(self) -> Admission:
        """What may be leased: nothing during a pause; then one, to try; no lane whose budget is used up."""
        async with statements(self._pool) as connection:
            state = await pace_and_circuit.load(connection, self._client_id)
        if state is None:
            return Admission()
        places = math.ceil(state.rate * WAITING_SECONDS)
        lanes = [lane for lane in Lane if not is_shed(self._terms.daily, lane, state.used)]
        seconds = state.pause if lanes else state.day_ends_seconds
        moving = frozenset(lane for lane in lanes if lane in URGENT or self._lanes[lane].number < places)
        return Admission(seconds, moving, places, alone=state.doubted)

    async def used_up(self) -> None:
        """The Registry said that our quota of this day is used up; logged once an hour."""
        async with statements(self._pool) as connection:
            news = await pace_and_circuit.report_used_up(connection, self._client_id)
        if news:
            log.warning(
                "daily quota used up", said_by="registry", asked_again_in_seconds=pace_and_circuit.USED_UP_SECONDS
            )

    async def heard(self, sign: Sign, about: str, *, silence: float = 0.0, probe: bool = False) -> None:
        """An answer came, or none, to a question about this iD (or of this kind, where it concerns none).

        The others are told at once of trouble and of its end. All that comes while they are told is told together.
        """
        now = asyncio.get_running_loop().time()
        if probe:
            await self._tell(Heard(probe=True).plus(sign, crc32(about.encode()), silence))
            return
        self._heard = self._heard.plus(sign, crc32(about.encode()), silence)
        well = sign is Sign.ANSWERED and not self._troubled
        if well and now - self._reported_at < SUCCESS_EVERY:
            return
        self._troubled, self._reported_at = sign is not Sign.ANSWERED, now
        async with self._telling:
            heard, self._heard = self._heard, Heard()
            if heard and (not well or await self._others_are_troubled()):
                await self._tell(heard)

    async def _others_are_troubled(self) -> bool:
        async with statements(self._pool) as connection:
            return await pace_and_circuit.is_troubled(connection, self._client_id)

    async def _tell(self, heard: Heard) -> None:
        async with transaction(self._pool) as connection:
            judgement = await pace_and_circuit.report(connection, self._client_id, heard, rate=self._terms.rate)
        if judgement is None:
            return
        _log(judgement, heard)
        if judgement.health.doubted and not heard.probe:
            self._doubts += 1
            for waiting in self._lanes.values():
                waiting.booked.clear()

    def _tell_of_the_budget(self, booking: Booking) -> None:
        """Log once, over all replicas, when a lane's part of the day's budget ends, and when all begin anew."""
        daily = self._terms.daily
        waiting = {lane.name.lower() for lane in Lane if is_shed(daily, lane, booking.used)}
        if ended := waiting - {lane.name.lower() for lane in Lane if is_shed(daily, lane, booking.used_before)}:
            log.warning("daily budget used up", lanes=sorted(ended), used=booking.used, daily_requests=daily)
        if booking.used_that_day is not None and is_shed(daily, Lane.SWEEP, booking.used_that_day):
            log.warning("daily budget begins anew", daily_requests=daily)


def _log(judgement: Judgement, heard: Heard) -> None:
    """Once, over all replicas: that ORCID slows us down, that it has gone, that it is back."""
    if judgement.slowed:
        rate = round(judgement.health.rate, 2)
        log.warning("slowing down", requests_per_second=rate, retry_after=heard.silence or None)
    if judgement.went:
        log.warning("registry away", advice="nothing is lost; work goes on when it answers again")
    if judgement.returned_after is not None:
        log.warning("registry back", away_seconds=round(judgement.returned_after))


class _Waiting:
    """The requests of one lane that wait for a moment in this process, and the moments booked for them."""

    def __init__(self) -> None:
        self.number = 0
        self.booked: deque[float] = deque()
        self.ask_at = 0.0
        self.door = asyncio.Lock()

    def __enter__(self) -> None:
        self.number += 1

    def __exit__(self, *_: object) -> None:
        self.number -= 1

    def keep(self, booking: Booking, now: float) -> None:
        """Keep the moments that were given, and when to ask for more if they were fewer than wanted."""
        self.booked.extend(now + seconds for seconds in booking.waits())
        later = min(booking.pause, LOOK_AGAIN) or max(booking.again, ASK_AGAIN)
        self.ask_at = now + later if booking.given < self.number else 0.0

    def take(self, now: float) -> float | None:
        """A moment that was booked and not taken; what has lapsed is forgotten, or it would be a burst later."""
        while self.booked and self.booked[0] < now - LAPSED:
            self.booked.popleft()
        return self.booked.popleft() if self.booked else None


class SealedTokens:
    """Our own tokens in the database, sealed, as the Registry client wants them."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, client_id: str) -> None:
        self._pool = pool
        self._vault = vault
        self._client_id = client_id

    async def load(self, scope: str) -> str | None:
        """The stored token, if there is one that has not expired and opens; another is easily had (fault F91)."""
        async with statements(self._pool) as connection:
            try:
                token = await client_tokens.load(connection, self._vault, client_id=self._client_id, scope=scope)
            except VaultError as error:
                log.warning("our own token is given up", scope=scope, error=str(error))
                return None
        return token.access_token if token else None

    async def save(self, scope: str, token: str, expires_in: int) -> None:
        """Keep the token for so many seconds."""
        lasts = timedelta(seconds=expires_in)
        async with statements(self._pool) as connection:
            await client_tokens.store(
                connection, self._vault, client_id=self._client_id, scope=scope, access_token=token, lasts=lasts
            )
