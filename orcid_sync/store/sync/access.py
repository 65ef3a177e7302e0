"""Our access to records: how the holders' tokens stand, and the tokens that wait to be revoked.

What changes here belongs to the transaction that applies what was read; `stands` comes before it, so that nothing is
concluded from a token that was replaced while the Registry was asked. Tokens go in and out as ciphertext.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

import msgspec

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.record_states import AccessState, Heard, State
from orcid_sync.model.sync.side_steps import Failure
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

_queries = load_queries(__file__)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an iD before it is read."""

    state: str
    """connected, disconnecting or disconnected."""
    access_state: AccessState
    suspect_since: datetime | None
    suspect_reason: Heard | None
    """Why the holder's token is in doubt."""
    refusals: int
    """How often in a row it was refused for this reason."""
    access_token: str | None
    """Ciphertext."""
    scopes: list[str]
    shown: list[str]
    """Parts of the record of which this very token has shown something that is not public."""
    expires_at: datetime | None
    record_state: State | None
    """None: it was never read."""
    withheld: str | None
    has_retired: bool
    """Tokens of this iD wait to be revoked."""


class Retired(msgspec.Struct, frozen=True):
    """A token that is not used any more."""

    number: int
    access_token: str
    """Ciphertext."""
    attempts: int
    """How often in a row it could not be revoked."""
    again_in: timedelta | None
    """Time until that is tried again; None: at once."""


async def load(connection: AnyConnection, orcid: Orcid) -> Known | None:
    """What is known of an iD; None if it was never connected."""
    row = await _queries.load(connection, orcid=orcid)
    return None if row is None else msgspec.convert(dict(row), Known)


async def stands(connection: AnyConnection, orcid: Orcid, access_token: str | None) -> bool:
    """Whether the iD is connected with just this token (None: with none), from now until the transaction ends."""
    return bool(await _queries.stands(connection, orcid=orcid, access_token=access_token))


async def refuse(connection: AnyConnection, orcid: Orcid, reason: Heard) -> None:
    """The holder's token was refused while our own was answered: it is in doubt, for this reason."""
    await _queries.refuse(connection, orcid=orcid, reason=reason.value)


async def accept(connection: AnyConnection, orcid: Orcid) -> None:
    """The holder's token works, again."""
    await _queries.accept(connection, orcid=orcid)


async def prove(connection: AnyConnection, orcid: Orcid, parts: Collection[str]) -> None:
    """Keep what the holder's token was seen to show: that stays true of it for as long as it lives."""
    await _queries.prove(connection, orcid=orcid, shown=sorted(parts))


async def lose(connection: AnyConnection, orcid: Orcid, access_state: AccessState) -> None:
    """The holder's token is over: revoked or expired. It is to be revoked at ORCID too, with its refresh token."""
    await _queries.lose(connection, orcid=orcid, access_state=access_state)


async def count_tried(connection: AnyConnection, *, within: timedelta) -> tuple[int, int]:
    """How many holders' tokens are refused now, and how many were answered within the time."""
    row = await _queries.count_tried(connection, within=within)
    return row["refused"], row["answered"]


async def retired(connection: AnyConnection, orcid: Orcid) -> list[Retired]:
    """The tokens of an iD that wait to be revoked."""
    return [Retired(**row) async for row in _queries.retired(connection, orcid=orcid)]


async def in_use(connection: AnyConnection, orcid: Orcid) -> str | None:
    """Ciphertext of the token that the iD is read with, if there is one."""
    token: str | None = await _queries.in_use(connection, orcid=orcid)
    return token


async def forget_retired(connection: AnyConnection, orcid: Orcid, number: int) -> None:
    """ORCID has confirmed that the token works no longer."""
    await _queries.forget_retired(connection, orcid=orcid, number=number)


async def revocation_failed(connection: AnyConnection, orcid: Orcid, number: int, failure: Failure) -> None:
    """ORCID did not confirm that the token works no longer; that is tried again later."""
    facts = msgspec.structs.asdict(failure)
    await _queries.revocation_failed(connection, orcid=orcid, number=number, **facts)


async def lock_state(connection: AnyConnection, orcid: Orcid) -> str | None:
    """connected, disconnecting or disconnected, from now until the transaction ends."""
    state: str | None = await _queries.lock_state(connection, orcid=orcid)
    return state
