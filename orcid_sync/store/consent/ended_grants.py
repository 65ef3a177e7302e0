"""Permissions that ended, of people who were not erased: a restored backup would go on as if they had not (S11).

Their ends stand in the consent ledger. A new permission counts more than an end before it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.record_states import AccessState
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.store.consent import connections, consent_ledger
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries
from orcid_sync.store.mirror import hiding
from orcid_sync.store.sync import access, queue

DISCONNECTED = "disconnected"

EVENTS: Sequence[str] = (DISCONNECTED, AccessState.REVOKED.value, AccessState.EXPIRED.value)
"""Of the consent ledger: what takes from readers what they were shown, or from us what we were allowed."""

LEARNT = "erasure-log"
"""How we learnt of an end that our own ledger does not know."""

_queries = load_queries(__file__)


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """An end, as it stands in the consent ledger."""

    number: int
    orcid: str
    event: str
    by: str
    at: datetime
    hash: str
    """Hexadecimal digits."""


async def read(connection: AnyConnection) -> list[Ending]:
    """All ends, in the order of the ledger."""
    rows = _queries.read(connection, events=list(EVENTS))
    return [Ending(**{**row, "hash": row["hash"].hex()}) async for row in rows]


async def is_back(connection: AnyConnection, orcid: str, event: str, at: datetime) -> bool:
    """Whether what ended at that moment goes on here, and was not allowed anew since."""
    return bool(await _queries.is_back(connection, orcid=orcid, event=event, at=at))


async def end_again(connection: AnyConnection, orcid: Orcid, event: str, *, at: datetime, by: str) -> bool:
    """End what ended at that moment, if it goes on here; returns whether it did."""
    async with connection.transaction():
        await _queries.lock(connection, orcid=orcid)
        if not await is_back(connection, orcid, event, at):
            return False
        if event == DISCONNECTED:
            await connections.disconnect_orcids(connection, [orcid], by=by, learnt=LEARNT)
        else:
            await _lose(connection, orcid, AccessState(event), by)
        return True


async def _lose(connection: AnyConnection, orcid: Orcid, standing: AccessState, by: str) -> None:
    """Hide what only the holder's token showed; the read that follows takes it out of the mirror and its history."""
    await access.lose(connection, orcid, standing)
    await queue.mark_due(connection, [orcid], lane=Lane.OPERATOR, delay=timedelta())
    await consent_ledger.record(connection, standing.value, orcid=orcid, by=by, learnt=LEARNT)
    await hiding.hide_limited(connection, [orcid], cause="operator")
