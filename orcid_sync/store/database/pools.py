"""Connections to PostgreSQL: pools, time limits, codecs, and one error for "not now".

Three pools, so that neither workers nor readers can keep a notification waiting (fault F26), and two kinds of
connection outside them: the intake flusher's own (a pool's bookkeeping costs a third of its throughput) and the
listener's (LISTEN belongs to a session).

No statement relies on session state (no SET, no session locks, no temporary tables), so that everything but LISTEN
works behind PgBouncer in transaction mode. There, two things belong in its configuration: `max_prepared_statements`
above 0 (PgBouncer >= 1.21; without prepared statements each query would cost a second round trip and a new plan), and
`ignore_startup_parameters` for the settings below, then given by ALTER ROLE … SET (deploy/docs/operations.md).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from operator import itemgetter
from typing import Any

import asyncpg
import msgspec
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from orcid_sync.store.database.errors import (
    CONNECTING_ERRORS,
    AnyConnection,
    DatabaseRefused,
    DatabaseUnavailable,
    fail,
    guarded,
    is_closed,
)

# The errors and `guarded` are part of what a connection offers, wherever they are written.
__all__ = [
    "AnyConnection",
    "Database",
    "DatabaseRefused",
    "DatabaseUnavailable",
    "connect",
    "guarded",
    "open_database",
    "open_pool",
    "statements",
    "transaction",
]

CONNECT_SECONDS = 5.0
"""Bound of establishing a connection, and of waiting for a free one in a pool."""


class Purpose(msgspec.Struct, frozen=True):
    """What a connection is for, and the limits that follow from it."""

    name: str
    statement_seconds: int
    """Bound of one statement, kept by the server. The client gives up one second later, for a server that is gone."""

    @property
    def connect_arguments(self) -> dict[str, Any]:
        """Arguments of asyncpg.connect."""
        return {
            "timeout": CONNECT_SECONDS,
            "command_timeout": self.statement_seconds + 1,
            # With several hosts in the DSN: the one that can write, also after a fail-over (fault F76).
            "target_session_attrs": "read-write",
            "server_settings": {
                "application_name": f"orcid_sync {self.name}",
                "statement_timeout": f"{self.statement_seconds}s",
                "lock_timeout": "5s",
                "idle_in_transaction_session_timeout": "10s",
                # What was acknowledged must be on disk, whatever the server's default is (invariant S1).
                "synchronous_commit": "on",
            },
        }


INTAKE = Purpose("intake", 2)
WORKER = Purpose("worker", 20)
READER = Purpose("reader", 60)
PUSHER = Purpose("pusher", 20)
LISTENER = Purpose("listener", 2)
COMMAND = Purpose("command", 60)
MAINTENANCE = Purpose("maintenance", 3_600)


class Database(msgspec.Struct, frozen=True):
    """The pools of one process, and the way to connections outside of them."""

    dsn: str
    intake: asyncpg.Pool
    worker: asyncpg.Pool
    reader: asyncpg.Pool

    def __repr__(self) -> str:
        return "Database(…)"  # the DSN holds a password

    async def connect_intake(self) -> asyncpg.Connection:
        """A connection for the intake flusher alone. Raises DatabaseUnavailable.

        A caller that must answer within a time waits for its own future, not for this connection: when the server is a
        black hole, asyncpg first tries to cancel the statement, and a limit of 2 s lasts 4 s (fault F04).
        """
        return await _connect(self.dsn, INTAKE)

    async def connect_listener(self) -> asyncpg.Connection:
        """A connection for LISTEN alone; its DSN must not lead through PgBouncer. Raises DatabaseUnavailable."""
        return await _connect(self.dsn, LISTENER)


@asynccontextmanager
async def open_database(dsn: str, *, workers: int) -> AsyncIterator[Database]:
    """Open the pools for `workers` concurrent reconciliations, and close them at the end.

    Raises DatabaseUnavailable if no connection can be made now.
    """
    async with (
        open_pool(dsn, INTAKE, size=4) as intake,
        open_pool(dsn, WORKER, size=workers + 2) as worker,
        open_pool(dsn, READER, size=4) as reader,
    ):
        async with transaction(reader):
            pass  # a wrong address shows now
        yield Database(dsn=dsn, intake=intake, worker=worker, reader=reader)


@asynccontextmanager
async def connect(dsn: str, purpose: Purpose = COMMAND) -> AsyncIterator[asyncpg.Connection]:
    """One connection, for a command unless another purpose is named; closed at the end. Raises DatabaseUnavailable."""
    connection = await _connect(dsn, purpose)
    try:
        async with guarded(connection):
            yield connection
    finally:
        # Not close(): that waits for a server that may be gone.
        connection.terminate()


@asynccontextmanager
async def transaction(
    pool: asyncpg.Pool, *, isolation: str = "read_committed", readonly: bool = False
) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
    """A connection of the pool inside a transaction: committed at the end, rolled back if the body raises.

    Raises DatabaseUnavailable and DatabaseRefused as `guarded` does. A connection that died while it lay idle (the
    server was restarted: fault F05) is replaced before the body sees it.
    """
    connection, begun = await _begin(pool, isolation, readonly=readonly)
    try:
        async with guarded(connection, pool):
            try:
                yield connection
            except BaseException:
                if not is_closed(connection):
                    await begun.rollback()
                raise
            await begun.commit()
    finally:
        # A connection that cannot be given back in time is ended by the pool, which then reports that it did so.
        with suppress(TimeoutError, asyncpg.InterfaceError):
            await pool.release(connection, timeout=CONNECT_SECONDS)


@asynccontextmanager
async def statements(pool: asyncpg.Pool) -> AsyncIterator[asyncpg.pool.PoolConnectionProxy]:
    """A connection of the pool for statements that are each a transaction of their own: two round trips less.

    Raises DatabaseUnavailable and DatabaseRefused as `guarded` does, also for a connection that died while it lay idle.
    """
    try:
        connection = await pool.acquire(timeout=CONNECT_SECONDS)
    except CONNECTING_ERRORS as error:
        await fail(error, closed=True, pool=pool)
    try:
        async with guarded(connection, pool):
            yield connection
    finally:
        with suppress(TimeoutError, asyncpg.InterfaceError):
            await pool.release(connection, timeout=CONNECT_SECONDS)


async def _connect(dsn: str, purpose: Purpose) -> asyncpg.Connection:
    try:
        connection = await asyncpg.connect(dsn, **purpose.connect_arguments)
    except CONNECTING_ERRORS as error:
        await fail(error, closed=True)
    await _prepare(connection)
    return connection


@asynccontextmanager
async def open_pool(dsn: str, purpose: Purpose, *, size: int) -> AsyncIterator[asyncpg.Pool]:
    """A pool of up to `size` connections, closed at the end."""
    pool = asyncpg.create_pool(
        dsn,
        min_size=0,  # a floor would be restored in the background, with a traceback a second while the server is away
        max_size=size,
        max_inactive_connection_lifetime=60,
        init=_prepare,
        # There is no session state to reset, and the round trip on each release would cost a third of the throughput.
        reset=_keep,
        **purpose.connect_arguments,
    )
    await pool
    try:
        yield pool
    finally:
        try:
            await asyncio.wait_for(pool.close(), CONNECT_SECONDS)
        except TimeoutError:
            pool.terminate()


async def _prepare(connection: asyncpg.Connection) -> None:
    for name in ("json", "jsonb"):
        version = b"\x01" if name == "jsonb" else b""  # jsonb's binary form is a version byte before the text
        await connection.set_type_codec(
            name,
            schema="pg_catalog",
            format="binary",
            encoder=version.__add__,
            decoder=itemgetter(slice(len(version), None)),
        )


async def _keep(_connection: asyncpg.Connection) -> None:
    pass


class _StaleConnectionError(DatabaseUnavailable):
    """A pooled connection was dead before anything was asked of it."""


@retry(stop=stop_after_attempt(2), retry=retry_if_exception_type(_StaleConnectionError), reraise=True)
async def _begin(
    pool: asyncpg.Pool, isolation: str, *, readonly: bool
) -> tuple[asyncpg.pool.PoolConnectionProxy, asyncpg.transaction.Transaction]:
    try:
        connection = await pool.acquire(timeout=CONNECT_SECONDS)
    except CONNECTING_ERRORS as error:
        await fail(error, closed=True, pool=pool)
    begun = connection.transaction(isolation=isolation, readonly=readonly)
    try:
        async with guarded(connection, pool):
            await begun.start()
    except BaseException as error:
        stale = is_closed(connection) and isinstance(error, DatabaseUnavailable)
        with suppress(TimeoutError, asyncpg.InterfaceError):
            await pool.release(connection, timeout=CONNECT_SECONDS)
        if stale:
            raise _StaleConnectionError(str(error)) from error
        raise
    return connection, begun
