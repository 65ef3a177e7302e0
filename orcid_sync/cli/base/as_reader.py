"""What the commands for analysts share: they read as a role of readers, at one moment, and cannot write."""

import enum
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from orcid_sync.cli.base.session import Session
from orcid_sync.model.scopes import View

if TYPE_CHECKING:
    from asyncpg import Connection


class Reader(enum.Enum):
    """The roles of readers, by their names in PostgreSQL."""

    PUBLIC = "orcid_reader"
    LIMITED = "orcid_reader_limited"


VIEWS = {Reader.PUBLIC: View.PUBLIC, Reader.LIMITED: View.LIMITED}

Role = Annotated[
    Reader,
    typer.Option("--role", help="As whom to read: what is public, or also what holders show to trusted organisations."),
]


@asynccontextmanager
async def reading(session: Session, dsn: str, role: Reader) -> AsyncIterator["Connection"]:
    """A connection inside a read-only transaction that sees one moment of the mirror, as far as the role may.

    Also for those who log in as readers and cannot see whether the schema is the right one. Raises Failure,
    ReadersMissing, DatabaseUnavailable.
    """
    from orcid_sync.store.database.catalogue import use_utc  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.roles import become  # noqa: PLC0415 - heavy

    async with (
        connect_reader(session, dsn) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await become(connection, VIEWS[role])
        await use_utc(connection)
        yield connection


@asynccontextmanager
async def connect_reader(session: Session, dsn: str) -> AsyncIterator["Connection"]:
    """A connection, for as long as it takes, to a database whose schema is right as far as the role can tell."""
    from orcid_sync.store.database.catalogue import sees_internals  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.pools import MAINTENANCE, connect  # noqa: PLC0415 - heavy

    async with connect(dsn, MAINTENANCE) as connection:
        if not await sees_internals(connection):
            yield connection
            return
    async with session.connect(dsn, MAINTENANCE) as connection:
        yield connection
