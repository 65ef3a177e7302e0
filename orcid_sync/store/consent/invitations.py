"""Invitations: who was asked to connect an iD, and the ways to ORCID and back that are under way.

Names and addresses live here and nowhere else; `forget_person` removes them. A link is signed, not stored, and of a
state or a cookie only the hash is.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import msgspec

from orcid_sync.model.consent.invitation import Outcome, Standing
from orcid_sync.model.ids import Orcid
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

CONNECT, LEAVE = "connect", "leave"
"""What a browser is sent to ORCID for: to allow us to read the record, or only to show whose it is."""

_queries = load_queries(__file__)


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody to invite. The text form shows nothing personal."""

    person_id: str
    """The institution's own id."""
    given_names: str | None = None
    family_names: str | None = None
    email: str | None = None
    orcid: Orcid | None = None
    """The iD that is expected; None: whichever the person signs in with."""
    lang: str | None = None

    def __repr__(self) -> str:
        return "<Person>"


class Invited(msgspec.Struct, frozen=True, kw_only=True):
    """What inviting did with a person."""

    person_id: str
    number: int
    standing: str
    """new, repeated, connected, disconnected or erased."""
    expires_at: datetime | None
    """End of the link; None: there is none for this person."""
    granted_orcid: Orcid | None


class Invitation(msgspec.Struct, frozen=True, kw_only=True):
    """An invitation, as its link finds it. The text form shows nothing personal."""

    number: int
    person_id: str
    given_names: str | None
    family_names: str | None
    email: str | None
    orcid: Orcid | None
    lang: str | None
    expires_at: datetime
    opened_at: datetime | None
    granted_orcid: Orcid | None
    name: str | None
    connection_state: str
    """State of the connection of `granted_orcid`; empty if there is none."""

    @property
    def left(self) -> bool:
        """Whether the connection was ended, and something of the record may be left here."""
        return self.granted_orcid is not None and self.connection_state in {"disconnecting", "disconnected"}

    def __repr__(self) -> str:
        return f"<Invitation {self.number}>"


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """A way to ORCID and back."""

    browser_hash: bytes
    invitation: int
    expires_at: datetime
    """End of the link that it began with."""
    purpose: str
    """CONNECT or LEAVE."""
    in_time: bool


class Funnel(msgspec.Struct, frozen=True, kw_only=True):
    """How many people came how far."""

    invited: int
    opened: int
    granted: int
    denied: int
    states: dict[str, int]
    """By where they stand now."""
    outcomes: dict[str, int]
    """By how the last way to ORCID and back ended."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """Where one invitation stands."""

    number: int
    person_id: str
    state: str
    """invited, opened, denied, expired, connected, disconnected or erased."""
    granted_orcid: str | None
    outcome: str | None
    outcome_at: datetime | None
    invited_at: datetime
    opened_at: datetime | None
    expires_at: datetime


async def invite(
    connection: AnyConnection, people: Collection[Person], *, expires_at: datetime, again: bool
) -> dict[str, Invited]:
    """Invite these people, or prolong their invitations; no `person_id` may be among them twice.

    Nobody who is connected gets a link, and who has withdrawn only if they are to be asked `again`.
    """
    columns = {
        "given_names": "given_names",
        "family_names": "family_names",
        "emails": "email",
        "orcids": "orcid",
        "langs": "lang",
        "person_ids": "person_id",
    }
    values = {column: [getattr(person, field) for person in people] for column, field in columns.items()}
    rows = _queries.invite(connection, expires_at=expires_at, again=again, **values)
    return {row["person_id"]: Invited(**row) async for row in rows}


async def load(connection: AnyConnection, number: int) -> Invitation | None:
    """The invitation of that number."""
    row = await _queries.load(connection, number=number)
    return None if row is None else Invitation(**row)


async def note_opened(connection: AnyConnection, number: int) -> None:
    """Its link was opened."""
    await _queries.note_opened(connection, number=number)


async def begin_flow(
    connection: AnyConnection,
    *,
    state_hash: bytes,
    browser_hash: bytes,
    invitation: int,
    expires_at: datetime,
    purpose: str,
    lasts: timedelta,
) -> None:
    """Remember a browser that is sent to ORCID; those that began longer ago than `lasts` are forgotten."""
    await _queries.begin_flow(
        connection,
        state_hash=state_hash,
        browser_hash=browser_hash,
        invitation=invitation,
        expires_at=expires_at,
        purpose=purpose,
        lasts=lasts,
    )


async def take_flow(connection: AnyConnection, state_hash: bytes, *, lasts: timedelta) -> Flow | None:
    """The flow with this state, which is used up by that; None if there is none (any more)."""
    row = await _queries.take_flow(connection, state_hash=state_hash, lasts=lasts)
    return None if row is None else Flow(**row)


async def examine(connection: AnyConnection, number: int, orcid: Orcid) -> Standing | None:
    """What decides whether this iD may be connected by this invitation; None if the invitation is gone.

    Until the transaction ends, no other grant of this iD or by this invitation is examined. Locks are always taken in
    the order queue, invitation, consent ledger.
    """
    await _queries.lock_orcid(connection, orcid=orcid)
    await _queries.lock_row(connection, orcid=orcid)
    await _queries.lock_invitation(connection, number=number)
    row = await _queries.standing(connection, number=number, orcid=orcid)
    return None if row is None else Standing(**row)


async def bind(connection: AnyConnection, number: int, orcid: Orcid, *, name: str) -> None:
    """The person of this invitation is the holder of this iD, and nobody else is any more; `examine` comes before."""
    await _queries.release(connection, orcid=orcid, number=number)
    await _queries.bind(connection, number=number, orcid=orcid, name=name)


async def note(connection: AnyConnection, number: int, outcome: Outcome) -> None:
    """A way to ORCID and back ended without a connection."""
    await _queries.note(connection, number=number, outcome=outcome.value)


async def forget_person(connection: AnyConnection, orcid: str) -> int:
    """Remove all that is personal from the invitations that lead to this iD; returns how many there were."""
    status: str = await _queries.forget_person(connection, orcid=orcid)
    return int(status.removeprefix("UPDATE "))


async def funnel(connection: AnyConnection) -> Funnel:
    """How many people came how far."""
    counts = await _queries.funnel(connection)
    states = {row["state"]: row["number"] async for row in _queries.states(connection)}
    outcomes = {row["outcome"]: row["number"] async for row in _queries.outcomes(connection)}
    return Funnel(**counts, states=states, outcomes=outcomes)


async def list_invitations(
    connection: AnyConnection, *, state: str | None = None, after: int = 0, limit: int = 1_000
) -> list[Listed]:
    """Where invitations stand, in the order in which they were made: those after `after`, at most `limit`."""
    rows: Any = _queries.list_invitations(connection, after=after, state=state, limit=limit)
    return [Listed(**row) async for row in rows]
