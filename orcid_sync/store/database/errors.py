"""What may go wrong with PostgreSQL, as two errors: not now (DatabaseUnavailable), or never (DatabaseRefused)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn, TypeAlias

import asyncpg

AnyConnection: TypeAlias = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
"""A connection to PostgreSQL, of a pool or one's own. json and jsonb travel as the bytes of JSON text, both ways."""

DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
CONNECTING_ERRORS = (*DRIVER_ERRORS, ValueError)  # the last for a DSN that makes no sense

# States in which PostgreSQL refuses what it may well accept later, by SQLSTATE or its class (the first two characters).
NOT_NOW = {
    "08": "the connection failed",
    "25006": "the server is read-only (a former primary after a fail-over?)",
    "40": "the transaction conflicted with another one",
    "53": "the server is out of disk space, memory or connections",
    "55P03": "a lock was not available in time",
    "57": "the server shuts down, starts, or cancelled the statement",
    "58": "the server has trouble with its disk",
}
# After these every other connection of the pool is suspect as well.
EXPIRING = ("08", "25006", "57P")


class DatabaseUnavailable(Exception):
    """PostgreSQL cannot do it now; the same work may succeed later.

    Nothing was changed, or (if the connection broke during the commit) it is unknown whether something was.
    """


class DatabaseRefused(Exception):
    """PostgreSQL refused a statement for good. Says which rule was broken, never which values (they may be private)."""


@asynccontextmanager
async def guarded(connection: AnyConnection, pool: asyncpg.Pool | None = None) -> AsyncIterator[None]:
    """Turn the driver's errors into DatabaseUnavailable and DatabaseRefused; errors of others pass.

    Losing the connection, or finding a read-only server behind it, makes the pool renew all its connections.
    """
    try:
        yield
    except DRIVER_ERRORS as error:
        await fail(error, closed=is_closed(connection), pool=pool)


def is_closed(connection: AnyConnection) -> bool:
    """Whether the connection is lost or was closed."""
    try:
        closed: bool = connection.is_closed()
    except asyncpg.InterfaceError:  # it broke, and its pool has taken it back already
        return True
    return closed


async def fail(error: Exception, *, closed: bool, pool: asyncpg.Pool | None = None) -> NoReturn:
    """Raise the error of ours that says what the caller can do about the driver's."""
    state = getattr(error, "sqlstate", None) or ""
    reason = next((text for prefix, text in NOT_NOW.items() if state.startswith(prefix)), None)
    if isinstance(error, asyncpg.InvalidCachedStatementError | asyncpg.OutdatedSchemaCacheError):
        reason = "the schema changed under a prepared statement"  # the driver has already forgotten it (fault F83)
    if isinstance(error, asyncpg.InterfaceError) and not isinstance(error, asyncpg.ClientConfigurationError):
        if isinstance(error, ValueError):  # the driver could not even encode it
            raise DatabaseRefused("a value does not fit its column") from None  # the cause quotes it
    elif isinstance(error, ValueError):
        raise DatabaseRefused("the address of the database cannot be used") from None  # the cause may quote a password
    # Losing the server in the middle surfaces under many classes, some of which hide the cause (fault F06).
    if closed or isinstance(error, OSError):
        reason = reason or "the connection was lost or could not be made"
    if pool is not None and (closed or state.startswith(EXPIRING)):
        await pool.expire_connections()
    if reason is not None:
        raise DatabaseUnavailable(f"{reason} ({_kind(error)})") from error
    if isinstance(error, asyncpg.PostgresError):
        # Not chained: DETAIL and even the message can quote a row.
        raise DatabaseRefused(f"PostgreSQL refused ({_kind(error)})") from None
    raise error


def _kind(error: Exception) -> str:
    names = ("sqlstate", "schema_name", "table_name", "column_name", "constraint_name")
    return " ".join([type(error).__name__, *(str(v) for n in names if (v := getattr(error, n, None)))])
