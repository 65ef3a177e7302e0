"""The heartbeat of the public listener: only by it is it known later when ORCID called without success (fault F13).

Written on the connections that the notifications take: while PostgreSQL cannot take marks, it cannot take this either,
and both leave the same gap.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from orcid_sync.store.database.pools import DatabaseRefused, DatabaseUnavailable, statements
from orcid_sync.store.webhooks import evidence
from orcid_sync.store.webhooks.evidence import BEAT

log = structlog.get_logger(__name__)


@asynccontextmanager
async def present(pool: asyncpg.Pool, process: str) -> AsyncIterator[Callable[[], None]]:
    """While the body runs, say every half minute that this process is alive; yields what counts one notification."""
    presence = _Heartbeat(pool, process)
    scheduler = AsyncIOScheduler(job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1})
    scheduler.add_job(presence.beat, "interval", seconds=BEAT.total_seconds())
    await presence.beat()
    scheduler.start()
    try:
        yield presence.count
    finally:
        scheduler.shutdown(wait=False)
        await presence.beat()


class _Heartbeat:
    """One process, and the notifications that it took since it last spoke."""

    def __init__(self, pool: asyncpg.Pool, process: str) -> None:
        self._pool = pool
        self._process = process
        self._notifications = 0

    def count(self) -> None:
        """One more notification was acknowledged."""
        self._notifications += 1

    async def beat(self) -> None:
        """Say that we are alive, and what came; if the database cannot take it, what came is said the next time."""
        taken, self._notifications = self._notifications, 0
        try:
            async with statements(self._pool) as connection:
                await evidence.beat(connection, self._process, taken)
        except (DatabaseUnavailable, DatabaseRefused) as error:
            self._notifications += taken
            log.info("no sign of life written", reason=str(error))
