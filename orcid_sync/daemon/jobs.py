"""The scheduled jobs of every installation. When an iD is checked again is its queue row's `due_at`, not a job."""

from datetime import timedelta
from functools import partial
from pathlib import Path

from orcid_sync.service.consent import erasure_log
from orcid_sync.service.runtime.job import Job, maintaining, sweeping
from orcid_sync.store.consent import deleted_rows
from orcid_sync.store.pushes import subscriptions
from orcid_sync.store.sync import sweeps

KEEP_RUNS = timedelta(days=30)


def make_jobs(
    *, check_interval: timedelta, overlap: timedelta = timedelta(), log_of_erasures: Path | None = None
) -> list[Job]:
    """The jobs of every installation; `overlap` is how long a new webhook stands before the one it replaces goes."""
    jobs = [
        Job(
            "overdue-checks", timedelta(hours=1), sweeping(partial(sweeps.bring_checks_nearer, interval=check_interval))
        ),
        Job("left-behind", timedelta(minutes=5), sweeping(sweeps.mark_unfinished_disconnections)),
        Job("webhooks", timedelta(minutes=5), sweeping(partial(sweeps.mark_for_webhooks, overlap=overlap))),
        Job(deleted_rows.JOB, timedelta(hours=1), maintaining(deleted_rows.clear), brief=False),
        Job("ended-secrets", timedelta(hours=1), sweeping(subscriptions.drop_ended_secrets)),
        Job("old-runs", timedelta(days=1), sweeping(partial(sweeps.forget_runs, keep=KEEP_RUNS))),
    ]
    if log_of_erasures is not None:
        missing = partial(erasure_log.write_missing, path=log_of_erasures)
        jobs.append(Job("erasure-log", timedelta(minutes=5), sweeping(missing)))
    return jobs
