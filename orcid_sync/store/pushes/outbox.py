"""The outbox: whose turn it is to be sent a push, what of the feed it may contain, and the outcome.

Each subscription is leased like an iD is (queue.py): one holder at a time, over all replicas, fenced by a number; one
whose holder was killed is taken over when the lease lapses. So one message of a subscription is under way at a time,
and its position moves only when the receiver has taken it: at least once, in the order of the feed.

Where a message ends is written down before it is sent. Each try, also one after a crash, then says the same under the
same id, so that a receiver that has seen the id may ignore it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from orcid_sync.model.feed.feed_line import ChangeLine
from orcid_sync.model.pushes.delivery import CIRCUIT, pause_after
from orcid_sync.model.pushes.filters import Filter
from orcid_sync.model.scopes import View
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries


class PushLost(Exception):
    """The lease lapsed or was taken away: somebody else sends, or the subscription was changed."""


class PushLease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to send one message of a subscription, and what is needed for it."""

    id: int
    name: str
    url: str
    origin: str
    view: View
    sections: list[str]
    operations: list[str]
    organisations: list[str]
    external_ids: list[str]
    minor: bool
    contents: bool
    when_dead: str
    revision: int
    lease_no: int
    attempts: int
    """Failed tries of this message so far."""
    failing_since: datetime | None
    delivered_at: datetime | None
    epoch: str
    """The feed's epoch that the receiver knows."""
    caught_up: int
    """The subscription's position, whatever is sent now."""
    feed_epoch: str
    feed_last: int
    range_number: int | None
    """Set: a part of the feed is sent once more."""
    reached: int
    """The message begins after this position."""
    ends: int
    """And ends here at the latest."""
    sending_to: int | None
    """Where it ends, if it was begun before."""
    endpoint_fails: bool
    sealed_secrets: list[str]
    """Those that sign, the present one first."""

    @property
    def must_resync(self) -> bool:
        """Whether the receiver's position means nothing in the present history of the feed (invariant S20)."""
        return self.epoch != self.feed_epoch or self.caught_up > self.feed_last

    @property
    def filter(self) -> Filter:
        """Which changes are wanted."""
        return msgspec.convert(msgspec.structs.asdict(self), Filter)


class Line(ChangeLine, frozen=True, kw_only=True):
    """A change without its contents."""

    epoch: str


Contents = tuple[bytes | None, bytes | None]
"""What an item said before and after, as JSON; None is what is not there or not to be seen."""


class Step(msgspec.Struct, frozen=True):
    """How far a lease comes."""

    lease: PushLease
    ends: int


class Group(msgspec.Struct, frozen=True):
    """Subscriptions in one state."""

    state: str
    """active, failing, stopped (by itself) or paused (by hand)."""
    number: int
    behind: int
    """Positions of the feed that the last of them has not come to yet."""
    behind_seconds: float
    """For how long the oldest change that one of them was not told of has waited."""
    example: str
    """The first of them by name."""


class Pushes(msgspec.Struct, frozen=True):
    """How pushing goes, as a whole."""

    groups: list[Group] = []
    dead: int = 0
    """Dead letters."""


async def lease_due(connection: AnyConnection, *, proven: int, doubtful: int, lease: timedelta) -> list[PushLease]:
    """Up to so many subscriptions that have something to be sent: proven ones, and ones that fail or are new."""
    queries = load_queries(__file__)
    rows = queries.lease(connection, proven=proven, doubtful=doubtful, lease=lease, circuit=CIRCUIT)
    return [PushLease(**{**row, "view": View(row["view"])}) async for row in rows]


async def seconds_to_next(connection: AnyConnection) -> float | None:
    """Seconds until the next try is due; None if none is."""
    seconds: float | None = await load_queries(__file__).seconds_to_next(connection, circuit=CIRCUIT)
    return seconds


async def lines(connection: AnyConnection, *, after: int, ends: int, limit: int) -> list[Line]:
    """The next lines of the feed that may be seen, after a position and up to another."""
    rows = load_queries(__file__).lines(connection, after=after, ends=ends, limit=limit)
    return [Line(**row) async for row in rows]


async def contents(connection: AnyConnection, seqs: Sequence[int]) -> dict[int, Contents]:
    """What may be seen of the contents of these changes."""
    rows = load_queries(__file__).contents(connection, seqs=seqs)
    return {row["seq"]: (row["old"], row["new"]) async for row in rows}


async def begin(connection: AnyConnection, steps: Iterable[Step]) -> set[int]:
    """Write down where messages end that are about to be sent; the subscriptions that are still ours."""
    return {row["id"] async for row in load_queries(__file__).begin(connection, **_columns(steps))}


async def pass_over(connection: AnyConnection, steps: Iterable[Step]) -> None:
    """Move on over what was not wanted."""
    await load_queries(__file__).pass_over(connection, **_columns(steps))


async def deliver(connection: AnyConnection, lease: PushLease, reached: int) -> None:
    """The receiver has taken everything up to `reached`. Raises PushLost."""
    queries = load_queries(__file__)
    epoch = lease.feed_epoch if lease.must_resync else lease.epoch
    _own(await queries.deliver(connection, reached=reached, epoch=epoch, **_lease(lease)))
    if lease.must_resync:
        await queries.end_ranges(connection, id=lease.id)
    elif lease.range_number is not None:
        await queries.move_range(connection, id=lease.id, number=lease.range_number, reached=reached)
        await queries.end_range(connection, id=lease.id, number=lease.range_number, reached=reached)


async def fail(
    connection: AnyConnection, lease: PushLease, *, error: str, delay: timedelta, paused: str | None = None
) -> None:
    """The try has failed: the next one comes after `delay`, unless it is `paused`. Raises PushLost."""
    arguments = {"id": lease.id, "lease_no": lease.lease_no, "attempts": lease.attempts + 1}
    _own(await load_queries(__file__).fail(connection, error=error, delay=delay, paused=paused, **arguments))


async def mark_dead(connection: AnyConnection, lease: PushLease, ends: int, *, error: str) -> None:
    """Give the message up: it becomes a dead letter, and the subscription pauses or continues. Raises PushLost."""
    queries = load_queries(__file__)
    pauses = lease.when_dead == "pause"
    _own(await queries.pass_dead(connection, reached=ends, error=error, pauses=pauses, **_lease(lease)))
    if lease.range_number is None:
        await queries.mark_dead(connection, id=lease.id, from_seq=lease.reached + 1, to_seq=ends, error=error)
    else:
        await queries.mark_range_dead(connection, id=lease.id, number=lease.range_number, error=error)


async def release(
    connection: AnyConnection, lease: PushLease, *, delay: timedelta = timedelta(), error: str | None = None
) -> None:
    """Give the lease back undone; nobody takes it before `delay`."""
    arguments = {"id": lease.id, "lease_no": lease.lease_no}
    await load_queries(__file__).release(connection, delay=delay, error=error, **arguments)


async def note_endpoint(connection: AnyConnection, origin: str, *, alive: bool) -> int:
    """Note whether an endpoint answers; its failures in a row. After some, it is left alone for a while."""
    queries = load_queries(__file__)
    if alive:
        await queries.endpoint_answers(connection, origin=origin)
        return 0
    failures: int = await queries.endpoint_fails(connection, origin=origin)
    await queries.pause_endpoint(connection, origin=origin, pause=pause_after(failures))
    return failures


async def summary(connection: AnyConnection) -> Pushes:
    """How pushing goes, as a whole."""
    queries = load_queries(__file__)
    groups = [Group(**row) async for row in queries.summary(connection)]
    return Pushes(groups=groups, dead=await queries.dead(connection))


def _columns(steps: Iterable[Step]) -> dict[str, list[Any]]:
    listed = list(steps)
    return {
        "ids": [step.lease.id for step in listed],
        "lease_nos": [step.lease.lease_no for step in listed],
        "range_numbers": [step.lease.range_number for step in listed],
        "ends": [step.ends for step in listed],
    }


def _lease(lease: PushLease) -> dict[str, Any]:
    return {"id": lease.id, "lease_no": lease.lease_no, "range_number": lease.range_number}


def _own(found: bool | None) -> None:  # noqa: FBT001 - what a query returned, passed on
    if not found:
        raise PushLost
