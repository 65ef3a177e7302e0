"""Pace: how fast all replicas together may send requests to the Registry (contract section 5), and when they pause.

Five things in one row for each ORCID API client:

- the limit: a request books its moment and is sent then. GCRA keeps one timestamp, so that a replica which dies with
  bookings in hand costs at most those, and never gives the others more than the rate (invariant S14, fault F44);
- the lanes: a lane that keeps to its share of the rate books at once. Beyond its share it may book only moments that
  are nearer than its horizon, and asks again otherwise; the better a lane, the farther its horizon;
- the brake: "too fast" (429, 503) halves the rate, time gives it back; Retry-After silences everybody;
- the circuit: failures in a row pause all replicas; after each pause one of them tries, with one request;
- the day's budget, if there is one: it ends first for the worst lanes.

**Why nobody starves and nobody waits long.** Bookings within shares arrive at no more than the rate together (the
shares add up to 1), and those beyond shares end at the horizon; so the next free moment is never farther ahead than the
farthest horizon and a few spaces. Hence a lane gets at least its share, after at most that wait. **Why the better lane
is served first**: while it wants more than its share it keeps the next free moment at its own horizon, which is beyond
that of every worse lane. **Why nothing is left unused**: whoever wants to send may book the next moment as soon as it
is nearer than the nearest horizon, which is longer than it takes to ask again.

Each function is one statement that should be its own transaction: the row is shared by everybody.
"""

from datetime import datetime

import msgspec

from orcid_sync.model.sync.lane_shares import SHARES, allowance, is_shed
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries


class Terms(msgspec.Struct, frozen=True):
    """What the settings allow."""

    rate: float
    """Requests per second."""
    burst: int
    """Requests that may be sent at once after a pause."""
    daily: int | None = None
    """Requests per day (UTC); None: any number."""


class Booking(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a request for moments."""

    given: int
    """How many of the wanted moments."""
    seconds: float
    """Until the first of them; below 0: at once, and so would have been earlier ones."""
    spacing: float
    """Seconds from each to the next."""
    pause: float
    """Seconds during which this lane is given nothing: circuit, silence, or the day's budget."""
    again: float
    """Seconds until asking for more makes sense, if nobody else books meanwhile."""
    used_before: int
    """Requests of this day before these."""
    used: int
    """Requests of this day, these included."""
    used_that_day: int | None
    """If these are the first ones of a day: how many there were on the last day before."""

    def waits(self) -> list[float]:
        """Seconds until each of the given moments."""
        return [max(0.0, self.seconds + number * self.spacing) for number in range(self.given)]


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """The present state, for metrics and people."""

    client_id: str
    ceiling: float
    """Requests per second that the settings allow."""
    rate: float
    """Requests per second at present."""
    slowed_at: datetime | None
    """When the rate was last lowered; None if that is over."""
    failures: int
    """Failures in a row."""
    failing_since: datetime | None
    paused_seconds: float
    """Until the circuit lets somebody try; 0: closed, or somebody may try now."""
    silent_seconds: float
    """Until the silence ends that the Registry asked for."""
    used_up_seconds: float
    """Until somebody may ask whether the Registry counts a new day; 0: it has not said that the quota is used up."""
    used: int
    """Requests of this day (UTC)."""
    daily_requests: int | None
    """Requests per day that the settings allow."""
    day_ends_seconds: float

    @property
    def pause(self) -> float:
        """Seconds during which nothing may be sent at all."""
        return max(self.paused_seconds, self.silent_seconds, self.used_up_seconds)

    @property
    def probing(self) -> bool:
        """Whether a single request would be let through, to see if the Registry is back."""
        return self.failures >= FAILURES_THAT_OPEN

    @property
    def left(self) -> int | None:
        """Requests left of the day's budget; None: there is none."""
        return None if self.daily_requests is None else max(0, self.daily_requests - self.used)

    def shed(self, lane: Lane) -> bool:
        """Whether the lane's requests wait for the next day."""
        return is_shed(self.daily_requests, lane, self.used)


FAILURES_THAT_OPEN = 5
"""As in pace.sql and circuit_pause()."""

USED_UP_SECONDS = 3600.0
"""How long the Registry is believed that its daily quota is used up. It does not say when its day ends (contract
section 5), so it is asked again every hour."""


async def reserve(connection: AnyConnection, client_id: str, terms: Terms, *, lane: Lane, wanted: int = 1) -> Booking:
    """Book up to `wanted` moments at which a request of the lane may be sent; they lapse when they are not used.

    In any time of w seconds at most rate * w + burst requests are sent, however many processes book. The row is made on
    first use.
    """
    queries, share = load_queries(__file__), SHARES[lane]
    wish = {
        "client_id": client_id,
        "rate": terms.rate,
        "burst": terms.burst,
        "daily_requests": terms.daily,
        "allowance": allowance(terms.daily, lane),
        "lane": lane.value,
        "share": share.weight,
        "horizon": share.horizon,
        "wanted": wanted,
    }
    booked = await queries.reserve(connection, **wish)
    if booked is None:
        await queries.create(connection, client_id=client_id, rate=terms.rate)
        booked = await queries.reserve(connection, **wish)
    return Booking(**booked)


async def slow_down(connection: AnyConnection, client_id: str, *, rate: float, silence: float = 0.0) -> float | None:
    """The Registry said 429 or 503: halve the present rate, of which `rate` is the configured maximum.

    It grows again by 5 % of the maximum a minute, by itself. Nothing is sent for `silence` seconds (Retry-After).
    Returns the new rate; None if it was halved just now.
    """
    slowing = load_queries(__file__).slow_down(connection, client_id=client_id, rate=rate, silence=silence)
    lowered: float | None = await slowing
    return lowered


async def report_used_up(connection: AnyConnection, client_id: str, *, seconds: float = USED_UP_SECONDS) -> bool:
    """The Registry said that our quota of this day is used up. True if that is news (log it once)."""
    return bool(await load_queries(__file__).report_used_up(connection, client_id=client_id, seconds=seconds))


async def report_failure(connection: AnyConnection, client_id: str) -> bool:
    """The Registry did not answer, or not as itself. True if this opened the circuit (log its going once)."""
    opened: bool | None = await load_queries(__file__).report_failure(connection, client_id=client_id)
    return bool(opened)


async def report_success(connection: AnyConnection, client_id: str) -> float | None:
    """The Registry answered. If this closed the circuit: how many seconds it had been failing (log its return once)."""
    seconds: float | None = await load_queries(__file__).report_success(connection, client_id=client_id)
    return seconds


async def load(connection: AnyConnection, client_id: str) -> Pace | None:
    """The present state; None before the first request."""
    return next(iter(await _load(connection, client_id)), None)


async def load_all(connection: AnyConnection) -> list[Pace]:
    """The present state of each of our API clients."""
    return await _load(connection, None)


async def _load(connection: AnyConnection, client_id: str | None) -> list[Pace]:
    return [Pace(**row) async for row in load_queries(__file__).load(connection, client_id=client_id)]
