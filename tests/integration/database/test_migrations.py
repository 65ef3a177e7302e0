"""The schema comes forward whole or not at all, once, whoever else tries."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from orcid_sync.store.database.migrate import (
    MigrationFailed,
    SchemaDamaged,
    SchemaState,
    migrate,
    read_migrations,
    status,
)
from orcid_sync.store.database.pools import connect

FILES = {
    "0001_first.sql": "create schema orcid_sync; create table orcid_sync.a (n int);",
    "0002_second.sql": "create table orcid_sync.b (n int); insert into orcid_sync.b values (1);",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path, FILES)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


async def state(dsn: str, folder: Path) -> SchemaState:
    async with connect(dsn) as connection:
        return (await status(connection, folder=folder)).state


async def test_a_fresh_database_is_behind_then_current(empty_dsn: str) -> None:
    async with connect(empty_dsn) as connection:
        before = await status(connection)
    assert before.state is SchemaState.BEHIND
    assert before.pending == [migration.name for migration in read_migrations()]
    assert (await migrate(empty_dsn)).state is SchemaState.CURRENT


async def test_migrating_twice_does_nothing(empty_dsn: str, folder: Path) -> None:
    await migrate(empty_dsn, folder=folder)
    assert (await migrate(empty_dsn, folder=folder)).state is SchemaState.CURRENT
    async with connect(empty_dsn) as connection:
        assert await connection.fetchval("select count(*) from orcid_sync.b") == 1


@pytest.mark.fault("F83")
async def test_several_at_once_apply_each_file_once(empty_dsn: str, folder: Path) -> None:
    found = await asyncio.gather(*(migrate(empty_dsn, folder=folder) for _ in range(4)))
    assert {each.state for each in found} == {SchemaState.CURRENT}
    async with connect(empty_dsn) as connection:
        assert await connection.fetchval("select count(*) from orcid_sync.b") == 1
        rows = await connection.fetch("select number, name from orcid_sync.migrations order by number")
    assert [tuple(row) for row in rows] == [(1, "0001_first.sql"), (2, "0002_second.sql")]


async def test_what_is_new_is_applied(empty_dsn: str, folder: Path) -> None:
    await migrate(empty_dsn, folder=folder)
    write(folder, {"0003_third.sql": "create table orcid_sync.c (n int);"})
    assert await state(empty_dsn, folder) is SchemaState.BEHIND
    await migrate(empty_dsn, folder=folder)
    assert await state(empty_dsn, folder) is SchemaState.CURRENT


async def test_a_newer_schema_is_left_alone(empty_dsn: str, folder: Path) -> None:
    await migrate(empty_dsn, folder=folder)
    (folder / "0002_second.sql").unlink()
    found = await migrate(empty_dsn, folder=folder)
    assert found.state is SchemaState.AHEAD
    assert "0002_second.sql" in found.explanation


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param({"0001_first.sql": "create schema orcid_sync;"}, "0001_first.sql", id="changed afterwards"),
        pytest.param({"0003_third.sql": "select 1;"}, "0003_third.sql", id="slipped in before a later one"),
    ],
)
async def test_another_history_is_damage(empty_dsn: str, folder: Path, change: dict[str, str], named: str) -> None:
    await migrate(empty_dsn, folder=write(folder, {"0004_fourth.sql": "select 1;"}))
    write(folder, change)
    assert await state(empty_dsn, folder) is SchemaState.DAMAGED
    with pytest.raises(SchemaDamaged, match=named):
        await migrate(empty_dsn, folder=folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(
            "create table orcid_sync.c (n int); select 1 / (select 0);",
            r"0003_third\.sql failed: division by zero \(SQLSTATE 22012\)\. Nothing of it was kept\. Fix",
            id="mistake",
        ),
        pytest.param(
            "-- A long one.\n-- statement_timeout: 50ms\ncreate table orcid_sync.c (n int); select pg_sleep(5);",
            r"0003_third\.sql failed: .* more than 50ms",
            id="too slow",
        ),
    ],
)
async def test_a_failing_file_leaves_nothing_half(empty_dsn: str, folder: Path, text: str, message: str) -> None:
    write(folder, {"0003_third.sql": text, "0004_fourth.sql": "create table orcid_sync.d (n int);"})
    with pytest.raises(MigrationFailed, match=message):
        await migrate(empty_dsn, folder=folder)
    async with connect(empty_dsn) as connection:
        tables = await connection.fetchval(
            "select array_agg(relname::text order by relname) from pg_class where relkind = 'r' and relname = any($1)",
            list("abcd"),
        )
    assert tables == ["a", "b"]
    write(folder, {"0003_third.sql": "create table orcid_sync.c (n int);"})
    assert (await migrate(empty_dsn, folder=folder)).state is SchemaState.CURRENT


@pytest.mark.fault("F83")
async def test_a_lock_is_not_waited_for_long(empty_dsn: str, folder: Path) -> None:
    """While a migration waits for a lock, everybody else queues behind it."""
    await migrate(empty_dsn, folder=folder)
    write(folder, {"0003_third.sql": "alter table orcid_sync.a add column m int;"})
    async with connect(empty_dsn) as analyst, analyst.transaction():
        await analyst.fetch("select * from orcid_sync.a")
        with pytest.raises(MigrationFailed, match="pg_stat_activity"):
            await migrate(empty_dsn, folder=folder)
    assert await state(empty_dsn, folder) is SchemaState.BEHIND


async def test_numbers_are_unique_and_without_gaps() -> None:
    numbers = [migration.number for migration in read_migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.fault("F83")
async def test_running_statements_survive_a_migration(empty_dsn: str, folder: Path) -> None:
    await migrate(empty_dsn, folder=folder)
    write(folder, {"0003_third.sql": "alter table orcid_sync.b add column m int;"})
    async with connect(empty_dsn) as running:
        query = "select * from orcid_sync.b"
        assert len((await running.fetch(query))[0]) == 1
        await migrate(empty_dsn, folder=folder)
        assert len((await running.fetch(query))[0]) == 2


async def test_the_record_of_migrations_is_explained(connection: asyncpg.Connection) -> None:
    assert await connection.fetchval("select obj_description('orcid_sync.migrations'::regclass, 'pg_class')")
