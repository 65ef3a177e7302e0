"""How any edit is written: another value in the place of the old one, with the effect that the edit has."""

from typing import Any

import msgspec

from orcid_sync.simulator.base.clock import VirtualClock
from orcid_sync.simulator.records.profiles import Effect, Profiles


class Writer:
    """Changes members of records and of items."""

    def __init__(self, profiles: Profiles, clock: VirtualClock) -> None:
        self._profiles = profiles
        self._clock = clock

    def _replace(self, orcid: str, section: str, put_code: int, effect: Effect, **members: Any) -> None:
        state, now = self._profiles.state(orcid), self._clock.stamp()
        old = state.of(section)[put_code]
        modified = old.modified_ms if effect is Effect.SILENT else now
        item = msgspec.structs.replace(old, modified_ms=modified, **members)
        self._profiles.change(state.with_item(item), effect, at_ms=now)

    def _set(self, orcid: str, effect: Effect, **members: Any) -> None:
        state = msgspec.structs.replace(self._profiles.state(orcid), **members)
        self._profiles.change(state, effect, at_ms=self._clock.stamp())
