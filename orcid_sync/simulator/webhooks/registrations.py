"""The table of webhook registrations (contract sections 1.3, 1.4, 1.10)."""

import re
from collections.abc import Iterator
from urllib.parse import unquote

import msgspec

from orcid_sync.simulator.base.clock import VirtualClock
from orcid_sync.simulator.base.errors import Refusal
from orcid_sync.simulator.records.profiles import Profiles

# What java.net.URI refuses: spaces, controls, these marks, a % without two hexadecimal digits, an empty scheme.
_NOT_A_URI = re.compile(r"[\x00-\x20\x7f\"<>\\^`{|}]|%(?![0-9A-Fa-f]{2})|#.*#|^:|^$")


class Sending(msgspec.Struct, frozen=True):
    """What the hook job writes into a row. Times are milliseconds since 1970."""

    last_sent_ms: int | None = None
    last_failed_ms: int | None = None
    failures: int = 0
    """Failures in a row."""


class Webhook(msgspec.Struct):
    """One registration: iD and address are its key."""

    orcid: str
    uri: str
    client_id: str
    created_ms: int
    profile_modified_ms: int
    """Copied from the record when it was registered, and by the indexer."""
    sending: Sending = Sending()
    replicated: Sending = Sending()
    """What the read replica still shows `lag` after the last write."""
    written_ms: int = 0
    enabled: bool = True
    held_until_ms: int = 0
    """A fault of the simulation: not called before this moment."""

    def write(self, sending: Sending, *, at_ms: int) -> None:
        """Write through the main database; the replica follows later."""
        self.replicated, self.sending, self.written_ms = self.sending, sending, at_ms

    def seen_by_replica(self, *, at_ms: int, lag_ms: int) -> Sending:
        """The row's bookkeeping as the hook job selects it."""
        return self.replicated if at_ms - self.written_ms < lag_ms else self.sending


class Webhooks:
    """All registrations."""

    def __init__(self, profiles: Profiles, clock: VirtualClock) -> None:
        self._profiles = profiles
        self._clock = clock
        self._rows: dict[str, dict[str, Webhook]] = {}

    def __iter__(self) -> Iterator[Webhook]:
        for rows in self._rows.values():
            yield from rows.values()

    def of(self, orcid: str) -> list[Webhook]:
        """The registrations on one iD."""
        return list(self._rows.get(orcid, {}).values())

    def put(self, orcid: str, segment: str, client_id: str) -> bool:
        """Register (contract section 1.3, rows 5 to 8); True if a row was created, False if it was there already."""
        uri = unquote(segment)
        if _NOT_A_URI.search(uri):
            raise Refusal(9012, f"The webhook URI is not valid: {uri}")
        if orcid not in self._profiles:
            raise Refusal(9011, orcid)
        rows = self._rows.setdefault(orcid, {})
        if uri in rows:
            return False  # nothing changes: not the owner, not the failures
        now, modified = self._clock.stamp(), self._profiles.state(orcid).modified_ms
        rows[uri] = Webhook(orcid, uri, client_id, created_ms=now, profile_modified_ms=modified)
        return True

    def delete(self, orcid: str, segment: str, client_id: str) -> None:
        """Remove (contract section 1.4, rows 5 to 8)."""
        uri = unquote(segment)
        if orcid not in self._profiles:
            raise Refusal(9011, orcid)
        row = self._rows.get(orcid, {}).get(uri)
        if row is None:
            raise Refusal(9028)
        if row.client_id != client_id:
            raise Refusal(9014)
        del self._rows[orcid][uri]

    def propagate(self, orcid: str, modified_ms: int) -> None:
        """The indexer passes a record's date on to its rows: the only place where this happens."""
        for row in self._rows.get(orcid, {}).values():
            row.profile_modified_ms = modified_ms
