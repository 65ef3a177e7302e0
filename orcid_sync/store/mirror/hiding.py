"""Hiding at once what is not public, before anything else is known or done.

Whoever leaves must not be seen any longer than this transaction takes (invariant S11); taking the items out of the
mirror is for the reconciliation, which may have to wait. The rows stay until then; readers are not shown them.
"""

from collections.abc import Collection

from msgspec.structs import replace

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.diff import Writing, record_change
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries
from orcid_sync.store.feed import changes
from orcid_sync.store.mirror import items


async def hide_limited(connection: AnyConnection, orcids: Collection[Orcid], *, cause: str) -> None:
    """Withhold what is not public of these iDs, inside the caller's transaction; near its end, for it tells the feed.

    The caller holds their queue rows, so that nobody else is writing to their mirrors.
    """
    shown = load_queries(__file__).showing_limited(connection, orcids=list(orcids))
    for orcid in [row["orcid"] async for row in shown]:
        held = await items.load(connection, orcid)
        if held.record is None:
            continue
        content = replace(held.record, withheld="limited")
        change = record_change(orcid, held.record, content, held.modified_at)
        await items.apply(connection, orcid, Writing(held.modified_at, record=content))
        await changes.append(connection, orcid, [change] if change else [], cause=cause)
