"""The past of one record, from the present and the feed, as far as the present role may see it."""

from datetime import datetime

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.past import Past, decode_past
from orcid_sync.model.record.sections import ItemKey
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

_queries = load_queries(__file__)


async def known_since(connection: AnyConnection, orcid: Orcid) -> datetime | None:
    """Since when the mirror has known the record; None: it never has."""
    moment: datetime | None = await _queries.known_since(connection, orcid=orcid)
    return moment


async def as_of(
    connection: AnyConnection, orcid: Orcid, at: datetime, section: str | None = None
) -> dict[ItemKey, Past]:
    """The record, or one of its sections, as the mirror held it at a moment; what was forgotten since is among it."""
    rows = _queries.as_of(connection, orcid=orcid, at=at, section=section)
    pasts = [decode_past(row["section"], row["key"], row["content"], row["reason"]) async for row in rows]
    return {past.id: past for past in pasts}
