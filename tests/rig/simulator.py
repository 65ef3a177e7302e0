"""What the tests of the simulated Registry share: two records, a client that adds nothing of its own, a hub."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import yarl
from aiohttp import web

from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID

O = numbered_orcid(4_000_001)  # noqa: E741 - the iD of the one record in most tests
OTHER = numbered_orcid(4_000_002)
UNKNOWN = numbered_orcid(4_000_003)
CALLBACK = "https://hub.example/hooks/a?b=c#d"
JSON = "application/json"
DAY = 86_400


@pytest.fixture
async def registry() -> AsyncIterator[SimulatedRegistry]:
    """A simulated Registry of this test's own, empty, whose time stands still unless it is advanced."""
    async with SimulatedRegistry() as started:
        yield started


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedRegistry]:
    async with SimulatedRegistry(start_ms=1_790_000_000_000) as registry:
        for orcid, name in ((O, "Max"), (OTHER, "Erika")):
            registry.edit.create_record(orcid, given_names=name, family_name="Mustermann")
        yield registry


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        session._retry_connection = False  # aiohttp repeats GET, PUT and DELETE by itself when a connection breaks
        yield session


class Reply:
    """An answer that was read to its end."""

    def __init__(self, answer: aiohttp.ClientResponse, body: bytes) -> None:
        self.status, self.headers, self.body = answer.status, answer.headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, int]:
        return self.status, self.json["error-code"]


class Asking:
    """A client of the simulated Registry that adds nothing of its own to a request."""

    def __init__(self, sim: SimulatedRegistry, http: aiohttp.ClientSession) -> None:
        self.sim, self.http = sim, http
        self.token: str | None = sim.token_service.issue(CLIENT_ID, ["/read-public", "/webhook"]).text

    async def __call__(
        self, method: str, path: str, *, token: str | None = "", accept: str | None = JSON, **headers: str
    ) -> Reply:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if bearer := self.token if token == "" else token:
            sent["Authorization"] = f"Bearer {bearer}"
        if accept is not None:
            sent["Accept"] = accept
        address = yarl.URL(self.sim.url + path, encoded=True)
        skip = ("Accept", "Content-Type")
        async with self.http.request(
            method, address, headers=sent, allow_redirects=False, skip_auto_headers=skip
        ) as answer:
            return Reply(answer, await answer.read())

    async def get(self, path: str, **options: Any) -> Reply:
        return await self("GET", f"/v3.0/{O}/{path}", **options)

    async def hook(self, method: str, *, orcid: str = O, uri: str = CALLBACK, **options: Any) -> Reply:
        return await self(method, f"/{orcid}/webhook/{quote(uri, safe='')}", **options)

    def user_token(self, *scopes: str, orcid: str = O) -> str:
        return self.sim.token_service.issue(CLIENT_ID, scopes or ("/read-limited",), orcid=orcid).text


@pytest.fixture
def ask(sim: SimulatedRegistry, http: aiohttp.ClientSession) -> Asking:
    return Asking(sim, http)


class Hub:
    """An endpoint for notifications that answers as it is told and remembers what came."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status: int | None = 204
        self.url = ""
        self.called = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        self.calls.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        self.called.set()
        if self.status is None:
            await asyncio.sleep(60)
        if self.status == 302:
            return web.Response(status=302, headers={"Location": self.url + "/elsewhere"})
        return web.Response(status=self.status or 200)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub, app = Hub(), web.Application()
    app.router.add_route("*", "/{path:.*}", hub.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield hub
    await runner.cleanup()


def registered(sim: SimulatedRegistry, hub: Hub, orcid: str = O) -> str:
    """Register a webhook of ours on an iD; its address."""
    uri = f"{hub.url}/hooks/{orcid}"
    assert sim.webhooks.put(orcid, quote(uri, safe=""), CLIENT_ID)
    return uri
