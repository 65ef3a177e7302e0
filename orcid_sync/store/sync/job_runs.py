"""Runs of the scheduled jobs: a silent scheduler may have died, a row proves that the job ran (fault F22)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a job."""

    id: int
    job: str
    started_at: datetime
    finished_at: datetime | None
    """None while it runs, or if it was killed."""
    outcome: dict[str, int] | None
    """Counts that the job reported."""
    error: str | None
    """Kind of the error that ended it."""


async def begin(connection: AnyConnection, job: str) -> int:
    """Note that a run begins; returns its number."""
    number: int = await load_queries(__file__).begin(connection, job=job)
    return number


async def finish(
    connection: AnyConnection, run_id: int, *, outcome: Mapping[str, int] | None = None, error: str | None = None
) -> None:
    """Note how the run ended: what it counted, or the kind of its error."""
    document = None if outcome is None else msgspec.json.encode(outcome)
    await load_queries(__file__).finish(connection, id=run_id, outcome=document, error=error)


async def last(connection: AnyConnection, job: str) -> Run | None:
    """The run that began last; None if the job never ran."""
    row = await load_queries(__file__).last(connection, job=job)
    return None if row is None else _run(row)


async def last_of_each(connection: AnyConnection) -> list[Run]:
    """The last run of each job, in the order of their names."""
    return [_run(row) async for row in load_queries(__file__).last_of_each(connection)]


async def of_job(connection: AnyConnection, job: str, *, before: int | None, limit: int) -> list[Run]:
    """The latest runs of a job, or those before one of that number."""
    return [_run(row) async for row in load_queries(__file__).of_job(connection, job=job, before=before, limit=limit)]


def _run(row: Any) -> Run:
    outcome = None if row["outcome"] is None else msgspec.json.decode(row["outcome"], type=dict[str, int])
    return Run(**{**row, "outcome": outcome})
