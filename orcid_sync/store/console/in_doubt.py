"""What is in doubt (`model.record.doubts`), for those who look: counts, lists, and what of it readers may know."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.doubts import Doubt, Kind
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

_queries = load_queries(__file__)


class DoubtCount(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one kind is in doubt at present."""

    kind: Kind
    number: int
    records: int
    since: datetime
    """When the oldest was first met."""
    oldest_seconds: float
    example: Orcid
    """Whose is the oldest."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing in doubt, as it is listed."""

    orcid: Orcid
    kind: Kind
    section: str
    key: str
    reason: str
    since: datetime
    attempts: int
    due_at: datetime | None
    released: bool
    doc: str | None
    """Of a part that was set aside, if it was asked for: as ORCID gave it."""


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """Parts of one section that cannot be understood for the same reason."""

    section: str
    reason: str
    number: int
    records: int
    since: datetime
    example: Orcid


async def counts(connection: AnyConnection) -> list[DoubtCount]:
    """By kind; nothing if nothing is in doubt."""
    return [DoubtCount(**{**row, "kind": Kind(row["kind"])}) async for row in _queries.counts(connection)]


async def of_record(connection: AnyConnection, orcid: Orcid) -> list[Doubt]:
    """What is in doubt of an iD, the oldest first; without what ORCID said of it."""
    return [_doubt(dict(row)) async for row in _queries.of_record(connection, orcid=orcid)]


async def visible(connection: AnyConnection, orcid: Orcid, doubts: Iterable[Doubt]) -> list[Doubt]:
    """What of that the present role may know (`store.database.roles`): of sections, and of items that it sees.

    A part that was set aside may be anybody's secret: nothing of it is told, not even that there is one.
    """
    known = [doubt for doubt in doubts if doubt.kind is not Kind.ITEM]
    items = [doubt for doubt in known if doubt.kind is not Kind.SECTION]
    wish = {"sections": [doubt.section for doubt in items], "keys": [doubt.key for doubt in items]}
    seen = {(row["section"], row["key"]) async for row in _queries.visible(connection, orcid=orcid, **wish)}
    return [doubt for doubt in known if doubt.kind is Kind.SECTION or (doubt.section, doubt.key) in seen]


async def documents(connection: AnyConnection, orcid: Orcid) -> dict[str, str]:
    """The parts of a record that were set aside, by their keys. For the owner only."""
    return {row["key"]: row["doc"] or "" async for row in _queries.documents(connection, orcid=orcid)}


async def entries(
    connection: AnyConnection,
    *,
    orcid: Orcid | None = None,
    kind: Kind | None = None,
    documents: bool = False,
    limit: int,
) -> list[Entry]:
    """Up to `limit` things in doubt, the oldest first; `documents`: with the parts that were set aside."""
    wish = {"orcid": orcid, "kind": kind and kind.value, "documents": documents, "limit": limit}
    return [Entry(**{**row, "kind": Kind(row["kind"])}) async for row in _queries.entries(connection, **wish)]


async def set_aside(connection: AnyConnection) -> list[SetAside]:
    """What this version does not understand, by section and reason, the most frequent first."""
    return [SetAside(**row) async for row in _queries.set_aside(connection)]


def _doubt(row: dict[str, Any]) -> Doubt:
    return Doubt(**{**row, "kind": Kind(row["kind"]), "may_be": tuple(row["may_be"])})
