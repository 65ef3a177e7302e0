"""The change feed: appending changes in the order of commits.

The feed's head is one row, locked from `take_positions` until the transaction commits. So the positions are gap-free, a
reader that has seen position n has seen all before it, and two transactions can never commit in another order than
their positions (invariant S6). Paging by a sequence, measured beside it, lost a quarter of the rows.
"""

from collections.abc import Iterator, Sequence
from itertools import islice

from orcid_sync.model.diff import Change
from orcid_sync.store.database import AnyConnection
from orcid_sync.store.queries import load_queries

_queries = load_queries("changes")

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
    "cause",
    "at",
    "source_modified_at",
)


async def append(connection: AnyConnection, orcid: str, changes: Sequence[Change], *, cause: str) -> None:
    """Append the changes of one record. The last thing but the commit in its transaction: it holds the feed's head."""
    if not changes:
        return
    head = await _queries.take_positions(connection, count=len(changes))
    numbered = enumerate(changes, head["before"] + 1)
    while chunk := list(islice(numbered, CHUNK)):
        await connection.copy_records_to_table(
            "changes",
            schema_name="orcid",
            columns=_COLUMNS,
            records=[
                (seq, orcid, *_line(change), cause, head["at"], change.source_modified_at) for seq, change in chunk
            ],
        )
        await connection.copy_records_to_table(
            "change_contents",
            schema_name="orcid",
            columns=("seq", "orcid", "old", "new"),
            records=[(seq, orcid, *_contents(change)) for seq, change in chunk],
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
    )


def _contents(change: Change) -> Iterator[bytes | None]:
    for content in (change.old, change.new):
        yield None if content is None else content.encode()
