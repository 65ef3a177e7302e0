"""Lists of connections: by state, with names, and found by iD or name."""

from collections.abc import Collection
from datetime import datetime

import msgspec

from orcid_sync.model.ids import Orcid
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

MOST_FOUND = 2_000
"""iDs that a search for a name gives; who finds more than that has to say more of it."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How an iD stands."""

    orcid: Orcid
    connection: str
    access_state: str
    state: str | None
    """State of the record; None before the first read."""
    primary_orcid: Orcid | None
    verified_at: datetime | None
    due_at: datetime
    leased: bool
    attempts: int
    last_error: str | None
    held: bool
    """Something waits for a second read to say it again."""
    in_doubt: bool
    """The last answer left something in doubt, that included."""


class Named(msgspec.Struct, frozen=True):
    """Who an iD belongs to, as far as the reader may see it."""

    orcid: Orcid
    name: str | None
    employer: str | None


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """A record, as far as the reader may see it."""

    state: str
    access: str
    primary_orcid: Orcid | None
    """What a merged iD became."""
    registry_modified_at: datetime | None
    first_seen_at: datetime
    changed_at: datetime
    withheld: str | None
    """What readers are not shown for the time being: limited, all; None: nothing."""
    name: str | None
    employer: str | None


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One item, or the best visible version of several that ORCID groups."""

    section: str
    key: str
    visibility: str | None
    modified_at: datetime | None
    versions: int
    total: int
    """Entries of the section."""
    source: str | None
    """Who asserted it, as ORCID names them."""
    doc: bytes


async def standings(
    connection: AnyConnection, standing: str, *, after: str, limit: int, among: Collection[Orcid] | None = None
) -> tuple[int, list[Standing]]:
    """How many iDs stand so (as the .sql file names it), and the first of them after an iD; `among`: only of these."""
    wish = {"standing": standing, "after": after, "limit": limit, "orcids": None if among is None else list(among)}
    found = await load_queries(__file__).standings(connection, **wish)
    rows = load_queries(__file__).rows(connection, orcids=found["orcids"])
    return found["total"], [Standing(**row) async for row in rows]


async def standing_of(connection: AnyConnection, orcid: Orcid) -> Standing | None:
    """How one iD stands; None if it was never connected."""
    rows = load_queries(__file__).rows(connection, orcids=[orcid])
    return next(iter([Standing(**row) async for row in rows]), None)


async def named(connection: AnyConnection, orcids: Collection[Orcid]) -> dict[Orcid, Named]:
    """Names and employers of these iDs, for the reader that the connection is."""
    rows = load_queries(__file__).people(connection, orcids=list(orcids))
    return {row["orcid"]: Named(**row) async for row in rows}


async def is_known(connection: AnyConnection, orcid: Orcid) -> bool:
    """Whether the iD is or was connected, or is mirrored."""
    known: bool = await load_queries(__file__).is_known(connection, orcid=orcid)
    return known


async def find_people(connection: AnyConnection, words: Collection[str]) -> list[Orcid]:
    """Whose names have all these words, for the reader that the connection is; at most MOST_FOUND."""
    patterns = [f"%{_literal(word)}%" for word in words]
    rows = load_queries(__file__).find_people(connection, patterns=patterns, limit=MOST_FOUND)
    return [row["orcid"] async for row in rows]


async def profile(connection: AnyConnection, orcid: Orcid) -> Profile | None:
    """The record, for the reader that the connection is; None if it is not mirrored."""
    row = await load_queries(__file__).profile(connection, orcid=orcid)
    return None if row is None else Profile(**row)


async def entries(
    connection: AnyConnection, orcid: Orcid, *, section: str | None = None, skip: int = 0, limit: int
) -> list[Entry]:
    """Up to `limit` entries of each section, or of one after the first `skip`, as the reader may see them."""
    wish = {"orcid": orcid, "section": section, "skip": skip, "limit": limit}
    return [Entry(**row) async for row in load_queries(__file__).entries(connection, **wish)]


def _literal(word: str) -> str:
    """The word in a pattern of LIKE, meaning nothing but itself."""
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
