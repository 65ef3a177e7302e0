"""How much happened, hour by hour: changes of the mirror, notifications of ORCID."""

from datetime import datetime

import msgspec

from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries


class Hour(msgspec.Struct, frozen=True):
    """What fell into one hour."""

    began: datetime
    changes: int
    """Lines of the feed, minor ones and first loads included."""
    notifications: int
    """Notifications that were acknowledged."""


async def hourly_counts(connection: AnyConnection, *, hours: int) -> list[Hour]:
    """The last hours (UTC), the oldest first; the present one is not over."""
    return [Hour(**row) async for row in load_queries(__file__).hourly_counts(connection, hours=hours)]
