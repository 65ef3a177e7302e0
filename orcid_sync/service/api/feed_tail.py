"""Waiting until the feed grows: all readers of a process share one query for its end.

So a thousand that wait cost the database no more than one. Who follows the feed takes a ticket, reads, and if there was
nothing waits with that ticket: what is committed between the two is not missed, for the ticket is then out of date.
"""

import asyncio
from contextlib import suppress
from typing import Final

import structlog

from orcid_sync.model.feed.cursor import Place
from orcid_sync.service.runtime.listen import ChannelListener
from orcid_sync.store.database.pools import Database, DatabaseRefused, DatabaseUnavailable, statements
from orcid_sync.store.feed.changes import CHANNEL
from orcid_sync.store.feed.pages import read_head

SHORTEST_NAP: Final = 0.01
LONGEST_NAP: Final = 0.5
"""Seconds between two looks: few while changes come that nobody announced, more and more while none do."""

log = structlog.get_logger(__name__)


class Tail:
    """Where the feed ends, watched as long as somebody waits."""

    def __init__(self, database: Database) -> None:
        """Hear announcements, and look through the pool of readers."""
        self._pool = database.reader
        self._ear = ChannelListener(database, CHANNEL, self._hear)
        self._seen: Place | None = None
        self._ticket = 0
        self._waiting = 0
        self._moved = asyncio.Event()
        self._wanted = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self.closed = False

    @property
    def ticket(self) -> int:
        """To be taken before the feed is read, and shown to wait for what comes after that."""
        return self._ticket

    async def wait(self, ticket: int, seconds: float) -> None:
        """Return as soon as the feed has gone on since the ticket was taken, after `seconds`, or when all ends."""
        if self._watching is None and not self.closed:
            self._watching = asyncio.create_task(self._watch(), name="watch the feed")
        self._waiting += 1
        self._wanted.set()
        try:
            async with asyncio.timeout(seconds):
                while ticket == self._ticket and not self.closed:
                    await self._moved.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting -= 1
            if not self._waiting:
                self._wanted.clear()

    def nudge(self) -> None:
        """The feed has gone on, or may have."""
        self._ticket += 1
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def aclose(self) -> None:
        """Keep nobody waiting any more."""
        self.closed = True
        self.nudge()
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        self._ear.close()

    async def _watch(self) -> None:
        nap = SHORTEST_NAP
        while True:
            await self._wanted.wait()
            await self._ear.open()
            nap = SHORTEST_NAP if await self._has_moved() else min(2 * nap, LONGEST_NAP)
            await asyncio.sleep(nap)

    def _hear(self, _connection: object, _pid: int, _channel: str, position: str) -> None:
        # Any role may NOTIFY anything.
        if self._seen is not None and position.isascii() and position.isdigit() and len(position) < 19:
            self._seen = Place(self._seen.epoch, int(position))  # so that the next look finds nothing new in it
        self.nudge()

    async def _has_moved(self) -> bool:
        try:
            async with statements(self._pool) as connection:
                head = await read_head(connection)
        except (DatabaseUnavailable, DatabaseRefused) as error:
            log.info("the feed's end not seen", reason=str(error))
            return False
        if head == self._seen:
            return False
        self._seen = head
        self.nudge()
        return True
