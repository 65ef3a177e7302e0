"""Authentication at the internal listener: the check before all its routes, and what routes ask it.

A caller shows a token (header Authorization), or the cookie of a browser that has shown one. On a listener that is
bound to loopback, without the setting `internal_token` and while there is no token in the database, whoever shows
nothing is the operator at their own machine and may everything; with the first token that ends. The probes are open
there in any case, as to any tool on one's own machine.

Whoever shows nothing is only answered for a loopback host: otherwise a web page in the operator's browser could point
its own name at 127.0.0.1 and read along (DNS rebinding); a rebound page has neither token nor cookie. Nothing is done
for another site's page either, nor for who came through a proxy: that is not the operator at their own machine.
"""

import enum
import hmac
import ipaddress
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeVar
from urllib.parse import urlsplit

import asyncpg
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from orcid_sync.model.scopes import Caller, Entry, Scope, with_included
from orcid_sync.service.http.problems import Problem
from orcid_sync.store.console import api_tokens
from orcid_sync.store.console.api_tokens import PREFIX, SESSION
from orcid_sync.store.database.pools import DatabaseUnavailable, statements

COOKIE = "orcid-sync-console"
"""The session of a browser. Not the name that the connect pages use: cookies do not tell ports apart."""

CALLER = web.RequestKey("caller", Caller)
"""`request[CALLER]`: who asks. Absent on routes that are open to strangers, if a stranger asks."""

_FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Real-IP")
_SAFE = {"GET", "HEAD"}

F = TypeVar("F", bound=Callable[..., object])


class Admission(enum.Enum):
    """Who is let in to a route."""

    CALLERS = enum.auto()
    """Whoever may anything; the rule where nothing else is said."""
    PROBES = enum.auto()
    """On loopback everybody, as long as the setting `internal_token` does not demand a token on every path."""
    STRANGERS = enum.auto()
    """Everybody: for a page on which to sign in, and what belongs to it."""


def open_to(admission: Admission) -> Callable[[F], F]:
    """Let others in to this handler than the rule says."""

    def mark(handler: F) -> F:
        handler.__dict__["admission"] = admission
        return handler

    return mark


def demand(request: web.Request, scope: Scope) -> Caller:
    """Who asks, if they may. Raises Problem 401 or 403."""
    caller: Caller | None = request.get(CALLER)
    if caller is None:
        refuse_stranger()
    if not caller.may(scope):
        raise Problem(403, f"This needs a token with the scope {scope.value}.", kind="scope", needed=scope.value)
    return caller


class Authority:
    """Knows callers, and keeps out everybody else."""

    def __init__(self, pool: asyncpg.Pool, *, host: str, internal_token: str | None) -> None:
        """Guard a listener that is bound to `host`. Raises ValueError if others reach it and there is no token."""
        if internal_token is None and not is_loopback(host):
            raise ValueError("an internal listener that other machines can reach needs a token")
        self._pool = pool
        self._internal = None if internal_token is None else api_tokens.hash_of(internal_token)

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in whom the route is for, and note who it is. Raises Problem."""
        admission = getattr(request.match_info.handler, "admission", Admission.CALLERS)
        if self._internal is None:
            local = _asks_loopback(request)
            if not local and hdrs.AUTHORIZATION not in request.headers:
                raise Problem(421, "Without a token, the service answers requests to loopback hosts only.")
            if local and admission is Admission.PROBES:
                return await handler(request)
        caller = await self.caller_of(request)
        if caller is not None:
            request[CALLER] = caller
        elif admission is not Admission.STRANGERS:
            refuse_stranger()
        return await handler(request)

    async def caller_of(self, request: web.Request) -> Caller | None:
        """Who asks; None for a stranger. Raises Problem: a token that is none, another site's page, no database."""
        with _answering_for_the_database():
            if (shown := request.headers.get(hdrs.AUTHORIZATION)) is not None:
                return await self._bearer(shown)
            demand_same_site(request)
            if (secret := request.cookies.get(COOKIE)) and (caller := await self._browser(secret)):
                return caller
            return await self._operator(request)

    async def open_session(self, token: str) -> str | None:
        """The cookie for a browser that shows this token; None if it is none. Raises Problem 503."""
        with _answering_for_the_database():
            token_hash = api_tokens.hash_of(token)
            if await self._known(token_hash, Entry.SESSION) is None:
                return None
            secret = api_tokens.new_token()
            async with statements(self._pool) as connection:
                await api_tokens.open_session(connection, secret, token_hash)
            return secret

    async def close_session(self, request: web.Request) -> None:
        """Know this browser no longer. Raises Problem 503."""
        if secret := request.cookies.get(COOKIE):
            with _answering_for_the_database():
                async with statements(self._pool) as connection:
                    await api_tokens.close_session(connection, secret)

    async def _bearer(self, shown: str) -> Caller:
        scheme, _, token = shown.partition(" ")
        caller = await self._known(api_tokens.hash_of(token), Entry.BEARER) if scheme.lower() == "bearer" else None
        if caller is None:
            raise Problem(
                401,
                "This token is unknown, revoked or expired. Create one with: orcid-sync token create",
                headers={hdrs.WWW_AUTHENTICATE: 'Bearer error="invalid_token"'},
            )
        return caller

    async def _known(self, token_hash: bytes, entry: Entry) -> Caller | None:
        if self._internal is not None and hmac.compare_digest(token_hash, self._internal):
            return Caller("(internal_token)", with_included([Scope.ADMIN]), entry)
        async with statements(self._pool) as connection:
            found = await api_tokens.find(connection, token_hash)
        return Caller(found.name, with_included(found.scopes), entry) if found else None

    async def _browser(self, secret: str) -> Caller | None:
        if not secret.startswith(PREFIX):
            return None
        async with statements(self._pool) as connection:
            token_hash = await api_tokens.find_session(connection, secret)
        return await self._known(token_hash, Entry.SESSION) if token_hash else None

    async def _operator(self, request: web.Request) -> Caller | None:
        if self._internal is not None or any(name in request.headers for name in _FORWARDED):
            return None
        async with statements(self._pool) as connection:
            if await api_tokens.is_any(connection):
                return None
        return Caller("(loopback)", with_included([Scope.ADMIN]), Entry.LOOPBACK)


def keep_session(request: web.Request, response: web.StreamResponse, secret: str) -> None:
    """Have the browser show this cookie on our own pages, for as long as the session lasts."""
    secure = request.secure or request.headers.get("X-Forwarded-Proto") == "https"
    seconds = int(SESSION.total_seconds())
    response.set_cookie(COOKIE, secret, max_age=seconds, path="/", secure=secure, httponly=True, samesite="Strict")


def drop_session(response: web.StreamResponse) -> None:
    """Have the browser forget it."""
    response.del_cookie(COOKIE, path="/", httponly=True, samesite="Strict")


def is_loopback(host: str) -> bool:
    """Whether a host name or address, as in a URL, means this machine itself."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def demand_same_site(request: web.Request) -> None:
    """Refuse what another site's page made the browser send, but for following a link to a page. Raises Problem 403."""
    if _is_from_elsewhere(request):
        headers = request.headers
        followed = headers.get("Sec-Fetch-Mode") == "navigate" and headers.get("Sec-Fetch-Dest") == "document"
        if not (followed and request.method in _SAFE):
            raise Problem(403, "The page of another site sent this request. The service refuses it.", kind="cross-site")


def _is_from_elsewhere(request: web.Request) -> bool:
    """What browsers say of themselves; where they say only the origin (plain http), that must be ours."""
    if (site := request.headers.get("Sec-Fetch-Site")) is not None:
        return site not in {"none", "same-origin"}
    origin = request.headers.get(hdrs.ORIGIN)
    return origin is not None and origin.partition("://")[2].lower() != request.host.lower()


def refuse_stranger() -> NoReturn:
    """Ask for a token. Raises Problem 401."""
    raise Problem(
        401,
        "This needs a token: Authorization: Bearer …. Create one with: orcid-sync token create",
        headers={hdrs.WWW_AUTHENTICATE: "Bearer"},
    )


def _asks_loopback(request: web.Request) -> bool:
    try:
        asked = urlsplit(f"//{request.host}").hostname
    except ValueError:
        return False
    return asked is not None and is_loopback(asked)


@contextmanager
def _answering_for_the_database() -> Iterator[None]:
    try:
        yield
    except DatabaseUnavailable:
        raise Problem(503, "The database does not answer; try again.", headers={hdrs.RETRY_AFTER: "5"}) from None
