"""Everything that the simulated Registry knows, put together; no HTTP server here."""

from random import Random

from orcid_sync.simulator.answers.bulk_documents import BulkDocuments
from orcid_sync.simulator.answers.rendering import Renderer
from orcid_sync.simulator.api.data_sync import DataSync
from orcid_sync.simulator.api.read_record import Answerer
from orcid_sync.simulator.base.clock import VirtualClock
from orcid_sync.simulator.base.journal import Journal
from orcid_sync.simulator.base.rate_limits import DailyQuota, RateLimit
from orcid_sync.simulator.base.tokens import Client, TokenService
from orcid_sync.simulator.faults.faults import Faults
from orcid_sync.simulator.faults.stale_caches import StaleCaches
from orcid_sync.simulator.oauth.browsers import Browsers
from orcid_sync.simulator.oauth.grants import Grants
from orcid_sync.simulator.records.edits import Editor
from orcid_sync.simulator.records.profiles import Profiles, RecordState
from orcid_sync.simulator.search.search_index import SearchIndex
from orcid_sync.simulator.webhooks.delivery import Delivery
from orcid_sync.simulator.webhooks.indexer import Indexer
from orcid_sync.simulator.webhooks.pipeline import DeliverySettings
from orcid_sync.simulator.webhooks.registrations import Webhooks

CLIENT_ID = "APP-SIMULATED0CLIENT"
CLIENT_SECRET = "simulated-secret"  # noqa: S105 - a made-up secret of a made-up client
OTHER_CLIENT_ID = "APP-SIMULATED1CLIENT"
OTHER_CLIENT_SECRET = "other-simulated-secret"  # noqa: S105 - as above
PUBLIC_CLIENT_ID = "APP-SIMULATED2CLIENT"
PUBLIC_CLIENT_SECRET = "public-simulated-secret"  # noqa: S105 - as above


class World:
    """The parts of the simulation, wired. Deterministic for a seed, a clock and an order of events."""

    def __init__(self, *, clock: VirtualClock, seed: int, host: str, keep_history: bool) -> None:
        self.clock = clock
        self.rng = Random(seed)
        self.profiles = Profiles(clock, keep_history=keep_history)
        self.token_service = TokenService(clock, Random(seed + 1))
        self.webhooks = Webhooks(self.profiles, clock)
        self.journal = Journal()
        self.faults = Faults(Random(seed + 2))
        self.index = SearchIndex(self.profiles, clock, Random(seed + 5))
        self.profiles.created = self.index.add
        self.pipeline = DeliverySettings()
        self.indexer = Indexer(self.pipeline, self.profiles, self.webhooks, self.index, clock)
        self.delivery = Delivery(self.pipeline, self.webhooks, self.token_service, clock, self.faults, self.journal)
        self.editor = Editor(self.profiles, self.token_service, clock)
        self.grants = Grants(self.profiles, self.token_service, clock, Random(seed + 3))
        self.browsers = Browsers(Random(seed + 4))
        self.renderer = Renderer(host, client_name=self.token_service.client_name, person_state=self.find_state)
        self.answerer = Answerer(self.renderer)
        self.stale = StaleCaches()
        self.data_sync = DataSync(self.profiles, BulkDocuments(self.renderer))
        self.longest_target = 8_190
        """Bytes of path and query that the proxy in front takes; its real limit is not public (contract section 13)."""
        self.rate_limit: RateLimit | None = None
        self.quota: DailyQuota | None = None
        self._register_clients()

    def find_state(self, orcid: str) -> RecordState | None:
        """The present state of a record, None if there is no such record."""
        return self.profiles.state(orcid) if orcid in self.profiles else None

    def _register_clients(self) -> None:
        for client in (
            Client(CLIENT_ID, CLIENT_SECRET, "Simulated University", local_callbacks=True),
            Client(OTHER_CLIENT_ID, OTHER_CLIENT_SECRET, "Another Simulated Member", local_callbacks=True),
            Client(PUBLIC_CLIENT_ID, PUBLIC_CLIENT_SECRET, "Simulated Public Client", True, ("/read-public",)),
        ):
            self.token_service.clients[client.client_id] = client
