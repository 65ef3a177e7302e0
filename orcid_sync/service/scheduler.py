"""The scheduled sweeps. When an iD is checked again is its queue row's `due_at`; what is left to schedule is little.

APScheduler drops a run that starts more than a second late unless it is told not to (fault F22); and a run is believed
only if its row in `runs` says so.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from orcid_sync.service import erasure_log
from orcid_sync.service.erasure_log import ErasureLogUnusable
from orcid_sync.service.health import Heartbeats
from orcid_sync.store import residue, runs, sweeps
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

FAILURES = (DatabaseUnavailable, DatabaseRefused, ErasureLogUnusable)
"""What can keep a sweep from its work."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A sweep and how often it runs."""

    name: str
    every: timedelta
    sweep: Sweep
    in_transaction: bool = True
    """False of what cannot be in one, or needs longer than a statement may: it gets a connection of its own."""


def make_jobs(*, key_version: int | None, check_interval: timedelta, log_of_erasures: Path | None = None) -> list[Job]:
    """The sweeps of this installation; `key_version` is None if webhooks are switched off."""
    jobs = [
        Job("overdue-checks", timedelta(hours=1), lambda c: sweeps.bring_checks_nearer(c, interval=check_interval)),
        Job("left-behind", timedelta(minutes=5), sweeps.mark_left_behind),
        Job(residue.JOB, timedelta(hours=1), residue.clear, in_transaction=False),
        Job("old-runs", timedelta(days=1), lambda c: sweeps.forget_runs(c, keep=KEEP_RUNS)),
    ]
    if key_version is not None:
        version = key_version
        jobs.append(
            Job("missing-webhooks", timedelta(minutes=5), lambda c: sweeps.mark_without_webhook(c, key_version=version))
        )
    if log_of_erasures is not None:
        path = log_of_erasures
        jobs.append(Job("erasure-log", timedelta(minutes=5), lambda c: erasure_log.write_missing(c, path)))
    return jobs


class Sweeper:
    """Runs one job and writes down that it did."""

    def __init__(self, database: Database, heartbeats: Heartbeats) -> None:
        self._database = database
        self._heartbeats = heartbeats

    async def run(self, job: Job) -> Mapping[str, int]:
        """One run; a failure is written down, and the next run comes as planned."""
        self._heartbeats.beat(job.name, period=job.every.total_seconds())
        outcome: dict[str, int] = {}
        try:
            async with transaction(self._database.worker) as connection:
                number = await runs.begin(connection, job.name)
            outcome = await self._sweep(job, number)
        except FAILURES as error:
            log.warning("sweep failed", job=job.name, reason=str(error))
        return outcome

    async def _sweep(self, job: Job, number: int) -> dict[str, int]:
        opened = transaction(self._database.worker) if job.in_transaction else connect(self._database.dsn, MAINTENANCE)
        try:
            async with opened as connection:
                outcome = {"rows": await job.sweep(connection)}
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
