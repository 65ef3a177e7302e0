"""What the acceptance tests share: a cluster that can crash, and databases in it."""

import asyncio
import itertools
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from acceptance.harness.cluster import Cluster, open_cluster
from acceptance.harness.serving import sim  # noqa: F401 - a fixture
from orcid_sync.store.database.migrate import migrate
from rig.secrecy import read_database

NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of these tests alone."""
    with (
        tempfile.TemporaryDirectory(prefix="orcid-sync-crash-", ignore_cleanup_errors=True) as folder,
        open_cluster(Path(folder)) as opened,
    ):
        yield opened


@pytest.fixture
def crash_dsn(cluster: Cluster) -> Iterator[str]:
    """DSN of a migrated database in that cluster, for this test alone."""
    name = f"acceptance_{next(NUMBERS)}"
    dsn = urlsplit(cluster.dsn)._replace(path=f"/{name}").geturl()

    async def create() -> None:
        connection = await asyncpg.connect(cluster.dsn)
        await connection.execute(f"create database {name}")
        await connection.close()
        await migrate(dsn)

    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, create()).result()
        yield dsn
        thread.submit(asyncio.run, read_database(dsn)).result()
