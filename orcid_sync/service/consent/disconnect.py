"""Disconnecting an iD: nothing of it stays at ORCID, and of the mirror only what is public.

Tokens that are not used any more are revoked at ORCID, also of iDs that stay connected, until ORCID has confirmed it:
each authorisation adds a token, and taking one back leaves the others alive (contract sections 2.4 and 2.6).
"""

from datetime import timedelta

import asyncpg
import structlog
from msgspec.structs import replace

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.access import PUBLIC
from orcid_sync.model.record.diff import Comparison
from orcid_sync.model.record.removals import ACCESS_LOST
from orcid_sync.model.sync.schedule import Applied, Cause, Settlement, Turn
from orcid_sync.registry.client import Registry
from orcid_sync.registry.errors import BadRequest, ClientDisabled, Forbidden
from orcid_sync.service.record.changeset import Answer, make_changeset
from orcid_sync.service.record.read_outcome import Finding, Superseded
from orcid_sync.service.webhooks.registration import Subscription
from orcid_sync.store.consent import connections
from orcid_sync.store.database.encryption import Vault, VaultError
from orcid_sync.store.database.pools import AnyConnection, statements, transaction
from orcid_sync.store.feed import changes, forgetting
from orcid_sync.store.mirror import items
from orcid_sync.store.sync import access, doubts, queue
from orcid_sync.store.sync.access import Known
from orcid_sync.store.sync.queue import Lease
from orcid_sync.store.webhooks import inventory


class WebhookLeft(Exception):
    """A webhook stays at ORCID that this configuration cannot remove; the message says why."""


NEVER = timedelta(days=36_500)
"""When an iD is due that was let go."""

log = structlog.get_logger(__name__)


async def revoke_retired(pool: asyncpg.Pool, registry: Registry, vault: Vault, orcid: Orcid) -> None:
    """Revoke every token of the iD that is not used any more. Raises RegistryError, VaultError: the rest is left.

    One that is in use again, because the same was handed to us twice, is only taken from the list.
    """
    async with statements(pool) as connection:
        waiting = await access.retired(connection, orcid)
        used = await access.in_use(connection, orcid)
    present = vault.open(used, orcid=orcid, column="access_token") if used else None
    for old in waiting:
        token = vault.open(old.access_token, orcid=orcid, column="access_token")
        if token != present:
            await registry.revoke_token(token)
        async with statements(pool) as connection:
            await access.forget_retired(connection, orcid, old.number)


async def revoke_in_passing(pool: asyncpg.Pool, registry: Registry, vault: Vault, orcid: Orcid) -> None:
    """The same for an iD that stays: what only a person can put right does not stop its mirror.

    Raises RegistryError if the Registry is away.
    """
    try:
        await revoke_retired(pool, registry, vault, orcid)
    except (Forbidden, BadRequest, ClientDisabled, VaultError) as error:
        log.warning("retired token not revoked", orcid=orcid, reason=str(error))


async def leave(
    pool: asyncpg.Pool,
    registry: Registry,
    vault: Vault,
    subscription: Subscription | None,
    lease: Lease,
    turn: Turn,
    known: Known | None,
) -> Finding:
    """Disconnected: what is not public goes here, at once, then webhook and tokens at ORCID; the rest stays, frozen.

    A notification for an iD that was left long ago means that its webhook is still there. Raises RegistryError,
    VaultError, WebhookLeft: it is tried again until all is done.
    """
    going = known is not None and known.state == "disconnecting"
    if going:
        await _withdraw(pool, lease, turn)
    if subscription:
        await subscription.remove(lease.orcid, even_if_unknown=turn.cause is Cause.NOTIFICATION)
    await revoke_retired(pool, registry, vault, lease.orcid)
    await _demand_no_webhook(pool, lease.orcid)
    # Nothing of the past is known to be as it was when whoever left comes back.
    settlement = Settlement(done=True, due_in=NEVER, applied=Applied(None, PUBLIC.text, None))
    return Finding(outcome="disconnected", settlement=settlement, effects=(_finish,) if going else ())


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


async def _demand_no_webhook(pool: asyncpg.Pool, orcid: Orcid) -> None:
    async with statements(pool) as connection:
        if await inventory.load(connection, orcid):
            raise WebhookLeft("a webhook is left that cannot be removed: its secret is not in old_webhook_secrets")


async def _finish(connection: AnyConnection, orcid: Orcid) -> None:
    await _demand_disconnecting(connection, orcid)
    await forgetting.forget_limited(connection, orcid)  # items that went long ago have left their past, too
    await doubts.forget(connection, orcid)
    if not await connections.finish_disconnecting(connection, orcid):
        raise Superseded("another token is to be revoked")
