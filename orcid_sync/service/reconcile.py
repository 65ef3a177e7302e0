"""Reconciling one iD: the one place where core, Registry and store meet.

    connection -> [webhook] -> read -> compare -> BEGIN hold, apply, settle, append COMMIT -> one log line

Whatever woke it, it looks at everything about the iD and makes it right: the webhook, the mirror, the change feed, the
time of the next look. The reads happen outside any transaction; what they found is written in one, under the lease's
fence, or not at all.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b

import structlog

from orcid_sync.model import diff, lifecycle
from orcid_sync.model.diff import Change, Held, RecordContent, Writing
from orcid_sync.model.extract import moment
from orcid_sync.model.lifecycle import FATES, Applied, Cause, Fate, Policy, Settlement, State, Turn
from orcid_sync.model.record import Record, parse_record
from orcid_sync.model.sections import SECTIONS, ItemKey, MalformedRecord
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
from orcid_sync.service.reading import digest_of, items_of, read_details, unhurried
from orcid_sync.service.subscription import Subscription
from orcid_sync.store import changes, connections, mirror, queue
from orcid_sync.store.connections import Connection
from orcid_sync.store.database import Database, DatabaseRefused, transaction
from orcid_sync.store.queue import Lease
from orcid_sync.store.vault import Vault, VaultError

STATES = {
    Locked: State.LOCKED,
    Unclaimed: State.UNCLAIMED,
    Deactivated: State.DEACTIVATED,
    Deprecated: State.DEPRECATED,
    NotFound: State.NOT_FOUND,
}
"""Answers that speak of the record's state (contract section 4.2); every other error tells nothing about it (S10)."""

NEVER = timedelta(days=36_500)

log = structlog.get_logger(__name__)


class Stale(Exception):
    """The answer is older than what the mirror holds: one of ORCID's replicas lags behind (contract section 3.9)."""


class Report(dict[str, object]):
    """What the canonical log line says about one reconciliation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One leased iD on its way through."""

    lease: Lease
    turn: Turn
    connection: Connection
    token: str | None = field(repr=False)
    access: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is to be committed for one iD."""

    settlement: Settlement
    writing: Writing = field(default_factory=lambda: Writing(None))
    changes: Sequence[Change] = ()
    outcome: str


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
    on_commit: Callable[[Lease, Finding], None] = field(default=lambda _lease, _finding: None)
    """Told of each committed reconciliation, for metrics."""

    async def reconcile(self, lease: Lease) -> str:
        """Make everything about the leased iD right; returns the outcome as one word.

        Raises LeaseLost and DatabaseUnavailable: then nothing was written, and the iD is leased again.
        """
        finding = await self._find(lease)
        try:
            await self._commit(lease, finding)
        except DatabaseRefused:
            # Something in the record that PostgreSQL does not take; not lost, tried again, and visible to operators.
            finding = self._failure(_turn(lease), "refused by the database", "refused")
            await self._commit(lease, finding)
        except MalformedRecord as error:
            finding = self._failure(_turn(lease), f"malformed: {error}", "malformed")
            await self._commit(lease, finding)
        self.on_commit(lease, finding)
        _log(lease, finding)
        return finding.outcome

    async def _find(self, lease: Lease) -> Finding:
        turn = _turn(lease)
        async with transaction(self.database.worker) as connection:
            known = await connections.load(connection, lease.orcid)
        if known is None or known.state != "connected":
            return await self._leave(lease, turn)
        try:
            token, access = self._access(known)
            job = Job(lease=lease, turn=turn, connection=known, token=token, access=access)
            if self.subscription:
                await self.subscription.ensure(lease.orcid)
            return await self._read(job)
        except tuple(STATES) as error:
            return await self._state(lease, turn, FATES[STATES[type(error)]], access, getattr(error, "primary", None))
        except Stale:
            return self._failure(turn, "stale")
        except VaultError:
            return self._failure(turn, "token does not open: check encryption_key", "vault")
        except MalformedRecord as error:
            return self._failure(turn, f"malformed: {error}", "malformed")
        except Unauthorized as error:
            async with transaction(self.database.worker) as connection:
                await connections.set_access_state(connection, lease.orcid, "suspect")
            return self._failure(turn, error.kind)
        except RegistryError as error:
            return self._failure(turn, error.kind)

    def _access(self, known: Connection) -> tuple[str | None, str]:
        """The token to read with, None for our own, and what it reads (contract section 3.4)."""
        if known.access_token is None or known.access_state not in ("granted", "suspect"):
            return None, lifecycle.READ_PUBLIC
        token = self.vault.open(known.access_token, orcid=known.orcid, column="access_token")
        return token, lifecycle.access_of(set(known.scopes))

    async def _read(self, job: Job) -> Finding:
        """Read the record and compare it with the mirror."""
        async with self.registry.record(job.lease.orcid, job.token) as body:
            digest = await digest_of(body)
            if (digest, job.access) == (job.lease.body_digest, job.lease.body_access):
                return self._unchanged(job, digest)
            record = parse_record(body)
            del body
            return await self._compare(job, record, digest)

    def _unchanged(self, job: Job, digest: bytes) -> Finding:
        applied = Applied(digest, job.access, job.lease.registry_modified_ms)
        settlement = lifecycle.settle_read(job.turn, self.policy, applied, self.chance())
        return Finding(settlement=settlement, outcome="unchanged")

    async def _compare(self, job: Job, record: Record, digest: bytes) -> Finding:
        orcid = job.lease.orcid
        if _older(record, job.lease) and job.turn.attempts < lifecycle.STALE_TRIES:
            raise Stale
        items = await items_of(record)
        async with transaction(self.database.worker) as connection:
            held = await mirror.load(connection, orcid)
        details, complete = await read_details(self.registry, orcid, job.token, items, held.items)
        answered = [section.name for section, _ in record.answered()]
        comparison = diff.compare(held.items, answered, items, details)
        reasons = {key: _reason(held, key, job.access) for key in comparison.gone}
        if unconfirmed := self._to_confirm(job, held, reasons):
            return unconfirmed
        content = RecordContent("active", job.access, None, record.doc)
        at = moment(Timestamp(record.modified_ms))
        changed, writing = await self._changeset(orcid, held, comparison, details, reasons, content, at)
        applied = Applied(digest if complete else None, job.access, record.modified_ms)
        settlement = lifecycle.settle_read(job.turn, self.policy, applied, self.chance())
        return Finding(
            settlement=settlement, writing=writing, changes=changed, outcome="changed" if changed else "unchanged"
        )

    def _to_confirm(self, job: Job, held: Held, reasons: dict[ItemKey, str]) -> Finding | None:
        """Whether so much would go that an independent second read must agree first (design section 8, S8)."""
        removed = sorted(key for key, reason in reasons.items() if reason == "removed")
        if not diff.shrinks(held.items, removed):
            return None
        digest = blake2b(repr(removed).encode(), digest_size=16).digest()
        lease = job.lease
        agrees = digest == lease.held_digest and lifecycle.confirmed(self.policy, lease.held_at, lease.leased_at)
        if agrees:
            return None
        return Finding(settlement=lifecycle.settle_held(self.policy, digest), outcome="held")

    async def _changeset(
        self,
        orcid: str,
        held: Held,
        comparison: diff.Comparison,
        details: dict[ItemKey, bytes],
        reasons: dict[ItemKey, str],
        content: RecordContent,
        at: datetime | None,
    ) -> tuple[list[Change], Writing]:
        """All that differs, as changes for the feed and as what to write."""
        async with transaction(self.database.worker) as connection:
            wanted = [*comparison.gone, *(item.id for item in comparison.moved)]
            old = await mirror.load_contents(connection, orcid, wanted)
        own = diff.record_change(orcid, held.record, content, at)
        changed = [own] if own else []
        changed += [diff.removal(key, held.items[key], old[key], reason=reasons[key], at=at) for key in comparison.gone]
        updates = []
        async for item in unhurried(comparison.moved):
            update, change = diff.update(orcid, item, old[item.id], details.get(item.id))
            updates.append(update)
            changed += [change] if change else []
        added = []
        async for item in unhurried(comparison.added):
            new = diff.with_detail(item.content, details.get(item.id))
            added.append((SECTIONS[item.section], new))
            changed.append(diff.addition(item, new))
        writing = Writing(at, content if own else None, held.record is None, added, updates, comparison.gone)
        return changed, writing

    async def _state(self, lease: Lease, turn: Turn, fate: Fate, access: str, primary: str | None) -> Finding:
        """The Registry said that the record is locked, deactivated, deprecated, … (contract section 3.5)."""
        unsure = fate.state is State.NOT_FOUND and not lifecycle.confirmed(
            self.policy, lease.not_found_at, lease.leased_at
        )
        if unsure:
            return Finding(settlement=lifecycle.settle_unconfirmed(self.policy), outcome="not found yet")
        async with transaction(self.database.worker) as connection:
            held = await mirror.load(connection, lease.orcid)
        gone = list(held.items) if fate.removes else []
        doc = b"{}" if fate.removes or held.record is None else held.record.doc
        content = RecordContent(fate.state.value, access, primary, doc)
        comparison = diff.Comparison([], [], gone)
        reasons = dict.fromkeys(gone, fate.removes or "")
        changed, writing = await self._changeset(lease.orcid, held, comparison, {}, reasons, content, None)
        settlement = lifecycle.settle_state(turn, fate, access)
        return Finding(settlement=settlement, writing=writing, changes=changed, outcome=fate.state.value)

    async def _leave(self, lease: Lease, turn: Turn) -> Finding:
        """Disconnected: remove the webhook, until ORCID confirmed it; then forget the tokens. The mirror is frozen.

        A notification for an iD that was left long ago means that its webhook is still there.
        """
        try:
            if self.subscription:
                await self.subscription.remove(lease.orcid, even_if_unknown=turn.cause is Cause.NOTIFICATION)
        except RegistryError as error:
            return self._failure(turn, error.kind)
        async with transaction(self.database.worker) as connection:
            await queue.hold(connection, lease)
            await connections.finish_disconnecting(connection, lease.orcid)
        return Finding(settlement=Settlement(done=True, due_in=NEVER), outcome="disconnected")

    def _failure(self, turn: Turn, error: str, kind: str | None = None) -> Finding:
        return Finding(settlement=lifecycle.settle_failure(turn, kind or error, self.chance(), error), outcome="failed")

    async def _commit(self, lease: Lease, finding: Finding) -> None:
        async with transaction(self.database.worker) as connection:
            await queue.hold(connection, lease)
            if finding.settlement.applied is not None:
                await mirror.apply(connection, lease.orcid, finding.writing)
            await queue.settle(connection, lease, finding.settlement, grace=self.grace)
            # Last, because it keeps everybody else's commits waiting for this one's.
            await changes.append(connection, lease.orcid, finding.changes, cause=_turn(lease).cause.value)


def _turn(lease: Lease) -> Turn:
    return lifecycle.turn(
        lease.lane,
        attempts=lease.attempts,
        leased_at=lease.leased_at,
        second_look_at=lease.second_look_at,
        verified_at=lease.verified_at,
    )


def _older(record: Record, lease: Lease) -> bool:
    known, answered = lease.registry_modified_ms, record.modified_ms
    return known is not None and answered is not None and answered < known


def _reason(held: Held, key: ItemKey, access: str) -> str:
    """Why an item is no longer there: a read with less access must never be taken for a deletion (design section 5)."""
    less = held.record is not None and (held.record.access, access) == (lifecycle.READ_LIMITED, lifecycle.READ_PUBLIC)
    return "access-lost" if less and held.items[key].visibility != "public" else "removed"


def _log(lease: Lease, finding: Finding) -> None:
    settlement = finding.settlement
    counts = Counter(change.op for change in finding.changes)
    log.info(
        "reconciled",
        orcid=lease.orcid,
        outcome=finding.outcome,
        cause=_turn(lease).cause.value,
        attempts=settlement.attempts or None,
        error=settlement.error,
        **counts,
    )
