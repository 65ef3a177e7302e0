"""What is left of deleted rows in PostgreSQL's own files (fault F67).

A deleted row stays in its file until VACUUM has taken it out, which a big table may put off for months; and the
planner's statistics quote common values, names and addresses among them, until the next ANALYZE. Both are done here,
after anything was forgotten. VACUUM leaves what some snapshot can still see, a dump's or a forgotten session's: a
forgetting stays due until it was vacuumed after the last of these had gone. What only VACUUM FULL removes, and what is
in backups, is the runbook's.
"""

from collections.abc import Iterator

from orcid_sync.store.consent import erasure
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

JOB = "residue"

_queries = load_queries(__file__)


def tables() -> Iterator[str]:
    """The tables in which something personal can have been."""
    for table in erasure.tables():
        yield f"orcid.{table}"
    yield from ("orcid.changes", "orcid.change_contents")
    internal = ("tokens", "retired_tokens", "invitations", "queue", "reads", "doubts", "discoveries")
    yield from (f"orcid_sync.{name}" for name in internal)


async def clear(connection: AnyConnection) -> int:
    """Vacuum and analyse these tables if that gets further with anything that was forgotten; returns how many.

    At once, for the statistics and for most of the rows; and again when nobody can see any of the rows any more. Not in
    a transaction: VACUUM cannot be.
    """
    waiting = [row async for row in _queries.waiting(connection, job=JOB)]
    passed = [row["number"] for row in waiting if row["passed"]]
    if not passed and all(row["seen"] for row in waiting):
        return 0
    names = list(tables())
    for name in names:
        await connection.execute(f"vacuum (analyze) {name}")
    await _queries.cleared(connection, numbers=passed)
    return len(names)
