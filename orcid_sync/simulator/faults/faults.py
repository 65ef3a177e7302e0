"""Switches for what goes wrong between the Registry and its reader, with counters of what really went wrong."""

import fnmatch
from collections import Counter
from collections.abc import Collection
from random import Random
from typing import Any

import msgspec

REQUEST_FAULTS = {
    "delay": "answers after `seconds`",
    "slow-drip": "sends the body in small pieces over `seconds`",
    "error": "answers `status`: with `code` ORCID's own JSON, whose `detail` may be given (the status follows from the "
    "code); else 429 plain text, with `daily` that of the quota; 500 JSON or, with `html`, a page; any other a page of "
    "the proxy. `retry_after` and `headers` are sent along",
    "answer": "answers `status` (200) with `body` (JSON, or text as it is), `content_type` (none) and `headers`",
    "echo": "the security layer refuses, 403 or `status` 401, and echoes the token (contract section 12a)",
    "html": "answers 200 with a page",
    "reset": "tears the connection down before anything is done",
    "lost-answer": "does what was asked, then tears the connection down",
    "timeout": "says nothing for `seconds` (default 3600)",
    "truncated": "sends the first half of the body as if it were whole",
    "wrong-length": "promises more bytes than it sends",
    "wrong-shape": "sends valid JSON that is something else (`body`)",
    "list": "sends the body inside a list",
    "empty": "sends no body",
    "bom": "sends a byte order mark in front of the body",
    "padded": "sends `bytes` (default 1 MiB) of blanks behind the body",
    "untyped": "sends no Content-Type",
    "rejected": "answers 200 without Content-Type and a body that speaks of 400 (contract section 12a)",
    "wrong-put-code": "gives the item, or each, another put-code (`value`; default a million more)",
    "foreign-path": "gives the item, or each, a path in the record of `other` (default: of nobody)",
    "wrong-record": "sends the record of `other` (default: some other iD)",
    "stale": "sends old content under the new record date (contract section 3.9), as caches do by themselves",
    "earlier": "sends the content of an earlier version under the present record date: `version`, or the one `back` "
    "(default 1) edits; of `sections`, or of all",
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
    """One switch. It fires on requests whose endpoint, iD and item match, with a probability, at most `count` times."""

    kind: str
    endpoint: str = "*"
    """Name of an endpoint (record, works-bulk, work, token, webhook-put, notification, …), `*` and `?` allowed."""
    orcid: str | None = None
    put_code: int | None = None
    """Only reads of this item, alone or in a page."""
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
        put_code: int | None = None,
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
            put_code=put_code,
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

    def draw(self, endpoint: str, orcid: str | None, put_codes: Collection[int] = ()) -> list[Fault]:
        """The faults that fire now, in the order in which they were switched on. `put_codes`: what is asked for."""
        return [fault for fault in list(self.active.values()) if self._fires(fault, endpoint, orcid, put_codes)]

    def _fires(self, fault: Fault, endpoint: str, orcid: str | None, put_codes: Collection[int]) -> bool:
        if not _matches(fault, endpoint, orcid, put_codes) or self._rng.random() >= fault.probability:
            return False
        fault.fired += 1
        self.fired[fault.kind] += 1
        if fault.count is not None and fault.fired >= fault.count:
            del self.active[fault.number]
        return True


def _matches(fault: Fault, endpoint: str, orcid: str | None, put_codes: Collection[int]) -> bool:
    if NOTIFICATION in (fault.endpoint, endpoint):
        there = fault.endpoint == endpoint
    else:
        there = fnmatch.fnmatchcase(endpoint, fault.endpoint)
    return there and fault.orcid in (None, orcid) and (fault.put_code is None or fault.put_code in put_codes)
