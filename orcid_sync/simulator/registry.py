"""The simulated Registry: the simulation behind a real HTTP server on loopback; start it, and read its addresses."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Self

from aiohttp import web

from orcid_sync.simulator.base.rate_limits import DailyQuota, RateLimit
from orcid_sync.simulator.faults.connection_faults import drop_invented_type
from orcid_sync.simulator.server import control
from orcid_sync.simulator.server.http_server import Listener, RequestDispatcher
from orcid_sync.simulator.simulation import Simulation
from orcid_sync.simulator.world import CLIENT_ID


class SimulatedRegistry(Simulation):
    """A real HTTP server on loopback that behaves as contract section 12 demands.

    `speed` 0: time stands still unless it is advanced. `start_ms`: its beginning, in milliseconds since 1970 (now, if
    not given). Without rate limit and quota unless `limited`. `redirect_uris`: registered for CLIENT_ID, besides
    `/oauth/callback` on any port of 127.0.0.1 and localhost.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        speed: float = 0.0,
        start_ms: int | None = None,
        keep_history: bool = True,
        limited: bool = False,
        id_host: str = "sandbox.orcid.org",
        redirect_uris: Sequence[str] = (),
    ) -> None:
        super().__init__(seed=seed, speed=speed, start_ms=start_ms, keep_history=keep_history, id_host=id_host)
        self.token_service.clients[CLIENT_ID].redirect_uris = tuple(redirect_uris)
        if limited:
            self.world.rate_limit, self.world.quota = RateLimit(), DailyQuota()
        app = web.Application(client_max_size=64 << 20)
        app.on_response_prepare.append(drop_invented_type)
        control.add_routes(app, self)
        app.router.add_route("*", "/{anything:.*}", RequestDispatcher(self.world).handle)
        self._listener = Listener(app)
        self._address = ""
        self._jobs: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it listens, without a slash at the end."""
        return self._address

    @property
    def api_url(self) -> str:
        """The member API, as the daemon's `api_url`."""
        return self._address

    @property
    def web_url(self) -> str:
        """The web host with the token endpoint, as the daemon's `web_url`."""
        return self._address

    @property
    def public_api_url(self) -> str:
        """The public API."""
        return f"{self._address}/pub"

    async def start(self, host: str = "127.0.0.1", port: int = 0, *, deliver: bool = False) -> None:
        """Listen. With `deliver` the jobs run in the background as virtual time passes. Raises OSError."""
        await self._listener.start(host, port)
        self._address = f"http://{host}:{self._listener.port}"
        if deliver:
            self._jobs = asyncio.create_task(self._run_jobs())

    async def stop(self) -> None:
        """Stop the jobs, close the socket."""
        if self._jobs is not None:
            self._jobs.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._jobs
            self._jobs = None
        await self._listener.stop()
        await self.world.delivery.close()

    async def __aenter__(self) -> Self:
        if not self._address:
            await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _run_jobs(self) -> None:
        """In the background: run the jobs whenever their virtual time has come."""
        while True:
            await self.run_due_jobs()
            await asyncio.sleep(0.05)
