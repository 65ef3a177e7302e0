"""The scheduled jobs. When an iD is checked again is its queue row's `due_at`; what is left to schedule is little.

APScheduler drops a run that starts more than a second late unless it is told not to (fault F22); and a run is believed
only if its row in `runs` says so.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from orcid_sync.registry.errors import Paused, RegistryError
from orcid_sync.registry.modified_file import ModifiedFileUnusable
from orcid_sync.service import erasure_log
from orcid_sync.service.erasure_log import ErasureLogUnusable
from orcid_sync.service.health import Heartbeats
from orcid_sync.store import residue, runs, subscriptions, sweeps
from orcid_sync.store.database import (
    MAINTENANCE,
    AnyConnection,
    Database,
    DatabaseRefused,
    DatabaseUnavailable,
    connect,
    transaction,
)

KEEP_RUNS = timedelta(days=30)

Sweep = Callable[[AnyConnection], Awaitable[int]]
"""Returns how many rows it touched."""

Work = Callable[[Database], Awaitable[Mapping[str, int]]]
"""Returns what it counted."""

FAILURES = (DatabaseUnavailable, DatabaseRefused, ErasureLogUnusable, ModifiedFileUnusable, RegistryError, Paused)
"""What can keep a job from its work."""

log = structlog.get_logger(__name__)


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


def make_jobs(
    *, check_interval: timedelta, overlap: timedelta = timedelta(), log_of_erasures: Path | None = None
) -> list[Job]:
    """The jobs of every installation; `overlap` is how long a new webhook stands before the one it replaces goes."""
    jobs = [
        Job(
            "overdue-checks", timedelta(hours=1), sweeping(partial(sweeps.bring_checks_nearer, interval=check_interval))
        ),
        Job("left-behind", timedelta(minutes=5), sweeping(sweeps.mark_left_behind)),
        Job("webhooks", timedelta(minutes=5), sweeping(partial(sweeps.mark_for_webhooks, overlap=overlap))),
        Job(residue.JOB, timedelta(hours=1), maintaining(residue.clear), brief=False),
        Job("ended-secrets", timedelta(hours=1), sweeping(subscriptions.drop_ended_secrets)),
        Job("old-runs", timedelta(days=1), sweeping(partial(sweeps.forget_runs, keep=KEEP_RUNS))),
    ]
    if log_of_erasures is not None:
        missing = partial(erasure_log.write_missing, path=log_of_erasures)
        jobs.append(Job("erasure-log", timedelta(minutes=5), sweeping(missing)))
    return jobs


class Sweeper:
    """Runs one job and writes down that it did."""

    def __init__(self, database: Database, heartbeats: Heartbeats) -> None:
        self._database = database
        self._heartbeats = heartbeats

    async def run(self, job: Job) -> Mapping[str, int]:
        """One run; a failure is written down, and the next run comes as planned."""
        if job.brief:
            self._heartbeats.beat(job.name, period=job.every.total_seconds())
        outcome: Mapping[str, int] = {}
        try:
            async with transaction(self._database.worker) as connection:
                number = await runs.begin(connection, job.name)
            outcome = await self._work(job, number)
        except FAILURES as error:
            log.warning("job failed", job=job.name, reason=str(error))
        return outcome

    async def _work(self, job: Job, number: int) -> Mapping[str, int]:
        try:
            outcome = await job.work(self._database)
            async with transaction(self._database.worker) as connection:
                await runs.finish(connection, number, outcome=outcome)
        except FAILURES as error:
            async with transaction(self._database.worker) as connection:
                await runs.finish(connection, number, error=type(error).__name__)
            raise
        return outcome


def schedule(jobs: list[Job], sweeper: Sweeper) -> AsyncIOScheduler:
    """A scheduler that is yet to be started: every job at once, and then at its interval, give or take a tenth."""
    scheduler = AsyncIOScheduler(job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1})
    for job in jobs:
        seconds = job.every.total_seconds()
        scheduler.add_job(sweeper.run, "interval", args=[job], id=job.name, seconds=seconds, jitter=seconds / 10)
        scheduler.add_job(sweeper.run, args=[job], id=f"{job.name} at start")
    return scheduler
