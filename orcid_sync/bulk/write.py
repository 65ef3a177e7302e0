"""The transaction in which a batch is written, under leases (store/mirror/bulk_load.py says why), and its refusal."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import TypeVar

from msgspec import Struct

from orcid_sync.bulk.tally import Tally
from orcid_sync.model.record.diff import Change
from orcid_sync.model.sync.schedule import Cause
from orcid_sync.store.database.pools import AnyConnection, DatabaseRefused, DatabaseUnavailable, guarded
from orcid_sync.store.feed import changes
from orcid_sync.store.mirror import bulk_load

LEASE = timedelta(minutes=2)
"""Longer than any batch takes. After a kill, the service waits so long for the iDs that were in it."""

AT_ONCE = 100_000
"""Lines of the feed in one COPY: nobody else waits for this process."""

T = TypeVar("T")


class Plan(Struct, frozen=True):
    """How to load."""

    everything: bool
    """Also records that nobody follows."""
    dry: bool
    """Only count what would become of them."""
    spread: timedelta
    """Time over which the reads that can wait are spread."""


class Written(Struct):
    """What a transaction has written so far."""

    orcids: dict[str, int | None] = {}
    """Whose records, with their history.last-modified-date (None: as it was)."""
    lines: list[tuple[str, Change]] = []
    """For the change feed."""

    def note(self, orcid: str, modified_ms: int | None, lines: Sequence[Change]) -> None:
        """One more record."""
        self.orcids[orcid] = modified_ms
        self.lines.extend((orcid, change) for change in lines)


async def write_under_leases(
    connection: AnyConnection,
    plan: Plan,
    followed: Sequence[str],
    write: Callable[[AbstractSet[str]], Awaitable[Written]],
) -> None:
    """Have records written in one transaction: those of iDs that are followed only if `write` gets them as held.

    Raises the driver's errors, and DatabaseUnavailable if it is to be begun again.
    """
    leases = await bulk_load.lease(connection, followed, LEASE) if followed else {}
    unsettled = leases
    try:
        async with connection.transaction():
            held = await bulk_load.hold(connection, leases) if leases else set()
            written = await write(held)
            await _make_sure_of_strangers(connection, written.orcids.keys() - held)
            loaded = {orcid: written.orcids[orcid] for orcid in sorted(held & written.orcids.keys())}
            if loaded:
                await bulk_load.settle(connection, loaded, spread=plan.spread)
            if written.lines:
                # Last, because it keeps everybody else's commits waiting for this one's.
                await changes.append_all(connection, written.lines, cause=Cause.BOOTSTRAP, chunk=AT_ONCE)
        unsettled = {orcid: number for orcid, number in leases.items() if orcid not in loaded}
    finally:
        if unsettled and not connection.is_closed():
            await bulk_load.release(connection, unsettled)


async def write_or_split(
    connection: AnyConnection, batch: Sequence[T], write: Callable[[Sequence[T]], Awaitable[Tally]]
) -> tuple[Tally, list[tuple[T, DatabaseRefused]]]:
    """Write a batch or, if PostgreSQL refuses something of it, each half by itself, down to what it refuses.

    Returns the counts, and what was refused. Raises DatabaseUnavailable.
    """
    if not batch:
        return Tally(), []
    try:
        async with guarded(connection):
            return await write(batch), []
    except DatabaseRefused as refusal:
        if len(batch) == 1:
            return Tally(), [(batch[0], refusal)]
    middle = len(batch) // 2
    tally, refused = await write_or_split(connection, batch[:middle], write)
    other, more = await write_or_split(connection, batch[middle:], write)
    tally.add(other)
    return tally, refused + more


async def _make_sure_of_strangers(connection: AnyConnection, strangers: Collection[str]) -> None:
    """Whoever has been connected meanwhile is in the queue, and must be leased first."""
    if strangers and await bulk_load.any_connected_meanwhile(connection, strangers):
        raise DatabaseUnavailable("an iD was connected while its record was being loaded")
