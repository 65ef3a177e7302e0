"""Reconciling one iD: the one place where core, Registry and store meet.

    connection -> [webhook] -> read -> compare -> BEGIN hold, apply, settle, append COMMIT -> one log line

Whatever woke it, it looks at everything about the iD and makes it right: the webhook, the mirror, the change feed, the
time of the next look. The reads happen outside any transaction; what they found is written in one, under the lease's
fence, or not at all.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b

import structlog

from orcid_sync.model import diff, lifecycle
from orcid_sync.model.diff import Comparison, Held, RecordContent
from orcid_sync.model.extract import moment
from orcid_sync.model.lifecycle import FATES, Applied, Cause, Policy, Settlement, State, Turn
from orcid_sync.model.malformed import MalformedRecord
from orcid_sync.model.sections import SECTIONS, ItemKey
from orcid_sync.model.wire import Timestamp
from orcid_sync.registry.client import Registry
from orcid_sync.registry.errors import (
    Deactivated,
    Deprecated,
    Locked,
    NotFound,
    RegistryError,
    Unauthorized,
    Unclaimed,
)
from orcid_sync.service.changeset import NOTHING, Answer, Changeset, make_changeset, reason_gone
from orcid_sync.service.reading import Reading, digest_of, read_details, take_apart
from orcid_sync.service.subscription import Subscription
from orcid_sync.store import changes, connections, mirror, queue
from orcid_sync.store.connections import Connection
from orcid_sync.store.database import Database, DatabaseRefused, DatabaseUnavailable, statements, transaction
from orcid_sync.store.queue import Lease, LeaseLost
from orcid_sync.store.vault import Vault, VaultError

STATES: dict[type[RegistryError], State] = {
    Locked: State.LOCKED,
    Unclaimed: State.UNCLAIMED,
    Deactivated: State.DEACTIVATED,
    Deprecated: State.DEPRECATED,
    NotFound: State.NOT_FOUND,
}
"""Answers that speak of the record's state (contract section 4.2); every other error tells nothing about it (S10)."""

NEVER = timedelta(days=36_500)
"""When a disconnected iD is due."""

log = structlog.get_logger(__name__)


class Stale(Exception):
    """The answer is older than what the mirror holds: one of ORCID's replicas lags behind (contract section 3.9)."""


FAILURES: dict[type[Exception], str] = {
    Stale: "stale",
    VaultError: "vault",
    MalformedRecord: "malformed",
    DatabaseRefused: "refused",
    DatabaseUnavailable: "database",
}
"""What can go wrong besides the Registry's errors, by the kind that spaces the tries (lifecycle.BACKOFFS)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One leased iD on its way through."""

    lease: Lease
    turn: Turn
    token: str | None = field(repr=False)
    """The holder's token; None: our own."""
    access: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How a reconciliation ends, before it is committed."""

    outcome: str
    """One word, for logs and metrics."""
    settlement: Settlement
    changeset: Changeset = NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciler:
    """What reconciling needs; `await reconcile(lease)` does one iD."""

    database: Database
    registry: Registry
    vault: Vault
    policy: Policy
    grace: timedelta
    subscription: Subscription | None
    """None: webhooks are switched off."""
    chance: Callable[[], float]
    on_commit: Callable[[Lease, Turn, Finding], None]
    """Told of each committed reconciliation, for metrics."""

    async def reconcile(self, lease: Lease) -> str:
        """Make everything about the leased iD right; returns the outcome as one word.

        Raises LeaseLost and DatabaseUnavailable: then nothing was written, and the iD is leased again. A database that
        only could not take the changes (its disk is full, a deadlock) is an outcome: the iD is tried again later.
        """
        turn, clock = _turn(lease), asyncio.get_running_loop().time
        began = clock()
        try:
            finding = await self._find(lease, turn)
            await self._commit(lease, turn, finding)
        except LeaseLost:
            raise
        except Exception as error:
            if not isinstance(error, (RegistryError, *FAILURES)):
                log.exception("reconciliation failed by a defect", orcid=lease.orcid)
            finding = await self._failure(lease, turn, error)
            await self._commit(lease, turn, finding)
        self.on_commit(lease, turn, finding)
        _log(lease, turn, finding, clock() - began)
        return finding.outcome

    async def _find(self, lease: Lease, turn: Turn) -> Finding:
        async with statements(self.database.worker) as connection:
            known = await connections.load(connection, lease.orcid)
        if known is None or known.state != "connected":
            return await self._leave(lease, turn)
        token, access = self._access(known)
        job = Job(lease=lease, turn=turn, token=token, access=access)
        if self.subscription:
            await self.subscription.ensure(lease.orcid)
        try:
            finding = await self._read(job)
        except tuple(STATES) as error:
            finding = await self._state(job, error)
        except Unauthorized:
            closed = await self._ask_whether_closed(job)
            if closed is None:
                raise
            return closed
        if known.access_state == "suspect" and token is not None:
            async with statements(self.database.worker) as connection:
                await connections.set_access_state(connection, lease.orcid, "granted")
        return finding

    def _access(self, known: Connection) -> tuple[str | None, str]:
        """The token to read with, None for our own, and what it reads (contract section 3.4). Raises VaultError."""
        if known.access_token is None or known.access_state not in ("granted", "suspect"):
            return None, lifecycle.READ_PUBLIC
        token = self.vault.open(known.access_token, orcid=known.orcid, column="access_token")
        return token, lifecycle.access_of(set(known.scopes))

    async def _read(self, job: Job) -> Finding:
        """Read the record and compare it with the mirror."""
        async with self.registry.record(job.lease.orcid, job.token) as body:
            digest = await digest_of(body)
            if (digest, job.access) == (job.lease.body_digest, job.lease.body_access):
                applied = Applied(digest, job.access, job.lease.registry_modified_ms)
                return Finding(outcome="unchanged", settlement=self._settled(job, applied))
            reading = await take_apart(body)
            del body
            return await self._compare(job, reading, digest)

    async def _compare(self, job: Job, reading: Reading, digest: bytes) -> Finding:
        orcid = job.lease.orcid
        if _older(reading, job.lease) and job.turn.attempts < lifecycle.STALE_TRIES:
            raise Stale
        async with statements(self.database.worker) as connection:
            held = await mirror.load(connection, orcid)
        details, complete = await read_details(self.registry, orcid, job.token, reading.items, held.items)
        comparison = diff.compare(held.items, reading.answered, reading.items, details)
        reasons = {key: reason_gone(held, key, job.access) for key in comparison.gone}
        if unconfirmed := self._to_confirm(job.lease, held, reasons):
            return unconfirmed
        content = RecordContent("active", job.access, None, reading.doc)
        answer = Answer(content, moment(Timestamp(reading.modified_ms)), comparison, details, reasons)
        changeset = await make_changeset(self.database.worker, orcid, held, answer)
        complete = complete and len(reading.answered) == len(SECTIONS)
        applied = Applied(digest if complete else None, job.access, reading.modified_ms)
        outcome = "changed" if changeset.changes else "unchanged"
        return Finding(outcome=outcome, settlement=self._settled(job, applied), changeset=changeset)

    def _settled(self, job: Job, applied: Applied) -> Settlement:
        return lifecycle.settle_read(job.turn, self.policy, applied, self.chance())

    def _to_confirm(self, lease: Lease, held: Held, reasons: dict[ItemKey, str]) -> Finding | None:
        """If so much would go that an independent second read must agree first (design section 8, S8): a pause."""
        removed = sorted(key for key, reason in reasons.items() if reason == "removed")
        if not diff.shrinks(held.items, removed):
            return None
        digest = blake2b(repr(removed).encode(), digest_size=16).digest()
        if digest == lease.held_digest and lifecycle.confirmed(self.policy, lease.held_at, lease.leased_at):
            return None
        return Finding(outcome="held", settlement=lifecycle.settle_held(self.policy, digest))

    async def _ask_whether_closed(self, job: Job) -> Finding | None:
        """What our own token hears where the holder's is refused: that of a deactivated record is (contract 2.6)."""
        try:
            async with self.registry.record(job.lease.orcid):
                return None
        except tuple(STATES) as error:
            return await self._state(job, error)
        except RegistryError:
            return None

    async def _state(self, job: Job, error: RegistryError) -> Finding:
        """The Registry said that the record is locked, deactivated, deprecated, … (contract section 3.5)."""
        lease, fate, primary = job.lease, FATES[STATES[type(error)]], getattr(error, "primary", None)
        if fate.state is State.NOT_FOUND and not lifecycle.confirmed(
            self.policy, lease.unconfirmed_at, lease.leased_at
        ):
            return Finding(outcome="not-found-yet", settlement=lifecycle.settle_unconfirmed(self.policy))
        async with statements(self.database.worker) as connection:
            held = await mirror.load(connection, lease.orcid)
        gone = list(held.items) if fate.removes else []
        doc = b"{}" if fate.removes or held.record is None else held.record.doc
        content = RecordContent(fate.state.value, job.access, primary, doc)
        answer = Answer(
            content, held.modified_at, Comparison([], [], gone), {}, dict.fromkeys(gone, fate.removes or "")
        )
        changeset = await make_changeset(self.database.worker, lease.orcid, held, answer)
        settlement = lifecycle.settle_state(job.turn, self.policy, fate, job.access)
        return Finding(outcome=fate.state.value, settlement=settlement, changeset=changeset)

    async def _leave(self, lease: Lease, turn: Turn) -> Finding:
        """Disconnected: remove the webhook, until ORCID confirmed it; then forget the tokens. The mirror is frozen.

        A notification for an iD that was left long ago means that its webhook is still there.
        """
        if self.subscription:
            await self.subscription.remove(lease.orcid, even_if_unknown=turn.cause is Cause.NOTIFICATION)
        async with transaction(self.database.worker) as connection:
            await queue.hold(connection, lease)
            await connections.finish_disconnecting(connection, lease.orcid)
        return Finding(outcome="disconnected", settlement=Settlement(done=True, due_in=NEVER))

    async def _failure(self, lease: Lease, turn: Turn, error: Exception) -> Finding:
        """Nothing was learnt; the mirror stays as it is (S10)."""
        if isinstance(error, Unauthorized):
            # Not final: researchers revoke, but introspection also fails now and then (contract section 2.6).
            async with statements(self.database.worker) as connection:
                await connections.set_access_state(connection, lease.orcid, "suspect")
        kind = error.kind if isinstance(error, RegistryError) else FAILURES.get(type(error), "defect")
        settlement = lifecycle.settle_failure(turn, kind, self.chance(), _described(kind, error))
        return Finding(outcome="failed", settlement=settlement)

    async def _commit(self, lease: Lease, turn: Turn, finding: Finding) -> None:
        if finding.changeset is NOTHING:
            async with statements(self.database.worker) as connection:
                await queue.settle(connection, lease, finding.settlement, grace=self.grace)
            return
        async with transaction(self.database.worker) as connection:
            await queue.hold(connection, lease)
            await mirror.apply(connection, lease.orcid, finding.changeset.writing)
            await queue.settle(connection, lease, finding.settlement, grace=self.grace)
            # Last, because it keeps everybody else's commits waiting for this one's.
            await changes.append(connection, lease.orcid, finding.changeset.changes, cause=turn.cause.value)


def _turn(lease: Lease) -> Turn:
    return lifecycle.turn(
        lease.lane,
        attempts=lease.attempts,
        leased_at=lease.leased_at,
        second_look_at=lease.second_look_at,
        verified_at=lease.verified_at,
    )


def _described(kind: str, error: Exception) -> str:
    """What operators read; of errors that are not ours only the class, for their text may quote a record."""
    ours = isinstance(error, (RegistryError, *FAILURES))
    return f"{kind}: {error if ours else type(error).__name__}"[:500]


def _older(reading: Reading, lease: Lease) -> bool:
    known, answered = lease.registry_modified_ms, reading.modified_ms
    return known is not None and answered is not None and answered < known


def _log(lease: Lease, turn: Turn, finding: Finding, seconds: float) -> None:
    """The one line that a reconciliation writes; what there was nothing of is left out."""
    settlement = finding.settlement
    facts = {
        "orcid": lease.orcid,
        "outcome": finding.outcome,
        "cause": turn.cause.value,
        "seconds": round(seconds, 3),
        "attempts": settlement.attempts,
        "error": settlement.error,
        **Counter(change.op for change in finding.changeset.changes),
    }
    log.info("reconciled", **{name: fact for name, fact in facts.items() if fact})
