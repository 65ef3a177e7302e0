"""Finding record holders at the institution who are not connected, so that they can be asked.

Three steps, each cheaper than what it saves: the search lists the iDs (a request for a thousand), the database says who
has decided already, and the public record of everybody else is read once for the evidence, within a budget. What is
found only says whom to ask: iDs are never connected from a search (contract section 9).
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from orcid_sync.model.analysis.discovery import portrait, with_shared
from orcid_sync.model.analysis.institution import Institution
from orcid_sync.model.ids import Orcid
from orcid_sync.model.wire.malformed import MalformedRecord
from orcid_sync.registry import solr_query
from orcid_sync.registry.client import Registry
from orcid_sync.registry.errors import Paused, RegistryError
from orcid_sync.registry.search import orcids_request
from orcid_sync.service.analysis.search import Search
from orcid_sync.service.record.record_reader import Reading, parse_in_steps
from orcid_sync.service.record.record_states import OUTCOMES
from orcid_sync.store.analysis import discoveries
from orcid_sync.store.analysis.discoveries import Discovery
from orcid_sync.store.database.pools import Database, statements

AGAIN: Final = timedelta(days=30)
"""After so long a record is read again for evidence."""

KEEP: Final = timedelta(days=90)
"""After so long without being found somebody is forgotten."""

CHUNK: Final = 1_000
"""iDs in one statement."""


@dataclass(slots=True)
class Discovered:
    """What a run has found."""

    found: int = 0
    """iDs that the search lists."""
    missing: int = 0
    """iDs that it counts, but does not list."""
    barred: Counter[str] = field(default_factory=Counter)
    """Those who are not suggested, by the reason."""
    examined: int = 0
    """Records that were read."""
    left: int = 0
    """Records that are still to be read: the next run goes on."""
    trouble: str | None = None
    """Why reading ended early, if it did."""
    people: list[Discovery] = field(default_factory=list)
    """Whom to ask, the most convincing first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discoverer:
    """What discovering needs; `await run(…)` does it once."""

    database: Database
    registry: Registry
    institution: Institution
    at_once: int
    """Records that are read at the same time."""
    step: Callable[[str, int], None] = lambda _what, _number: None
    """Told of what goes on."""

    async def run(self, now: datetime, *, most: int) -> Discovered:
        """Search, compare and read at most so many records. Raises RegistryError, DatabaseUnavailable."""
        result = Discovered()
        found = await self._search(result, now)
        candidates = await self._sift(result, found)
        async with statements(self.database.worker) as connection:
            waiting = await discoveries.waiting(connection, candidates, again=AGAIN, limit=len(candidates))
        result.examined, result.trouble = await self._examine(waiting[:most], now)
        result.left = len(waiting) - result.examined
        result.people = await listed(self.database)
        return result

    async def _search(self, result: Discovered, now: datetime) -> dict[Orcid, set[str]]:
        """Everybody whom the search finds, by what."""
        found: dict[Orcid, set[str]] = defaultdict(set)
        search = Search(registry=self.registry, request=orcids_request, now=now)
        for way, query in solr_query.ways_to(self.institution).items():
            listed, total = set[Orcid](), 0
            async for page in search.pages(query):
                total = page.total
                listed.update(page.found)
                self.step("found", len(page.found))
            result.missing += max(total - len(listed), 0)
            for orcid in listed:
                found[orcid].add(way)
        result.found = len(found)
        return found

    async def _sift(self, result: Discovered, found: Mapping[Orcid, Collection[str]]) -> list[Orcid]:
        """Those who may be suggested; they are noted, and the others forgotten."""
        candidates: list[Orcid] = []
        for some in _chunks(list(found)):
            async with statements(self.database.worker) as connection:
                barred = await discoveries.barred(connection, some)
                result.barred.update(barred.values())
                mine = [orcid for orcid in some if orcid not in barred]
                await discoveries.see(connection, {orcid: found[orcid] for orcid in mine})
                await discoveries.forget_barred(connection, list(barred), keep=KEEP)
            candidates += mine
        return candidates

    async def _examine(self, orcids: Sequence[Orcid], now: datetime) -> tuple[int, str | None]:
        """Read records for evidence; returns how many, and what ended it early: the Registry may have trouble."""
        waiting, examined, troubles = iter(orcids), 0, list[str]()

        async def work() -> None:
            nonlocal examined
            for orcid in waiting:
                if troubles:
                    return
                try:
                    await self._look(orcid, now)
                except (RegistryError, Paused) as error:
                    troubles.append(str(error))
                    return
                examined += 1
                self.step("read", 1)

        await asyncio.gather(*(work() for _ in range(self.at_once)))
        return examined, next(iter(troubles), None)

    async def _look(self, orcid: Orcid, now: datetime) -> None:
        """Note what one public record says; of one that is closed or cannot be understood, that it says nothing."""
        reading = await self._read(orcid)
        seen = portrait(orcid, reading.items, self.institution, now.date()) if reading else None
        async with statements(self.database.worker) as connection:
            if seen is None or not seen.evidence.convincing:
                await discoveries.examine(connection, orcid, None, None)
                return
            shared = await discoveries.shared(connection, orcid, seen.dois) if seen.dois else []
            await discoveries.examine(connection, orcid, seen.name, with_shared(seen, shared))

    async def _read(self, orcid: Orcid) -> Reading | None:
        try:
            async with self.registry.record(orcid) as body:
                return await parse_in_steps(body)
        except MalformedRecord:
            return None
        except tuple(OUTCOMES):
            return None


async def listed(database: Database) -> list[Discovery]:
    """Whom to ask, as far as is known; nobody who has decided since they were found."""
    async with statements(database.worker) as connection:
        people = await discoveries.list_people(connection)
        barred = await discoveries.barred(connection, [one.orcid for one in people])
    return [one for one in people if one.orcid not in barred]


def _chunks(orcids: Sequence[Orcid]) -> list[Sequence[Orcid]]:
    return [orcids[start : start + CHUNK] for start in range(0, len(orcids), CHUNK)]
