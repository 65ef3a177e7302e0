"""Which of our addresses ORCID calls: what tells that a new secret, or a new public address, works.

Kept in memory and written down every few seconds at most, beside the notifications and never in their way: what is lost
by a crash is noted again with the next call.
"""

import asyncio
from collections import Counter

import asyncpg
import structlog

from orcid_sync.store.database.pools import DatabaseRefused, DatabaseUnavailable, statements
from orcid_sync.store.webhooks import generations

EVERY = 3.0
"""Seconds between two writings, at least."""

KINDS = 100
"""Versions and hosts that are told apart between two writings: whoever knows an address can call it at any host."""

log = structlog.get_logger(__name__)


class CalledAddresses:
    """Counts the calls that were answered with success, and has them written down."""

    def __init__(self, pool: asyncpg.Pool, *, every: float = EVERY) -> None:
        """Write through `pool`, at most `every` so many seconds."""
        self._pool = pool
        self._every = every
        self._calls: Counter[tuple[int, str]] = Counter()
        self._written_at = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def note(self, key_version: int, host: str) -> None:
        """An address of this version was called at this host."""
        if len(self._calls) < KINDS:
            self._calls[key_version, host] += 1
        self._plan()

    async def aclose(self) -> None:
        """Write what is left, if the database takes it."""
        if self._timer is not None:
            self._timer.cancel()
            self._begin()
        if self._writing is not None:
            await asyncio.wait([self._writing])
        if self._timer is not None:
            self._timer.cancel()

    def _plan(self) -> None:
        """Have what was noted written as soon as it may be."""
        if self._calls and self._timer is None and self._writing is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time(), self._written_at + self._every), self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._writing = asyncio.get_running_loop().create_task(self._write(), name="note calls")

    async def _write(self) -> None:
        calls, self._calls = self._calls, Counter()
        try:
            async with statements(self._pool) as connection:
                await generations.note_calls(connection, list(calls))
        except (DatabaseUnavailable, DatabaseRefused) as error:
            log.info("calls not noted", reason=str(error))
        finally:
            self._written_at = asyncio.get_running_loop().time()
            self._writing = None
            self._plan()
