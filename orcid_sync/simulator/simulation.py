"""The simulation as tests and the demo use it: edit records, advance time, read what happened. It opens no port."""

from pathlib import Path
from random import Random
from typing import Any

from orcid_sync.simulator.answers import data_file
from orcid_sync.simulator.answers.bulk_documents import BulkDocuments
from orcid_sync.simulator.api.data_sync import DataSync
from orcid_sync.simulator.api.read_record import Target
from orcid_sync.simulator.base.clock import VirtualClock
from orcid_sync.simulator.base.journal import Journal
from orcid_sync.simulator.base.tokens import TokenService
from orcid_sync.simulator.faults.faults import Faults
from orcid_sync.simulator.oauth.access import check_record, reader
from orcid_sync.simulator.oauth.browsers import Browsers
from orcid_sync.simulator.oauth.grants import Grants
from orcid_sync.simulator.records.edits import Editor
from orcid_sync.simulator.records.profiles import Profiles
from orcid_sync.simulator.samples.random_edits import Edit, random_edit
from orcid_sync.simulator.samples.record_builder import make_record
from orcid_sync.simulator.samples.sample_records import add_samples
from orcid_sync.simulator.search.search_index import SearchIndex
from orcid_sync.simulator.webhooks.pipeline import DeliverySettings
from orcid_sync.simulator.webhooks.registrations import Webhooks
from orcid_sync.simulator.world import World


class Simulation:
    """Everything of the simulated Registry but the server; `SimulatedRegistry` describes the arguments."""

    def __init__(self, *, seed: int, speed: float, start_ms: int | None, keep_history: bool, id_host: str) -> None:
        clock = VirtualClock(start_ms=start_ms, speed=speed)
        self.world = World(clock=clock, seed=seed, host=id_host, keep_history=keep_history)
        self._next_indexing_ms = self._next_hooks_ms = 0

    def add_samples(self, count: int = 40, *, seed: int = 7) -> list[str]:
        """Put lifelike sample records into the Registry; their iDs."""
        return add_samples(self.world, count, seed=seed)

    def add_record(self, orcid: str, **sizes: int) -> None:
        """A plain record of a given size: see `record_builder.make_record`. Raises ValueError if the iD is taken."""
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
    def token_service(self) -> TokenService:
        """Clients and tokens."""
        return self.world.token_service

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
        tokens = [text for token in self.token_service.tokens.values() for text in (token.text, token.refresh)]
        return [*tokens, *self.grants.codes, *(client.secret for client in self.token_service.clients.values())]

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
        return self.world.pipeline

    async def run_delivery(self, *, after: float = 0.0) -> int:
        """Run both jobs once, `after` so many virtual seconds; how many calls were made."""
        self.clock.advance(after)
        self.world.indexer.run()
        return await self.world.delivery.run()

    async def advance(self, seconds: float) -> int:
        """Let virtual time pass with the jobs running at their periods; how many calls were made."""
        calls, end = 0, self.clock.now_ms() + round(seconds * 1000)
        while True:
            calls += await self.run_due_jobs()
            upcoming = min(self._next_indexing_ms, self._next_hooks_ms)
            if upcoming > end:
                self.clock.advance(max(0, end - self.clock.now_ms()) / 1000)
                return calls
            self.clock.advance(max(0, upcoming - self.clock.now_ms()) / 1000)

    def view(
        self, orcid: str, token: str | None, *, version: int | None = None, at_ms: int | None = None
    ) -> dict[str, Any]:
        """What a token may read of a record right now, or of an earlier version or moment, whatever its state was then.

        As `GET /{orcid}/record` answers, without faults. Raises Refusal and Unauthenticated as the endpoint would
        answer, UnknownRecord, KeyError for no such version.
        """
        world = self.world
        access = reader(world.token_service, token, on_public_host=token is None)
        state = world.profiles.state(orcid)
        if at_ms is not None:
            state = world.profiles[orcid].as_of(at_ms)
        elif version is not None:
            state = {known.version: known for _, known in world.profiles[orcid].past}[version]
        else:
            now = world.clock.now_ms()
            check_record(state, orcid, access, now_ms=now, address=f"/v3.0/{orcid}/record")
        return world.answerer.document(Target(orcid, "record"), state, access)

    async def run_due_jobs(self) -> int:
        """Run each job whose virtual time has come; how many calls were made."""
        now, settings, calls = self.clock.now_ms(), self.settings, 0
        if now >= self._next_indexing_ms:
            self.world.indexer.run()
            self._next_indexing_ms = now + max(1, round(settings.indexer_period * 1000))
        if now >= self._next_hooks_ms:
            calls = await self.world.delivery.run()
            self._next_hooks_ms = now + max(1, round(settings.hook_period * 1000))
        return calls
