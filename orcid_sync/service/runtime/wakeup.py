"""Waking the workers, in this process and in others, after something was marked due."""

import asyncio
from collections.abc import Callable

import asyncpg
import structlog

from orcid_sync.store.database.pools import DatabaseUnavailable, transaction
from orcid_sync.store.sync.queue import wake

log = structlog.get_logger(__name__)


class WakeUp:
    """`wake_up()` after each commit of marks: calls and announcements follow, but no more than are of use.

    What is marked becomes due only `grace` seconds later. A worker that was woken sleeps until the first row is due and
    then looks again, and so sees all that was committed meanwhile: within half of the grace one call is enough, and a
    storm of notifications does not become a storm of NOTIFYs.
    """

    def __init__(self, here: Callable[[], None], pool: asyncpg.Pool, *, grace: float) -> None:
        """Call `here` for the workers of this process, and NOTIFY those of the others through `pool`.

        `grace` is in seconds.
        """
        self._here = here
        self._pool = pool
        self._pause = grace / 2
        self._not_before = 0.0
        self._announcement: asyncio.Task[None] | None = None

    def __call__(self) -> None:
        """Wake the workers unless they were woken a moment ago, or an announcement is still under way."""
        loop = asyncio.get_running_loop()
        if self._announcement is not None or loop.time() < self._not_before:
            return
        self._not_before = loop.time() + self._pause
        self._here()
        self._announcement = loop.create_task(self._announce(), name="announce due")

    async def aclose(self) -> None:
        """Wait for an announcement that is under way."""
        if self._announcement is not None:
            await asyncio.wait([self._announcement])

    async def _announce(self) -> None:
        try:
            async with transaction(self._pool) as connection:
                await wake(connection)
        except DatabaseUnavailable as error:
            log.info("workers not notified", error=type(error).__name__)  # they poll
        finally:
            self._announcement = None
