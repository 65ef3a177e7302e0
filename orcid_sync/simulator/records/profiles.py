"""The state of the simulated Registry's records: values, their versions, and which of them wait for the indexer.

A RecordState is an immutable value; an edit makes a new one that shares everything unchanged with the old one, so that
keeping every version ever shown is cheap.
"""

import enum
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from orcid_sync.simulator.base.clock import VirtualClock
from orcid_sync.simulator.records.defects import Defect, Patch

Json = dict[str, Any]
Items = dict[int, "Item"]


class Source(msgspec.Struct, frozen=True):
    """Who asserted an item; all four null occurs in real data."""

    orcid: str | None = None
    """A person; for old clients an iD-shaped client id, not the owner (corpus finding 13)."""
    client_id: str | None = None
    origin_orcid: str | None = None
    """On whose behalf the client asserted it."""
    origin_client_id: str | None = None

    def belongs_to(self, client_id: str) -> bool:
        """The own-source rule of contract section 3.4."""
        return client_id in (self.client_id, self.orcid, self.origin_client_id)


class Item(msgspec.Struct, frozen=True):
    """One entry of a section; `content` is complete in the sense of `forms.complete`."""

    section: str
    put_code: int
    content: Json
    source: Source
    visibility: str
    display_index: int
    created_ms: int
    modified_ms: int
    defect: Defect | None = None
    """What the Registry cannot render of it."""
    patches: tuple[Patch, ...] = ()
    """Nonsense in the JSON of its forms."""
    twins: tuple[Json, ...] = ()
    """It stands in its list once more for each, with these members changed."""


class RecordState(msgspec.Struct, frozen=True):
    """What the Registry's main database holds about one iD at one moment. Times are milliseconds since 1970."""

    orcid: str
    submitted_ms: int
    modified_ms: int
    version: int = 0
    completed_ms: int | None = None
    creation_method: str | None = "DIRECT"
    creator: str | None = None
    """The client that made an unclaimed record."""
    locale: str = "en"
    claimed: bool = True
    verified_email: bool = True
    locked: bool = False
    deactivated_ms: int | None = None
    primary_orcid: str | None = None
    items: dict[str, Items] = {}
    """By section; treat as immutable."""
    broken: dict[str, int] = {}
    """Endpoints (as faults name them, `*` allowed) at which the Registry cannot render it, and the error of each."""
    patches: tuple[Patch, ...] = ()
    """Nonsense in the JSON of `/record`."""

    def of(self, section: str) -> Items:
        """The items of one section by put-code."""
        return self.items.get(section, {})

    def with_item(self, item: Item) -> "RecordState":
        """The same record with this item added or replaced."""
        return self.with_section(item.section, {**self.of(item.section), item.put_code: item})

    def without_item(self, section: str, put_code: int) -> "RecordState":
        """The same record without one item. Raises KeyError if it has none."""
        remaining = dict(self.of(section))
        del remaining[put_code]
        return self.with_section(section, remaining)

    def with_section(self, section: str, items: Items) -> "RecordState":
        """The same record with other items in one section."""
        return msgspec.structs.replace(self, items={**self.items, section: items})

    def without_nonsense(self) -> "RecordState":
        """The same record as far as XML can tell it: nonsense is served in JSON only."""
        if not self.patches and not any(
            item.patches or item.twins for one in self.items.values() for item in one.values()
        ):
            return self
        items = {
            section: {code: msgspec.structs.replace(item, patches=(), twins=()) for code, item in listed.items()}
            for section, listed in self.items.items()
        }
        return msgspec.structs.replace(self, items=items, patches=())


class Effect(enum.Enum):
    """What a change does to the record's date and to the indexer's queue (contract section 1.7)."""

    INDEXED = "PENDING"
    """The date moves and the change is announced."""
    REINDEXED = "REINDEX"
    """As INDEXED, without the per-record throttle of the indexer."""
    DATED = ""
    """The date moves; nothing is announced."""
    SILENT = "-"
    """Neither."""


class Profile:
    """One record's present state, its past, and its place in the indexer's queue."""

    def __init__(self, state: RecordState, *, created_ms: int, keep_history: bool) -> None:
        self.state = state
        self.created_ms = created_ms
        """When it appeared in the simulation."""
        self.indexing_status = "DONE"
        self.last_indexed_ms: int | None = None
        self.past: deque[tuple[int, RecordState]] = deque(maxlen=None if keep_history else 4)
        """(moment of the change, state after it), oldest first; the present state is the last."""

    def as_of(self, moment_ms: int) -> RecordState:
        """The state at a moment of the past; the oldest that is kept if the moment is older."""
        for changed_ms, state in reversed(self.past):
            if changed_ms <= moment_ms:
                return state
        return self.past[0][1]


class UnknownRecord(KeyError):
    """The simulated Registry has no record under this iD."""


class Profiles:
    """All records, and the put-code sequences that they share."""

    def __init__(self, clock: VirtualClock, *, keep_history: bool) -> None:
        self.clock = clock
        self.names_epoch = 0
        """Moves when a name moves that other records show: a person's or a client's."""
        self.waiting: dict[str, Profile] = {}
        """Records whose change the indexer has not passed on yet."""
        self.created: Callable[[RecordState], None] = lambda _: None
        """Called for every record that appears."""
        self._keep_history = keep_history
        self._profiles: dict[str, Profile] = {}
        self._sequences: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._profiles)

    def __iter__(self) -> Iterator[str]:
        return iter(self._profiles)

    def __contains__(self, orcid: str) -> bool:
        return orcid in self._profiles

    def __getitem__(self, orcid: str) -> Profile:
        try:
            return self._profiles[orcid]
        except KeyError:
            raise UnknownRecord(orcid) from None

    def state(self, orcid: str) -> RecordState:
        """The present state. Raises UnknownRecord."""
        return self[orcid].state

    def owner_of(self, address: str) -> str | None:
        """The iD of whoever has this e-mail address, None if nobody does."""
        wanted = address.casefold()
        for orcid, profile in self._profiles.items():
            if any(item.content["email"].casefold() == wanted for item in profile.state.of("email").values()):
                return orcid
        return None

    def next_put_code(self, family: str) -> int:
        """A number that no item of this family has had (contract section 8)."""
        number = self._sequences.get(family, 1_000) + 1
        self._sequences[family] = number
        return number

    def create(self, state: RecordState) -> None:
        """A record appears as it is; nothing is announced. Raises ValueError if the iD is taken."""
        if state.orcid in self._profiles:
            raise ValueError(f"{state.orcid} exists already")
        profile = Profile(state, created_ms=self.clock.now_ms(), keep_history=self._keep_history)
        profile.past.append((profile.created_ms, state))
        self._profiles[state.orcid] = profile
        self.created(state)

    def change(self, state: RecordState, effect: Effect, *, at_ms: int) -> RecordState:
        """Put a new state in the place of the present one, with the effect of the change. Raises UnknownRecord."""
        profile = self[state.orcid]
        if state.of("name") != profile.state.of("name"):
            self.names_epoch += 1
        modified = profile.state.modified_ms if effect is Effect.SILENT else at_ms
        profile.state = msgspec.structs.replace(state, modified_ms=modified, version=profile.state.version + 1)
        profile.past.append((at_ms, profile.state))
        if effect in (Effect.INDEXED, Effect.REINDEXED):
            profile.indexing_status = effect.value
            self.waiting[state.orcid] = profile
        return profile.state

    def reindex(self, orcid: str) -> None:
        """Announce a record that did not change, as a global reindexing does (contract section 1.6)."""
        profile = self[orcid]
        profile.indexing_status = Effect.REINDEXED.value
        self.waiting[orcid] = profile
