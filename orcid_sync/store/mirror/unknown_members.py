"""Members of ORCID's JSON that no column is made of: since when, how often, and whether they are acknowledged."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final

import msgspec

from orcid_sync.model.record.unknown_members import Unknown
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

_queries = load_queries(__file__)

MOST: Final = 1_000
"""Members that are listed at most."""


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One unknown member."""

    section: str
    path: str
    kind: str
    """JSON's word for the type of its value; the value is nowhere kept."""
    first_seen_at: datetime
    last_seen_at: datetime
    times: int
    """Documents in which it was seen, of those that were new or had changed."""
    acknowledged_at: datetime | None
    """When somebody said that they know of it."""

    @property
    def name(self) -> str:
        """What it is called in lists and commands."""
        return f"{self.section}.{self.path}"


async def note(connection: AnyConnection, seen: Mapping[Unknown, int]) -> None:
    """Add to the counts; `seen` tells in how many documents each member was."""
    members = sorted(seen)
    await _queries.note(
        connection,
        sections=[one.section for one in members],
        paths=[one.path for one in members],
        kinds=[one.kind for one in members],
        times=[seen[one] for one in members],
        most=MOST,
    )


async def list_members(connection: AnyConnection, *, acknowledged: bool = False) -> list[Member]:
    """The members that nobody has acknowledged, or all of them."""
    return [Member(**row) async for row in _queries.list_members(connection, all=acknowledged)]


async def acknowledge(connection: AnyConnection, names: Collection[str] | None) -> list[str]:
    """Note that somebody knows of these members (None: of all); returns the names of those that were news."""
    paths = None if names is None else list(names)
    return sorted([row["name"] async for row in _queries.acknowledge(connection, paths=paths)])
