"""A scheduled job: its name, how often it runs, and its work; and the two ways to make work of a sweep."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from orcid_sync.store.database.pools import MAINTENANCE, AnyConnection, Database, connect, transaction

Sweep = Callable[[AnyConnection], Awaitable[int]]
"""Returns how many rows it touched."""

Work = Callable[[Database], Awaitable[Mapping[str, int]]]
"""Returns what it counted."""


class JobFailed(Exception):
    """A job cannot do its work now, for a reason that is neither the database's nor the Registry's."""


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do, and how often."""

    name: str
    every: timedelta
    work: Work
    brief: bool = True
    """Whether it hangs if it takes longer than its interval."""


def sweeping(sweep: Sweep) -> Work:
    """A sweep in a transaction of its own."""

    async def work(database: Database) -> Mapping[str, int]:
        async with transaction(database.worker) as connection:
            return {"rows": await sweep(connection)}

    return work


def maintaining(sweep: Sweep) -> Work:
    """A sweep that cannot be in a transaction, or needs longer than a statement may: on a connection of its own."""

    async def work(database: Database) -> Mapping[str, int]:
        async with connect(database.dsn, MAINTENANCE) as connection:
            return {"rows": await sweep(connection)}

    return work
