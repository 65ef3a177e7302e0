"""Reading the feed for many at once: each follows from where they are, and what several want is read once.

Those who follow the end of the feed are woken together, by the same commit, and want the same page. So a page that is
being read is given to all who ask for it; but only if it was begun after the wake-up that they know of (the ticket of
`feed_tail`), for otherwise it might not have what woke them.
"""

import asyncio
from collections.abc import AsyncGenerator
from functools import cached_property

import asyncpg
import msgspec

from orcid_sync.model.feed.cursor import Cursor, Place, Resync, before_seq, parse_cursor, resync_needed
from orcid_sync.model.feed.feed_line import FeedLine
from orcid_sync.model.scopes import View
from orcid_sync.service.api.feed_tail import Tail
from orcid_sync.service.http.problems import Problem
from orcid_sync.store.feed.pages import Page, Wanted, read_page

READERS = 3
"""Pages that one process reads at the same time; health, metrics and others have a connection left."""

FIRST_PAGE, LONGEST_PAGE = 200, 2_000
PAGE_BYTES = 4 * 1024 * 1024
"""A stream is made of pages, each of as many changes as this much memory holds, judging by the one before."""

_encoder = msgspec.json.Encoder()


class Change(FeedLine, frozen=True):
    """A change as its reader sees it, and the cursor behind it, to be given as `after`."""

    cursor: str


class Encoded:
    """A page of one view, and its changes as JSON, made once for all who get it."""

    def __init__(self, page: Page, view: View) -> None:
        self.page = page
        self._view = view

    @cached_property
    def changes(self) -> list[tuple[str, bytes]]:
        """The cursor behind each change, and the change as JSON (see `Change`)."""
        before = before_seq(self.page.head.epoch, self._view)
        return [(f"{before}{line.seq}", _spliced(f"{before}{line.seq}", line)) for line in self.page.lines]

    @property
    def cursor(self) -> str:
        """The cursor of whoever has dealt with the page."""
        return str(Cursor(self.page.reached, self._view))

    @cached_property
    def lines(self) -> bytes:
        """The changes, one a line."""
        return b"".join(change + b"\n" for _, change in self.changes)

    @property
    def size(self) -> int:
        """Bytes of what the changes say."""
        return sum(len(raw) for line in self.page.lines for raw in (line.old, line.new) if raw is not None)


Key = tuple[int, View, int, Wanted, int]


class Pages:
    """Reads pages, each once for all who want it at the same time."""

    def __init__(self, pool: asyncpg.Pool, tail: Tail) -> None:
        """Read through `pool`; `tail` tells when there is more."""
        self.tail = tail
        self._pool = pool
        self._turns = asyncio.Semaphore(READERS)
        self._reading: dict[Key, asyncio.Task[Encoded]] = {}

    async def read(self, view: View, after: int, wanted: Wanted, limit: int) -> Encoded:
        """What comes after a position. Raises ReadersMissing, DatabaseUnavailable."""
        key = (self.tail.ticket, view, after, wanted, limit)
        if key not in self._reading:
            task = asyncio.create_task(self._read(view, after, wanted, limit), name="read changes")
            task.add_done_callback(lambda done: self._forget(key, done))
            self._reading[key] = task
        return await asyncio.shield(self._reading[key])

    def _forget(self, key: Key, done: asyncio.Task[Encoded]) -> None:
        del self._reading[key]
        if not done.cancelled():
            done.exception()  # seen, also if nobody waits any more

    async def _read(self, view: View, after: int, wanted: Wanted, limit: int) -> Encoded:
        async with self._turns:
            return Encoded(await read_page(self._pool, view, after, wanted, limit=limit), view)


class Follower:
    """Somebody who follows the feed, and how far they have come."""

    def __init__(self, pages: Pages, start: Cursor, wanted: Wanted) -> None:
        """Begin at a cursor that belongs to the feed."""
        self.place = start.place
        self.ended = False
        """Whether the feed does not go on behind `place`, as far as was seen."""
        self.wanted = wanted
        self._pages = pages
        self._view = start.view
        self._ticket = 0

    @property
    def cursor(self) -> Cursor:
        """How far they have come."""
        return Cursor(self.place, self._view)

    async def next(self, limit: int, *, seconds: float = 0) -> Encoded:
        """The next page; if nothing that is wanted comes, wait so long for it, and return an empty one.

        Raises Problem 409 if the feed's history is another one now, ReadersMissing, DatabaseUnavailable.
        """
        loop, tail = asyncio.get_running_loop(), self._pages.tail
        end = loop.time() + seconds
        while True:
            if self.ended and seconds:
                await tail.wait(self._ticket, end - loop.time())
            self._ticket = tail.ticket
            found = await self._pages.read(self._view, self.place.seq, self.wanted, limit)
            page = found.page
            if reason := resync_needed(self.cursor, page.head, self._view):
                raise resync(reason, Cursor(page.head, self._view))
            self.place, self.ended = page.reached, not page.more
            if page.lines or loop.time() >= end or tail.closed:
                return found

    async def to_the_end(self, most: int | None = None) -> AsyncGenerator[Encoded, None]:
        """Page after page up to the end of the feed, or so many changes; while one is dealt with, the next is read."""
        limit, left = FIRST_PAGE, most
        reading = asyncio.create_task(self.next(_least(limit, left)))
        try:
            while True:
                found = await reading
                left = None if left is None else left - len(found.page.lines)
                if self.ended or left == 0 or self._pages.tail.closed:
                    yield found
                    return
                limit = _next_limit(found, limit)
                reading = asyncio.create_task(self.next(_least(limit, left)))
                yield found
        finally:
            reading.cancel()


def starting(after: str | None, head: Place, view: View) -> Cursor:
    """Where a reader begins: at a cursor, at the end of the feed, or at its beginning. Raises Problem 409."""
    if after in {None, END}:
        return Cursor(Place(head.epoch, head.seq if after else 0), view)
    return accepted(after or "", head, view)


def accepted(text: str, head: Place, view: View) -> Cursor:
    """The cursor, if it belongs to this history and view. Raises Problem 409."""
    cursor = parse_cursor(text)
    reason = Resync.UNKNOWN if cursor is None else resync_needed(cursor, head, view)
    if cursor is None or reason:
        raise resync(reason or Resync.UNKNOWN, Cursor(head, view))
    return cursor


END = "end"
"""Instead of a cursor: the end of the feed, as it is now."""


def resync(reason: Resync, head: Cursor) -> Problem:
    """The reader has to start again: from a snapshot, and then from this cursor."""
    return Problem(
        409,
        f"Start again: {reason.value}. Read the snapshot, then follow the feed from its cursor.",
        kind="resync",
        reason=reason.name.lower(),
        snapshot="/v1/records",
        cursor=str(head),
    )


def _spliced(cursor: str, line: FeedLine) -> bytes:
    return b'{"cursor":"%b",%b' % (cursor.encode(), _encoder.encode(line)[1:])


def _least(limit: int, left: int | None) -> int:
    return limit if left is None else min(limit, left)


def _next_limit(found: Encoded, limit: int) -> int:
    number, size = len(found.page.lines), found.size
    fitting = PAGE_BYTES * number // size if size else limit
    return max(1, min(LONGEST_PAGE, 2 * limit, fitting))
