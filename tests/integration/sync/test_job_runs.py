"""The runs of jobs: begun, finished, failed, killed."""

import asyncpg
import pytest

from orcid_sync.store.sync import job_runs


@pytest.mark.fault("F22")
async def test_runs_leave_proof(connection: asyncpg.Connection) -> None:
    assert await job_runs.last(connection, "check") is None
    killed = await job_runs.begin(connection, "check")
    found = await job_runs.last(connection, "check")
    assert found is not None
    assert (found.id, found.finished_at, found.outcome, found.error) == (killed, None, None, None)
    await job_runs.finish(connection, await job_runs.begin(connection, "check"), outcome={"marked": 3})
    await job_runs.begin(connection, "sweep")
    found = await job_runs.last(connection, "check")
    assert found is not None
    assert found.outcome == {"marked": 3}
    assert found.finished_at is not None
    failed = await job_runs.begin(connection, "check")
    await job_runs.finish(connection, failed, error="DatabaseUnavailable")
    found = await job_runs.last(connection, "check")
    assert found is not None
    assert (found.outcome, found.error) == (None, "DatabaseUnavailable")
