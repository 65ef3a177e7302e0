"""The HTTP server: one port that stands for the web host, the member API and, under `/pub`, the public API."""

import asyncio
from typing import Any

from aiohttp import web

from orcid_sync.simulator.answers import http_answer
from orcid_sync.simulator.answers.http_answer import Answer
from orcid_sync.simulator.api.request import Call
from orcid_sync.simulator.endpoints import router
from orcid_sync.simulator.endpoints.router import Route
from orcid_sync.simulator.faults import connection_faults
from orcid_sync.simulator.faults.faults import Fault
from orcid_sync.simulator.world import World


class RequestDispatcher:
    """Every request that is not about the control of the simulation comes in here."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, with the faults that are switched on for it, and write it into the journal."""
        began_ms = self._world.clock.now_ms()
        call = await _call(request)
        route = router.find_route(call)
        faults = {fault.kind: fault for fault in self._world.faults.draw(route.endpoint, route.orcid, route.put_codes)}
        try:
            answer = await self._answer(call, route, faults, request.remote or "")
        except connection_faults.ConnectionTornDown:
            self._note(call, route, 0, faults, began_ms)
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        self._note(call, route, answer.status, faults, began_ms)
        return await connection_faults.send(request, answer, faults)

    async def _answer(self, call: Call, route: Route, faults: dict[str, Fault], remote: str) -> Answer:
        refused = await connection_faults.before(faults, call.token) or await self._limit(call, remote)
        if refused is not None:
            return refused
        return connection_faults.spoil(router.answer(self._world, call, route, faults), faults)

    async def _limit(self, call: Call, remote: str) -> Answer | None:
        """What the proxies in front refuse: addresses too long, too many calls (contract section 5)."""
        world = self._world
        if len(call.target) > world.longest_target:
            return http_answer.page(414)
        token = world.token_service.tokens.get(call.token or "")
        anonymous = call.headers.get("X-Forwarded-For", remote).partition(",")[0].strip()
        if world.rate_limit is not None:
            caller = token.client_id if token else anonymous
            wait = world.rate_limit.reserve(caller, asyncio.get_running_loop().time())
            if wait is None:
                return http_answer.page(503)
            await asyncio.sleep(wait)
        over = call.on_public_host and token is None and world.quota is not None
        if over and world.quota is not None and not world.quota.take(anonymous, world.clock.now()):
            return connection_faults.over_quota()
        return None

    def _note(self, call: Call, route: Route, status: int, faults: dict[str, Fault], began_ms: int) -> None:
        world = self._world
        token = world.token_service.tokens.get(call.token or "")
        state = world.find_state(route.orcid) if route.orcid else None
        world.journal.note_request(
            at_ms=world.clock.now_ms(),
            method=call.method,
            endpoint=route.endpoint,
            orcid=route.orcid,
            status=status,
            client_id=token.client_id if token else None,
            personal=token is not None and token.orcid is not None,
            version=state.version if state else None,
            faults=tuple(faults),
            began_ms=began_ms,
        )


async def _call(request: web.Request) -> Call:
    path, _, query = request.raw_path.partition("?")
    public = path.startswith(f"/{router.PUBLIC_HOST}/")
    body = await request.read() if request.can_read_body else b""
    address = f"{request.scheme}://{request.host}{path}{'?' if query else ''}{query}"
    return Call(
        method=request.method,
        address=address,
        path=path.removeprefix(f"/{router.PUBLIC_HOST}") if public else path,
        headers=request.headers,
        body=body,
        on_public_host=public,
    )


class Listener:
    """The socket."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Listen; port 0 takes any free one. Raises OSError if the port is taken."""
        options: dict[str, Any] = {"access_log": None, "handler_cancellation": True, "shutdown_timeout": 0.2}
        options["max_line_size"] = 64 << 10  # `World.longest_target` refuses long addresses, not this server
        self._runner = web.AppRunner(self._app, **options)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, backlog=1024)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the socket and every connection."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
