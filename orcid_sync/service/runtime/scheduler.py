"""Running scheduled jobs: which jobs there are is not known here (`job.Job` is one, `daemon.jobs` has the list).

APScheduler drops a run that starts more than a second late unless it is told not to (fault F22); and a run is believed
only if its row in `runs` says so.
"""

from collections.abc import Mapping

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from orcid_sync.registry.errors import Paused, RegistryError
from orcid_sync.registry.modified_file import ModifiedFileUnusable
from orcid_sync.service.runtime.health import Heartbeats
from orcid_sync.service.runtime.job import Job, JobFailed
from orcid_sync.store.database.pools import Database, DatabaseRefused, DatabaseUnavailable, transaction
from orcid_sync.store.sync import job_runs

FAILURES = (DatabaseUnavailable, DatabaseRefused, JobFailed, ModifiedFileUnusable, RegistryError, Paused)
"""What can keep a job from its work."""

log = structlog.get_logger(__name__)


class JobRunner:
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
                number = await job_runs.begin(connection, job.name)
            outcome = await self._work(job, number)
        except FAILURES as error:
            log.warning("job failed", job=job.name, reason=str(error))
        return outcome

    async def _work(self, job: Job, number: int) -> Mapping[str, int]:
        try:
            outcome = await job.work(self._database)
            async with transaction(self._database.worker) as connection:
                await job_runs.finish(connection, number, outcome=outcome)
        except FAILURES as error:
            async with transaction(self._database.worker) as connection:
                await job_runs.finish(connection, number, error=type(error).__name__)
            raise
        return outcome


def schedule(jobs: list[Job], runner: JobRunner) -> AsyncIOScheduler:
    """A scheduler that is yet to be started: every job at once, and then at its interval, give or take a tenth."""
    scheduler = AsyncIOScheduler(job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1})
    for job in jobs:
        seconds = job.every.total_seconds()
        scheduler.add_job(runner.run, "interval", args=[job], id=job.name, seconds=seconds, jitter=seconds / 10)
        scheduler.add_job(runner.run, args=[job], id=f"{job.name} at start")
    return scheduler
