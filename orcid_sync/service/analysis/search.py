"""Listing everybody whom ORCID's search finds, beyond what can be turned page by page (contract section 6).

What has more hits than can be passed over is cut by the date on which the iDs were made, which never moves, until each
part can be listed. Only public data are indexed, minutes late.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, Generic, TypeVar

from orcid_sync.registry import solr_query
from orcid_sync.registry.client import Registry
from orcid_sync.registry.requests import Request
from orcid_sync.registry.search import DEEPEST, MOST_ROWS, Page, count_request

T = TypeVar("T")

FIRST: Final = datetime(2012, 10, 1, tzinfo=UTC)
"""Before the first iD was made; parts may be open towards the past."""

NARROWEST: Final = timedelta(seconds=1)
"""A part that still has too many hits is not cut any more: its end is missing, and the count says so."""

Ask = Callable[..., Request[Page[T]]]
"""A question of `registry.search` that takes the API's address, the query, `start` and `rows`."""


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """One page, and how many there are in all."""

    total: int
    found: list[T]


@dataclass(frozen=True, slots=True, kw_only=True)
class Search(Generic[T]):
    """A way to list whom a query finds."""

    registry: Registry
    request: Ask[T]
    now: datetime
    rows: int = MOST_ROWS
    deepest: int = DEEPEST

    async def pages(self, query: str, *, most: int | None = None) -> AsyncIterator[Found[T]]:
        """Page by page, at most so many hits. Raises RegistryError."""
        total = await self._count(query)
        left = total if most is None else min(most, total)
        async for part in self._parts(query, left, None, None):
            async for found in self._turn(part, left):
                left -= len(found)
                yield Found(total, found)
            if left <= 0:
                return

    async def _count(self, query: str) -> int:
        return await self.registry.ask(partial(count_request, query=query))

    async def _turn(self, query: str, left: int) -> AsyncIterator[list[T]]:
        """The pages of a query that has few enough hits."""
        start = 0
        while left > 0 and start <= self.deepest:
            rows = min(self.rows, left)
            page = await self.registry.ask(partial(self.request, query=query, start=start, rows=rows))
            if not page.found:
                return
            yield page.found
            start, left = start + rows, left - len(page.found)
            if start >= page.total:
                return

    async def _parts(self, query: str, number: int, low: datetime | None, high: datetime | None) -> AsyncIterator[str]:
        """The query cut into parts that can be listed; those without a date by themselves."""
        asked = (
            query
            if low is high is None
            else solr_query.all_of([query, solr_query.between(solr_query.SUBMITTED, low, high)])
        )
        begin, end = low or FIRST, high or self.now
        if number <= self.deepest or end - begin <= NARROWEST:
            if number:
                yield asked
            return
        middle = begin + (end - begin) / 2
        for part in ((low, middle), (middle, high)):
            within = solr_query.all_of([query, solr_query.between(solr_query.SUBMITTED, *part)])
            async for one in self._parts(query, await self._count(within), *part):
                yield one
        if low is high is None and await self._count(
            undated := solr_query.all_of([query, solr_query.without(solr_query.SUBMITTED)])
        ):
            yield undated
