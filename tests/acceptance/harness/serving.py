"""One replica that is ready, beside a Registry with a few records."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from acceptance.harness.observers import connected
from acceptance.harness.replica import Replica, environment
from orcid_sync.model.ids import Orcid
from orcid_sync.registry.callbacks import callback_url
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from rig.free_ports import free_port

ORCIDS = [Orcid(numbered_orcid(600_000_000_000 + number)) for number in range(8)]

SETTLED = "select count(*) from orcid_sync.queue where gen > done_gen or second_look_at is not null"


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedRegistry]:
    """A Registry with a few records, whose notifications come at once."""
    registry = SimulatedRegistry(speed=1.0)
    settings = registry.settings
    settings.indexing_delay, settings.indexer_period, settings.hook_period = 0, 0.1, 0.1
    for orcid in ORCIDS:
        registry.add_record(orcid, works=1, employments=1, fundings=0)
    await registry.start(deliver=True)
    yield registry
    await registry.stop()


@asynccontextmanager
async def serving(sim: SimulatedRegistry, dsn: str, folder: Path, **settings: object) -> AsyncIterator[Replica]:
    """One replica that is ready."""
    port = free_port()
    env = environment(dsn, sim.url, f"http://127.0.0.1:{port}", public_port=port, log_level="info", **settings)
    replica = Replica(env, folder / f"serve-{port}.log")
    await replica.start()
    try:
        await replica.ready()
        yield replica
    finally:
        await replica.kill()


def callback(replica: Replica, orcid: Orcid) -> str:
    """The address at which this replica is told of the iD."""
    base = f"http://127.0.0.1:{replica.port}"
    return callback_url(base, secret=b"w" * 40, key_version=1, environment="custom", orcid=orcid)


async def count(dsn: str, query: str) -> int:
    async with connected(dsn) as connection:
        number: int = await connection.fetchval(query)
        return number
