"""A storm of notifications for distinct iDs, taken by the service as a process of its own (fault F07)."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from orcid_sync.model.sync.schedule import Lane
from orcid_sync.registry.callbacks import callback_url
from orcid_sync.store.sync import queue
from rig.service.command_line import COMPLETE
from rig.service.intake import connect_cold, post_all, sample_orcids
from rig.service.process import ANY_PORT, NOBODY, QUICK, line_with, running

STORM = 20_000
WAITING = 200
"""First loads that have been waiting for an hour when the storm begins."""

MEGABYTE = 1024


def memory(pid: int, *, most: bool = False) -> int:
    """What a process holds at present, or the most that it ever held, KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"{'VmHWM' if most else 'VmRSS'}:\s+(\d+) kB", status)
    assert found
    return int(found[1])


@pytest.mark.fault("F07")
@pytest.mark.invariant("S1", "L2")
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
async def test_a_storm_is_taken_whole_in_little_memory_and_goes_before_what_waits(
    dsn: str, connection: asyncpg.Connection
) -> None:
    orcids = sample_orcids(STORM + WAITING)
    stormy, waiting = orcids[:STORM], orcids[STORM:]
    await connect_cold(connection, orcids)
    await connection.execute(
        "update orcid_sync.queue set gen = gen + 1, lane = 2, due_at = now() - interval '1 hour' where orcid = any($1)",
        waiting,
    )
    env = {**COMPLETE, **ANY_PORT, **NOBODY, **QUICK, "DATABASE_URL": dsn}
    secret = COMPLETE["ORCID_SYNC_WEBHOOK_SECRET"].encode()
    paths = [callback_url("", secret=secret, key_version=1, environment="custom", orcid=orcid) for orcid in stormy]
    async with running("serve", "--only", "web", **env) as process:
        said: dict[str, Any] = msgspec.json.decode(await line_with(process.stderr, '"serving"'))
        port = said["public_port"]
        assert set(await post_all(port, paths[:500], connections=100)) == {204}
        before = memory(process.pid)

        assert set(await post_all(port, paths[500:], connections=100)) == {204}

        assert memory(process.pid, most=True) - before < 50 * MEGABYTE

    marked = await connection.fetchval(
        "select count(*) from orcid_sync.queue where orcid = any($1) and gen = 2 and lane = 0", stormy
    )
    assert marked == STORM
    await connection.execute("update orcid_sync.queue set due_at = now() where lane = 0")
    leases = await queue.lease_due(connection, limit=STORM + 1, lease=timedelta(minutes=1))
    assert [lease.lane for lease in leases] == [Lane.NOTIFICATION] * STORM + [Lane.FIRST_LOAD]
