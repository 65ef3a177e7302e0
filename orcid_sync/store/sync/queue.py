"""The queue: one row per connected iD, with four counters so that no request for a read is lost.

The promise (invariant S2): once a notification has been acknowledged, a read of that record *begins* afterwards, and
until it has succeeded the row says so. Times cannot keep that promise: two clocks differ, and a flag "work to do" that
a notification sets while a read is under way is cleared by the read that came too early for it. So:

    gen          counts what asked for a read and is not covered by a lease still to come
    leased_gen   the gen when the lease began: everything up to it is covered by the read that follows
    done_gen     the leased_gen of the last success; it never jumps to gen, for what came meanwhile was not read
    lease_no     counts leases; whoever writes as holder of a lease names its number, and only the newest one counts

    gen > leased_gen   something arrived that no lease covers
    gen > done_gen     something arrived that no success covers

`due_at` and `lease_until` only decide *when*: set them to anything, and reads come too early or too late, but nothing
is forgotten (fault F85).

**Marking is lazy.** While gen > leased_gen and the row is due soon, another notification would mean the same, so it
writes nothing: a storm on one iD makes one row version (fault F08). Can that skip hide a lease which has just begun? A
lease that is not committed yet is not seen, and the notification is taken for covered; that is right, because a holder
starts to read only after the commit that gave it the lease. For the same reason a lease is always taken in a
transaction of its own, never together with the read.

**Fencing.** A worker that was paused past its lease still believes in it (fault F16). Before it writes to the mirror it
must `hold`: inside its transaction that checks lease_no and locks the row FOR KEY SHARE until the commit. A new lease
needs FOR UPDATE, which the lock keeps out; so while a transaction holds, nobody else can become the holder. A
notification's update is *not* kept out, however long a big record takes to write: it raises gen, and `settle` sees
that. Several applies under one lease are refused too (applied_lease_no < lease_no), hence an older answer never
overwrites a newer one.

**Order of locks**: queue row, record row, items by key, feed head. Marks lock rows in the order of their iDs.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

import msgspec

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Applied, Lane, Settlement
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

WAKE_CHANNEL = "orcid_sync_due"
"""Workers LISTEN here to learn that something became due. Only a shortcut: whoever misses it polls (fault F82)."""

_NOTHING_APPLIED = Applied(body_digest=None, access="", registry_modified_ms=None)


class LeaseLost(Exception):
    """The lease lapsed and somebody else has the iD now; whatever was read under it must be thrown away."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to reconcile one iD for a while, and its queue row at the moment of leasing."""

    orcid: Orcid
    lease_no: int
    leased_gen: int
    done_gen: int
    lane: Lane
    attempts: int
    """Failures in a row so far."""
    leased_at: datetime
    second_look_at: datetime | None
    notified_at: datetime | None
    verified_at: datetime | None
    registry_modified_ms: int | None
    body_digest: bytes | None
    body_access: str | None
    unconfirmed: str | None
    """The state that was told once and must be told again before it counts."""
    unconfirmed_at: datetime | None


class LaneDepth(msgspec.Struct, frozen=True, kw_only=True):
    """How much waits in a lane."""

    lane: Lane
    due: int
    """Rows that are due and free."""
    leased: int
    """Rows that are being reconciled."""
    failing: int
    """Of both: rows whose last reconciliation failed."""
    oldest_seconds: float
    """How long the oldest free row has been due; 0 if none is."""


async def mark_due(
    connection: AnyConnection, orcids: Collection[Orcid], *, lane: Lane, delay: timedelta = timedelta()
) -> list[Orcid]:
    """Ask for a read of each iD that begins after this is committed: `delay` from now, or when it is due anyway.

    Returns those that are known; the others are left alone. Acknowledge a notification only after the commit.
    """
    return list(await _mark(connection, orcids, lane, delay))


async def request_sync(connection: AnyConnection, orcids: Collection[Orcid]) -> dict[Orcid, int]:
    """Mark the iDs in the operator's lane; returns the generation of each known one that `unfinished` can wait for."""
    return await _mark(connection, orcids, Lane.OPERATOR, timedelta())


async def unfinished(connection: AnyConnection, wanted: dict[Orcid, int]) -> dict[Orcid, str | None]:
    """Those of the requested iDs whose generation is not dealt with yet, each with its last failure, if any."""
    rows = load_queries(__file__).unfinished(connection, orcids=list(wanted), gens=list(wanted.values()))
    return {row["orcid"]: row["last_error"] async for row in rows}


async def lease_due(
    connection: AnyConnection, *, limit: int, lease: timedelta, lanes: Sequence[Lane] = tuple(Lane)
) -> list[Lease]:
    """Lease up to `limit` iDs that are due, of these lanes in this order, in each the longest waiting.

    Call it in a transaction of its own, and read only after its commit. Two callers never get the same iD.
    """
    rows = load_queries(__file__).lease_due(connection, limit=limit, lease=lease, lanes=[lane.value for lane in lanes])
    return [Lease(**{**row, "lane": Lane(row["lane"])}) async for row in rows]


async def extend(connection: AnyConnection, lease: Lease, duration: timedelta) -> None:
    """Hide the row until `duration` from now. Raises LeaseLost."""
    _own(await load_queries(__file__).extend(connection, **_key(lease), duration=duration), lease)


async def hold(connection: AnyConnection, lease: Lease, *, alone: bool = False) -> None:
    """Make sure until the end of the transaction that nobody else applies to this iD. Raises LeaseLost.

    The first statement of every transaction that writes to the mirror. `alone` keeps out notifications and whoever
    changes the connection too: for a transaction that does so itself.
    """
    queries = load_queries(__file__)
    _own(await (queries.hold_alone if alone else queries.hold)(connection, **_key(lease)), lease)


async def settle(connection: AnyConnection, lease: Lease, settlement: Settlement, *, grace: timedelta) -> None:
    """End the lease: what was leased is done or is tried again, and what arrived meanwhile is due after `grace`.

    A failure leaves alone what only an answer can tell: the second look that is owed, and since when the iD is not
    found. Raises LeaseLost.
    """
    applied = settlement.applied or _NOTHING_APPLIED
    owned = await load_queries(__file__).settle(
        connection,
        **_key(lease),
        grace=grace,
        done=settlement.done,
        due_in=settlement.due_in,
        lane=settlement.lane,
        attempts=settlement.attempts,
        second_look_in=settlement.second_look_in,
        applied=settlement.applied is not None,
        body_digest=applied.body_digest,
        body_access=applied.access,
        registry_modified_ms=applied.registry_modified_ms,
        unconfirmed=settlement.unconfirmed,
        error=settlement.error,
        verified=settlement.verified,
    )
    _own(owned, lease)


async def disregard(connection: AnyConnection, lease: Lease, access: str) -> None:
    """Note that the mirror was changed without an answer, to what this access shows; call it after `hold`."""
    await load_queries(__file__).disregard(connection, **_key(lease), body_access=access)


async def release(connection: AnyConnection, lease: Lease) -> None:
    """Give the iD back undone, to whoever comes next; nothing happens if the lease was lost."""
    await load_queries(__file__).release(connection, **_key(lease))


async def seconds_to_next(connection: AnyConnection, *, lanes: Collection[Lane] = tuple(Lane)) -> float | None:
    """Seconds until the next free iD of these lanes is due, 0 if one is; None if there is none."""
    nearest = load_queries(__file__).seconds_to_next(connection, lanes=[lane.value for lane in lanes])
    seconds: float | None = await nearest
    return seconds


async def depth(connection: AnyConnection) -> list[LaneDepth]:
    """What waits, lane by lane, the best one first."""
    rows = load_queries(__file__).depth(connection)
    return [LaneDepth(**{**row, "lane": Lane(row["lane"])}) async for row in rows]


async def wake(connection: AnyConnection) -> None:
    """Tell the workers that something became due. Not in the transaction of a mark: it costs that one 0.65 ms."""
    await load_queries(__file__).wake(connection, channel=WAKE_CHANNEL)


async def _mark(connection: AnyConnection, orcids: Collection[Orcid], lane: Lane, delay: timedelta) -> dict[Orcid, int]:
    # Past aiosql's wrapper, which costs intake a tenth of its throughput; arguments in the order of first mention.
    rows = await connection.fetch(load_queries(__file__).mark_due.sql, list(orcids), delay, lane)
    return {row["orcid"]: row["gen"] for row in rows}


def _key(lease: Lease) -> dict[str, str | int]:
    return {"orcid": lease.orcid, "lease_no": lease.lease_no}


def _own(found: bool | None, lease: Lease) -> None:  # noqa: FBT001 - what a query returned, passed on
    if not found:
        raise LeaseLost(f"lease {lease.lease_no} of {lease.orcid} was lost")
