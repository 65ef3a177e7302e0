"""Old content under a new record date: the caches of contract section 3.9."""

import msgspec

from orcid_sync.simulator.faults.faults import Fault
from orcid_sync.simulator.records.profiles import Items, Profile, RecordState
from orcid_sync.simulator.records.sections import SECTIONS

IDLE_MS = 15 * 60 * 1000
"""An entry lives until it was not asked for during this time: polling keeps it alive."""

REPLICATED = (
    *("distinction", "education", "employment", "invited-position", "membership", "qualification", "service"),
    *("biography", "funding", "peer-review", "name"),
)
"""Sections whose content comes from the read replica while the key of the cache comes from the main database."""


def earlier(profile: Profile, fault: Fault) -> RecordState:
    """An earlier version's content under the present record date: `version`, or the one some edits `back`."""
    present, options = profile.state, fault.options
    wanted = options.get("version", present.version - options.get("back", 1))
    kept = {state.version: state for _, state in profile.past}
    old = kept.get(wanted, profile.past[0][1])
    sections = options.get("sections", SECTIONS)
    return msgspec.structs.replace(present, items={**present.items, **{name: old.of(name) for name in sections}})


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
