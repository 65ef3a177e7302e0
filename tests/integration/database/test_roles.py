"""Installations without superusers: who owns the schemas, who serves, who reads, and who makes the roles."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

import asyncpg
import pytest

from orcid_sync.model.scopes import View
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.database.embedded import embedded_postgres
from orcid_sync.store.database.migrate import migrate
from orcid_sync.store.database.pools import connect, open_database, transaction
from orcid_sync.store.database.readiness import database_problem
from orcid_sync.store.database.roles import ReadersMissing, readers_problem, viewing
from rig.records.mirror import apply_record
from rig.records.sample_record import ORCID, encode, full_forms, rich_record

pytestmark = [pytest.mark.invariant("S13"), pytest.mark.fault("F68")]

ROLES = (Path(__file__).parents[3] / "deploy" / "roles.sql").read_text("utf-8")
COMMANDS = re.findall(r"^--   (create role .*|select .*)$", ROLES, re.MULTILINE)
WORKS = "select count(*) filter (where visibility <> 'public') > 0 from orcid.items"


@pytest.fixture
def bare_server() -> Iterator[str]:
    """DSN of a server of this test's own, in which no role was made yet."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder, embedded_postgres(Path(folder)) as dsn:
        yield dsn


def as_role(dsn: str, role: str) -> str:
    """The same database, logged in as another role."""
    parts = urlsplit(dsn)
    return parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}").geturl()


async def prepare(server: str, *statements: str) -> str:
    """Run them as the superuser; DSN of a database that belongs to the role `owner`."""
    async with connect(server) as admin:
        for statement in (*statements, "create database mirror owner owner"):
            await admin.execute(statement)
    return as_role(urlsplit(server)._replace(path="/mirror").geturl(), "owner")


async def serve(dsn: str) -> None:
    """What a service does with its database, in short."""
    async with open_database(dsn, workers=1) as database:
        assert await database_problem(database.reader) is None
        async with transaction(database.worker) as connection:
            await connect_orcids(connection, [Entry(orcid=ORCID)])
        await apply_record(database.worker, encode(rich_record()), full_forms(), access="read-limited")
        record = rich_record()
        record["person"]["name"] = None
        await apply_record(database.worker, encode(record), access="read-limited")


async def sees_limited(dsn: str) -> bool | None:
    """Whether a role sees more than what is public; None if it may not read at all."""
    async with connect(dsn) as reader:
        try:
            await reader.fetch("select * from orcid.change_feed, orcid.freshness")
            found: bool = await reader.fetchval(WORKS)
        except asyncpg.InsufficientPrivilegeError:
            return None
        return found


async def reads_for_others(dsn: str) -> str | None:
    """What hinders the service from reading as the roles of readers; None: nothing does."""
    async with open_database(dsn, workers=1) as database:
        try:
            for view in View:
                async with viewing(database.reader, view) as connection:
                    await connection.fetch("select * from orcid.change_feed, orcid.freshness")
        except ReadersMissing as error:
            async with transaction(database.reader) as connection:
                assert await readers_problem(connection)
            return str(error)
        async with transaction(database.reader) as connection:
            assert await readers_problem(connection) is None
        return None


async def test_an_owner_who_may_create_roles_makes_them(bare_server: str) -> None:
    dsn = await prepare(bare_server, "create role owner login createrole")
    await migrate(dsn)
    await serve(dsn)
    assert await reads_for_others(dsn) is None
    async with connect(as_role(dsn, "postgres")) as admin:
        for command in COMMANDS[:2]:
            await admin.execute(command)
    assert [await sees_limited(as_role(dsn, name)) for name in ("reporting", "cris", "owner")] == [False, True, True]


async def test_an_owner_who_may_not_is_helped_by_the_script(bare_server: str) -> None:
    """Until then nothing fails, and nobody reads."""
    dsn = await prepare(bare_server, "create role owner login", "create role somebody login")
    await migrate(dsn)
    await serve(dsn)
    somebody = as_role(dsn, "somebody")
    assert await sees_limited(somebody) is None
    assert "deploy/roles.sql" in (await reads_for_others(dsn) or "")
    async with connect(as_role(dsn, "postgres")) as admin:
        await admin.execute(
            "grant usage on schema orcid to somebody; grant select on orcid.works, orcid.records to somebody"
        )
        async with connect(somebody) as reader:  # whatever else was granted: there is no role that sees more
            assert not await reader.fetchval("select orcid.sees_limited()")
            assert await reader.fetchval("select count(*) from orcid.works where visibility <> 'public'") == 0
        await admin.execute("create role orcid_reader; create role orcid_reader_limited")
        assert "orcid_sync.lend_readers" in (await reads_for_others(dsn) or "")
        for _ in range(2):
            await admin.execute(ROLES)
        assert await reads_for_others(dsn) is None
        for command in COMMANDS[:2]:
            await admin.execute(command)
    assert [await sees_limited(as_role(dsn, name)) for name in ("reporting", "cris")] == [False, True]


async def test_a_service_that_is_not_the_owner(bare_server: str) -> None:
    dsn = await prepare(bare_server, "create role owner login createrole")
    await migrate(dsn)
    service = as_role(dsn, "orcid_sync_service")
    async with connect(as_role(dsn, "postgres")) as admin:
        for command in COMMANDS[2:]:
            await admin.execute(command)
    await serve(service)
    assert await sees_limited(service) is True
    assert await reads_for_others(service) is None
    async with connect(dsn) as owner:
        await owner.execute("create table orcid.later (orcid text); create table orcid_sync.later (orcid text)")
    async with connect(service) as connection:
        await connection.execute("insert into orcid.later values ('x'); insert into orcid_sync.later values ('x')")
        for statement in (
            "drop table orcid.works",
            "create table orcid.mine ()",
            "alter table orcid.works disable row level security",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    async with connect(as_role(dsn, "postgres")) as admin:
        await admin.execute("alter role orcid_sync_service nobypassrls")
    async with open_database(service, workers=1) as database:
        assert "BYPASSRLS" in str(await database_problem(database.reader))


async def test_two_databases_of_a_server_may_be_migrated_at_the_same_time(bare_server: str) -> None:
    """Both make the same roles, or find them made."""
    names = [f"mirror_{number}" for number in range(3)]
    async with connect(bare_server) as admin:
        for name in names:
            await admin.execute(f"create database {name}")
    dsns = [urlsplit(bare_server)._replace(path=f"/{name}").geturl() for name in names]
    await asyncio.gather(*map(migrate, dsns))
    for dsn in dsns:
        async with connect(dsn) as connection:
            assert await connection.fetchval("select has_table_privilege('orcid_reader', 'orcid.works', 'select')")
