"""Connections: which iDs we follow, and with whose permission.

Tokens come in and go out as ciphertext (`database.encryption` seals and opens them); nothing here could read one.
"""

import enum
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from orcid_sync.model.consent.grants import event_of_grant
from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.store.consent import consent_ledger
from orcid_sync.store.consent.consent_ledger import Note
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries
from orcid_sync.store.mirror import hiding
from orcid_sync.store.sync import queue


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An iD to connect, with the permission that its holder granted, if any."""

    orcid: Orcid
    access_token: str | None = None
    """Ciphertext; None: only what is public is mirrored."""
    same_as: str | None = None
    """The ciphertext in `sealed_tokens` that holds the same token: it stays, and nothing was granted anew."""
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


async def connect_orcids(
    connection: AnyConnection, entries: Iterable[Entry], *, by: str = "holder", learnt: str = "token-file"
) -> dict[Orcid, Outcome]:
    """Follow these iDs and store their tokens; those that are new or have a new token are due at once.

    May be repeated: what is connected stays so. Of several entries for one iD the last counts. A token that is replaced
    is to be revoked at ORCID; every grant is written into the consent ledger, with who gave it and how we learnt it.
    """
    given = sorted({entry.orcid: entry for entry in entries}.values(), key=lambda entry: entry.orcid)
    queries = load_queries(__file__)
    orcids = [entry.orcid for entry in given]
    async with connection.transaction():
        new = await make_known(connection, orcids)
        await queries.lock_rows(connection, orcids=orcids)
        connected = queries.connect_orcids(connection, orcids=orcids, new=new, **_columns(given))
        rows = [row async for row in connected]
        await consent_ledger.record_all(connection, [_granted(row, by, learnt) for row in rows if _is_news(row)])
    return {row["orcid"]: Outcome(row["outcome"]) for row in rows}


async def make_known(connection: AnyConnection, orcids: Collection[Orcid]) -> list[Orcid]:
    """Rows for iDs that have none, as if they had been disconnected; returns those. Part of something greater."""
    rows = load_queries(__file__).make_known(connection, orcids=sorted(orcids))
    return [row["orcid"] async for row in rows]


async def sealed_tokens(connection: AnyConnection, orcids: Collection[Orcid]) -> dict[Orcid, str]:
    """The ciphertexts of the access tokens in use."""
    rows = load_queries(__file__).sealed_tokens(connection, orcids=list(orcids))
    return {row["orcid"]: row["access_token"] async for row in rows}


async def disconnect_orcids(
    connection: AnyConnection, orcids: Collection[Orcid], *, by: str = "operator", learnt: str = "command"
) -> list[Orcid]:
    """Stop following these iDs; returns those that were connected.

    What is not public is hidden at once. The reconciliation due next takes it out of the mirror, revokes their tokens
    and removes their webhooks at ORCID.
    """
    wanted, queries = sorted(set(orcids)), load_queries(__file__)
    async with connection.transaction():
        await queries.lock_alone(connection, orcids=wanted)
        disconnecting = [row["orcid"] async for row in queries.disconnect_orcids(connection, orcids=wanted)]
        await queue.mark_due(connection, disconnecting, lane=Lane.OPERATOR, delay=timedelta())
        notes = [Note(event="disconnected", orcid=orcid, by=by, learnt=learnt) for orcid in disconnecting]
        await consent_ledger.record_all(connection, notes)
        await hiding.hide_limited(connection, disconnecting, cause="operator")
    return disconnecting


async def retire_unwanted(connection: AnyConnection, orcid: Orcid, access_token: str) -> None:
    """Have a token revoked that somebody granted who was not asked; it arrives as ciphertext and is never used.

    If the iD was not known, it becomes one that is being disconnected, so that its turn comes in the queue.
    """
    queries = load_queries(__file__)
    async with connection.transaction():
        await make_known(connection, [orcid])
        await queries.lock_rows(connection, orcids=[orcid])
        await queries.retire_unwanted(connection, orcid=orcid, access_token=access_token)
        await queue.mark_due(connection, [orcid], lane=Lane.OPERATOR, delay=timedelta())


async def take_over_unknown_webhooks(connection: AnyConnection, orcids: Collection[Orcid]) -> None:
    """Take over webhooks of which nothing is known, although only we can have registered them (fault F11).

    A restored backup is older than they are. Their iDs become such as are being disconnected, so that the queue removes
    the webhooks; nothing is read.
    """
    queries = load_queries(__file__)
    async with connection.transaction():
        new = await make_known(connection, orcids)
        await queries.take_over_unknown_webhooks(connection, orcids=new)


async def finish_disconnecting(connection: AnyConnection, orcid: Orcid) -> bool:
    """End a disconnection of which nothing is left at ORCID: no token to revoke, no webhook. Returns whether it ended.

    Does nothing if something is left, or if the iD was connected again meanwhile.
    """
    return bool(await load_queries(__file__).finish_disconnecting(connection, orcid=orcid))


async def load(connection: AnyConnection, orcid: Orcid) -> Connection | None:
    """The connection of an iD; None if it was never connected."""
    row = await load_queries(__file__).load(connection, orcid=orcid)
    return None if row is None else Connection(**row)


async def counts(connection: AnyConnection) -> dict[tuple[str, str], int]:
    """Number of iDs by (state, access state)."""
    rows = load_queries(__file__).counts(connection)
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
    rows = load_queries(__file__).list_connections(
        connection,
        after=after,
        limit=limit,
        orcids=None if orcids is None else list(orcids),
        state=state,
        failing=failing,
    )
    return [_standing(row) async for row in rows]


def _columns(entries: Sequence[Entry]) -> dict[str, list[Any]]:
    return {
        "access_tokens": [entry.access_token for entry in entries],
        "same_as": [entry.same_as for entry in entries],
        "refresh_tokens": [entry.refresh_token for entry in entries],
        "scopes": [" ".join(entry.scopes) for entry in entries],
        "expiries": [entry.expires_at for entry in entries],
    }


def _is_news(row: Any) -> bool:
    return row["granted"] or (row["same"] and set(row["scopes"]) != set(row["old_scopes"]))


def _granted(row: Any, by: str, learnt: str) -> Note:
    event = event_of_grant(row["old_scopes"], row["scopes"])
    return Note(event=event, orcid=row["orcid"], by=by, learnt=learnt, scopes=row["scopes"])


def _standing(row: Any) -> Standing:
    return Standing(**{**row, "lane": Lane(row["lane"])})
