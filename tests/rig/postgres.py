"""A PostgreSQL server for all tests, and a migrated database for each."""

import asyncio
import itertools
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from orcid_sync.store.database.embedded import embedded_postgres
from orcid_sync.store.database.migrate import migrate
from orcid_sync.store.database.pools import Database, connect, open_database
from rig.secrecy import read_database

# No test pulls the machine's plug: killing the server's processes loses nothing without fsync. Vacuuming is left to the
# tests that count dead rows.
FAST = {"fsync": "off", "full_page_writes": "off", "autovacuum_naptime": "1h"}


MEMORY = Path("/dev/shm")
ROOM = 2 << 30  # bytes; each worker's databases take some hundred megabytes at most


def in_memory() -> Path | None:
    """Where files are kept in memory, if there is room: the suite makes thousands of databases."""
    fits = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    return MEMORY if fits else None


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """DSN of a PostgreSQL server: ORCID_SYNC_TEST_DATABASE_URL, or an embedded one for each pytest-xdist worker."""
    if given := os.environ.get("ORCID_SYNC_TEST_DATABASE_URL"):
        yield given
        return
    with (
        tempfile.TemporaryDirectory(prefix="orcid-sync-", dir=in_memory(), ignore_cleanup_errors=True) as folder,
        embedded_postgres(Path(folder)) as dsn,
    ):
        settings = [f"alter system set {name} = '{value}'" for name, value in FAST.items()]
        run(execute(dsn, *settings, "select pg_reload_conf()"))
        yield dsn


@pytest.fixture(scope="session")
def template(server: str) -> Iterator[str]:
    """Name of a migrated database that the databases of the tests are copied from."""
    name = f"orcid_sync_test_{os.getpid()}"
    run(execute(server, f"create database {name}"))
    run(migrate(named(server, name)))
    # What the migration left in the catalogue is tidied once, not in each copy while a test counts what is written.
    run(execute(named(server, name), "vacuum"))
    yield name
    run(execute(server, f"drop database {name}"))


@pytest.fixture
def new_database(server: str) -> Iterator[Callable[[str], str]]:
    """Make a database from the template of that name, and return its DSN; dropped after the test."""
    names: list[str] = []

    def create(template: str) -> str:
        names.append(f"orcid_sync_test_{os.getpid()}_{next(NUMBERS)}")
        # Copying files takes half as long as logging their pages.
        run(execute(server, f"create database {names[-1]} template {template} strategy file_copy"))
        return named(server, names[-1])

    yield create
    for name in names:
        run(read_database(named(server, name)))
    run(execute(server, *(f"drop database {name} with (force)" for name in names)))


@pytest.fixture
def dsn(new_database: Callable[[str], str], template: str) -> str:
    """DSN of a migrated database for this test alone."""
    return new_database(template)


@pytest.fixture
def empty_dsn(new_database: Callable[[str], str]) -> str:
    """DSN of a database for this test alone in which nothing was migrated."""
    return new_database("template0")


@pytest.fixture
async def connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """One connection to this test's database, as commands have it."""
    async with connect(dsn) as opened:
        yield opened


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """The pools of this test's database, as the service has them."""
    async with open_database(dsn, workers=4) as opened:
        yield opened


@pytest.fixture
def behind_its_back(dsn: str) -> Callable[..., None]:
    """Run statements on this test's database while the event loop stands still, so that it notices nothing."""
    return lambda *statements: run(execute(dsn, *statements))


NUMBERS = itertools.count(1)


def named(dsn: str, database: str) -> str:
    """The same server, another database."""
    return urlsplit(dsn)._replace(path=f"/{database}").geturl()


async def execute(dsn: str, *statements: str) -> None:
    """Run the statements one by one."""
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end in a thread of its own, so that the event loop of the test is left alone."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()
