"""Who is let in through the internal listener: tokens, browsers, the operator at their own machine, and nobody else."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiohttp import web

from orcid_sync.model.scopes import Caller, Scope, View
from orcid_sync.service.console.health_and_metrics import Console, make_console
from orcid_sync.service.http.authentication import (
    CALLER,
    COOKIE,
    Admission,
    Authority,
    demand,
    drop_session,
    keep_session,
    open_to,
)
from orcid_sync.service.http.listeners import internal_listener
from orcid_sync.service.http.metrics import Metrics
from orcid_sync.service.runtime.health import Draining, Heartbeats
from orcid_sync.store.console import api_tokens
from orcid_sync.store.database.pools import Database

TOKEN = "the token of the settings, long enough"
EVERYTHING = ["admin", "read-limited", "read-public"]


class Door:
    """A listener with a route for each kind of admission, and what it answers."""

    def __init__(self, port: int) -> None:
        self.port = port

    async def ask(self, path: str = "/who", *, method: str = "GET", **headers: str) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.request(method, f"http://127.0.0.1:{self.port}{path}", headers=headers) as response,
        ):
            document = await response.json(content_type=None)
            assert response.status < 400 or response.content_type == "application/problem+json"
            return response.status, document

    async def scopes(self, **headers: str) -> list[str] | int:
        """What whoever sends these headers may, or the status of the refusal."""
        status, document = await self.ask(**headers)
        return sorted(document["scopes"]) if status == 200 else status


@asynccontextmanager
async def listening(
    database: Database, *, host: str = "127.0.0.1", internal_token: str | None = None
) -> AsyncIterator[Door]:
    authority = Authority(database.reader, host=host, internal_token=internal_token)
    console = Console(draining=Draining(), heartbeats=Heartbeats(lambda: 0), database=database, metrics=Metrics())
    app = make_console(console, authority)

    async def who(request: web.Request) -> web.Response:
        caller: Caller = request[CALLER]
        scopes = [scope.value for scope in caller.scopes]
        return web.json_response({"name": caller.name, "scopes": scopes, "view": caller.view.value})

    async def act(request: web.Request) -> web.Response:
        return web.json_response({"name": demand(request, Scope.ADMIN).name})

    @open_to(Admission.STRANGERS)
    async def sign_in(request: web.Request) -> web.Response:
        secret = await authority.open_session(request.query["token"])
        response = web.json_response({"known": CALLER in request})
        if secret:
            keep_session(request, response, secret)
        return response

    async def sign_out(request: web.Request) -> web.Response:
        await authority.close_session(request)
        response = web.json_response({})
        drop_session(response)
        return response

    app.router.add_get("/who", who)
    app.router.add_post("/act", act)
    app.router.add_get("/sign-in", sign_in)
    app.router.add_post("/sign-out", sign_out)
    async with internal_listener(app, host="127.0.0.1", port=0) as port:
        yield Door(port)


@pytest.fixture
async def door(database: Database) -> AsyncIterator[Door]:
    async with listening(database) as opened:
        yield opened


async def make(connection: asyncpg.Connection, name: str, *scopes: str, **more: Any) -> dict[str, str]:
    """A new token, as the header that shows it."""
    token = api_tokens.new_token()
    given = {"lifetime": None, **more}
    await api_tokens.create(connection, token, name=name, scopes=list(map(Scope, scopes)), **given)
    return bearer(token)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_each_scope_includes_those_before_it(door: Door, connection: asyncpg.Connection) -> None:
    for scope, view, allowed in [
        ("read-public", "public", ["read-public"]),
        ("read-limited", "limited", ["read-limited", "read-public"]),
        ("admin", "limited", EVERYTHING),
    ]:
        header = await make(connection, f"with-{scope}", scope)
        _, told = await door.ask(**header)
        assert (told["name"], told["view"], sorted(told["scopes"])) == (f"with-{scope}", view, allowed)
        status, _ = await door.ask("/act", method="POST", **header)
        assert status == (200 if scope == "admin" else 403)


async def test_the_operator_at_their_own_machine_may_everything_until_there_is_a_token(
    door: Door, connection: asyncpg.Connection
) -> None:
    assert await door.scopes() == EVERYTHING
    await make(connection, "cris", "read-public", lifetime=timedelta(seconds=-1))  # even one that has expired
    assert await door.scopes() == 401
    assert (await door.ask("/sign-in?token=x"))[0] == 200
    async with aiohttp.ClientSession() as session:
        for path in ("/healthz", "/readyz", "/metrics"):
            async with session.get(f"http://127.0.0.1:{door.port}{path}") as response:
                assert response.status == 200


STRANGE: list[Mapping[str, str]] = [
    {"Host": "evil.example"},
    {"X-Forwarded-For": "192.0.2.1"},
    {"Forwarded": "for=192.0.2.1"},
    {"Via": "1.1 proxy"},
    {"X-Real-IP": "192.0.2.1"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://["},
    {"Origin": "http://127.0.0.1:1"},
]


async def test_what_is_not_the_operator_at_their_own_machine_is_refused(door: Door) -> None:
    assert await door.scopes() == EVERYTHING
    for headers in STRANGE:
        assert await door.scopes(**headers) in {401, 403, 421}, headers


async def test_a_link_to_a_page_may_be_followed_but_nothing_done(door: Door) -> None:
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert await door.scopes(**followed) == EVERYTHING
    assert (await door.ask("/act", method="POST", **followed))[0] == 403
    own = {"Sec-Fetch-Site": "same-origin", "Origin": f"http://127.0.0.1:{door.port}"}
    assert (await door.ask("/act", method="POST", **own))[0] == 200


WRONG = ["", "Bearer", "Bearer ", "Bearer wrong", "Basic {token}", "{token}", "Bearer {token}x", "Bearer x{token}"]


async def test_a_wrong_token_is_refused_wherever_it_comes_from(door: Door, connection: asyncpg.Connection) -> None:
    token = (await make(connection, "cris", "admin"))["Authorization"].removeprefix("Bearer ")
    assert await door.scopes(**bearer(token)) == EVERYTHING
    for wrong in WRONG:
        assert await door.scopes(Authorization=wrong.format(token=token)) == 401, wrong
        assert (await door.ask("/metrics", Authorization=wrong.format(token=token), Host="evil.example"))[0] == 401
    assert await door.scopes(**bearer(token), Host="console.example") == EVERYTHING


async def test_a_token_ends_when_it_expires_or_is_revoked(door: Door, connection: asyncpg.Connection) -> None:
    header = await make(connection, "cris", "admin", lifetime=timedelta(hours=1))
    await make(connection, "other", "admin")
    assert await door.scopes(**header) == EVERYTHING
    await connection.execute("update orcid_sync.api_tokens set expires_at = now() where name = 'cris'")
    assert await door.scopes(**header) == 401
    await connection.execute("update orcid_sync.api_tokens set expires_at = null")
    assert await api_tokens.revoke(connection, "cris") == 1
    assert await door.scopes(**header) == 401
    assert [token.name for token in await api_tokens.list_tokens(connection)] == ["other"]


async def test_a_token_may_take_the_place_of_another(door: Door, connection: asyncpg.Connection) -> None:
    old = await make(connection, "cris", "admin")
    with pytest.raises(api_tokens.NameTaken):
        await make(connection, "cris", "admin")
    both = await make(connection, "cris", "admin", overlap=timedelta(hours=1))
    assert [await door.scopes(**header) for header in (old, both)] == [EVERYTHING, EVERYTHING]
    new = await make(connection, "cris", "admin", overlap=timedelta())
    assert [await door.scopes(**header) for header in (old, both, new)] == [401, 401, EVERYTHING]


async def test_it_is_noted_when_a_token_is_used(door: Door, connection: asyncpg.Connection) -> None:
    header = await make(connection, "cris", "read-public")
    assert [token.last_used_at for token in await api_tokens.list_tokens(connection)] == [None]
    await door.ask(**header)
    first = await connection.fetchval("select last_used_at from orcid_sync.api_tokens")
    await door.ask(**header)
    assert await connection.fetchval("select last_used_at from orcid_sync.api_tokens") == first
    assert first is not None


@pytest.mark.reveals("answer", reason="a cookie is set by an answer")
async def test_a_browser_that_has_shown_a_token_is_known_as_long_as_the_token_lives(
    database: Database, connection: asyncpg.Connection
) -> None:
    token = (await make(connection, "reader", "read-limited"))["Authorization"].removeprefix("Bearer ")
    async with listening(database, host="0.0.0.0", internal_token=TOKEN) as door:
        shown = {TOKEN: EVERYTHING, token: ["read-limited", "read-public"]}
        cookies = {one: await sign_in(door, one) for one in shown}
        assert await sign_in(door, "wrong") == {}
        for one, scopes in shown.items():
            assert await door.scopes(**cookies[one]) == scopes
            assert await door.scopes(**cookies[one], Origin="https://evil.example") == 403
        assert await door.scopes(Cookie=f"{COOKIE}=orcid_sync_wrong") == 401
        await door.ask("/sign-out", method="POST", **cookies[TOKEN])
        assert await door.scopes(**cookies[TOKEN]) == 401
        again = await sign_in(door, TOKEN)
        await api_tokens.revoke(connection, "reader")
        assert await door.scopes(**cookies[token]) == 401
    async with listening(database, internal_token=TOKEN + " replaced") as door:
        assert await door.scopes(**again) == 401


async def sign_in(door: Door, token: str) -> dict[str, str]:
    """Show the token on the page; the header with the cookie that the browser then has."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{door.port}/sign-in", params={"token": token}) as response,
    ):
        cookie = response.cookies.get(COOKIE)
        if cookie is None:
            return {}
        assert (cookie["samesite"], cookie["httponly"], cookie["path"]) == ("Strict", True, "/")
        return {"Cookie": f"{COOKIE}={cookie.value}"}


@pytest.mark.fault("F04")
async def test_without_a_database_the_token_of_the_settings_still_opens_the_probes(
    database: Database, connection: asyncpg.Connection
) -> None:
    async with listening(database, internal_token=TOKEN) as door:
        await connection.execute("alter table orcid_sync.api_tokens rename to gone")
        assert await door.scopes(**bearer(TOKEN)) == EVERYTHING
        assert (await door.ask("/healthz", **bearer(TOKEN)))[0] == 200


def test_nobody_sees_more_than_limited_items() -> None:
    assert {view.value for view in View} == {"public", "limited"}
