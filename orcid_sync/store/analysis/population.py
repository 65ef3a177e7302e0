"""What planning can learn from the mirror itself: how many records, how they are read, how often they change."""

from msgspec import Struct

from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries


class Observed(Struct, frozen=True, kw_only=True):
    """What was seen so far."""

    connected: int
    limited_share: float
    """Share of the iDs that are read with a token of their holder."""
    days: float
    """Over how long changes were observed, 30 days at most."""
    sessions: int
    """Hours of records in which something visible changed, first loads aside."""
    records: int
    """Records that were looked at for `details`."""
    details: float | None
    """Requests for full forms that a first load of one record needs, on average; None without records."""


async def observe(connection: AnyConnection) -> Observed:
    """Look at the mirror and its feed."""
    row = await load_queries(__file__).population(connection)
    return Observed(**row)
