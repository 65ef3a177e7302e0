"""The public listener's application: ORCID's notifications (contract section 1.6), and the pages for people.

A notification is one POST without body, signature or iD; its address says which record changed and proves that ORCID
sent it. Nothing else is answered: what is not an address that we gave out gets one and the same empty 404, before the
database is asked anything (invariant S15). A good one is answered 204 once it is durable (S1), or 503 if PostgreSQL
cannot take it now, so that ORCID repeats it. Never 429, which would stall the webhooks of all iDs, and never a
redirect, which ORCID books as a failure.
"""

import re
from collections.abc import Awaitable, Callable, Mapping

import msgspec
import structlog
from aiohttp import web

from orcid_sync.model.ids import Orcid
from orcid_sync.registry.callbacks import Callbacks
from orcid_sync.service.http.listeners import SERVER
from orcid_sync.service.http.metrics import Metrics
from orcid_sync.service.runtime.health import Draining
from orcid_sync.store.database.pools import DatabaseUnavailable

MAX_BODY = 1024
"""Bytes that a request may announce. ORCID sends none; some proxies add a few. They are never read (fault F93)."""

# The path as it stands in the request line: percent-encoding, dots, other digits and queries all fail here (fault F94).
_CALLBACK = re.compile(
    # the iD, the token, and in it the version of its key
    r"/webhooks/([0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X])/(([0-9]{1,5})\.[A-Za-z0-9_-]{43})",
    re.ASCII,
)

log = structlog.get_logger(__name__)


class Outcome(msgspec.Struct, frozen=True):
    """How a request ended: its name in the metrics and its answer, which has no body."""

    name: str
    status: int
    closing: bool = False


ACKNOWLEDGED = Outcome("acknowledged", 204)
ORPHAN = Outcome("orphan", 204)  # ours, but of an iD that is not connected (fault F11): ORCID must not repeat it
REFUSED = Outcome("refused", 404)
METHOD = Outcome("method", 405)
TOO_LARGE = Outcome("too_large", 413, closing=True)
UNAVAILABLE = Outcome("unavailable", 503)
NOT_HTTP = Outcome("malformed", 400)
DEFECT = Outcome("failed", 500)
PAGE = Outcome("page", 200)
OUTCOMES = (ACKNOWLEDGED, ORPHAN, REFUSED, METHOD, TOO_LARGE, UNAVAILABLE, NOT_HTTP, DEFECT, PAGE)


Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse | Outcome]]
"""Answers a request: with a page, or with an outcome that has no body. May raise DatabaseUnavailable."""


class Route(msgspec.Struct, frozen=True):
    """What is served below one first segment of the path."""

    name: str
    """Stands for the path in logs, where the path itself would be a secret."""
    methods: Mapping[str, Handler]
    max_body: int = MAX_BODY


class Intake:
    """The public listener's handler: `await intake(request)` answers one request."""

    def __init__(
        self,
        mark: Callable[[Orcid], Awaitable[bool]] | None,
        *,
        callbacks: Callbacks,
        metrics: Metrics,
        draining: Draining,
        note: Callable[[int, str], None] = lambda _version, _host: None,
        pages: Mapping[str, Route] | None = None,
    ) -> None:
        """Accept calls at any of `callbacks`, and `mark` their iDs due.

        `mark` returns once the mark is durable, False for an iD that is not connected; raises DatabaseUnavailable.
        None: there are no webhooks. `note` is told the version and the host of each call that was answered with
        success. `pages` are the routes for people, by the first segment of their paths.
        """
        self._mark = mark
        self._note = note
        self._callbacks = callbacks
        self._draining = draining
        self._counters = {outcome: metrics.intake_requests.labels(outcome.name) for outcome in OUTCOMES}
        webhook = Route("webhook", {"POST": self._receive_notification})
        self._routes = {**({"webhooks": webhook} if mark else {}), **(pages or {})}

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request by the route of its path's first segment."""
        route = self._routes.get(request.raw_path[1:].partition("?")[0].partition("/")[0])
        if route is None:
            return self._answer(REFUSED, "unknown")
        handler = route.methods.get(request.method)
        if handler is None:
            return self._answer(METHOD, route.name, Allow=", ".join(route.methods))
        if (request.content_length or 0) > route.max_body:
            return self._answer(TOO_LARGE, route.name)
        try:
            answer = await handler(request)
        except DatabaseUnavailable:
            answer = UNAVAILABLE
        return self._answer(answer, route.name) if isinstance(answer, Outcome) else self._page(answer, route.name)

    def count_error(self, status: int) -> None:
        """Count an answer that was given below this handler: 400 to what is not HTTP, 500 for a defect."""
        self._counters[NOT_HTTP if status < 500 else DEFECT].inc()

    async def _receive_notification(self, request: web.BaseRequest) -> Outcome:
        address = self._authentic(request.raw_path)
        if address is None or self._mark is None:
            return REFUSED
        orcid, version = address
        outcome = ACKNOWLEDGED if await self._mark(orcid) else ORPHAN
        self._note(version, _host(request))
        return outcome

    def _authentic(self, path: str) -> tuple[Orcid, int] | None:
        """The iD of a callback address that we made, and the version of its secret.

        None for every other path, without saying why (fault F10).
        """
        address = _CALLBACK.fullmatch(path)
        if address is None:
            return None
        text, token, number = address.groups()
        orcid, version = Orcid(text), int(number)  # if we signed it, its check digit is right
        return (orcid, version) if self._callbacks.verify(token, version, orcid) else None

    def _answer(self, outcome: Outcome, route: str, **headers: str) -> web.StreamResponse:
        self._counters[outcome].inc()
        if outcome.status >= 500:
            log.warning("request failed", route=route, status=outcome.status)
        elif outcome.status >= 400:
            log.info("request refused", route=route, status=outcome.status)
        return self._close(web.Response(status=outcome.status, headers={"Server": SERVER, **headers}), outcome)

    def _page(self, response: web.StreamResponse, route: str) -> web.StreamResponse:
        self._counters[PAGE].inc()
        log.info("page", route=route, status=response.status)
        response.headers["Server"] = SERVER
        return self._close(response, PAGE)

    def _close(self, response: web.StreamResponse, outcome: Outcome) -> web.StreamResponse:
        if outcome.closing or self._draining.begun:
            response.force_close()
        return response


def _host(request: web.BaseRequest) -> str:
    """The host that ORCID asked for, also behind a proxy that asks us by another name."""
    said = request.headers.get("X-Forwarded-Host") or request.headers.get("Host") or ""
    return said.partition(",")[0].strip().lower()[:255]
