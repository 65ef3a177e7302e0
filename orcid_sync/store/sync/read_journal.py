"""The journal of reads: for each iD the last ones that found or failed at something, for people who ask why.

Nothing depends on it. It is written in the transaction that settles, never for a read that found nothing new: that
costs one row, the queue's (design section 5).
"""

from collections.abc import Mapping

import msgspec

from orcid_sync.model.explain.facts import Read
from orcid_sync.model.ids import Orcid
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

KEPT = 20
"""Reads of an iD that are kept."""

_queries = load_queries(__file__)


async def note(
    connection: AnyConnection,
    orcid: Orcid,
    lease_no: int,
    *,
    cause: str,
    outcome: str,
    error: str | None,
    changes: Mapping[str, int],
) -> None:
    """Keep how a reconciliation ended; `changes` are its numbers of changes by operation."""
    await _queries.note(
        connection,
        orcid=orcid,
        lease_no=lease_no,
        cause=cause,
        outcome=outcome,
        error=error,
        changes=msgspec.json.encode(changes) if changes else None,
        kept=KEPT,
    )


async def load(connection: AnyConnection, orcid: Orcid) -> list[Read]:
    """The reads of an iD, the latest first."""
    return [_read(dict(row)) async for row in _queries.of_orcid(connection, orcid=orcid)]


async def forget(connection: AnyConnection, orcid: str) -> int:
    """Forget when the iD was read and what came of it. Returns how many rows went."""
    count: int = await _queries.forget(connection, orcid=orcid)
    return count


def _read(row: dict[str, object]) -> Read:
    changes = row.pop("changes")
    counts = msgspec.json.decode(changes, type=dict[str, int]) if isinstance(changes, bytes) else {}
    return msgspec.convert({**row, "changes": counts}, Read)
