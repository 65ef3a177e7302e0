"""Reconciling one iD: the one place where core, Registry and store meet.

    connection -> [webhook] -> read -> compare -> BEGIN hold, apply, settle, append COMMIT -> one log line

Whatever woke it, it looks at everything about the iD and makes it right: the webhook, the mirror, the change feed, the
time of the next look. The reads happen outside any transaction; what they found is written in one, under the lease's
fence, or not at all.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

import msgspec
import structlog

from orcid_sync.model.record.access import PUBLIC
from orcid_sync.model.record.diff import RecordContent
from orcid_sync.model.record.doubts import Moment, next_look
from orcid_sync.model.record.extract import moment as moment_of
from orcid_sync.model.sync import schedule
from orcid_sync.model.sync.check_interval import Watch, jittered, routine_interval
from orcid_sync.model.sync.record_states import TRANSITIONS, Heard, Outcome, State, withheld
from orcid_sync.model.sync.schedule import Applied, Cause, Policy, Settlement, Turn
from orcid_sync.model.sync.side_steps import no_later, soonest
from orcid_sync.model.wire.malformed import MalformedRecord
from orcid_sync.model.wire.orcid_json import Timestamp
from orcid_sync.registry.client import Registry
from orcid_sync.registry.errors import ForeignToken, Paused, RegistryError, Unauthorized
from orcid_sync.service.consent.disconnect import leave, revoke_retired
from orcid_sync.service.record import permission
from orcid_sync.service.record.changeset import NOTHING, Answer, make_changeset
from orcid_sync.service.record.comparison import Compared, compare
from orcid_sync.service.record.read_outcome import Finding, Job, Superseded
from orcid_sync.service.record.record_reader import Reading, digest_of, parse_in_steps
from orcid_sync.service.record.record_states import OUTCOMES, close
from orcid_sync.service.record.side_steps import effort_of
from orcid_sync.service.record.unknown_members import unknown_in
from orcid_sync.service.sync import reconciliation_log
from orcid_sync.service.sync.reconciliation_log import HELD, UNCHANGED
from orcid_sync.service.webhooks import evidence
from orcid_sync.service.webhooks.registration import Subscription
from orcid_sync.store.database.encryption import Vault, VaultError
from orcid_sync.store.database.pools import Database, DatabaseRefused, DatabaseUnavailable, statements, transaction
from orcid_sync.store.feed import changes
from orcid_sync.store.mirror import items
from orcid_sync.store.sync import access, doubts, queue
from orcid_sync.store.sync.access import Known
from orcid_sync.store.sync.queue import Lease, LeaseLost

log = structlog.get_logger(__name__)


class Stale(Exception):
    """The answer is older than what the mirror holds: one of ORCID's replicas lags behind (contract section 3.9)."""

    def __init__(self) -> None:
        super().__init__("the answer is older than the one that was applied")


FAILURES: dict[type[Exception], str] = {
    Stale: "stale",
    Superseded: "superseded",
    VaultError: "vault",
    MalformedRecord: "malformed",
    DatabaseRefused: "refused",
    DatabaseUnavailable: "database",
}
"""What can go wrong besides the Registry's errors, by the kind that spaces the tries (schedule.BACKOFFS)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """What reconciling needs; `await reconcile(lease)` does one iD."""

    database: Database
    registry: Registry
    vault: Vault
    policy: Policy
    grace: timedelta
    subscription: Subscription | None
    """None: webhooks are left alone."""
    swept: bool
    """Whether a net finds every change of what is public."""
    chance: Callable[[], float]
    on_commit: Callable[[Lease, Turn, Finding], None]
    """Told of each committed reconciliation, for metrics."""

    async def reconcile(self, lease: Lease) -> str:
        """Make everything about the leased iD right; returns the outcome as one word.

        Raises LeaseLost, Paused and DatabaseUnavailable: then nothing was written, and the iD is leased again. A
        database that only could not take the changes (its disk is full, a deadlock) is an outcome: the iD is tried
        again later.
        """
        turn, clock = _turn(lease), asyncio.get_running_loop().time
        began = clock()
        try:
            finding = await self._find(lease, turn)
            await self._commit(lease, turn, finding)
        except (LeaseLost, Paused):
            raise
        except Exception as error:
            if not isinstance(error, (RegistryError, *FAILURES)):
                log.exception("reconciliation failed by a defect", orcid=lease.orcid)
            finding = self._failure(turn, error)
            await self._commit(lease, turn, finding)
        self.on_commit(lease, turn, finding)
        reconciliation_log.log_line(lease, turn, finding, clock() - began)
        return finding.outcome

    async def _find(self, lease: Lease, turn: Turn) -> Finding:
        pool = self.database.worker
        async with statements(pool) as connection:
            known = await access.load(connection, lease.orcid)
        if known is None or known.state != "connected":
            effort = effort_of(turn, self.chance)
            return await leave(pool, self.registry, self.vault, self.subscription, lease, turn, known, effort)
        again_in = None
        if known.has_retired:
            again_in = await revoke_retired(pool, self.registry, self.vault, lease.orcid, effort_of(turn, self.chance))
        job = replace(self._job(lease, turn, known), again_in=again_in)
        return await permission.foresee(pool, job) or await self._look(job)

    def _job(self, lease: Lease, turn: Turn, known: Known) -> Job:
        """With the token to read with and what it shows (contract section 3.4). Raises VaultError."""
        token, shows = permission.means(self.vault, lease.orcid, known)
        return Job(lease=lease, turn=turn, known=known, token=token, access=shows)

    async def _look(self, job: Job) -> Finding:
        """See to the webhook, then read. One who was merged needs none (contract section 1.9), until they are back."""
        merged = job.known.record_state is State.DEPRECATED
        if not merged:
            job = await self._subscribed(job)
        try:
            finding = await self._read(job)
            if merged:
                job = await self._subscribed(job)
                finding = await self._read(job)  # what changed before there was a webhook is announced to nobody
        except tuple(OUTCOMES) as error:
            finding = await self._close(job, error, Heard.ANSWERED)
        except (Unauthorized, ForeignToken) as error:
            if job.token is None:
                raise
            finding = await self._refused(job, Heard.FOREIGN if isinstance(error, ForeignToken) else Heard.REFUSED)
        return replace(finding, settlement=no_later(finding.settlement, job.again_in))

    async def _subscribed(self, job: Job) -> Job:
        """With webhooks as far as ORCID takes them; what it says of them never stops the read (contract 3.5)."""
        if self.subscription is None:
            return job
        hooks = await self.subscription.ensure(job.orcid, effort_of(job.turn, self.chance))
        return replace(job, announced=hooks.announced, again_in=soonest((job.again_in, hooks.again_in)))

    async def _refused(self, job: Job, heard: Heard) -> Finding:
        """What our own token hears where the holder's is refused; raises what says that nothing can be concluded.

        A deactivated record has taken its tokens with it; an outage of ORCID's refuses ours too (contract 2.6).
        """
        try:
            seen = await self._see(job)
        except tuple(OUTCOMES) as error:
            return await self._close(job, error, heard)
        doubt = await permission.refused(self.database.worker, self.policy, self.chance(), job, heard)
        return permission.with_view(doubt, seen)

    async def _see(self, job: Job) -> Finding | None:
        """What our own token shows, if it can be compared: what is public follows, whatever becomes of the holder's."""
        job = replace(job, token=None, access=job.read_with, in_doubt=True)
        async with self.registry.record(job.orcid) as body:
            with suppress(RegistryError, Stale, MalformedRecord):
                return await self._compare(job, await parse_in_steps(body), None)
        return None

    async def _close(self, job: Job, error: RegistryError, heard: Heard) -> Finding:
        finding = await close(self.database.worker, self.policy, job, error, heard)
        if self.subscription is None or finding.outcome != State.DEPRECATED:
            return finding
        effort = effort_of(job.turn, self.chance)
        again_in = await self.subscription.remove(job.orcid, effort, even_if_unknown=False)
        return replace(finding, settlement=no_later(finding.settlement, again_in))

    async def _read(self, job: Job) -> Finding:
        """Read the record and compare it with the mirror."""
        async with self.registry.record(job.orcid, job.token) as body:
            digest = await digest_of(body)
            same = (digest, job.access.text) == (job.lease.body_digest, job.lease.body_access)
            if same and job.known.withheld is None:
                applied = Applied(digest, job.access.text, job.lease.registry_modified_ms)
                effects = permission.effects(job, Heard.ANSWERED)
                return Finding(outcome=UNCHANGED, settlement=self._settled(job, applied), effects=effects)
            reading = await parse_in_steps(body)
            del body
            return await self._compare(job, reading, digest)

    async def _compare(self, job: Job, reading: Reading, digest: bytes | None) -> Finding:
        reading = msgspec.structs.replace(
            reading, modified_ms=schedule.believable(reading.modified_ms, job.lease.leased_at)
        )
        if _older(reading, job.lease) and job.turn.attempts < schedule.STALE_TRIES:
            raise Stale
        job = await permission.proven(job, reading, self.registry.client_id)
        moment = Moment(now=job.lease.leased_at, wait=self.policy.second_look, chance=self.chance())
        compared = await compare(self.database.worker, self.registry, job, reading, moment)
        fate = TRANSITIONS[job.known.record_state or State.ACTIVE, Outcome.RECORD]
        hidden = job.hides or withheld(fate.withholds, before=None)
        content = RecordContent(fate.state, job.access.kind, None, reading.doc, hidden)
        answer = Answer(
            content,
            moment_of(Timestamp(reading.modified_ms)),
            compared.comparison,
            compared.full_forms,
            compared.reasons,
        )
        changeset = await make_changeset(self.database.worker, job.orcid, compared.held, answer)
        # An answer without a date takes none back: an older one may still come (contract section 3.9).
        dated = job.lease.registry_modified_ms if reading.modified_ms is None else reading.modified_ms
        applied = Applied(None if compared.doubts else digest, job.access.text, dated)
        quiet = HELD if compared.unconfirmed else UNCHANGED
        return Finding(
            outcome="changed" if changeset.changes else quiet,
            settlement=self._settled(job, applied, compared),
            changeset=changeset,
            effects=permission.effects_of_reading(job),
            cause=Cause.FIRST_LOAD if fate.first_load else None,
            doubts=compared.doubts if compared.doubts or compared.doubted_before else None,
            unknown=await unknown_in(reading, compared.comparison, compared.full_forms),
        )

    def _settled(self, job: Job, applied: Applied, compared: Compared | None = None) -> Settlement:
        """`compared`: unless the answer was the last one again."""
        waits = compared is not None and compared.unconfirmed
        look = next_look(compared.doubts, job.lease.leased_at) if compared else None
        return schedule.settle_read(
            job.turn,
            self.policy,
            applied,
            self._routine(job, applied),
            sooner=(job.expires_in, look),
            # Readers see it (orcid.freshness), so it counts nothing: it may be about items that they do not see.
            unconfirmed="held: until a second read says the same" if waits else None,
        )

    def _routine(self, job: Job, applied: Applied) -> timedelta:
        """Time until the record is read next without a reason."""
        modified = moment_of(Timestamp(applied.registry_modified_ms))
        quiet = job.lease.leased_at - modified if modified else timedelta()
        all_public = job.token is None and job.access == PUBLIC  # a token may show what it has not shown yet
        watch = Watch(announced=job.announced, swept=self.swept and all_public)
        return jittered(routine_interval(self.policy.interval, quiet, watch), self.chance())

    def _failure(self, turn: Turn, error: Exception) -> Finding:
        """Nothing was learnt; the mirror stays as it is (S10)."""
        kind = error.kind if isinstance(error, RegistryError) else FAILURES.get(type(error), "defect")
        settlement = schedule.settle_failure(turn, kind, self.chance(), _described(kind, error))
        return Finding(outcome="failed", settlement=settlement)

    async def _commit(self, lease: Lease, turn: Turn, finding: Finding) -> None:
        if finding.changeset is NOTHING and not finding.effects and finding.doubts is None:
            async with statements(self.database.worker) as connection:
                await queue.settle(connection, lease, finding.settlement, grace=self.grace)
                await evidence.note(connection, lease, turn, finding, grace=self.policy.delivery_grace)
            await reconciliation_log.note_apart(self.database.worker, lease, turn, finding)
            return
        cause = finding.cause or turn.cause
        async with transaction(self.database.worker) as connection:
            await queue.hold(connection, lease, alone=bool(finding.effects))
            if finding.changeset is not NOTHING:
                await items.apply(connection, lease.orcid, finding.changeset.writing)
            if finding.doubts is not None:
                await doubts.replace(connection, lease.orcid, finding.doubts)
            for effect in finding.effects:
                await effect(connection, lease.orcid)
            await queue.settle(connection, lease, finding.settlement, grace=self.grace)
            await evidence.note(connection, lease, turn, finding, grace=self.policy.delivery_grace)
            await reconciliation_log.note(connection, lease, turn, finding)
            # Last, because it keeps everybody else's commits waiting for this one's.
            await changes.append(connection, lease.orcid, finding.changeset.changes, cause=cause.value)


def _turn(lease: Lease) -> Turn:
    return schedule.turn(
        lease.lane,
        attempts=lease.attempts,
        leased_at=lease.leased_at,
        second_look_at=lease.second_look_at,
        verified_at=lease.verified_at,
    )


def _described(kind: str, error: Exception) -> str:
    """What operators read; of errors that are not ours only the class, for their text may quote a record."""
    return f"{kind}: {error if isinstance(error, (RegistryError, *FAILURES)) else type(error).__name__}"[:500]


def _older(reading: Reading, lease: Lease) -> bool:
    known, answered = schedule.believable(lease.registry_modified_ms, lease.leased_at), reading.modified_ms
    return known is not None and answered is not None and answered < known
