"""The status pages as browsers meet them: a listener over a database, and people who keep cookies and read HTML."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp
import asyncpg
import yarl

from orcid_sync.model.scopes import Scope
from orcid_sync.model.webhooks.health import Rules
from orcid_sync.service.console.health_and_metrics import Console, make_console
from orcid_sync.service.console.routes import add_pages
from orcid_sync.service.http.authentication import Authority
from orcid_sync.service.http.listeners import internal_listener
from orcid_sync.service.http.metrics import Metrics
from orcid_sync.service.http.orcids import HOME
from orcid_sync.service.rendering.html import Renderer
from orcid_sync.service.rendering.page import Site
from orcid_sync.service.runtime.health import Draining, Heartbeats
from orcid_sync.store.console import api_tokens
from orcid_sync.store.database.pools import Database

WEB_URL = "https://sandbox.orcid.org"


@dataclass(frozen=True)
class Page:
    """An answer."""

    status: int
    headers: Any
    text: str

    @property
    def title(self) -> str:
        found = re.search(r"<h1>(?:<bdi>)?(.*?)(?:</bdi>)?</h1>", self.text)
        return found[1] if found else ""

    @property
    def location(self) -> str:
        return str(self.headers["Location"])

    @property
    def links(self) -> list[str]:
        """Where the page leads within the site."""
        return [link.replace("&amp;", "&") for link in re.findall(r'href="(/[^"]*)"', self.text)]

    def link(self, rel: str) -> str | None:
        """The link to the next or the previous page."""
        found = re.search(rf'rel="{rel}" href="([^"]*)"', self.text)
        return found[1].replace("&amp;", "&") if found else None


class Reader:
    """A browser: keeps cookies, asks for HTML, follows nothing by itself."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http = http
        self.url = url

    async def get(self, path: str, **headers: str) -> Page:
        return await self.send("GET", path, headers=headers)

    async def post(self, path: str, form: dict[str, str] | None = None, **headers: str) -> Page:
        """Post a form of our own page, unless the headers say otherwise."""
        ours = {"Origin": self.url, "Sec-Fetch-Site": "same-origin"}
        return await self.send("POST", path, headers=ours | headers, data=form or {})

    async def send(self, method: str, path: str, *, headers: dict[str, str], **options: Any) -> Page:
        address = yarl.URL(self.url + path, encoded=True)
        given = {"Accept": "text/html,*/*;q=0.8"} | headers
        async with self.http.request(method, address, headers=given, allow_redirects=False, **options) as answer:
            return Page(answer.status, answer.headers.copy(), await answer.text())

    def cookies(self) -> dict[str, str]:
        return {cookie.key: cookie.value for cookie in self.http.cookie_jar}


@dataclass
class Pages:
    """The listener, and who comes."""

    url: str
    database: Database
    draining: Draining
    addresses: list[str]
    """Patterns of what can be read here."""

    @asynccontextmanager
    async def reader(self, token: str | None = None) -> AsyncIterator[Reader]:
        """A browser of its own; with a token it shows that with every request."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        jar = aiohttp.CookieJar(unsafe=True)
        timeout = aiohttp.ClientTimeout(total=15)
        async with aiohttp.ClientSession(headers=headers, cookie_jar=jar, timeout=timeout) as http:
            yield Reader(http, self.url)


@asynccontextmanager
async def status_pages(database: Database, *, internal_token: str | None = None) -> AsyncIterator[Pages]:
    """The pages over this database, as the service composes them."""
    draining, loop = Draining(), asyncio.get_running_loop()
    authority = Authority(database.reader, host="127.0.0.1", internal_token=internal_token)
    console = Console(draining=draining, heartbeats=Heartbeats(lambda: 0), database=database, metrics=Metrics())
    app = make_console(console, authority)
    app[HOME] = "sandbox"
    site = Site(
        pool=database.reader,
        renderer=Renderer(environment="sandbox", web_url=WEB_URL),
        authority=authority,
        draining=draining,
        client_id="APP-0123456789ABCDEF",
        rules=Rules(),
        overlap=timedelta(minutes=15),
        clock=loop.time,
        look_seconds=0.05,
    )
    add_pages(app, site)
    async with internal_listener(app, host="127.0.0.1", port=0) as port:
        read = [route.resource.canonical for route in app.router.routes() if route.method == "GET" and route.resource]
        yield Pages(f"http://127.0.0.1:{port}", database, draining, read)


async def token_of(connection: asyncpg.Connection, scope: str, name: str | None = None) -> str:
    """A new token with this scope."""
    token = api_tokens.new_token()
    await api_tokens.create(connection, token, name=name or scope, scopes=[Scope(scope)], lifetime=None)
    return token
