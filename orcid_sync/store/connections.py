"""Connections: which iDs we follow, and with whose permission.

Tokens come in and go out as ciphertext (`vault` seals and opens them); nothing here could read one.
"""

import enum
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from orcid_sync.model.ids import Orcid
from orcid_sync.model.lifecycle import Lane
from orcid_sync.store import queue
from orcid_sync.store.database import AnyConnection
from orcid_sync.store.queries import load_queries


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An iD to connect, with the permission that its holder granted, if any."""

    orcid: Orcid
    access_token: str | None = None
    """Ciphertext; None: only what is public is mirrored."""
    refresh_token: str | None = None
    """Ciphertext."""
    scopes: tuple[str, ...] = ()
    expires_at: datetime | None = None


class Outcome(enum.Enum):
    """What connecting did with an iD."""

    CONNECTED = "connected"
    RECONNECTED = "reconnected"
    TOKEN_STORED = "token stored"  # noqa: S105 - a sentence, not a token
    ALREADY_CONNECTED = "already connected"


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """The permission to follow one iD."""

    orcid: Orcid
    state: str
    """connected, disconnecting or disconnected."""
    access_state: str
    """granted, suspect, revoked, expired or public."""
    connected_at: datetime
    disconnected_at: datetime | None
    access_token: str | None
    """Ciphertext."""
    refresh_token: str | None
    """Ciphertext."""
    scopes: list[str]
    expires_at: datetime | None


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How an iD stands: its connection and its row in the queue, for people."""

    orcid: Orcid
    state: str
    access_state: str
    connected_at: datetime
    due_at: datetime
    lane: Lane
    leased: bool
    work_left: bool
    """Something asked for a read that has not succeeded yet."""
    attempts: int
    last_error: str | None
    notified_at: datetime | None
    verified_at: datetime | None


async def connect_orcids(connection: AnyConnection, entries: Iterable[Entry]) -> dict[Orcid, Outcome]:
    """Follow these iDs and store their tokens; those that are new or have a new token are due at once.

    May be repeated: what is connected stays so. Of several entries for one iD the last counts.
    """
    given = sorted({entry.orcid: entry for entry in entries}.values(), key=lambda entry: entry.orcid)
    rows = load_queries("connections").connect_orcids(
        connection,
        orcids=[entry.orcid for entry in given],
        access_tokens=[entry.access_token for entry in given],
        refresh_tokens=[entry.refresh_token for entry in given],
        scopes=[" ".join(entry.scopes) for entry in given],
        expiries=[entry.expires_at for entry in given],
    )
    return {row["orcid"]: Outcome(row["outcome"]) async for row in rows}


async def disconnect_orcids(connection: AnyConnection, orcids: Collection[Orcid]) -> list[Orcid]:
    """Stop following these iDs: their webhooks and tokens are to go next. Returns those that were connected."""
    async with connection.transaction():
        rows = load_queries("connections").disconnect_orcids(connection, orcids=list(orcids))
        disconnecting = [row["orcid"] async for row in rows]
        await queue.mark_due(connection, disconnecting, lane=Lane.OPERATOR, delay=timedelta())
    return disconnecting


async def finish_disconnecting(connection: AnyConnection, orcid: Orcid) -> None:
    """Nothing of the iD is left at ORCID: forget its tokens. Does nothing if it was connected again meanwhile."""
    await load_queries("connections").finish_disconnecting(connection, orcid=orcid)


async def set_access_state(connection: AnyConnection, orcid: Orcid, access_state: str) -> None:
    """Remember what the Registry said about the token: granted, suspect, revoked, expired or public."""
    await load_queries("connections").set_access_state(connection, orcid=orcid, access_state=access_state)


async def load(connection: AnyConnection, orcid: Orcid) -> Connection | None:
    """The connection of an iD; None if it was never connected."""
    row = await load_queries("connections").load(connection, orcid=orcid)
    return None if row is None else Connection(**row)


async def counts(connection: AnyConnection) -> dict[tuple[str, str], int]:
    """Number of iDs by (state, access state)."""
    rows = load_queries("connections").counts(connection)
    return {(row["state"], row["access_state"]): row["number"] async for row in rows}


async def list_connections(
    connection: AnyConnection,
    *,
    after: str = "",
    limit: int = 100,
    orcids: Collection[Orcid] | None = None,
    state: str | None = None,
    failing: bool = False,
) -> list[Standing]:
    """How iDs stand, in their order: those after `after` that match, at most `limit`."""
    rows = load_queries("connections").list_connections(
        connection,
        after=after,
        limit=limit,
        orcids=None if orcids is None else list(orcids),
        state=state,
        failing=failing,
    )
    return [_standing(row) async for row in rows]


def _standing(row: Any) -> Standing:
    return Standing(**{**row, "lane": Lane(row["lane"])})
