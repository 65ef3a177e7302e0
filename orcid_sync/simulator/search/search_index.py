"""The search index: fed by the indexer, behind it by a lag, holding public data only (contract section 6)."""

import zlib
from collections import deque
from collections.abc import Iterable
from random import Random

import msgspec

from orcid_sync.simulator.base.clock import VirtualClock
from orcid_sync.simulator.records.profiles import Profiles, RecordState
from orcid_sync.simulator.search.index_fields import document_of
from orcid_sync.simulator.search.solr_match import Document, compiled
from orcid_sync.simulator.search.solr_query import All, AnyOf, Match, Node


class IndexSettings(msgspec.Struct, kw_only=True):
    """How far the index can be trusted. Seconds are virtual."""

    index_lag: float = 0
    """From the indexer's pass to the moment at which a search finds the change."""
    index_stalled: bool = False
    """True: nothing reaches the index; it is made up for when this ends."""
    unstable_pages: bool = True
    """Without `sort`, equal scores come in another order on each page."""
    max_clauses: int = 1024
    omitted: list[str] = []
    """iDs that the index has lost."""


class SearchIndex:
    """Documents by iD."""

    def __init__(self, profiles: Profiles, clock: VirtualClock, rng: Random) -> None:
        self.settings = IndexSettings()
        self._profiles = profiles
        self._clock = clock
        self._salt = rng.getrandbits(32)
        self._states: dict[str, RecordState] = {}
        self._documents: dict[str, tuple[int, Document | None]] = {}
        self._coming: deque[tuple[int, str]] = deque()
        """(moment at which the change was passed on, iD), oldest first."""

    def add(self, state: RecordState) -> None:
        """A record that is there from the start."""
        self._states[state.orcid] = state

    def receive(self, orcid: str) -> None:
        """The indexer passes a record on."""
        self._coming.append((self._clock.now_ms(), orcid))

    def find(self, query: Node) -> list[str]:
        """The iDs of all documents that a query finds, ordered by iD. Raises QuerySyntax."""
        self._catch_up()
        test = compiled(query, now_ms=self._clock.now_ms())
        candidates = _named(query)
        orcids: Iterable[str] = self._states if candidates is None else candidates & self._states.keys()
        return sorted(orcid for orcid in orcids if (found := self.document(orcid)) is not None and test(found))

    def document(self, orcid: str) -> Document | None:
        """What the index knows of a record."""
        if orcid in self.settings.omitted or orcid not in self._states:
            return None
        state = self._states[orcid]
        known = self._documents.get(orcid)
        if known is None or known[0] != state.version:
            known = self._documents[orcid] = (state.version, document_of(state))
        return known[1]

    def by_score(self, orcids: list[str], start: int) -> list[str]:
        """The same iDs in the order of equal scores, which is not the same on every page."""
        page = start if self.settings.unstable_pages else 0
        return sorted(orcids, key=lambda orcid: zlib.crc32(f"{self._salt}/{page}/{orcid}".encode()))

    def _catch_up(self) -> None:
        if self.settings.index_stalled:
            return
        ready = self._clock.now_ms() - round(self.settings.index_lag * 1000)
        while self._coming and self._coming[0][0] <= ready:
            passed_ms, orcid = self._coming.popleft()
            read_ms = passed_ms + round(self.settings.index_lag * 1000)
            self._states[orcid] = self._profiles[orcid].as_of(read_ms)


def _named(query: Node) -> set[str] | None:
    """The iDs that a query names, if it can find no others; None if it can."""
    match query:
        case Match(field="orcid", value=value) if "*" not in value and "?" not in value:
            return {value.replace("\\", "").upper()}
        case All(of=clauses):
            known = [named for one in clauses if (named := _named(one)) is not None]
            return set.intersection(*known) if known else None
        case AnyOf(of=clauses):
            every = [_named(one) for one in clauses]
            return None if None in every else set[str]().union(*(one for one in every if one is not None))
    return None
