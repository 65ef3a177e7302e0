"""The internal listener with everything below /v1, on a database with a few records, and callers with tokens."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import asyncpg
import msgspec

from orcid_sync.model.scopes import Scope
from orcid_sync.service.api.application import add_api
from orcid_sync.service.api.feed_tail import Tail
from orcid_sync.service.console.health_and_metrics import Console, make_console
from orcid_sync.service.http.authentication import Authority
from orcid_sync.service.http.listeners import internal_listener
from orcid_sync.service.http.metrics import Metrics
from orcid_sync.service.http.orcids import HOME
from orcid_sync.service.runtime.health import Draining, Heartbeats
from orcid_sync.store.console import api_tokens
from orcid_sync.store.database.pools import Database

LINES = {"Accept": "application/x-ndjson"}


@dataclass
class Reply:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def lines(self) -> list[Any]:
        return [msgspec.json.decode(line) for line in self.body.splitlines()]


@dataclass
class Api:
    """A running listener, asked as somebody."""

    url: str
    session: aiohttp.ClientSession
    tail: Tail
    database: Database
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(self, method: str, path: str, **options: Any) -> Reply:
        headers = {**self.headers, **options.pop("headers", {})}
        async with self.session.request(method, f"{self.url}{path}", headers=headers, **options) as response:
            return Reply(response.status, response.headers, await response.read())

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.ask("GET", path, **options)

    async def json(self, path: str, **options: Any) -> Any:
        """The document of a good answer."""
        reply = await self.get(path, **options)
        assert reply.status == 200, reply.body
        return reply.json

    async def lines(self, path: str) -> list[Any]:
        """The lines of a good answer."""
        reply = await self.get(path, headers=LINES)
        assert reply.status == 200, reply.body
        return reply.lines

    async def bearing(self, *scopes: str, name: str | None = None) -> "Api":
        """The same listener, asked with a new token."""
        token = api_tokens.new_token()
        async with self.database.worker.acquire() as connection:
            await api_tokens.create(
                connection,
                token,
                name=name or "-".join(scopes),
                scopes=list(map(Scope, scopes)),
                lifetime=None,
                overlap=None,
            )
        return Api(self.url, self.session, self.tail, self.database, {"Authorization": f"Bearer {token}"})


@asynccontextmanager
async def serving_api(database: Database, *, home: str | None = None) -> AsyncIterator[Api]:
    """The listener, asked by the operator at their own machine. `home` is ORCID's environment, if it is one."""
    authority = Authority(database.reader, host="127.0.0.1", internal_token=None)
    console = Console(draining=Draining(), heartbeats=Heartbeats(lambda: 0), database=database, metrics=Metrics())
    app = make_console(console, authority)
    if home is not None:
        app[HOME] = home
    tail = add_api(app, database, authority)
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        internal_listener(app, host="127.0.0.1", port=0) as port,
    ):
        yield Api(f"http://127.0.0.1:{port}", session, tail, database)


async def new_epoch(connection: asyncpg.Connection) -> None:
    """What an operator does after a restore."""
    await connection.execute("select orcid_sync.new_epoch()")
