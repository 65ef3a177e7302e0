"""The internal listener: what operators, their tools and other programs reach. Here /healthz, /readyz, /metrics.

Who is let in is decided in `authentication`; what is wrong with a request is said as in `problems`.
"""

from typing import Any

import msgspec
import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from prometheus_client import CONTENT_TYPE_LATEST

from orcid_sync.model.webhooks.health import Rules, WebhookHealth
from orcid_sync.service.http.authentication import Admission, Authority, open_to
from orcid_sync.service.http.listeners import SERVER
from orcid_sync.service.http.metrics import Metrics
from orcid_sync.service.http.problems import Problem, problem_of
from orcid_sync.service.runtime.health import Draining, Heartbeats, Question
from orcid_sync.service.webhooks.health import assess
from orcid_sync.store.console import in_doubt
from orcid_sync.store.console.in_doubt import DoubtCount
from orcid_sync.store.database.pools import Database, transaction
from orcid_sync.store.database.readiness import database_problem
from orcid_sync.store.feed import consumers
from orcid_sync.store.feed.consumers import Consumer
from orcid_sync.store.pushes import outbox
from orcid_sync.store.sync.pace_and_circuit import Pace, load_all
from orcid_sync.store.sync.queue import LaneDepth, depth

PROBE_SECONDS = 2.0
"""How long the database may take to say how it is."""

Measured = tuple[list[LaneDepth], list[Pace], WebhookHealth, outbox.Pushes, list[Consumer], list[DoubtCount]]
"""What a scrape shows of the database."""

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

    @open_to(Admission.PROBES)
    async def healthz(self, _request: web.Request) -> web.Response:
        """Whether the process is alive and its loops turn. Not the database: restarting us would not heal it."""
        silent = self._heartbeats.silent()
        if silent:
            return answer(503, status="silent", loops=silent)
        return answer(200, status="alive")

    @open_to(Admission.PROBES)
    async def readyz(self, _request: web.Request) -> web.Response:
        """Whether notifications can be taken: not stopping, the database writable, its schema the right one."""
        if self._draining.starting:
            problem: str | None = "starting"
        else:
            problem = "draining" if self._draining.begun else await self._probe()
        if problem is not None:
            return answer(503, status="not ready", reason=problem)
        return answer(200, status="ready")

    @open_to(Admission.PROBES)
    async def metrics(self, _request: web.Request) -> web.Response:
        """Everything for Prometheus. Without a database, everything but queue and pace."""
        try:
            lanes, paces, health, pushed, following, doubts = await self._depth.answer()
            self._metrics.show_queue(lanes)
            self._metrics.show_pace(paces)
            self._metrics.show_webhook_health(health)
            self._metrics.show_pushes(pushed)
            self._metrics.show_consumers(following)
            self._metrics.show_doubts(doubts)
        except Exception as error:  # noqa: BLE001 - a scrape must succeed most of all when something is wrong
            self._metrics.forget_database()
            log.warning("queue not measured", error=type(error).__name__)
        return web.Response(body=self._metrics.render(), headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})

    async def _probe(self) -> str | None:
        try:
            return await self._problem.answer()
        except Exception as error:  # noqa: BLE001 - whatever it is, notifications cannot be taken
            log.warning("database not ready", error=type(error).__name__)
            return "the database does not answer"

    async def _measure_queue(self) -> Measured:
        async with transaction(self._database.reader) as connection:
            return (
                await depth(connection),
                await load_all(connection),
                await assess(connection, self._rules),
                await outbox.summary(connection),
                await consumers.load(connection),
                await in_doubt.counts(connection),
            )


def make_console(console: Console, authority: Authority) -> web.Application:
    """The internal application, for those whom `authentication` knows."""
    app = web.Application(middlewares=[problems_in_words, authority.guard])
    app.on_response_prepare.append(_name_server)
    app.router.add_get("/healthz", console.healthz)
    app.router.add_get("/readyz", console.readyz)
    app.router.add_get("/metrics", console.metrics)
    return app


def answer(code: int, **members: Any) -> web.Response:
    """A JSON object."""
    return web.Response(status=code, body=msgspec.json.encode(members), content_type="application/json")


@web.middleware
async def problems_in_words(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say what is wrong in our form, also where aiohttp says it or a defect of ours is met."""
    try:
        return await handler(request)
    except Problem as problem:
        return problem.response()
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return problem_of(error).response()
    except Exception:
        route = request.match_info.route.resource
        log.exception("request failed", route=route.canonical if route else None)
        return Problem(500, "This is a defect of the service; its log says more.").response()


async def _name_server(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers[hdrs.SERVER] = SERVER
    response.headers["X-Content-Type-Options"] = "nosniff"
