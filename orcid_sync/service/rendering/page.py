"""What all status pages share, and how they say that something cannot be shown."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import msgspec
from aiohttp import hdrs, web

from orcid_sync.model.scopes import View
from orcid_sync.model.webhooks.health import Rules
from orcid_sync.service.http.authentication import Authority
from orcid_sync.service.http.problems import Problem
from orcid_sync.service.rendering.answer_cache import SECONDS
from orcid_sync.service.rendering.html import Renderer
from orcid_sync.service.runtime.health import Draining
from orcid_sync.store.database.pools import AnyConnection, DatabaseRefused, DatabaseUnavailable, statements
from orcid_sync.store.database.roles import ReadersMissing, viewing

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """The common ground of the handlers."""

    pool: asyncpg.Pool
    renderer: Renderer
    authority: Authority
    draining: Draining
    client_id: str | None
    """Our client at ORCID."""
    rules: Rules
    overlap: timedelta
    """How long a new webhook stands before the one that it replaces goes."""
    clock: Callable[[], float]
    """Seconds that only grow."""
    look_seconds: float = SECONDS
    """How often it is looked whether a board has changed."""

    @asynccontextmanager
    async def working(self) -> AsyncIterator[AnyConnection]:
        """A connection as the service: for what is about our own work, never for what a record says."""
        async with answering(), statements(self.pool) as connection:
            yield connection

    @asynccontextmanager
    async def viewing(self, view: View) -> AsyncIterator[AnyConnection]:
        """A connection that sees of the mirror what the view shows."""
        async with answering(), viewing(self.pool, view) as connection:
            yield connection


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Turn what keeps us from the database into a Problem that says so."""
    try:
        yield
    except (DatabaseUnavailable, TimeoutError):
        raise Problem(503, "The database does not answer; try again.", headers={hdrs.RETRY_AFTER: "5"}) from None
    except DatabaseRefused as error:
        raise Problem(503, f"The database refuses: {error}.", headers={hdrs.RETRY_AFTER: "5"}) from None
    except ReadersMissing as error:
        raise Problem(503, str(error)) from None
