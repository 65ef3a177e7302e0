"""Natural group commit: notifications that arrive while one commit is under way share the next one.

There is no timer. The first notification after a pause is committed at once; those that come while its commit travels
form the next batch, so that batches are as large as the load is heavy. One flush at a time, on one connection that
belongs to it alone: nearly as fast as a handler that stores nothing (tests/bench/intake.py).

Nobody is told "acknowledged" before the commit returned (invariant S1), and nothing is kept in memory for later: what
cannot be committed in time fails, its sender hears 503 and sends it again (contract section 1.6).
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection

import asyncpg
import structlog

from orcid_sync.model.ids import Orcid
from orcid_sync.service.http.metrics import Metrics
from orcid_sync.store.database.pools import DatabaseUnavailable

ANSWER_SECONDS = 2.5
"""From a notification's arrival to its answer, also when PostgreSQL has become a black hole (fault F04)."""

log = structlog.get_logger(__name__)


class GroupCommit:
    """Commits marks in batches; `mark` returns when the mark is durable."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        mark_due: Callable[[asyncpg.Connection, list[Orcid]], Awaitable[Collection[str]]],
        *,
        metrics: Metrics,
        wake: Callable[[], None],
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """Commit by `mark_due`, one statement that returns the iDs which it knows, on connections from `connect`.

        `wake` is called after each commit that concerned a connected iD. The statement must be a transaction of its
        own: there is no ROLLBACK out of a black hole.
        """
        self._connect = connect
        self._mark_due = mark_due
        self._metrics = metrics
        self._wake = wake
        self._answer_seconds = answer_seconds
        self._connection: asyncpg.Connection | None = None
        self._forming: list[tuple[Orcid, asyncio.Future[bool]]] = []
        self._formed_since = 0.0
        self._flusher: asyncio.Task[None] | None = None

    async def mark(self, orcid: Orcid) -> bool:
        """Make the iD due and return once that is durable. False: the iD is not connected, nothing was written.

        Raises DatabaseUnavailable if PostgreSQL could not take the mark in time; it may have taken it all the same.
        """
        loop = asyncio.get_running_loop()
        acknowledged: asyncio.Future[bool] = loop.create_future()
        if not self._forming:
            self._formed_since = loop.time()
        self._forming.append((orcid, acknowledged))
        if self._flusher is None:
            self._flusher = loop.create_task(self._flush_what_forms(), name="group commit")
        return await acknowledged

    async def aclose(self) -> None:
        """Finish what waits for its commit, then give the connection up."""
        if self._flusher is not None:
            await asyncio.wait([self._flusher])
        if self._connection is not None:
            self._disconnect()

    async def _flush_what_forms(self) -> None:
        try:
            while self._forming:
                batch, self._forming = self._forming, []
                await self._flush(batch, formed_since=self._formed_since)
        finally:
            self._flusher = None

    async def _flush(self, batch: list[tuple[Orcid, asyncio.Future[bool]]], *, formed_since: float) -> None:
        """Commit one batch and answer everyone in it, whatever happens."""
        loop = asyncio.get_running_loop()
        orcids = sorted({orcid for orcid, _ in batch})
        began = loop.time()
        try:
            known = await self._commit(orcids, deadline=formed_since + self._answer_seconds)
        except BaseException as error:
            self._disconnect()
            log.warning("notifications not committed", waiting=len(batch), ids=len(orcids), error=type(error).__name__)
            _fail(batch)
            if not isinstance(error, Exception):
                raise  # the process ends
            return
        for orcid, acknowledged in batch:
            if not acknowledged.done():  # its request may have been given up
                acknowledged.set_result(orcid in known)
        self._metrics.flush_ids.observe(len(orcids))
        self._metrics.flush_seconds.observe(loop.time() - began)
        self._metrics.ack_seconds.observe(loop.time() - formed_since)
        if known:
            self._wake()

    async def _commit(self, orcids: list[Orcid], *, deadline: float) -> frozenset[str]:
        """Mark on the present connection; if that fails for whatever reason, once more on a new one.

        Whether a commit happened whose connection was lost cannot be known (fault F06); marking twice does no harm.
        After a restart of PostgreSQL the first attempt always meets a dead connection (fault F05); after a fail-over it
        may meet a server that has become read-only, or one that never answers: so it gets half of the time only.
        """
        try:
            async with asyncio.timeout_at((asyncio.get_running_loop().time() + deadline) / 2):
                return await self._attempt(orcids)
        except Exception as error:  # noqa: BLE001 - a lost connection shows under many classes (fault F06)
            log.info("intake connects to the database anew", error=type(error).__name__)
            self._disconnect()
        async with asyncio.timeout_at(deadline):
            return await self._attempt(orcids)

    async def _attempt(self, orcids: list[Orcid]) -> frozenset[str]:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
        return frozenset(await self._mark_due(self._connection, orcids))

    def _disconnect(self) -> None:
        # Not close(), which would wait for the server's answer: there may be no server any more.
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None


def _fail(batch: list[tuple[Orcid, asyncio.Future[bool]]]) -> None:
    for _, acknowledged in batch:
        if not acknowledged.done():
            acknowledged.set_exception(DatabaseUnavailable("the notification could not be committed in time"))
