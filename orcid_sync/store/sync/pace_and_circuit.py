"""Pace: how fast all replicas together may send requests to the Registry (contract section 5), and when they pause.

Five things in one row for each ORCID API client:

- the limit: a request books its moment and is sent then. GCRA keeps one timestamp, so that a replica which dies with
  bookings in hand costs at most those, and never gives the others more than the rate (invariant S14, fault F44);
- the lanes: a lane that keeps to its share of the rate books at once. Beyond its share it may book only moments that
  are nearer than its horizon, and asks again otherwise; the better a lane, the farther its horizon;
- the brake: a limit of ORCID's lowers the rate by a step, a minute gives it back; Retry-After silences everybody;
- the circuit: failures in a row raise a doubt; then one replica asks a fixed question, at once and after each pause,
  and while ORCID does not answer that one either, nothing else is sent;
- the day's budget, if there is one: it ends first for the worst lanes.

**Why nobody starves and nobody waits long.** Bookings within shares arrive at no more than the rate together (the
shares add up to 1), and those beyond shares end at the horizon; so the next free moment is never farther ahead than the
farthest horizon and a few spaces. Hence a lane gets at least its share, after at most that wait. **Why the better lane
is served first**: while it wants more than its share it keeps the next free moment at its own horizon, which is beyond
that of every worse lane. **Why nothing is left unused**: whoever wants to send may book the next moment as soon as it
is nearer than the nearest horizon, which is longer than it takes to ask again.

**Why a healthy Registry costs nothing.** Each process sums up what it hears. It tells the others at once of what went
wrong, and of the first answer after that; while all is well it only looks once a second whether the others have
trouble. What follows is decided by `model.sync.registry_health`, while the row is locked: what one replica tells is
judged with what all others have told before. The requests of the last half minute, of which the 503 are a share, are
counted by `used`, which every booking moves on anyway.

Each function but `report` is one statement that should be its own transaction: the row is shared by everybody.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from orcid_sync.model.sync.lane_shares import SHARES, allowance, is_shed
from orcid_sync.model.sync.registry_health import Health, Heard, Judgement, Window, judge
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
    probing: bool
    """The moment is for the fixed question, to see if the Registry is there."""
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
    doubted: bool
    """The circuit is open: nothing is sent but the fixed question."""
    away: bool
    """That one was not answered either."""
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
    def left(self) -> int | None:
        """Requests left of the day's budget; None: there is none."""
        return None if self.daily_requests is None else max(0, self.daily_requests - self.used)

    def shed(self, lane: Lane) -> bool:
        """Whether the lane's requests wait for the next day."""
        return is_shed(self.daily_requests, lane, self.used)


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


async def is_troubled(connection: AnyConnection, client_id: str) -> bool:
    """Whether it matters to the others that the Registry answers."""
    return bool(await load_queries(__file__).is_troubled(connection, client_id=client_id))


async def report(connection: AnyConnection, client_id: str, heard: Heard, *, rate: float) -> Judgement | None:
    """Tell what was heard, in a transaction; `rate` is the configured maximum. None before the first request."""
    queries = load_queries(__file__)
    row = await queries.hold_health(connection, client_id=client_id, rate=rate)
    if row is None:
        return None
    judgement = judge(_health(row, rate), heard)
    health, window = judgement.health, judgement.health.window
    await queries.keep_health(
        connection,
        client_id=client_id,
        at=row["at"],
        failures=health.failures,
        crowded=health.crowded,
        failing_ids=sorted(health.ids),
        failing_seconds=health.failing_seconds,
        doubted=health.doubted,
        away=health.away,
        slowed=judgement.slowed,
        rate=health.rate,
        silence=heard.silence,
        window_seconds=window.seconds,
        window_sent=round(window.sent),
        window_refused=window.refused,
        sent_before=window.sent_before,
        refused_before=window.refused_before,
    )
    return judgement


def _health(row: Mapping[str, Any], ceiling: float) -> Health:
    return Health(
        failures=row["failures"],
        crowded=row["crowded"],
        ids=frozenset(row["failing_ids"]),
        failing_seconds=row["failing_seconds"],
        doubted=row["doubted"],
        away=row["away"],
        window=Window(
            seconds=row["window_seconds"],
            sent=row["window_sent"],
            refused=row["window_refused"],
            sent_before=row["sent_before"],
            refused_before=row["refused_before"],
        ),
        rate=row["rate"],
        ceiling=ceiling,
        slowed_seconds=row["slowed_seconds"],
    )


async def report_used_up(connection: AnyConnection, client_id: str, *, seconds: float = USED_UP_SECONDS) -> bool:
    """The Registry said that our quota of this day is used up. True if that is news (log it once)."""
    return bool(await load_queries(__file__).report_used_up(connection, client_id=client_id, seconds=seconds))


async def load(connection: AnyConnection, client_id: str) -> Pace | None:
    """The present state; None before the first request."""
    return next(iter(await _load(connection, client_id)), None)


async def load_all(connection: AnyConnection) -> list[Pace]:
    """The present state of each of our API clients."""
    return await _load(connection, None)


async def _load(connection: AnyConnection, client_id: str | None) -> list[Pace]:
    return [Pace(**row) async for row in load_queries(__file__).load(connection, client_id=client_id)]
