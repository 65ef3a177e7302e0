"""Making the columns of a section anew from the stored documents, without asking ORCID (design section 5).

A new version may know more of ORCID's model than the one that wrote a row: what the row should say follows from `doc`
and `detail`, which hold everything that ORCID said. Nothing that ORCID said changes by it: documents and digests stay,
so a later read compares as before, and the change feed has nothing to tell.

It writes as a load from files does (store/mirror/bulk_load.py): under leases, so that no reconciliation is at the same
record, and in the service's order of locks. Only what differs is written, so that it can be interrupted and repeated.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import Final

import asyncpg
from msgspec import Struct, field

from orcid_sync.store.database.pools import DatabaseRefused, statements, transaction
from orcid_sync.store.mirror import bulk_load, rebuilds
from orcid_sync.store.mirror.rebuilds import Derivation, Derived

BATCH: Final = 25
"""Records in a transaction: some 1,000 works, a tenth of a second."""

LEASE: Final = timedelta(minutes=2)
"""Longer than any batch takes. After a kill, the service waits so long for the iDs that were in it."""

EXAMPLES: Final = 3
"""Items that are kept to be shown, for each column."""


class Difference(Struct):
    """In how many items a column, or a list, differs."""

    number: int = 0
    examples: list[Derived] = field(default_factory=list)


class Outcome(Struct):
    """What a rebuild found, or did."""

    records: int = 0
    items: int = 0
    differing: int = 0
    """Items in which anything differs, or differed."""
    fields: dict[str, Difference] = field(default_factory=dict)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    """iD and key of items whose document this version cannot read."""
    refused: list[tuple[str, str]] = field(default_factory=list)
    """iDs whose new columns the database refuses to store, and why; they are left as they are."""
    busy: list[str] = field(default_factory=list)
    """iDs that the service was just reading; not done."""

    def add(self, derivation: Derivation) -> None:
        """Add what became of some records."""
        self.items += derivation.items
        self.differing += len(derivation.differing)
        self.unreadable += derivation.unreadable
        for one in derivation.differing:
            for name in one.fields:
                difference = self.fields.setdefault(name, Difference())
                difference.number += 1
                if len(difference.examples) < EXAMPLES:
                    difference.examples.append(one)


Report = Callable[[Outcome], None]


async def compare(pool: asyncpg.Pool, section: str, report: Report) -> Outcome:
    """What a rebuild of the section would write; nothing is written. Raises DatabaseUnavailable."""
    outcome = Outcome()
    async for orcids in _batches(pool, section, after=""):
        async with statements(pool) as connection:
            outcome.add(await rebuilds.derive(connection, section, orcids))
        outcome.records += len(orcids)
        report(outcome)
    return outcome


async def rebuild(pool: asyncpg.Pool, section: str, version: str, report: Report) -> Outcome:
    """Rebuild the section, from where an interrupted run of the same version has come to. Raises DatabaseUnavailable.

    Who is being read meanwhile is tried once more at the end, and named in the outcome if that did not help.
    """
    outcome, left = Outcome(), list[str]()
    async with statements(pool) as connection:
        reached = await rebuilds.begin(connection, section, version)
    async for orcids in _batches(pool, section, after=reached):
        left += await _write_what_fits(pool, section, orcids, outcome)
        if not left:
            async with statements(pool) as connection:
                await rebuilds.reach(connection, section, orcids[-1])
        report(outcome)
    for start in range(0, len(left), BATCH):
        outcome.busy += await _write_what_fits(pool, section, left[start : start + BATCH], outcome)
        report(outcome)
    if not outcome.busy:
        async with statements(pool) as connection:
            await rebuilds.finish(connection, section)
    return outcome


async def _batches(pool: asyncpg.Pool, section: str, *, after: str) -> AsyncIterator[list[str]]:
    while True:
        async with statements(pool) as connection:
            orcids = await rebuilds.next_orcids(connection, section, after=after, limit=BATCH)
        if not orcids:
            return
        yield orcids
        after = orcids[-1]


async def _write_what_fits(pool: asyncpg.Pool, section: str, orcids: Sequence[str], outcome: Outcome) -> list[str]:
    """The same as _write, but one record that the database refuses is named, and does not keep the others back."""
    try:
        return await _write(pool, section, orcids, outcome)
    except DatabaseRefused as error:
        if len(orcids) == 1:
            outcome.refused.append((orcids[0], str(error)))
            return []
    return [busy for orcid in orcids for busy in await _write_what_fits(pool, section, [orcid], outcome)]


async def _write(pool: asyncpg.Pool, section: str, orcids: Sequence[str], outcome: Outcome) -> list[str]:
    """Rebuild some records in one transaction; returns those that somebody else is at."""
    async with statements(pool) as connection:
        followed = await rebuilds.queued(connection, orcids)
        leases = await bulk_load.lease(connection, sorted(followed), LEASE)
    try:
        async with transaction(pool) as connection:
            held = await bulk_load.hold(connection, leases)
            ours = sorted(held | (set(orcids) - followed))
            await bulk_load.lock_records(connection, ours)
            # Whoever was connected meanwhile may be read by now: left for the next run.
            strangers = set(ours) - held
            came = await rebuilds.queued(connection, strangers) if strangers else set()
            ours = [orcid for orcid in ours if orcid not in came]
            derivation = await rebuilds.derive(connection, section, ours)
            await rebuilds.rewrite(connection, section, derivation.differing)
    finally:
        async with statements(pool) as connection:
            await bulk_load.release(connection, leases)
    outcome.add(derivation)
    outcome.records += len(ours)
    return sorted(set(orcids) - set(ours))
