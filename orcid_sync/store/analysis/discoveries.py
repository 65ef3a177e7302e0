"""Record holders at the institution who are not connected: what is known of them, and who must not be suggested."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import msgspec

from orcid_sync.model.analysis.discovery import Evidence
from orcid_sync.model.ids import Orcid
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

_queries = load_queries(__file__)


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who might be asked."""

    orcid: Orcid
    found_by: list[str]
    """The identifiers, domains and names by which the search found them last."""
    name: str | None
    evidence: Evidence
    first_seen_at: datetime
    last_seen_at: datetime
    examined_at: datetime
    """When their record was read for evidence."""
    told_at: datetime | None
    """When they were first listed; None: they are news."""


async def barred(connection: AnyConnection, orcids: Collection[Orcid]) -> dict[Orcid, str]:
    """Who of them is not to be suggested, and why: connected, left, erased, denied, invited or dismissed."""
    rows = _queries.barred(connection, orcids=list(orcids))
    return {row["orcid"]: row["reason"] async for row in rows}


async def see(connection: AnyConnection, found: Mapping[Orcid, Collection[str]]) -> None:
    """Note that the search has found them, by what."""
    ways = ["\n".join(sorted(ways)) for ways in found.values()]
    await _queries.see(connection, orcids=list(found), found_by=ways)


async def waiting(connection: AnyConnection, orcids: Collection[Orcid], *, again: timedelta, limit: int) -> list[Orcid]:
    """Those of them whose record is to be read: for the first time, or `again` after the last."""
    rows = _queries.waiting(connection, orcids=list(orcids), again=again, limit=limit)
    return [row["orcid"] async for row in rows]


async def shared(connection: AnyConnection, orcid: Orcid, dois: Collection[str]) -> list[str]:
    """Which of these DOIs mirrored works of others have."""
    return [row["identifier"] async for row in _queries.shared(connection, orcid=orcid, dois=list(dois))]


async def examine(connection: AnyConnection, orcid: Orcid, name: str | None, evidence: Evidence | None) -> None:
    """Note what the record says; nothing (None) is noted, too, so that it is not read again at once."""
    document = None if evidence is None else msgspec.json.encode(evidence)
    await _queries.examine(connection, orcid=orcid, name=name if evidence else None, evidence=document)


async def forget_barred(connection: AnyConnection, orcids: Collection[Orcid], *, keep: timedelta) -> int:
    """Forget these, and whoever was not found for so long; returns how many were known."""
    number: int = await _queries.forget_barred(connection, orcids=list(orcids), keep=keep)
    return number


async def forget_person(connection: AnyConnection, orcid: str) -> int:
    """Forget somebody who is erased; returns the number of rows."""
    number: int = await _queries.forget_person(connection, orcid=orcid)
    return number


async def is_known(connection: AnyConnection, orcid: str, at: datetime) -> bool:
    """Whether somebody had been found by that moment, still is, and was never connected."""
    return bool(await _queries.is_known(connection, orcid=orcid, at=at))


async def all_orcids(connection: AnyConnection) -> list[Orcid]:
    """Everybody who was found and not dismissed."""
    return [row["orcid"] async for row in _queries.all_orcids(connection)]


async def list_people(connection: AnyConnection) -> list[Discovery]:
    """Those of whom there is evidence, the most convincing first."""
    return [
        Discovery(**{**row, "evidence": msgspec.json.decode(row["evidence"], type=Evidence)})
        async for row in _queries.list_people(connection)
    ]


async def tell(connection: AnyConnection, orcids: Collection[Orcid]) -> None:
    """Note that they were listed: they are news no longer."""
    await _queries.tell(connection, orcids=list(orcids))


async def dismiss(connection: AnyConnection, orcids: Collection[Orcid]) -> list[Orcid]:
    """Never suggest them again; nothing but the iD is kept of them."""
    return [row["orcid"] async for row in _queries.dismiss(connection, orcids=list(orcids))]
