"""Pages of the feed: from behind a position to the end, filtered, and never less than was asked for."""

from typing import Any

import asyncpg
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.scopes import View
from orcid_sync.store.database.pools import Database
from orcid_sync.store.feed import pages
from orcid_sync.store.feed.pages import Wanted, read_page

ONE, OTHER = Orcid("0009-9990-0000-0013"), Orcid("0009-9990-0000-0021")
FEED = [
    (ONE, "work", "added", False),
    (OTHER, "work", "updated", True),
    (ONE, "keyword", "removed", False),
    (ONE, "work", "updated", True),
    (OTHER, "keyword", "added", False),
    (ONE, "work", "removed", False),
    (OTHER, "work", "withdrawn", False),
    (ONE, "record", "updated", False),
    (OTHER, "record", "updated", True),
]
"""Whose, section, operation, whether minor; the positions are 1 to 9."""


@pytest.fixture
async def feed(connection: asyncpg.Connection, database: Database) -> Database:
    for seq, (orcid, section, op, minor) in enumerate(FEED, 1):
        await connection.execute(
            "insert into orcid.changes (seq, orcid, section, key, op, minor, visibility, visibility_before, cause, at)"
            " values ($1, $2, $3, '1', $4, $5, 'public', 'public', 'check', now())",
            *(seq, orcid, section, op, minor),
        )
    await connection.execute("update orcid_sync.feed_head set last = $1", len(FEED))
    return database


async def read(database: Database, after: int = 0, *, limit: int = 100, **wanted: Any) -> tuple[list[int], int]:
    """The positions on a page, and how far its reader has come."""
    page = await read_page(database.worker, View.PUBLIC, after, Wanted(**wanted), limit=limit)
    return [line.seq for line in page.lines], page.reached.seq


@pytest.mark.parametrize(
    ("wanted", "seqs"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ({"sections": ("keyword",)}, [3, 5, 8, 9]),
        ({"sections": ("keyword", "work")}, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        ({"sections": ("funding",)}, [8, 9]),
        ({"sections": ("record",)}, [8, 9]),
        ({"ops": ("added",)}, [1, 3, 5, 6, 7, 8, 9]),
        ({"ops": ("removed",)}, [3, 6, 7, 8, 9]),
        ({"minor": False}, [1, 3, 5, 6, 7, 8]),
        ({"sections": ("work",), "ops": ("updated",)}, [2, 4, 6, 7, 8, 9]),
        ({"sections": ("keyword",), "ops": ("updated",), "minor": False}, [3, 8]),
        ({"orcid": ONE}, [1, 3, 4, 6, 8]),
        ({"orcid": OTHER, "sections": ("keyword",)}, [5, 9]),
        ({"orcid": ONE, "ops": ("updated",)}, [3, 4, 6, 8]),
        ({"orcid": ONE, "minor": False}, [1, 3, 6, 8]),
    ],
)
async def test_a_page_has_what_is_wanted_and_must_be_obeyed_and_reaches_to_the_end(
    feed: Database, wanted: dict[str, Any], seqs: list[int]
) -> None:
    assert await read(feed, **wanted) == (seqs, len(FEED))


@pytest.mark.invariant("S6")
@pytest.mark.parametrize("orcid", [None, ONE])
@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize("window", [1, 2, 50])
async def test_page_after_page_each_change_comes_once(
    feed: Database, monkeypatch: pytest.MonkeyPatch, orcid: Orcid | None, limit: int, window: int
) -> None:
    """Whatever a page spans, and however little of it is wanted."""
    monkeypatch.setattr(pages, "WINDOW", window)
    seen, reached = [], 0
    while reached < len(FEED):
        before = reached
        seqs, reached = await read(feed, before, limit=limit, orcid=orcid)
        assert reached > before
        seen += seqs

    assert seen == [seq for seq, line in enumerate(FEED, 1) if orcid in (None, line[0])]


@pytest.mark.parametrize("after", [9, 12])
async def test_behind_the_end_there_is_nothing(feed: Database, after: int) -> None:
    assert await read(feed, after) == ([], len(FEED))


async def test_what_is_committed_behind_the_head_belongs_to_no_page(
    feed: Database, connection: asyncpg.Connection
) -> None:
    """A page ends where the feed ended when it was begun."""
    await connection.execute("update orcid_sync.feed_head set last = 4")
    assert await read(feed) == ([1, 2, 3, 4], 4)
    assert await read(feed, orcid=ONE) == ([1, 3, 4], 4)
