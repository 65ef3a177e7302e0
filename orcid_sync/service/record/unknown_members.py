"""Collecting unknown members of ORCID's JSON while records are read, and writing them now and then.

They are looked for only in what is new or has changed, beside the parsing. And they are gathered in memory: a member
that ORCID adds to every work would otherwise make all reconciliations write, and wait for, the same row. What a killed
process had gathered is seen again soon enough.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta

from orcid_sync.model.record import unknown_members as model
from orcid_sync.model.record.diff import Comparison
from orcid_sync.model.record.sections import ItemKey
from orcid_sync.model.record.unknown_members import Unknown
from orcid_sync.service.record.record_reader import Reading, yielding_to_event_loop
from orcid_sync.service.runtime.job import Job
from orcid_sync.store.database.pools import Database, statements
from orcid_sync.store.mirror import unknown_members as store

EVERY = timedelta(minutes=5)


async def unknown_in(reading: Reading, comparison: Comparison, details: Mapping[ItemKey, bytes]) -> list[Unknown]:
    """The unknown members of an answer: around its items, in those that are new or moved, and in full forms."""
    found = [*reading.unknown, *model.in_record(reading.doc)]
    for items in (comparison.added, comparison.moved):
        async for item in yielding_to_event_loop(items):
            found += model.in_summary(item.section, item.content.doc)
    async for (section, _), detail in yielding_to_event_loop(details.items()):
        found += model.in_detail(section, detail)
    return found


class DriftWatch:
    """What one process has seen since it last wrote it down."""

    def __init__(self) -> None:
        self._seen: Counter[Unknown] = Counter()

    def note(self, found: Iterable[Unknown]) -> None:
        """Members seen in one record; each counts once for each document."""
        self._seen.update(found)

    async def write(self, database: Database) -> Mapping[str, int]:
        """Write down what was seen; what could not be written is kept. Raises DatabaseUnavailable, DatabaseRefused."""
        seen, self._seen = self._seen, Counter()
        if seen:
            try:
                async with statements(database.worker) as connection:
                    await store.note(connection, seen)
            except BaseException:
                self._seen.update(seen)
                raise
        return {"members": len(seen)}

    def job(self) -> Job:
        """The writing, as a job."""
        return Job("drift", EVERY, self.write)
