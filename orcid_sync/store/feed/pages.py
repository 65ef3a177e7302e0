"""The change feed for those who follow it over HTTP: pages that a reader may see, and where the feed ends.

Pages are read one by one, by key, instead of by a cursor of the database that stays open: the memory is that of one
page either way, and a slow reader holds neither a connection nor the vacuum.
"""

import asyncpg
import msgspec

from orcid_sync.model.feed.cursor import Place
from orcid_sync.model.feed.feed_line import FeedLine
from orcid_sync.model.ids import Orcid
from orcid_sync.model.scopes import View
from orcid_sync.store.database.pools import AnyConnection, transaction
from orcid_sync.store.database.queries import load_queries
from orcid_sync.store.database.roles import ROLES, becoming

WINDOW = 50_000
"""Positions that one page spans at most: a question that matches little must not look at the whole feed at once."""

_queries = load_queries(__file__)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which changes a reader wants.

    What whoever keeps a copy must obey comes besides: lines about the record itself (it ended, or something of it is
    withheld), and whatever the operations, what was removed or withdrawn.
    """

    orcid: Orcid | None = None
    sections: tuple[str, ...] | None = None
    ops: tuple[str, ...] | None = None
    minor: bool = True
    """Also those that only move dates, order or names of sources."""


class Page(msgspec.Struct, frozen=True):
    """Some lines of the feed, and how far the reader has come with them."""

    lines: list[FeedLine]
    reached: Place
    """All that is wanted up to here is in `lines`; lines that are not may lie in between."""
    head: Place
    """Where the feed ended at that moment."""

    @property
    def more(self) -> bool:
        """Whether the feed goes on behind it."""
        return self.reached.seq < self.head.seq


async def read_head(connection: AnyConnection) -> Place:
    """Where the feed ends."""
    return Place(**await _queries.head(connection))


async def read_page(pool: asyncpg.Pool, view: View, after: int, wanted: Wanted, *, limit: int) -> Page:
    """What comes after a position, as of one moment. Raises ReadersMissing, DatabaseUnavailable.

    If the feed ends before the position, the page is empty and reaches to its end: whoever asks compares.
    """
    async with transaction(pool, isolation="repeatable_read", readonly=True) as connection:
        with becoming(ROLES[view]):
            row = await _queries.head_for_reader(connection, role=ROLES[view])
        head = Place(row["epoch"], row["seq"])
        if head.seq <= after:
            return Page([], head, head)
        until = head.seq if wanted.orcid else min(head.seq, after + WINDOW)
        lines = await _lines(connection, after, until, wanted, limit)
    full = len(lines) == limit
    return Page(lines, Place(head.epoch, lines[-1].seq if full else until), head)


async def _lines(connection: AnyConnection, after: int, until: int, wanted: Wanted, limit: int) -> list[FeedLine]:
    asked = {"after": after, "until": until, "sections": wanted.sections, "ops": wanted.ops, "minor": wanted.minor}
    if wanted.orcid is None:
        rows = _queries.page(connection, limit=limit, **asked)
    else:
        rows = _queries.page_of_record(connection, limit=limit, orcid=wanted.orcid, **asked)
    return [_line(row) async for row in rows]


def _line(row: asyncpg.Record) -> FeedLine:
    values = list(row)
    values[-2:] = map(_raw, values[-2:])
    return FeedLine(*values)


def _raw(document: bytes | None) -> msgspec.Raw | None:
    return None if document is None else msgspec.Raw(document)
