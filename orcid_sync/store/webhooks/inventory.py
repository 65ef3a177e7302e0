"""The inventory of webhooks: every one that may exist at ORCID has a row (invariant S16).

ORCID cannot list them (contract section 1.1), so a row is written *before* ORCID is told and deleted *after* it
confirmed the removal: a crash in between leaves a row too many, which the next reconciliation of the iD puts right,
never an unknown webhook. One row for each generation of addresses (`store.webhooks.generations`) that an iD has a
webhook of.
"""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.side_steps import Failure
from orcid_sync.model.webhooks.registration import Generation, Hook, HookState
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that may exist at ORCID, for people."""

    orcid: Orcid
    generation: int
    key_version: int
    """Version of the secret that its address was derived from."""
    public_url: str
    """What its address begins with."""
    state: str
    """A HookState."""
    requested_at: datetime
    """When that state was entered."""
    registered_at: datetime | None
    last_called_at: datetime | None
    verified_at: datetime | None
    missed: int
    """Changes in a row that it should have announced and did not."""
    suspect_since: datetime | None


async def begin(connection: AnyConnection, orcid: Orcid, generation: int, state: HookState) -> None:
    """Note that ORCID is about to be told; commit before telling it."""
    await load_queries(__file__).begin(connection, orcid=orcid, generation=generation, state=state.value)


async def confirm_registration(connection: AnyConnection, orcid: Orcid, generation: int, *, created: bool) -> None:
    """ORCID has the webhook; `created`: now, else since before. Written also if the row went while ORCID was told."""
    await load_queries(__file__).confirm_registration(connection, orcid=orcid, generation=generation, created=created)


async def begin_removal(connection: AnyConnection, orcid: Orcid, generation: int) -> datetime | None:
    """Note that ORCID is about to be told to remove it; commit before. Returns what `confirm_removal` wants to know."""
    moment: datetime | None = await load_queries(__file__).begin_removal(connection, orcid=orcid, generation=generation)
    return moment


async def confirm_removal(connection: AnyConnection, orcid: Orcid, generation: int, begun_at: datetime | None) -> None:
    """ORCID has the webhook no more: the row goes, unless somebody else told ORCID something meanwhile."""
    await load_queries(__file__).confirm_removal(connection, orcid=orcid, generation=generation, begun_at=begun_at)


async def failed(connection: AnyConnection, orcid: Orcid, generation: int, failure: Failure) -> None:
    """What was begun could not be done, and is tried again later."""
    facts = msgspec.structs.asdict(failure)
    await load_queries(__file__).failed(connection, orcid=orcid, generation=generation, **facts)


async def hooks(connection: AnyConnection, orcid: Orcid) -> list[Hook]:
    """What an iD has of every generation there is, in their order; for `model.webhooks.registration.steps`."""
    return [_hook(row) async for row in load_queries(__file__).load(connection, orcid=orcid)]


async def load(connection: AnyConnection, orcid: Orcid) -> list[Webhook]:
    """The webhooks of an iD, the oldest generation first; during a rotation there are two."""
    return [Webhook(**row) async for row in load_queries(__file__).of_orcid(connection, orcid=orcid)]


async def counts(connection: AnyConnection) -> dict[tuple[int, str], int]:
    """Number of webhooks by (generation, state)."""
    rows = load_queries(__file__).counts(connection)
    return {(row["generation"], row["state"]): row["number"] async for row in rows}


async def revive(
    connection: AnyConnection,
    *,
    limit: int,
    orcids: Collection[Orcid] | None = None,
    suspect: bool = False,
    not_alive_since: datetime | None = None,
) -> list[Orcid]:
    """Have webhooks of the present generation removed and registered again by the reconciliations due next.

    Only those that are active and match all that is given: these iDs, those under suspicion, those that were neither
    created nor heard of since a moment. At most `limit`; returns whose it will be. Lane SWEEP. To be called again until
    nothing is returned; may run inside a reconciliation's transaction, which then must hold its queue row alone.
    """
    marked = load_queries(__file__).mark(
        connection,
        state=HookState.REVIVING.value,
        limit=limit,
        orcids=None if orcids is None else list(orcids),
        suspect=suspect,
        not_alive_since=not_alive_since,
        not_verified_since=None,
    )
    return [row["orcid"] async for row in marked]


async def verify(connection: AnyConnection, *, limit: int, since: datetime) -> list[Orcid]:
    """Have webhooks registered again that were not since a moment: what is there stays as it is, and ORCID says so.

    At most `limit`; returns whose it will be. Lane SWEEP.
    """
    marked = load_queries(__file__).mark(
        connection,
        state=HookState.VERIFYING.value,
        limit=limit,
        orcids=None,
        suspect=False,
        not_alive_since=None,
        not_verified_since=since,
    )
    return [row["orcid"] async for row in marked]


def _hook(row: Any) -> Hook:
    facts = dict(row)
    state = facts.pop("state")
    known = {name: facts.pop(name) for name in ("age", "attempts", "again_in")}
    return Hook(generation=Generation(**facts), state=HookState(state) if state else None, **known)
