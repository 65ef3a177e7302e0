"""What operators and their tools reach: /healthz, /readyz, /metrics.

Bound to loopback it asks for no token, like any tool on one's own machine, but only answers requests for a loopback
host: otherwise a web page in the operator's browser could point its own name at 127.0.0.1 and read along (DNS
rebinding). Bound to anything else it asks for the bearer token on every path; a rebound page does not have it.
"""

import hmac
import ipaddress
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CONTENT_TYPE_LATEST

from orcid_sync.model.hearing import Hearing, Rules
from orcid_sync.service.health import Draining, Heartbeats, Question
from orcid_sync.service.hearing import listen
from orcid_sync.service.listeners import SERVER
from orcid_sync.service.metrics import Metrics
from orcid_sync.store.database import Database, transaction
from orcid_sync.store.pace import Pace, load_all
from orcid_sync.store.queue import LaneDepth, depth
from orcid_sync.store.readiness import database_problem

PROBE_SECONDS = 2.0
"""How long the database may take to say how it is."""

log = structlog.get_logger(__name__)


class Console:
    """The internal listener's pages."""

    def __init__(
        self,
        *,
        draining: Draining,
        heartbeats: Heartbeats,
        database: Database,
        metrics: Metrics,
        rules: Rules | None = None,
    ) -> None:
        self._draining = draining
        self._heartbeats = heartbeats
        self._database = database
        self._metrics = metrics
        self._rules = rules or Rules()
        # Readiness is about taking notifications, so it is asked where notifications go.
        self._problem = Question(lambda: database_problem(database.intake), seconds=PROBE_SECONDS)
        self._depth = Question(self._measure_queue, seconds=PROBE_SECONDS)

    async def healthz(self, _request: web.Request) -> web.Response:
        """Whether the process is alive and its loops turn. Not the database: restarting us would not heal it."""
        silent = self._heartbeats.silent()
        if silent:
            return answer(503, status="silent", loops=silent)
        return answer(200, status="alive")

    async def readyz(self, _request: web.Request) -> web.Response:
        """Whether notifications can be taken: not stopping, the database writable, its schema the right one."""
        problem = "draining" if self._draining.begun else await self._probe()
        if problem is not None:
            return answer(503, status="not ready", reason=problem)
        return answer(200, status="ready")

    async def metrics(self, _request: web.Request) -> web.Response:
        """Everything for Prometheus. Without a database, everything but queue and pace."""
        try:
            lanes, paces, hearing = await self._depth.answer()
            self._metrics.show_queue(lanes)
            self._metrics.show_pace(paces)
            self._metrics.show_hearing(hearing)
        except Exception as error:  # noqa: BLE001 - a scrape must succeed most of all when something is wrong
            self._metrics.forget_queue()
            log.warning("queue not measured", error=type(error).__name__)
        return web.Response(body=self._metrics.render(), headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})

    async def _probe(self) -> str | None:
        try:
            return await self._problem.answer()
        except Exception as error:  # noqa: BLE001 - whatever it is, notifications cannot be taken
            log.warning("database not ready", error=type(error).__name__)
            return "the database does not answer"

    async def _measure_queue(self) -> tuple[list[LaneDepth], list[Pace], Hearing]:
        async with transaction(self._database.reader) as connection:
            return await depth(connection), await load_all(connection), await listen(connection, self._rules)


def make_console(console: Console, *, host: str, token: str | None) -> web.Application:
    """The internal application for a listener that is bound to `host`.

    Raises ValueError if `host` is reachable from elsewhere and there is no token.
    """
    if token is None and not is_loopback(host):
        raise ValueError("a console that is reachable from elsewhere needs a token")
    app = web.Application(middlewares=[errors_as_json, local_only if token is None else bearer_only(token)])
    app.on_response_prepare.append(_name_server)
    app.router.add_get("/healthz", console.healthz)
    app.router.add_get("/readyz", console.readyz)
    app.router.add_get("/metrics", console.metrics)
    return app


def is_loopback(host: str) -> bool:
    """Whether a host name or address, as in a URL, means this machine itself."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def answer(code: int, **members: Any) -> web.Response:
    """A JSON object."""
    return web.Response(status=code, body=msgspec.json.encode(members), content_type="application/json")


@web.middleware
async def errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say what is wrong in JSON, also where aiohttp says it."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        response = answer(error.status, status=error.reason)
        if hdrs.ALLOW in error.headers:
            response.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
        return response


@web.middleware
async def local_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer only what was asked of a loopback host."""
    try:
        asked = urlsplit(f"//{request.host}").hostname
    except ValueError:
        asked = None
    if asked is None or not is_loopback(asked):
        return answer(421, status="refused", reason="without a token only loopback hosts are answered")
    return await handler(request)


def bearer_only(token: str) -> Middleware:
    """Answer only whoever shows the token; compared in constant time."""
    expected = f"Bearer {token}".encode()

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        shown = request.headers.get(hdrs.AUTHORIZATION, "").encode(errors="surrogateescape")
        if not hmac.compare_digest(shown, expected):
            response = answer(401, status="refused", reason="a bearer token is needed")
            response.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
            return response
        return await handler(request)

    return guard


async def _name_server(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers[hdrs.SERVER] = SERVER
