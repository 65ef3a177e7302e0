"""The indexer: passes changed records on to their webhooks and to the search index (contract sections 1.6 and 1.10)."""

from orcid_sync.simulator.base.clock import VirtualClock
from orcid_sync.simulator.records.profiles import Effect, Profile, Profiles
from orcid_sync.simulator.search.search_index import SearchIndex
from orcid_sync.simulator.webhooks.pipeline import DeliverySettings
from orcid_sync.simulator.webhooks.registrations import Webhooks


class Indexer:
    """Runs the job when told to."""

    def __init__(
        self,
        settings: DeliverySettings,
        profiles: Profiles,
        webhooks: Webhooks,
        index: SearchIndex,
        clock: VirtualClock,
    ) -> None:
        self.settings = settings
        self._profiles = profiles
        self._webhooks = webhooks
        self._index = index
        self._clock = clock

    def run(self) -> int:
        """Pass changed records on to their webhooks; how many."""
        if self.settings.broker_down:
            return 0
        now, delay = self._clock.now_ms(), self.settings.indexing_delay * 1000
        ready = [profile for profile in self._profiles.waiting.values() if _may_pass(profile, now - delay)]
        ready.sort(key=lambda profile: profile.state.modified_ms)
        passed = ready[: self.settings.indexer_batch * self.settings.iterations]
        for profile in passed:
            profile.indexing_status, profile.last_indexed_ms = "DONE", now
            self._webhooks.propagate(profile.state.orcid, profile.state.modified_ms)
            self._index.receive(profile.state.orcid)
            del self._profiles.waiting[profile.state.orcid]
        return len(passed)


def _may_pass(profile: Profile, threshold_ms: float) -> bool:
    """The indexer's throttle, from which REINDEX is exempt."""
    if profile.indexing_status == Effect.REINDEXED.value or profile.last_indexed_ms is None:
        return True
    return profile.last_indexed_ms <= threshold_ms
