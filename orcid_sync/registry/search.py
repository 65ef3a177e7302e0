"""Asking ORCID's search (contract section 6): which of many records have changed, who matches a question.

What is asked is written in `solr_query`. `result` is null where nothing was found. Equal scores come in another order
on each page, so whoever turns pages asks for an order.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from itertools import islice
from typing import Final, Generic, TypeVar
from urllib.parse import urlencode

import msgspec

from orcid_sync.model.ids import InvalidOrcid, Orcid, parse_orcid
from orcid_sync.registry import solr_query
from orcid_sync.registry.answers import decode
from orcid_sync.registry.requests import READ_PUBLIC, Endpoint, Request

T = TypeVar("T")

SINCE_SIZE: Final = 250
"""iDs in one question with a common date: some 6,000 characters of address, of the 8,192 that servers usually take."""

EACH_SIZE: Final = 60
"""iDs in one question with a date of their own each."""

MOST_ROWS: Final = 1_000
"""Hits on one page; more are refused with 9012."""

DEEPEST: Final = 10_000
"""Hits that can be passed over; beyond, a client without credentials is refused with 9043, and Solr toils."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """What the index shows of somebody: what they show to everybody."""

    orcid: Orcid
    given_names: str | None = None
    family_names: str | None = None
    credit_name: str | None = None
    other_names: list[str] = []
    emails: list[str] = []
    institutions: list[str] = []
    """Names of organisations of affiliations, past ones too."""

    @property
    def name(self) -> str:
        """The published name, else given and family names."""
        return self.credit_name or " ".join(filter(None, (self.given_names, self.family_names)))


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some of what was found."""

    total: int
    """How many there are on all pages."""
    found: list[T]


class _Identifier(msgspec.Struct):
    path: str


class _Hit(msgspec.Struct, rename="kebab"):
    orcid_identifier: _Identifier


class _Hits(msgspec.Struct, rename="kebab"):
    num_found: int
    result: list[_Hit] | None = None


class _Shown(msgspec.Struct, rename="kebab"):
    orcid_id: str
    given_names: str | None = None
    family_names: str | None = None
    credit_name: str | None = None
    other_name: list[str] | None = None
    email: list[str] | None = None
    institution_name: list[str] | None = None


class _People(msgspec.Struct, rename="kebab"):
    num_found: int
    expanded_result: list[_Shown] | None = None


def count_request(api_url: str, query: str) -> Request[int]:
    """How many records match."""
    return _request(_url(api_url, query, rows=0), lambda _, body: decode(body, _Hits).num_found)


def orcids_request(api_url: str, query: str, *, start: int, rows: int = MOST_ROWS) -> Request[Page[Orcid]]:
    """The iDs of records that match, in their order, from a place on."""

    def read(_: int, body: bytes) -> Page[Orcid]:
        hits = decode(body, _Hits)
        return Page(hits.num_found, list(_orcids(hit.orcid_identifier.path for hit in hits.result or [])))

    return _request(_url(api_url, query, rows=rows, start=start, sort="orcid asc"), read)


def people_request(api_url: str, query: str, *, start: int, rows: int = MOST_ROWS) -> Request[Page[Person]]:
    """Those who match with their names, in the order of their iDs, from a place on."""

    def read(_: int, body: bytes) -> Page[Person]:
        people = decode(body, _People)
        shown = {one.orcid_id: one for one in people.expanded_result or []}
        return Page(people.num_found, [_person(orcid, shown[orcid]) for orcid in _orcids(shown)])

    url = _url(api_url, query, rows=rows, start=start, sort="orcid asc", endpoint="expanded-search")
    return _request(url, read)


def _orcids(paths: Iterable[str]) -> Iterator[Orcid]:
    """Those that are iDs: nothing else is worth believing."""
    for path in paths:
        with suppress(InvalidOrcid):
            yield parse_orcid(path)


def _person(orcid: Orcid, shown: _Shown) -> Person:
    return Person(
        orcid=orcid,
        given_names=shown.given_names,
        family_names=shown.family_names,
        credit_name=shown.credit_name,
        other_names=shown.other_name or [],
        emails=shown.email or [],
        institutions=shown.institution_name or [],
    )


def since_request(api_url: str, orcids: Collection[Orcid], since: datetime) -> Request[list[Orcid]]:
    """Which of these records changed at `since` or later, as far as the public index knows."""
    query = f"{solr_query.between(solr_query.MODIFIED, since, None)} AND {solr_query.orcids(orcids)}"
    return _search(api_url, query, orcids)


def each_since_request(api_url: str, known: Mapping[Orcid, datetime]) -> Request[list[Orcid]]:
    """Which of these records changed later than the date beside them."""
    clauses = (
        f"(orcid:{orcid} AND {solr_query.MODIFIED}:{{{solr_query.date(date)} TO *])" for orcid, date in known.items()
    )
    return _search(api_url, " OR ".join(clauses), known)


def moving_request(api_url: str, since: datetime) -> Request[bool]:
    """Whether the index knows of any change in the whole Registry since then; if not, it stands still."""
    url = _url(api_url, solr_query.between(solr_query.MODIFIED, since, None), rows=0)
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


def _url(api_url: str, query: str, *, endpoint: str = "search", **more: str | int) -> str:
    return f"{api_url}/v3.0/{endpoint}?{urlencode({'q': query, **more})}"
