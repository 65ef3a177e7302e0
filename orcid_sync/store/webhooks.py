"""The inventory of webhooks: every one that may exist at ORCID has a row (invariant S16).

ORCID cannot list them (contract section 1.1), so a row is written *before* ORCID is told and deleted *after* it
confirmed the removal: a crash in between leaves a row too many, which the next reconciliation of the iD puts right,
never an unknown webhook.
"""

from datetime import datetime

import msgspec

from orcid_sync.model.ids import Orcid
from orcid_sync.store.database import AnyConnection
from orcid_sync.store.queries import load_queries


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook that may exist at ORCID."""

    orcid: Orcid
    key_version: int
    """Version of the secret that its address was derived from."""
    state: str
    """registering: the PUT may have arrived; active: it did; removing: the DELETE may have arrived."""
    requested_at: datetime
    registered_at: datetime | None


async def begin_registration(connection: AnyConnection, orcid: Orcid, key_version: int) -> None:
    """Note that ORCID is about to be told; commit before telling it."""
    await load_queries("webhooks").begin_registration(connection, orcid=orcid, key_version=key_version)


async def confirm_registration(connection: AnyConnection, orcid: Orcid, key_version: int) -> None:
    """ORCID confirmed the registration."""
    await load_queries("webhooks").confirm_registration(connection, orcid=orcid, key_version=key_version)


async def begin_removal(connection: AnyConnection, orcid: Orcid, key_version: int) -> None:
    """Note that ORCID is about to be told to remove it; commit before telling it."""
    await load_queries("webhooks").begin_removal(connection, orcid=orcid, key_version=key_version)


async def confirm_removal(connection: AnyConnection, orcid: Orcid, key_version: int) -> None:
    """ORCID confirmed the removal (or does not know the webhook): the row goes."""
    await load_queries("webhooks").confirm_removal(connection, orcid=orcid, key_version=key_version)


async def load(connection: AnyConnection, orcid: Orcid) -> list[Webhook]:
    """The webhooks of an iD, the oldest key first; during a rotation there are two."""
    return [Webhook(**row) async for row in load_queries("webhooks").load(connection, orcid=orcid)]


async def counts(connection: AnyConnection) -> dict[tuple[int, str], int]:
    """Number of webhooks by (key version, state)."""
    rows = load_queries("webhooks").counts(connection)
    return {(row["key_version"], row["state"]): row["number"] async for row in rows}
