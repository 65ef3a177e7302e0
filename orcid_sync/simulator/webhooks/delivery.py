"""The hook job: how a change that the indexer passed on becomes an empty POST (contract sections 1.6 and 1.10)."""

import asyncio
from collections.abc import Sequence

import aiohttp
import yarl

from orcid_sync.simulator.base.clock import VirtualClock
from orcid_sync.simulator.base.journal import Journal
from orcid_sync.simulator.base.tokens import Client, TokenService
from orcid_sync.simulator.faults.faults import NOTIFICATION, Fault, Faults
from orcid_sync.simulator.webhooks.pipeline import DeliverySettings
from orcid_sync.simulator.webhooks.registrations import Sending, Webhook, Webhooks

USER_AGENT = "Java-http-client/17.0.12"


class Delivery:
    """Runs the job when told to; holds the HTTP client that calls."""

    def __init__(
        self,
        settings: DeliverySettings,
        webhooks: Webhooks,
        token_service: TokenService,
        clock: VirtualClock,
        faults: Faults,
        journal: Journal,
    ) -> None:
        self.settings = settings
        self._webhooks = webhooks
        self._token_service = token_service
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

    async def run(self) -> int:
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
        client = self._token_service.clients.get(row.client_id)
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

    async def _call_all(self, batch: Sequence[Webhook], blacklist: set[str]) -> int:
        """So many at a time, and everybody waits for the slowest of them (contract section 12a)."""
        calls, threads = 0, self.settings.threads
        for start in range(0, len(batch), threads):
            together = [row for row in batch[start : start + threads] if row.client_id not in blacklist]
            calls += sum(await asyncio.gather(*(self._deliver(row, blacklist) for row in together)))
        return calls

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


def _is_served(client: Client | None) -> bool:
    return client is not None and client.webhooks_enabled and not client.deactivated


def _times(fault: Fault | None) -> int:
    return 1 if fault is None else int(fault.options.get("times", 2))
