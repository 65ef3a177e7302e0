"""What is left of deleted rows in PostgreSQL's own files (fault F67).

A deleted row stays in its file until VACUUM has taken it out, which a big table may put off for months; and the
planner's statistics quote common values, names and addresses among them, until the next ANALYZE. Both are done here,
after anything was forgotten. What only VACUUM FULL removes, and what is in backups, is the runbook's.
"""

from collections.abc import Iterator

from orcid_sync.store.consent import erasure
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

JOB = "residue"


def tables() -> Iterator[str]:
    """The tables in which something personal can have been."""
    for table in erasure.tables():
        yield f"orcid.{table}"
    yield from ("orcid.changes", "orcid.change_contents")
    internal = ("tokens", "retired_tokens", "invitations", "queue", "reads", "discoveries")
    yield from (f"orcid_sync.{name}" for name in internal)


async def clear(connection: AnyConnection) -> int:
    """Vacuum and analyse these tables if anything was forgotten since the last run; returns how many.

    Not in a transaction: VACUUM cannot be.
    """
    if not await load_queries(__file__).due(connection, job=JOB):
        return 0
    names = list(tables())
    for name in names:
        await connection.execute(f"vacuum (analyze) {name}")
    return len(names)
