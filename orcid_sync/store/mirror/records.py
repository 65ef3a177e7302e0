"""The mirror for those who read it over HTTP: records with their items, as the feed speaks of them."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter

import msgspec

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.diff import RECORD
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

_queries = load_queries(__file__)


class Item(msgspec.Struct, frozen=True):
    """An item; its content is what the feed has as `new`."""

    section: str
    key: str
    content: msgspec.Raw


class Record(msgspec.Struct, frozen=True):
    """A record: what the feed says of the section `record`, and its items by section and key."""

    orcid: str
    record: msgspec.Raw
    items: list[Item]


async def page(connection: AnyConnection, after: str, *, limit: int) -> list[Record]:
    """Records in the order of their iDs, those after `after`."""
    rows = [row async for row in _queries.page(connection, after=after, limit=limit)]
    items = await _items(connection, [row["orcid"] for row in rows])
    return [Record(row["orcid"], msgspec.Raw(row["content"]), items.get(row["orcid"], [])) for row in rows]


async def load(
    connection: AnyConnection, orcid: Orcid, *, at: datetime | None = None, section: str | None = None
) -> list[Item] | None:
    """A record at that moment or now: its items, or those of one section, and itself as an item of the section record.

    None if the mirror does not have it, or did not have it then.
    """
    rows = [row async for row in _queries.as_of(connection, orcid=orcid, at=at, section=section)]
    items = [Item(row["section"], row["key"], msgspec.Raw(row["content"])) for row in rows]
    if all(item.section != RECORD for item in items):
        return None
    return [item for item in items if section in {None, item.section}]


async def verified_at(connection: AnyConnection, orcid: Orcid) -> datetime | None:
    """When the mirror was last known to equal the Registry's answer; None: never, or it is not followed."""
    when: datetime | None = await _queries.verified_at(connection, orcid=orcid)
    return when


async def _items(connection: AnyConnection, orcids: Sequence[str]) -> dict[str, list[Item]]:
    rows = [row async for row in _queries.items(connection, orcids=orcids)]
    grouped = groupby(rows, key=itemgetter("orcid"))
    return {
        orcid: [Item(row["section"], row["key"], msgspec.Raw(row["content"])) for row in found]
        for orcid, found in grouped
    }
