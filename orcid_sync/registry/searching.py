"""Asking ORCID's search which of many records have changed: hundreds of iDs in one question (contract section 6).

Solr's dates are inclusive in square brackets and exclusive in braces, in UTC with a Z; colons in values are harmless
inside a range. `result` is null where nothing was found.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec

from orcid_sync.model.ids import Orcid
from orcid_sync.registry.answers import decode
from orcid_sync.registry.requests import READ_PUBLIC, Endpoint, Request

T = TypeVar("T")

SINCE_SIZE: Final = 250
"""iDs in one question with a common date: some 6,000 characters of address, of the 8,192 that servers usually take."""

EACH_SIZE: Final = 60
"""iDs in one question with a date of their own each."""

MODIFIED: Final = "profile-last-modified-date"


class _Identifier(msgspec.Struct):
    path: str


class _Hit(msgspec.Struct, rename="kebab"):
    orcid_identifier: _Identifier


class _Hits(msgspec.Struct, rename="kebab"):
    num_found: int
    result: list[_Hit] | None = None


def since_request(api_url: str, orcids: Collection[Orcid], since: datetime) -> Request[list[Orcid]]:
    """Which of these records changed at `since` or later, as far as the public index knows."""
    query = f"{MODIFIED}:[{_date(since)} TO *] AND orcid:({' OR '.join(orcids)})"
    return _search(api_url, query, orcids)


def each_since_request(api_url: str, known: Mapping[Orcid, datetime]) -> Request[list[Orcid]]:
    """Which of these records changed later than the date beside them."""
    clauses = (f"(orcid:{orcid} AND {MODIFIED}:{{{_date(date)} TO *])" for orcid, date in known.items())
    return _search(api_url, " OR ".join(clauses), known)


def moving_request(api_url: str, since: datetime) -> Request[bool]:
    """Whether the index knows of any change in the whole Registry since then; if not, it stands still."""
    url = _url(api_url, f"{MODIFIED}:[{_date(since)} TO *]", rows=0)
    return _request(url, lambda _, body: decode(body, _Hits).num_found > 0)


def in_batches(orcids: Iterable[Orcid], size: int) -> Iterator[list[Orcid]]:
    """The iDs in lists of at most so many."""
    rest = iter(orcids)
    while batch := list(islice(rest, size)):
        yield batch


def _search(api_url: str, query: str, orcids: Collection[Orcid]) -> Request[list[Orcid]]:
    def read(_: int, body: bytes) -> list[Orcid]:
        asked = {str(orcid): orcid for orcid in orcids}
        hits = decode(body, _Hits).result or []
        return [asked[hit.orcid_identifier.path] for hit in hits if hit.orcid_identifier.path in asked]

    return _request(_url(api_url, query, rows=len(orcids)), read)


def _request(url: str, read: Callable[[int, bytes], T]) -> Request[T]:
    return Request(
        endpoint=Endpoint.SEARCH,
        method="GET",
        url=url,
        headers={"Accept": "application/json"},
        read=read,
        success=frozenset({200}),
        scope=READ_PUBLIC,
    )


def _url(api_url: str, query: str, *, rows: int) -> str:
    return f"{api_url}/v3.0/search?{urlencode({'q': query, 'rows': rows})}"


def _date(moment: datetime) -> str:
    """Solr's form, to the millisecond, which is what ORCID's dates have."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03}Z"
