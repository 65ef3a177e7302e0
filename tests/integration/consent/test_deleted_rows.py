"""What is left of a person in PostgreSQL's own files: statistics, dead rows; and what the runbook adds to it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from orcid_sync.daemon.jobs import make_jobs
from orcid_sync.model.ids import Orcid
from orcid_sync.service.runtime.health import Heartbeats
from orcid_sync.service.runtime.job import Job
from orcid_sync.service.runtime.scheduler import JobRunner
from orcid_sync.store.consent import deleted_rows
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.consent.erasure import erase
from orcid_sync.store.database.pools import Database, connect
from orcid_sync.store.feed import forgetting
from orcid_sync.store.sync import job_runs
from rig.records.marked_record import MARKER, marked_forms, marked_record, places
from rig.records.mirror import apply_record
from rig.records.sample_record import ORCID, encode, full_forms, rich_record

HERE, OTHER = Orcid(ORCID), Orcid("0000-0002-1825-0097")
RUNBOOK = (Path(__file__).parents[3] / "deploy" / "docs" / "runbook.md").read_text("utf-8")
STATISTICS = ["pg_statistic"]


@pytest.fixture
async def runner(database: Database, connection: asyncpg.Connection) -> JobRunner:
    """Two people with records in every table, one of them erased, and the planner's statistics from before."""
    await connect_orcids(connection, [Entry(orcid=HERE), Entry(orcid=OTHER)])
    await apply_record(database.worker, encode(marked_record()), marked_forms())
    other = encode(rich_record()).replace(HERE.encode(), OTHER.encode())
    await apply_record(database.worker, other, full_forms())
    await connection.execute("analyze")
    await erase(connection, HERE, by="operator", learnt="command")
    return JobRunner(database, Heartbeats(asyncio.get_running_loop().time))


def job() -> Job:
    """As the service has it."""
    return next(job for job in make_jobs(check_interval=timedelta(days=7)) if job.name == deleted_rows.JOB)


@pytest.mark.fault("F67")
@pytest.mark.invariant("S11")
async def test_the_planners_statistics_forget_too(runner: JobRunner, connection: asyncpg.Connection) -> None:
    assert await places(connection) == STATISTICS, "names and addresses are quoted there"

    assert (await runner.run(job()))["rows"] == len(list(deleted_rows.tables()))

    assert await places(connection) == []
    missed = (
        "select relname from pg_stat_user_tables join pg_attribute on attrelid = relid and attname = 'orcid'"
        " where schemaname = 'orcid' and last_vacuum is null"
    )
    assert await connection.fetch(missed) == []


async def test_it_is_done_once_after_each_forgetting(runner: JobRunner, connection: asyncpg.Connection) -> None:
    assert (await runner.run(job()))["rows"] > 0
    assert (await runner.run(job()))["rows"] == 0
    await erase(connection, OTHER, by="operator", learnt="command")
    assert (await runner.run(job()))["rows"] > 0


async def dead_works(connection: asyncpg.Connection) -> int:
    """Deleted works that VACUUM had to leave in the file, the last time it ran."""
    number: int = await connection.fetchval("select pg_stat_get_dead_tuples('orcid.works'::regclass)")
    return number


@asynccontextmanager
async def reading(dsn: str) -> AsyncIterator[None]:
    """Somebody looks at the database as it is now, for long: a dump, an analyst."""
    async with connect(dsn) as other, other.transaction(isolation="repeatable_read", readonly=True):
        await other.fetchval("select count(*) from orcid.works")
        yield


@asynccontextmanager
async def writing(dsn: str) -> AsyncIterator[None]:
    """A transaction that wrote and does nothing now; no snapshot, but who comes after it may need the rows."""
    async with connect(dsn) as other, other.transaction():
        await other.execute("select pg_current_xact_id()")
        yield


@pytest.mark.fault("F67")
@pytest.mark.invariant("S11")
@pytest.mark.parametrize("holding", [reading, writing])
async def test_it_stays_due_while_somebody_can_see_what_was_deleted(
    database: Database,
    connection: asyncpg.Connection,
    dsn: str,
    holding: Callable[[str], AbstractAsyncContextManager[None]],
) -> None:
    runner = JobRunner(database, Heartbeats(asyncio.get_running_loop().time))
    await connect_orcids(connection, [Entry(orcid=HERE), Entry(orcid=OTHER)])
    await apply_record(database.worker, encode(marked_record()), marked_forms())
    async with holding(dsn):
        await erase(connection, HERE, by="operator", learnt="command")
        assert (await runner.run(job()))["rows"] > 0
        assert await dead_works(connection) > 0, "VACUUM had to leave them"
        assert await places(connection) == [], "the statistics are new all the same"
        assert (await runner.run(job()))["rows"] == 0, "nothing is gained before that ends"

    assert (await runner.run(job()))["rows"] > 0
    assert await dead_works(connection) == 0
    assert (await runner.run(job()))["rows"] == 0


@pytest.mark.fault("F67")
@pytest.mark.parametrize("forget", [forgetting.forget_all, forgetting.forget_limited])
async def test_whatever_forgets_makes_it_due(
    database: Database, connection: asyncpg.Connection, forget: Callable[[asyncpg.Connection, str], Awaitable[int]]
) -> None:
    """Also long after its entry in the ledger: what was not public goes when the worker comes to it."""
    runner = JobRunner(database, Heartbeats(asyncio.get_running_loop().time))
    await connect_orcids(connection, [Entry(orcid=HERE, access_token="sealed")])
    assert (await runner.run(job()))["rows"] == 0
    async with connection.transaction():
        await forget(connection, HERE)
    assert (await runner.run(job()))["rows"] > 0


async def test_every_table_about_people_is_reached(connection: asyncpg.Connection) -> None:
    """Those in which nothing but the iD stands are named here."""
    nothing = {"connections", "webhooks", "consents", "erasures"}
    found = await connection.fetch(
        "select n.nspname || '.' || c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace"
        " join pg_attribute as a on a.attrelid = c.oid and a.attname = 'orcid'"
        " where n.nspname in ('orcid', 'orcid_sync') and c.relkind in ('r', 'p')"
    )
    assert {name for (name,) in found} == {*deleted_rows.tables()} | {f"orcid_sync.{name}" for name in nothing}


async def test_a_run_that_failed_is_made_up_for(
    runner: JobRunner, connection: asyncpg.Connection, database: Database
) -> None:
    number = await job_runs.begin(connection, deleted_rows.JOB)
    await job_runs.finish(connection, number, error="DatabaseUnavailable")
    assert (await runner.run(job()))["rows"] > 0


async def test_where_nothing_was_forgotten_nothing_is_done(database: Database, connection: asyncpg.Connection) -> None:
    runner = JobRunner(database, Heartbeats(asyncio.get_running_loop().time))
    await connect_orcids(connection, [Entry(orcid=HERE, access_token="sealed")])
    await apply_record(database.worker, encode(rich_record()))
    assert (await runner.run(job()))["rows"] == 0


@pytest.mark.fault("F67")
async def test_the_runbook_takes_it_out_of_the_files(runner: JobRunner, connection: asyncpg.Connection) -> None:
    """Rows that VACUUM took out may still lie in the file, unreachable, until they are written over."""
    [section] = re.findall(r"## Somebody was erased: what is left\n(.*?)\n## ", RUNBOOK, re.DOTALL)
    [rewriting] = re.findall(r'"(select format.*?)" \| psql', section)
    folder = Path(await connection.fetchval("show data_directory"), "base")
    folder /= str(await connection.fetchval("select oid from pg_database where datname = current_database()"))
    await connection.execute("checkpoint")
    assert files_with(folder, MARKER)

    for (statement,) in await connection.fetch(rewriting):
        await connection.execute(statement)
    for statement in re.findall(r'-c "([^"]*)"', section):
        await connection.execute(statement)

    assert files_with(folder, MARKER) == []


def files_with(folder: Path, text: str) -> list[str]:
    """The files that contain the text."""
    return [path.name for path in folder.iterdir() if path.is_file() and text.encode() in path.read_bytes()]
