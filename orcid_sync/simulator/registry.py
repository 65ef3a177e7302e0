"""The simulated Registry as its users hold it: start it, edit records, push time, read what happened."""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, Self

from aiohttp import web

from orcid_sync.simulator import control, data_file
from orcid_sync.simulator.browsers import Browsers
from orcid_sync.simulator.building import make_record
from orcid_sync.simulator.bulk_documents import BulkDocuments
from orcid_sync.simulator.clock import VirtualClock
from orcid_sync.simulator.data_sync import DataSync
from orcid_sync.simulator.delivery import DeliverySettings
from orcid_sync.simulator.edits import Editor
from orcid_sync.simulator.faults import Faults
from orcid_sync.simulator.grants import Grants
from orcid_sync.simulator.journal import Journal
from orcid_sync.simulator.limits import DailyQuota, RateLimit
from orcid_sync.simulator.profiles import Profiles
from orcid_sync.simulator.random_edits import Edit, random_edit
from orcid_sync.simulator.samples import add_samples
from orcid_sync.simulator.search_index import SearchIndex
from orcid_sync.simulator.server import FrontDoor, Listener
from orcid_sync.simulator.tokens import TokenDesk
from orcid_sync.simulator.webhooks import Webhooks
from orcid_sync.simulator.world import CLIENT_ID, World


class SimulatedRegistry:
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
        clock = VirtualClock(start_ms=start_ms, speed=speed)
        self.world = World(clock=clock, seed=seed, host=id_host, keep_history=keep_history)
        self.desk.clients[CLIENT_ID].redirect_uris = tuple(redirect_uris)
        if limited:
            self.world.rate_limit, self.world.quota = RateLimit(), DailyQuota()
        app = web.Application(client_max_size=64 << 20)
        control.add_routes(app, self)
        app.router.add_route("*", "/{anything:.*}", FrontDoor(self.world).handle)
        self._listener = Listener(app)
        self._address = ""
        self._jobs: asyncio.Task[None] | None = None
        self._next_indexing_ms = self._next_hooks_ms = 0

    def add_samples(self, count: int = 40, *, seed: int = 7) -> list[str]:
        """Put lifelike sample records into the Registry; their iDs."""
        return add_samples(self.world, count, seed=seed)

    def add_record(self, orcid: str, **sizes: int) -> None:
        """A plain record of a given size: see `building.make_record`. Raises ValueError if the iD is taken."""
        make_record(self.profiles, orcid, **sizes)

    def random_edit(self, rng: Random, *, orcid: str | None = None) -> Edit | None:
        """Something that happens on an ordinary day: see `random_edits.random_edit`."""
        return random_edit(self.world, rng, orcid=orcid)

    @property
    def clock(self) -> VirtualClock:
        """Virtual time."""
        return self.world.clock

    @property
    def faults(self) -> Faults:
        """The switches."""
        return self.world.faults

    @property
    def profiles(self) -> Profiles:
        """The records."""
        return self.world.profiles

    @property
    def edit(self) -> Editor:
        """The edit API."""
        return self.world.editor

    @property
    def desk(self) -> TokenDesk:
        """Clients and tokens."""
        return self.world.desk

    @property
    def grants(self) -> Grants:
        """Authorization codes."""
        return self.world.grants

    @property
    def browsers(self) -> Browsers:
        """Who is signed in at the Registry."""
        return self.world.browsers

    def secrets(self) -> list[str]:
        """Every token, refresh token and code that was given out, and the clients' secrets."""
        tokens = [text for token in self.desk.tokens.values() for text in (token.text, token.refresh)]
        return [*tokens, *self.grants.codes, *(client.secret for client in self.desk.clients.values())]

    @property
    def webhooks(self) -> Webhooks:
        """The registrations."""
        return self.world.webhooks

    @property
    def index(self) -> SearchIndex:
        """The search index."""
        return self.world.index

    @property
    def data_sync(self) -> DataSync:
        """The buckets of premium members; `last_modified_file()` gives the one that is sorted by date."""
        return self.world.data_sync

    def write_data_file(
        self, folder: Path, *, year: int = 2026, activities: bool = False, emptied: bool = False
    ) -> Path:
        """Write the yearly public data file into a folder; the archive of summaries. Raises OSError.

        With `activities` the eleven archives of full activities lie beside it. `emptied`: see BulkDocuments.
        """
        documents = BulkDocuments(self.world.renderer, emptied=emptied)
        states = [self.profiles.state(orcid) for orcid in self.profiles]
        path = folder / f"ORCID_{year}_10_summaries.tar.gz"
        data_file.write_summaries(path, states, documents, year=year)
        if activities:
            data_file.write_activities(folder, states, documents, year=year)
        return path

    @property
    def journal(self) -> Journal:
        """Requests and notifications so far."""
        return self.world.journal

    @property
    def settings(self) -> DeliverySettings:
        """The numbers of the delivery."""
        return self.world.delivery.settings

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

    async def run_delivery(self, *, after: float = 0.0) -> int:
        """Run both jobs once, `after` so many virtual seconds; how many calls were made."""
        self.clock.advance(after)
        self.world.delivery.run_indexer()
        return await self.world.delivery.run_hooks()

    async def advance(self, seconds: float) -> int:
        """Let virtual time pass with the jobs running at their periods; how many calls were made."""
        calls, end = 0, self.clock.now_ms() + round(seconds * 1000)
        while True:
            calls += await self._run_due_jobs()
            upcoming = min(self._next_indexing_ms, self._next_hooks_ms)
            if upcoming > end:
                self.clock.advance(max(0, end - self.clock.now_ms()) / 1000)
                return calls
            self.clock.advance(max(0, upcoming - self.clock.now_ms()) / 1000)

    def view(
        self, orcid: str, token: str | None, *, version: int | None = None, at_ms: int | None = None
    ) -> dict[str, Any]:
        """What a token may read of a record right now, or of an earlier version: `GET /{orcid}/record`, without faults.

        Raises Refusal and Unauthenticated as the endpoint would answer, UnknownRecord, KeyError for no such version.
        """
        return control.view(self.world, orcid, token, version=version, at_ms=at_ms)

    async def _run_due_jobs(self) -> int:
        now, settings, calls = self.clock.now_ms(), self.settings, 0
        if now >= self._next_indexing_ms:
            self.world.delivery.run_indexer()
            self._next_indexing_ms = now + max(1, round(settings.indexer_period * 1000))
        if now >= self._next_hooks_ms:
            calls = await self.world.delivery.run_hooks()
            self._next_hooks_ms = now + max(1, round(settings.hook_period * 1000))
        return calls

    async def _run_jobs(self) -> None:
        """In the background: run the jobs whenever their virtual time has come."""
        while True:
            await self._run_due_jobs()
            await asyncio.sleep(0.05)
