"""Reading for others: as the role whose rows they may see, so that PostgreSQL decides it and not the program.

Whoever asks through the internal listener is answered inside a read-only transaction under `orcid_reader` or
`orcid_reader_limited`. A query that forgets a condition, or a hole in the program, then shows nothing that the reader
could not read with a login of their own; nor can it write. Where the roles are missing, or the service may not become
them, nothing is read at all: ReadersMissing says what to do.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg

from orcid_sync.model.scopes import View
from orcid_sync.store.database.pools import AnyConnection, transaction
from orcid_sync.store.database.queries import load_queries

ROLES = {View.PUBLIC: "orcid_reader", View.LIMITED: "orcid_reader_limited"}

_queries = load_queries(__file__)


class ReadersMissing(Exception):
    """Nothing can be read for others; the message says what to do."""


@asynccontextmanager
async def viewing(pool: asyncpg.Pool, view: View) -> AsyncIterator[AnyConnection]:
    """A read-only transaction that sees one moment of the mirror, as far as the view goes.

    Raises ReadersMissing, DatabaseUnavailable, DatabaseRefused.
    """
    async with transaction(pool, isolation="repeatable_read", readonly=True) as connection:
        await become(connection, view)
        yield connection


async def become(connection: AnyConnection, view: View) -> None:
    """Be the reader until the end of the transaction. Raises ReadersMissing."""
    with becoming(ROLES[view]):
        await _queries.become(connection, role=ROLES[view])


@contextmanager
def becoming(role: str) -> Iterator[None]:
    """Explain why a statement that changes the role to this one has failed. Raises ReadersMissing."""
    try:
        yield
    except asyncpg.InvalidParameterValueError:
        raise ReadersMissing(f"The role {role} does not exist. Have a superuser run: deploy/roles.sql") from None
    except asyncpg.InsufficientPrivilegeError:
        raise ReadersMissing(_advice([role])) from None


async def readers_problem(connection: AnyConnection) -> str | None:
    """Why nothing can be read for others, in words for an operator; None if it can."""
    roles = {row["role"]: row["lent"] async for row in _queries.lent_roles(connection, roles=list(ROLES.values()))}
    if missing := [role for role in ROLES.values() if role not in roles]:
        return f"The roles do not exist: {', '.join(missing)}. Have a superuser run: deploy/roles.sql"
    refused = [role for role, lent in roles.items() if not lent]
    return _advice(refused) if refused else None


def _advice(roles: list[str]) -> str:
    return (
        f"The service may not become {' and '.join(roles)}. Have a superuser run, with the name of the service's "
        "role: select orcid_sync.lend_readers('…')"
    )
