"""Switches for what goes wrong between the Registry and its reader, with counters of what really went wrong."""

import fnmatch
from collections import Counter
from random import Random
from typing import Any

import msgspec

REQUEST_FAULTS = {
    "delay": "answers after `seconds`",
    "slow-drip": "sends the body in small pieces over `seconds`",
    "error": "answers `status` (429 plain text, with `daily` that of the quota; 500 JSON or, with `html`, a page; 502, "
    "503, 504 a page of the proxy; with `code` one of ORCID's own errors)",
    "html": "answers 200 with a page",
    "reset": "tears the connection down before anything is done",
    "lost-answer": "does what was asked, then tears the connection down",
    "timeout": "says nothing for `seconds` (default 3600)",
    "truncated": "sends the first half of the body as if it were whole",
    "wrong-length": "promises more bytes than it sends",
    "wrong-shape": "sends valid JSON that is something else (`body`)",
    "wrong-record": "sends the record of `other` (default: some other iD)",
    "stale": "sends old content under the new record date (contract section 3.9)",
}
NOTIFICATION_FAULTS = {
    "duplicate": "calls `times` (default 2) times",
    "lost": "takes the call for made without making it",
    "delayed": "makes the call `seconds` of virtual time later",
    "lost-answer": "calls, and takes whatever comes back for a lost connection",
}
NOTIFICATION = "notification"
"""The endpoint under which faults of the delivery are switched on."""


class Fault(msgspec.Struct, kw_only=True):
    """One switch. It fires on requests whose endpoint and iD match, with a probability, at most `count` times."""

    kind: str
    endpoint: str = "*"
    """Name of an endpoint (record, works-bulk, work, token, webhook-put, notification, …), `*` and `?` allowed."""
    orcid: str | None = None
    probability: float = 1.0
    count: int | None = None
    options: dict[str, Any] = {}
    number: int = 0
    fired: int = 0


class Faults:
    """All switches that are on."""

    def __init__(self, rng: Random) -> None:
        self.fired: Counter[str] = Counter()
        """How often each kind really fired."""
        self.active: dict[int, Fault] = {}
        self._rng = rng
        self._last = 0

    def add(
        self,
        kind: str,
        endpoint: str = "*",
        *,
        orcid: str | None = None,
        probability: float = 1.0,
        count: int | None = None,
        **options: Any,
    ) -> Fault:
        """Switch a fault on. Raises ValueError for a kind that does not exist at this endpoint."""
        known = NOTIFICATION_FAULTS if endpoint == NOTIFICATION else REQUEST_FAULTS
        if kind not in known:
            raise ValueError(f"no fault {kind!r} at {endpoint!r}; there are {', '.join(known)}")
        self._last += 1
        fault = Fault(
            kind=kind,
            endpoint=endpoint,
            orcid=orcid,
            probability=probability,
            count=count,
            options=options,
            number=self._last,
        )
        self.active[fault.number] = fault
        return fault

    def clear(self, number: int | None = None) -> None:
        """Switch one fault off, or all of them; the counters stay."""
        if number is None:
            self.active.clear()
        else:
            self.active.pop(number, None)

    def draw(self, endpoint: str, orcid: str | None) -> list[Fault]:
        """The faults that fire now, in the order in which they were switched on."""
        return [fault for fault in list(self.active.values()) if self._fires(fault, endpoint, orcid)]

    def _fires(self, fault: Fault, endpoint: str, orcid: str | None) -> bool:
        if NOTIFICATION in (fault.endpoint, endpoint):
            matches = fault.endpoint == endpoint
        else:
            matches = fnmatch.fnmatchcase(endpoint, fault.endpoint)
        if not matches or fault.orcid not in (None, orcid) or self._rng.random() >= fault.probability:
            return False
        fault.fired += 1
        self.fired[fault.kind] += 1
        if fault.count is not None and fault.fired >= fault.count:
            del self.active[fault.number]
        return True
