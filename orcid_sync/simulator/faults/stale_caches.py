"""Old content under a new record date: the caches of contract section 3.9."""

import msgspec

from orcid_sync.simulator.records.profiles import Items, Profile, RecordState

IDLE_MS = 15 * 60 * 1000
"""An entry lives until it was not asked for during this time: polling keeps it alive."""

REPLICATED = (
    *("distinction", "education", "employment", "invited-position", "membership", "qualification", "service"),
    *("biography", "funding", "peer-review", "name"),
)
"""Sections whose content comes from the read replica while the key of the cache comes from the main database."""


class _Entry(msgspec.Struct):
    modified_ms: int
    items: dict[str, Items]
    touched_ms: int


class StaleCaches:
    """One cache entry per record, filled from a replica that lags."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def state(self, profile: Profile, *, now_ms: int, lag_ms: int, sections: tuple[str, ...]) -> RecordState:
        """What a reader gets: the present record with the content of these sections as the cache has it."""
        present = profile.state
        entry = self._entries.get(present.orcid)
        if entry is None or entry.modified_ms != present.modified_ms or now_ms - entry.touched_ms >= IDLE_MS:
            entry = _Entry(present.modified_ms, profile.as_of(now_ms - lag_ms).items, now_ms)
            self._entries[present.orcid] = entry
        entry.touched_ms = now_ms
        old = {name: entry.items.get(name, {}) for name in sections}
        return msgspec.structs.replace(present, items={**present.items, **old})
