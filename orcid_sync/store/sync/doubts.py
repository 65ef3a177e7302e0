"""What the last answer about an iD left in doubt (model.record.doubts), and an operator's word about removals."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.doubts import Doubt, Kind
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries
from orcid_sync.store.sync import queue

_queries = load_queries(__file__)


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """What of one iD waits until an independent second read says it again."""

    orcid: Orcid
    held_at: datetime
    """When the first of it was seen."""
    due_at: datetime
    """When the record is read again."""
    released: bool
    """An operator has agreed to all of it: the next read that says the same applies it."""
    removals: dict[str, int]
    """How many items would go, by section."""
    others: dict[str, int]
    """How many items would be shown to more people, or go back to an older edit, by section."""


async def load(connection: AnyConnection, orcid: str) -> list[Doubt]:
    """Everything that is in doubt of an iD, the oldest first."""
    return [_doubt(dict(row)) async for row in _queries.load(connection, orcid=orcid)]


async def replace(connection: AnyConnection, orcid: str, doubts: Collection[Doubt]) -> None:
    """From now on this, and nothing else, is in doubt; inside the caller's transaction, after `queue.hold`.

    What an operator released meanwhile stays released.
    """
    said = [msgspec.to_builtins(doubt, builtin_types=(datetime, bytes)) for doubt in doubts]
    rows = [{**one, "doc": one["doc"] and one["doc"].decode()} for one in said]
    await _queries.replace(connection, orcid=orcid, doubts=msgspec.json.encode(rows).decode())


async def forget(connection: AnyConnection, orcid: str) -> int:
    """Delete all of it; returns how many there were."""
    return int(await _queries.forget(connection, orcid=orcid))


async def list_holds(connection: AnyConnection) -> list[Hold]:
    """Every iD of which something waits for a second read, the oldest first."""
    return [_hold(dict(row)) async for row in _queries.holds(connection, orcid=None)]


async def hold_of(connection: AnyConnection, orcid: Orcid) -> Hold | None:
    """What of an iD waits for a second read; None: nothing."""
    return next(iter([_hold(dict(row)) async for row in _queries.holds(connection, orcid=orcid)]), None)


async def release(connection: AnyConnection, orcids: Collection[Orcid]) -> list[Orcid]:
    """Let the next read that says the same count at once, and read now. Returns those of which something waited."""
    return await _decide(connection, orcids, _queries.release)


async def discard(connection: AnyConnection, orcids: Collection[Orcid]) -> list[Orcid]:
    """Forget what waits, and read afresh: what is said then waits anew. Returns those of which something waited."""
    return await _decide(connection, orcids, _queries.discard)


async def _decide(connection: AnyConnection, orcids: Collection[Orcid], decision: Any) -> list[Orcid]:
    async with connection.transaction():
        held = [row["orcid"] async for row in _queries.lock_holders(connection, orcids=list(orcids))]
        await decision(connection, orcids=held)
        await queue.request_sync(connection, held)
    return held


def _doubt(row: dict[str, Any]) -> Doubt:
    doc = row["doc"]
    return Doubt(**{**row, "kind": Kind(row["kind"]), "doc": doc and doc.encode(), "may_be": tuple(row["may_be"])})


def _hold(row: dict[str, Any]) -> Hold:
    numbers = {name: msgspec.json.decode(row[name] or b"{}") for name in ("removals", "others")}
    return Hold(**{**row, **numbers})
