"""Pace: how fast all replicas together may ask the Registry (contract section 5), and when they should leave it alone.

Three things in one row for each ORCID API client:

- the limit: a request reserves its moment and is sent then. GCRA keeps one timestamp, so that a replica which dies
  with reservations in hand costs at most those, and never gives the others more than the rate (invariant S14);
- the brake: "too fast" (429, 503) halves the rate, time gives it back;
- the circuit: failures in a row pause all replicas; after the pause they try, and the first answer decides.

Each function is one statement that should be its own transaction: the row is shared by everybody.
"""

from datetime import datetime

import msgspec

from orcid_sync.store.database import AnyConnection
from orcid_sync.store.queries import load_queries


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """The present state, for metrics and people."""

    rate: float
    """Requests per second at present."""
    slowed_at: datetime | None
    failures: int
    """Failures in a row."""
    failing_since: datetime | None
    paused: bool


async def reserve(connection: AnyConnection, client_id: str, *, rate: float, burst: int) -> float:
    """Reserve the moment of one request; returns the seconds to wait before sending it.

    In any second at most rate + burst + 1 requests are sent, however many processes reserve. During a pause the moment
    lies after it. The row is created on first use.
    """
    queries = load_queries("pace")
    reserved = await queries.reserve(connection, client_id=client_id, rate=rate, burst=burst)
    if reserved is None:
        await queries.create(connection, client_id=client_id, rate=rate)
        reserved = await queries.reserve(connection, client_id=client_id, rate=rate, burst=burst)
    seconds: float = reserved["seconds"]
    return seconds


async def slow_down(connection: AnyConnection, client_id: str, *, rate: float) -> float | None:
    """The Registry said 429 or 503: halve the present rate, of which `rate` is the configured maximum.

    It grows again by 5 % of the maximum a minute, by itself. Returns the new rate; None if it was halved just now.
    """
    lowered: float | None = await load_queries("pace").slow_down(connection, client_id=client_id, rate=rate)
    return lowered


async def report_failure(connection: AnyConnection, client_id: str) -> bool:
    """The Registry did not answer, or not as itself. True if this opened the circuit (log its going once)."""
    opened: bool | None = await load_queries("pace").report_failure(connection, client_id=client_id)
    return bool(opened)


async def report_success(connection: AnyConnection, client_id: str) -> float | None:
    """The Registry answered. If this closed the circuit: how many seconds it had been failing (log its return once)."""
    seconds: float | None = await load_queries("pace").report_success(connection, client_id=client_id)
    return seconds


async def pause(connection: AnyConnection, client_id: str) -> float:
    """Seconds during which nothing should be leased or asked; 0 if the way is free."""
    seconds: float | None = await load_queries("pace").pause(connection, client_id=client_id)
    return seconds or 0.0


async def fall_silent(connection: AnyConnection, client_id: str, *, seconds: float) -> None:
    """The Registry asked for silence (Retry-After): nothing is sent before so many seconds have passed."""
    await load_queries("pace").fall_silent(connection, client_id=client_id, seconds=seconds)


async def load(connection: AnyConnection, client_id: str, *, rate: float) -> Pace | None:
    """The present state; None before the first request."""
    row = await load_queries("pace").load(connection, client_id=client_id, rate=rate)
    return None if row is None else Pace(**row)
