"""Disconnecting an iD: nothing of it stays at ORCID, and of the mirror only what is public.

Tokens that are not used any more are revoked at ORCID, also of iDs that stay connected, until ORCID has confirmed it:
each authorisation adds a token, and taking one back leaves the others alive (contract sections 2.4 and 2.6).
"""

from collections.abc import Mapping
from datetime import timedelta

import asyncpg
import structlog
from msgspec.structs import replace

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.access import PUBLIC
from orcid_sync.model.record.diff import Comparison
from orcid_sync.model.record.removals import ACCESS_LOST
from orcid_sync.model.sync import schedule
from orcid_sync.model.sync.schedule import Applied, Cause, Lane, Settlement, Turn
from orcid_sync.model.sync.side_steps import is_waiting, soonest
from orcid_sync.registry.client import Registry
from orcid_sync.service.record.changeset import Answer, make_changeset
from orcid_sync.service.record.read_outcome import Finding, Superseded
from orcid_sync.service.record.side_steps import Effort, attempt
from orcid_sync.service.webhooks.registration import Subscription
from orcid_sync.store.consent import connections
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.database.pools import AnyConnection, statements, transaction
from orcid_sync.store.feed import changes, forgetting
from orcid_sync.store.mirror import items
from orcid_sync.store.sync import access, doubts, queue
from orcid_sync.store.sync.access import Known, Retired
from orcid_sync.store.sync.queue import Lease
from orcid_sync.store.webhooks import inventory

NEVER = timedelta(days=36_500)
"""When an iD is due that was let go."""

UNREMOVABLE = "a webhook that cannot be removed, because its secret is not in old_webhook_secrets"
"""What is left of an iD if nobody knows the address of its webhook."""

log = structlog.get_logger(__name__)


async def revoke_retired(
    pool: asyncpg.Pool, registry: Registry, vault: Vault, orcid: Orcid, effort: Effort
) -> timedelta | None:
    """Revoke every token of the iD that is not used any more; time until what failed is tried again. Raises Paused.

    Each token fails for itself, and none of them stops the reading of the record. One that is in use again, because the
    same was handed to us twice, is only taken from the list.
    """
    async with statements(pool) as connection:
        waiting = await access.retired(connection, orcid)
        used = await access.in_use(connection, orcid)

    async def revoke(old: Retired) -> None:
        token = vault.open(old.access_token, orcid=orcid, column="access_token")
        if used is None or token != vault.open(used, orcid=orcid, column="access_token"):
            await registry.revoke_token(token)
        async with statements(pool) as connection:
            await access.forget_retired(connection, orcid, old.number)

    async def wait(old: Retired) -> timedelta | None:
        if is_waiting(old.again_in) and not effort.at_once:
            return old.again_in
        failure = await attempt(revoke(old), attempts=old.attempts, effort=effort)
        if failure is None:
            return None
        async with statements(pool) as connection:
            await access.revocation_failed(connection, orcid, old.number, failure)
        log.warning("retired token not revoked", orcid=orcid, reason=failure.error)
        return failure.again_in

    return soonest([await wait(old) for old in waiting])


async def leave(
    pool: asyncpg.Pool,
    registry: Registry,
    vault: Vault,
    subscription: Subscription | None,
    lease: Lease,
    turn: Turn,
    known: Known | None,
    effort: Effort,
) -> Finding:
    """Disconnected: what is not public goes here, at once, then webhook and tokens at ORCID; the rest stays, frozen.

    A notification for an iD that was left long ago means that its webhook is still there. Webhook and tokens do not
    wait for each other: each is tried again by itself, until all is done. Raises Paused.
    """
    going = known is not None and known.state == "disconnecting"
    if going:
        await _withdraw(pool, lease, turn)
    left: dict[str, timedelta] = {}
    even_if_unknown = turn.cause is Cause.NOTIFICATION
    if subscription and (again_in := await subscription.remove(lease.orcid, effort, even_if_unknown=even_if_unknown)):
        left["its webhook"] = again_in
    elif await _has_webhook(pool, lease.orcid):
        left[UNREMOVABLE] = schedule.backoff("webhook_left", turn.attempts + 1, effort.chance())
    if again_in := await revoke_retired(pool, registry, vault, lease.orcid, effort):
        left["a token"] = again_in
    if left:
        return Finding(outcome="failed", settlement=_to_be_continued(turn, left))
    # Nothing of the past is known to be as it was when whoever left comes back.
    settlement = Settlement(done=True, due_in=NEVER, applied=Applied(None, PUBLIC.text, None))
    return Finding(outcome="disconnected", settlement=settlement, effects=(_finish,) if going else ())


def _to_be_continued(turn: Turn, left: Mapping[str, timedelta]) -> Settlement:
    """Not in an operator's lane: what failed keeps to its back-off from now on."""
    error = f"disconnecting: still at ORCID: {', '.join(left)}"
    return Settlement(done=False, due_in=min(left.values()), lane=Lane.CHECK, attempts=turn.attempts + 1, error=error)


async def _withdraw(pool: asyncpg.Pool, lease: Lease, turn: Turn) -> None:
    """What was not public goes, with its past. What is withheld as a whole stays so."""
    async with statements(pool) as connection:
        held = await items.load(connection, lease.orcid)
    if held.record is None:
        return
    gone = [key for key, item in held.items.items() if item.visibility != "public"]
    content = replace(held.record, access=PUBLIC.kind, withheld="all" if held.record.withheld == "all" else None)
    answer = Answer(content, held.modified_at, Comparison([], [], gone), {}, dict.fromkeys(gone, ACCESS_LOST))
    changeset = await make_changeset(pool, lease.orcid, held, answer)
    if not changeset.changes:
        return
    async with transaction(pool) as connection:
        await queue.hold(connection, lease, alone=True)
        await _demand_disconnecting(connection, lease.orcid)
        await items.apply(connection, lease.orcid, changeset.writing)
        await forgetting.forget_limited(connection, lease.orcid)
        await doubts.forget(connection, lease.orcid)
        # Who connects again before all is done at ORCID may be shown what was shown before, and must get it back.
        await queue.disregard(connection, lease, PUBLIC.text)
        await changes.append(connection, lease.orcid, changeset.changes, cause=turn.cause.value)


async def _demand_disconnecting(connection: AnyConnection, orcid: Orcid) -> None:
    if await access.lock_state(connection, orcid) != "disconnecting":
        raise Superseded("it was connected again")


async def _has_webhook(pool: asyncpg.Pool, orcid: Orcid) -> bool:
    async with statements(pool) as connection:
        return bool(await inventory.load(connection, orcid))


async def _finish(connection: AnyConnection, orcid: Orcid) -> None:
    await _demand_disconnecting(connection, orcid)
    await forgetting.forget_limited(connection, orcid)  # items that went long ago have left their past, too
    await doubts.forget(connection, orcid)
    if not await connections.finish_disconnecting(connection, orcid):
        raise Superseded("another token is to be revoked")
