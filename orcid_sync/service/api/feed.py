"""Following the feed: pages on request, whose asker may wait for the next change."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec
from aiohttp import web

from orcid_sync.model.cursor import Cursor, Place, Resync, before_seq, parse_cursor, resync_needed
from orcid_sync.service.api.sending import document, streaming, write
from orcid_sync.service.api.table import JSON, LINES, Asked, chosen_type
from orcid_sync.service.api.tail import Tail
from orcid_sync.service.problems import Problem
from orcid_sync.store.database import statements
from orcid_sync.store.feed import FeedLine, Page, Wanted, read_head, read_page

END = "end"
"""Instead of a cursor: the end of the feed, as it is now."""

MOST = 1_000
"""Changes in one JSON document."""

FIRST_PAGE, LONGEST_PAGE = 200, 1_000
PAGE_BYTES = 4 * 1024 * 1024
"""A stream is made of pages, each of as many changes as this much memory holds, judging by the one before."""

READERS = 3
"""Pages that one process reads at the same time; health, metrics and pages have a connection left."""

_encoder = msgspec.json.Encoder()


class Change(FeedLine, frozen=True):
    """A change as its reader sees it, and the cursor behind it, to be given as `after`."""

    cursor: str


class Changes(msgspec.Struct, frozen=True):
    """Some changes; the cursor to go on from, which may have moved without any; whether the feed goes on behind it."""

    changes: list[Change]
    cursor: str
    more: bool


class Ending(msgspec.Struct, frozen=True):
    """The last line of a stream of changes: without it, the answer was cut off."""

    cursor: str
    more: bool


class Following(msgspec.Struct, frozen=True):
    """How somebody follows the feed: from where, and what they want of it."""

    asked: Asked
    start: Cursor
    wanted: Wanted

    def cursor_at(self, place: Place) -> str:
        """The cursor of a place, for this reader."""
        return str(Cursor(place, self.start.view))


class Feed:
    """Reads the feed for whoever follows it."""

    def __init__(self, pool: asyncpg.Pool, tail: Tail) -> None:
        """Read through `pool`, and wait with `tail`."""
        self._pool = pool
        self._turns = asyncio.Semaphore(READERS)
        self.tail = tail

    async def changes(self, asked: Asked) -> web.StreamResponse:
        """GET /v1/changes: a page as JSON, or up to the end line by line."""
        kind = chosen_type(asked.request, (JSON, LINES))
        following = await self.begin(asked, asked.given["after"])
        most = asked.given["limit"]
        if kind == LINES:
            return await self._send_lines(following, most)
        if most is not None and most > MOST:
            raise Problem(400, f"limit: may be at most {MOST}, except as {LINES}.", kind="parameter", parameter="limit")
        page = await self.next_page(following, following.start.place, most or 100, seconds=asked.given["wait"])
        lines = [msgspec.Raw(line) for _, line in encoded(page, following)]
        return document({"changes": lines, "cursor": following.cursor_at(page.reached), "more": page.more})

    async def begin(self, asked: Asked, after: str | None) -> Following:
        """Where to start. Raises Problem 409 if the reader has to start again."""
        given = asked.given
        async with statements(self._pool) as connection:
            head = await read_head(connection)
        view = asked.caller.view
        wanted = Wanted(
            orcid=given.get("orcid"), sections=given.get("section"), ops=given.get("op"), minor=given["minor"]
        )
        if after is None or after == END:
            place = Place(head.epoch, head.seq if after else 0)
            return Following(asked, Cursor(place, view), wanted)
        cursor = parse_cursor(after)
        if reason := Resync.UNKNOWN if cursor is None else resync_needed(cursor, head, view):
            raise resync(reason, Cursor(head, view))
        assert cursor is not None  # noqa: S101 - else there is a reason
        return Following(asked, cursor, wanted)

    async def next_page(self, following: Following, place: Place, limit: int, *, seconds: float = 0) -> Page:
        """What comes after a place; if nothing does, wait so long for it. Raises Problem 409 (see `begin`)."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            ticket = self.tail.ticket
            async with self._turns:
                page = await read_page(self._pool, following.start.view, place.seq, following.wanted, limit=limit)
            cursor = Cursor(place, following.start.view)
            if reason := resync_needed(cursor, page.head, following.start.view):
                raise resync(reason, Cursor(page.head, following.start.view))
            place = page.reached
            if page.lines or (left := end - loop.time()) <= 0 or self.tail.closed:
                return page
            if not page.more:
                await self.tail.wait(ticket, left)

    async def pages(self, following: Following, most: int | None = None) -> AsyncIterator[Page]:
        """Page after page up to the end of the feed, each as large as the memory for one."""
        place, limit, left = following.start.place, FIRST_PAGE, most
        while True:
            page = await self.next_page(following, place, limit if left is None else min(limit, left))
            yield page
            place = page.reached
            left = None if left is None else left - len(page.lines)
            if not page.more or left == 0 or self.tail.closed:
                return
            limit = _next_limit(page, limit)

    async def _send_lines(self, following: Following, most: int | None) -> web.StreamResponse:
        request = following.asked.request
        first = await self.next_page(following, following.start.place, 1, seconds=following.asked.given["wait"])
        ending = Ending(following.cursor_at(first.reached), first.more)
        async with streaming(request, LINES) as response:
            async for page in self.pages(following, most):
                await write(response, b"".join(line + b"\n" for _, line in encoded(page, following)))
                ending = Ending(following.cursor_at(page.reached), page.more)
            await write(response, _encoder.encode(ending) + b"\n")
        return response


def _next_limit(page: Page, limit: int) -> int:
    size = sum(len(raw) for line in page.lines for raw in (line.old, line.new) if raw is not None)
    if not page.lines or not size:
        return limit
    return max(1, min(LONGEST_PAGE, 2 * limit, PAGE_BYTES * len(page.lines) // size))


def encoded(page: Page, following: Following) -> list[tuple[str, bytes]]:
    """The changes of a page: the cursor behind each, and it as JSON (see `Change`)."""
    before = before_seq(page.head.epoch, following.start.view)
    return [(f"{before}{line.seq}", _spliced(f"{before}{line.seq}", line)) for line in page.lines]


def _spliced(cursor: str, line: FeedLine) -> bytes:
    return b'{"cursor":"%b",%b' % (cursor.encode(), _encoder.encode(line)[1:])


def resync(reason: Resync, head: Cursor, **members: Any) -> Problem:
    """The reader has to start again: from a snapshot, and then from this cursor."""
    return Problem(
        409,
        f"Start again: {reason.value}. Read the snapshot, then go on from the cursor.",
        kind="resync",
        reason=reason.name.lower(),
        snapshot="/v1/records",
        cursor=str(head),
        **members,
    )
