"""What every command needs: its settings, its database, and errors in plain sentences."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, TypeVar

import typer

from orcid_sync.settings.redaction import describe, format_exception, redact, visible

if TYPE_CHECKING:  # these take a third of a second to import; `version` does without them
    from asyncpg import Connection

    from orcid_sync.settings.settings import Settings
    from orcid_sync.settings.sources import Loaded
    from orcid_sync.store.database.pools import Purpose

T = TypeVar("T")


class Failure(Exception):
    """The command cannot do what it was asked to; the message says in one sentence what to do."""


class Session:
    """One command's settings and its way to the database."""

    def __init__(self, loaded: "Loaded") -> None:
        self.loaded = loaded

    @property
    def settings(self) -> "Settings":
        """The settings, checked."""
        return self.loaded.settings

    @property
    def embedded(self) -> bool:
        """Whether the database is the embedded one."""
        return self.settings.database_url is None

    @contextmanager
    def database(self, *, create: bool = False) -> Iterator[str]:
        """The DSN: the configured one, or that of the embedded server, which runs at least until the end.

        An embedded server that has never run is set up only if `create` is given; else raises Failure.
        """
        if (url := self.settings.database_url) is not None:
            yield url.get_secret_value()
            return
        from orcid_sync.store.database.embedded import embedded_postgres  # noqa: PLC0415 - heavy

        folder = self.settings.data_dir / "postgres"
        if not create and not (folder / "PG_VERSION").exists():
            raise Failure(
                f"There is no database. Set DATABASE_URL, or run orcid-sync serve, which creates an embedded one in "
                f"{folder}."
            )
        with ExitStack() as stack:
            try:
                dsn = stack.enter_context(embedded_postgres(folder))
            except PermissionError:
                raise Failure(f"{folder} cannot be used: set ORCID_SYNC_DATA_DIR to a folder of your own.") from None
            tell(f"Using the embedded PostgreSQL in {folder}.")
            yield dsn

    def run(self, work: "Callable[[Connection], Awaitable[T]]", *, create: bool = False) -> T:
        """Do work on one connection to a database whose schema is the right one."""

        async def connected(dsn: str) -> T:
            async with self.connect(dsn) as connection:
                return await work(connection)

        with self.database(create=create) as dsn:
            return asyncio.run(connected(dsn))

    @asynccontextmanager
    async def connect(self, dsn: str, purpose: "Purpose | None" = None) -> "AsyncIterator[Connection]":
        """One connection, for a command unless another purpose is named, to a database whose schema is the right one.

        Raises Failure if it is not.

        The embedded one is there to be tried out: it is migrated without asking.
        """
        from orcid_sync.store.database import migrate  # noqa: PLC0415 - heavy
        from orcid_sync.store.database.pools import COMMAND, connect  # noqa: PLC0415 - heavy

        async with connect(dsn, purpose or COMMAND) as connection:
            status = await migrate.status(connection)
            if status.state is migrate.SchemaState.BEHIND and self.embedded:
                status = await migrate.migrate(dsn)
            if status.state is migrate.SchemaState.BEHIND:
                raise Failure(f"The database's schema is out of date ({status.explanation}). Run: orcid-sync migrate")
            if status.state is not migrate.SchemaState.CURRENT:
                raise Failure(f"The database's schema does not fit: {status.explanation}")
            yield connection


def tell(sentence: str) -> None:
    """Say something beside the results, on stderr."""
    typer.echo(visible(redact(sentence)), err=True)


@contextmanager
def failing_in_words() -> Iterator[None]:
    """End the command with exit code 1 and one sentence instead of a traceback, which comes only at log level debug.

    The exceptions of this package say in their message what to do; of others, the class is shown with the message.
    """
    try:
        yield
    except (typer.Exit, typer.Abort, typer.BadParameter, BrokenPipeError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, people get a sentence
        if logging.getLogger().isEnabledFor(logging.DEBUG):
            typer.echo(format_exception(error), err=True)
        typer.echo(_in_words(error), err=True)
        raise typer.Exit(1) from None


def _in_words(error: Exception) -> str:
    if type(error).__module__.partition(".")[0] == __name__.partition(".")[0]:
        return "\n".join(visible(line) for line in redact(str(error)).splitlines())
    if isinstance(error, OSError):
        return visible(redact(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")))
    return visible(redact(f"Unexpected: {describe(error)}. Run the command again with --log-level debug to see where."))


def new_event_loop() -> asyncio.AbstractEventLoop:
    """The fastest event loop that is there."""
    with contextlib.suppress(ImportError):
        import uvloop  # noqa: PLC0415 - not on every platform

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()


def is_terminal() -> bool:
    """Whether a person reads the results."""
    return sys.stdout.isatty()
