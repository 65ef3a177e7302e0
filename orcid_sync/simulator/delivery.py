"""The indexer and the hook job: how a change becomes an empty POST (contract sections 1.6 and 1.10)."""

import asyncio
from collections.abc import Iterable

import aiohttp
import msgspec
import yarl

from orcid_sync.simulator.clock import VirtualClock
from orcid_sync.simulator.faults import NOTIFICATION, Fault, Faults
from orcid_sync.simulator.journal import Journal
from orcid_sync.simulator.profiles import Effect, Profile, Profiles
from orcid_sync.simulator.search_index import SearchIndex
from orcid_sync.simulator.tokens import Client, TokenDesk
from orcid_sync.simulator.webhooks import Sending, Webhook, Webhooks

USER_AGENT = "Java-http-client/17.0.12"


class DeliverySettings(msgspec.Struct, kw_only=True):
    """Every number of the pipeline; production's are not public. Seconds are virtual unless said otherwise."""

    indexer_period: float = 60
    indexing_delay: float = 300
    """A record that was passed on waits this long before it is passed on again."""
    indexer_batch: int = 10_000
    hook_period: float = 300
    hook_batch: int = 5_000
    iterations: int = 3
    """Batches in one run of either job."""
    retry_delay: float = 600
    """The n-th retry waits n times this long."""
    max_attempts: int = 25
    timeout: float = 20
    """Real seconds."""
    replica_lag: float = 0
    """Rows written less than this long ago are selected as they were before: calls are made twice."""
    threads: int = 8
    """Calls at a time."""
    broker_down: bool = False
    """True: the indexer passes nothing on."""


class Delivery:
    """Runs the two jobs when told to; holds the HTTP client that calls."""

    def __init__(
        self,
        profiles: Profiles,
        webhooks: Webhooks,
        index: SearchIndex,
        desk: TokenDesk,
        clock: VirtualClock,
        faults: Faults,
        journal: Journal,
    ) -> None:
        self.settings = DeliverySettings()
        self._profiles = profiles
        self._webhooks = webhooks
        self._index = index
        self._desk = desk
        self._clock = clock
        self._faults = faults
        self._journal = journal
        self._session: aiohttp.ClientSession | None = None
        self._running = asyncio.Lock()

    async def close(self) -> None:
        """Let go of the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def run_indexer(self) -> int:
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

    async def run_hooks(self) -> int:
        """Call everybody who is due; how many calls were made. Runs follow one another, as the scheduler's do."""
        calls, blacklist = 0, set[str]()
        async with self._running:
            for _ in range(self.settings.iterations):
                batch = self._select(blacklist)
                if not batch:
                    break
                calls += await self._call_all(batch, blacklist)
        return calls

    def _select(self, blacklist: set[str]) -> list[Webhook]:
        now = self._clock.now_ms()
        due = [row for row in self._webhooks if row.client_id not in blacklist and self._is_due(row, now)]
        due.sort(key=lambda row: row.profile_modified_ms)
        return due[: self.settings.hook_batch]

    def _is_due(self, row: Webhook, now_ms: int) -> bool:
        client = self._desk.clients.get(row.client_id)
        if not row.enabled or not _is_served(client) or row.held_until_ms > now_ms:
            return False
        sending = row.seen_by_replica(at_ms=now_ms, lag_ms=round(self.settings.replica_lag * 1000))
        if sending.failures >= self.settings.max_attempts:
            return False  # silent death: nobody is told
        since = row.created_ms if sending.last_sent_ms is None else sending.last_sent_ms
        if row.profile_modified_ms < since:
            return False
        waits = sending.failures * self.settings.retry_delay * 1000
        return sending.failures == 0 or (sending.last_failed_ms or 0) + waits < now_ms

    async def _call_all(self, batch: Iterable[Webhook], blacklist: set[str]) -> int:
        queue = iter(batch)

        async def work() -> int:
            calls = 0
            for row in queue:
                if row.client_id not in blacklist:
                    calls += await self._deliver(row, blacklist)
            return calls

        return sum(await asyncio.gather(*(work() for _ in range(self.settings.threads))))

    async def _deliver(self, row: Webhook, blacklist: set[str]) -> int:
        """One row's turn; how many calls it took."""
        faults = {fault.kind: fault for fault in self._faults.draw(NOTIFICATION, row.orcid)}
        if delayed := faults.get("delayed"):
            row.held_until_ms = self._clock.now_ms() + round(delayed.options.get("seconds", 3600) * 1000)
            return 0
        if "lost" in faults:
            self._settle(row, row.profile_modified_ms, self._clock.now_ms(), None, "lost", success=True)
            return 0
        times = _times(faults.get("duplicate"))
        for _ in range(times):
            modified, sent_ms = row.profile_modified_ms, self._clock.now_ms()
            status, note = await self._post(row.uri)
            if "lost-answer" in faults:
                status, note = None, "lost-answer"
            success = status is not None and 200 <= status < 300
            self._settle(row, modified, sent_ms, status, note or "/".join(faults), success=success)
            if status == 429:
                blacklist.add(row.client_id)
        return times

    def _settle(
        self, row: Webhook, modified_ms: int, sent_ms: int, status: int | None, note: str, *, success: bool
    ) -> None:
        """Write down how a call ended, by the clock of *after* the answer (contract section 1.8)."""
        now = self._clock.stamp()
        if success:
            sending = Sending(last_sent_ms=now, last_failed_ms=row.sending.last_failed_ms)
        else:
            sending = Sending(row.sending.last_sent_ms, last_failed_ms=now, failures=row.sending.failures + 1)
        row.write(sending, at_ms=now)
        self._journal.note_notification(
            at_ms=now,
            orcid=row.orcid,
            uri=row.uri,
            profile_modified_ms=modified_ms,
            status=status,
            success=success,
            note=note,
            sent_ms=sent_ms,
        )

    async def _post(self, uri: str) -> tuple[int | None, str]:
        """The bytes that the JDK's client sends: an empty POST, no body headers; redirects are not followed."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"User-Agent": USER_AGENT},
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type"),
                connector=aiohttp.TCPConnector(limit=0),
            )
        timeout = aiohttp.ClientTimeout(total=self.settings.timeout)
        try:
            address = yarl.URL(uri if uri.startswith("http") else f"http://{uri}", encoded=True)
            async with self._session.post(address, allow_redirects=False, timeout=timeout) as answer:
                return answer.status, ""
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return None, type(error).__name__


def _may_pass(profile: Profile, threshold_ms: float) -> bool:
    """The indexer's throttle, from which REINDEX is exempt."""
    if profile.indexing_status == Effect.REINDEXED.value or profile.last_indexed_ms is None:
        return True
    return profile.last_indexed_ms <= threshold_ms


def _is_served(client: Client | None) -> bool:
    return client is not None and client.webhooks_enabled and not client.deactivated


def _times(fault: Fault | None) -> int:
    return 1 if fault is None else int(fault.options.get("times", 2))
