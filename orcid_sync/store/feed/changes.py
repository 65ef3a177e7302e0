"""The change feed: appending changes in the order of commits.

The feed's head is one row, locked from `take_positions` until the transaction commits. So the positions are gap-free, a
reader that has seen position n has seen all before it, and two transactions can never commit in another order than
their positions (invariant S6). Paging by a sequence, measured beside it, lost a quarter of the rows.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice

from orcid_sync.model.record.diff import Change
from orcid_sync.model.record.sections import ItemKey
from orcid_sync.model.record.visibility import restrictions, visibility_of_old
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries
from orcid_sync.store.feed import forgetting

_queries = load_queries(__file__)

CHANNEL = "orcid_changes"
"""NOTIFY, with the last position of the feed, shortly after changes were committed. Only a shortcut: poll, too."""

CHUNK = 100
"""Changes written by one COPY."""
_COLUMNS = (
    "seq",
    "orcid",
    "section",
    "key",
    "op",
    "reason",
    "fields",
    "minor",
    "visibility",
    "visibility_before",
    "cause",
    "at",
    "source_modified_at",
)
_CONTENT_COLUMNS = ("seq", "orcid", "side", "visibility", "content")


async def append(connection: AnyConnection, orcid: str, changes: Sequence[Change], *, cause: str) -> None:
    """Append the changes of one record. The last thing but the commit in its transaction: it holds the feed's head.

    What was said before of an item that is now less visible becomes as little visible (fault F61).
    """
    if not changes:
        return
    await forgetting.restrict(connection, orcid, restrictions(changes))
    await append_all(connection, [(orcid, change) for change in changes], cause=cause, chunk=CHUNK)


async def removed_at(connection: AnyConnection, orcid: str, at: datetime) -> frozenset[ItemKey]:
    """The items that holders' edits of this record's date took away; without their keys if these are forgotten."""
    return frozenset(
        [(row["section"], row["key"]) async for row in _queries.removed_at(connection, orcid=orcid, at=at)]
    )


async def announce(connection: AnyConnection) -> None:
    """Tell whoever LISTENs how far the feed goes now; after the commit, for it takes a lock of the whole server."""
    await _queries.announce(connection, channel=CHANNEL)


async def append_all(
    connection: AnyConnection, changes: Sequence[tuple[str, Change]], *, cause: str, chunk: int
) -> None:
    """Append changes of many records, `chunk` by one COPY; none of them may make anything less visible than it was."""
    head = await _queries.take_positions(connection, count=len(changes))
    numbered = enumerate(changes, head["before"] + 1)
    while lines := list(islice(numbered, chunk)):
        await connection.copy_records_to_table(
            "changes",
            schema_name="orcid",
            columns=_COLUMNS,
            records=[
                (seq, orcid, *_line(change), cause, head["at"], change.source_modified_at)
                for seq, (orcid, change) in lines
            ],
        )
        await connection.copy_records_to_table(
            "change_contents",
            schema_name="orcid",
            columns=_CONTENT_COLUMNS,
            records=[(seq, orcid, *side) for seq, (orcid, change) in lines for side in _sides(change)],
        )


def _line(change: Change) -> tuple[object, ...]:
    return (
        change.section,
        change.key,
        change.op,
        change.reason,
        change.fields,
        change.minor,
        change.visibility,
        change.visibility_before,
    )


def _sides(change: Change) -> Iterator[tuple[str, str | None, bytes]]:
    if change.old is not None:
        yield "old", visibility_of_old(change), change.old.encode()
    if change.new is not None:
        yield "new", change.visibility, change.new.encode()
