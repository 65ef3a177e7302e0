"""Who sees what is decided by the database: nobody reads, by whatever way, what is not for them (invariant S13)."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import asyncpg
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.store.database.pools import connect, open_database
from rig.reader_sessions import Sessions, logins
from rig.records.planted_mirror import LIVES, PLANTED, World, build, relations, search

pytestmark = [pytest.mark.invariant("S13"), pytest.mark.fault("F68")]

MAY_SEE = {"anybody": ("public",), "insider": ("public", "limited"), "stranger": ()}
"""What texts each login may see."""

READERS = ("anybody", "insider")


@pytest.fixture(scope="module")
def planted(server: str, template: str, sample_orcids: Callable[[int], list[Orcid]]) -> Iterator[tuple[str, World]]:
    """Name of a database with texts planted everywhere, to be copied, and what is in it."""
    name = f"{template}_planted"

    async def on_server(statement: str) -> None:
        async with connect(server) as connection:
            await connection.execute(statement)

    async def plant() -> World:
        await on_server(f"create database {name} template {template}")
        async with open_database(urlsplit(server)._replace(path=f"/{name}").geturl(), workers=2) as database:
            return await build(database, sample_orcids(len(LIVES)))

    with ThreadPoolExecutor(1) as thread:  # the loop of the tests is another thread's
        yield name, thread.submit(asyncio.run, plant()).result()
        thread.submit(asyncio.run, on_server(f"drop database {name}")).result()


@pytest.fixture
def dsn(new_database: Callable[[str], str], planted: tuple[str, World]) -> str:
    """A copy for this test alone."""
    return new_database(planted[0])


@pytest.fixture
def world(planted: tuple[str, World]) -> World:
    """What is in it."""
    return planted[1]


@pytest.fixture
async def sessions(dsn: str) -> AsyncIterator[Sessions]:
    """Logged in as members of the roles for readers, and of none."""
    async with logins(dsn, anybody="orcid_reader", insider="orcid_reader_limited", stranger=None) as opened:
        yield opened


@pytest.mark.fault("F49", "F60", "F61")
@pytest.mark.parametrize("login", MAY_SEE)
async def test_exactly_what_is_for_the_reader_comes_out(
    connection: asyncpg.Connection, sessions: Sessions, world: World, login: str
) -> None:
    found = await search(connection, sessions[login], world)
    assert {one: found.places[one] for one in found.texts - world.planted(*MAY_SEE[login])} == {}
    assert world.planted(*MAY_SEE[login]) - found.texts == set()
    schemas = {name.split(".")[0] for name in found.open}
    assert schemas == ({"orcid"} if login in READERS else set())


DAMAGES = {
    "a table without row security": "alter table orcid.keywords disable row level security",
    "a list without row security": "alter table orcid.contributors disable row level security",
    "a history without row security": "alter table orcid.change_contents disable row level security",
    "a feed without row security": "alter table orcid.changes disable row level security",
    "a policy that lets everything through": "create policy more on orcid.works using (true)",
    "a view with the rights of its owner": "alter view orcid.items reset (security_invoker)",
    "a feed with the rights of its owner": "alter view orcid.change_feed reset (security_invoker)",
    "a function with the rights of its owner": "alter function orcid.record_as_of security definer",
    "limited for everybody": (
        "create or replace function orcid.sees_limited() returns boolean language sql stable begin atomic "
        "select true; end"
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_the_search_finds_what_a_damage_lets_out(
    connection: asyncpg.Connection, sessions: Sessions, world: World, damage: str
) -> None:
    """A search that could not find anything would prove nothing."""
    await connection.execute(DAMAGES[damage])
    found = await search(connection, sessions["anybody"], world)
    assert found.texts - world.planted("public")


async def test_everything_in_the_schema_is_protected_and_granted(connection: asyncpg.Connection) -> None:
    """Whoever adds a table or a view calls protect_items() or makes a policy, and then grant_readers()."""
    open_ones = await connection.fetch(
        """
        select c.oid::regclass::text as name from pg_class c
         where c.relnamespace = 'orcid'::regnamespace and c.relkind not in ('i', 't', 'c', 'S')
           and not (
             has_table_privilege('orcid_reader', c.oid, 'select')
             and has_table_privilege('orcid_reader_limited', c.oid, 'select')
             and (c.relkind = 'v' and coalesce(c.reloptions @> '{security_invoker=true}', false)
                  or c.relkind in ('r', 'p') and c.relrowsecurity
                     and exists (select from pg_policy p where p.polrelid = c.oid)))
        union all
        select p.oid::regprocedure::text from pg_proc p where p.pronamespace = 'orcid'::regnamespace and p.prosecdef
        union all
        -- Policies hold for everybody, and none of them is for writing.
        select p.polrelid::regclass::text from pg_policy p where p.polroles <> '{0}' or p.polcmd <> 'r'
        """
    )
    assert [row["name"] for row in open_ones] == []


async def test_what_is_not_protected_is_not_granted(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "create table orcid.forgotten (orcid text); create view orcid.plain as select * from orcid.works;"
        "select orcid_sync.grant_readers()"
    )
    for name in ("orcid.forgotten", "orcid.plain"):
        assert not await connection.fetchval("select has_table_privilege('orcid_reader', $1, 'select')", name)


@pytest.mark.parametrize("login", MAY_SEE)
async def test_nothing_can_be_written(connection: asyncpg.Connection, sessions: Sessions, login: str) -> None:
    reader, names = sessions[login], [name for name, _, _ in await relations(connection)]
    tries = ["create table orcid.mine ()", "create table orcid_sync.mine ()", "create policy mine on orcid.works"]
    for name in names:
        tries += [f"delete from {name}", f"truncate {name}", f"drop table {name}"]
    done = []
    for statement in tries:
        try:
            await reader.execute(statement)
            done.append(statement)
        except (asyncpg.InsufficientPrivilegeError, asyncpg.ObjectNotInPrerequisiteStateError):
            pass  # the latter: a view into which nobody can write
        except asyncpg.WrongObjectTypeError:
            assert statement.startswith(("drop table", "truncate"))  # a view
    assert done == []
    query = (
        "select has_table_privilege(current_user, $1::oid, 'insert, update, delete, truncate, references, trigger')"
        " or has_any_column_privilege(current_user, $1::oid, 'insert, update, references')"
    )
    oids = [row["oid"] for row in await connection.fetch("select unnest($1::text[])::regclass::oid as oid", names)]
    assert [oid for oid in oids if await reader.fetchval(query, oid)] == []


@pytest.mark.parametrize("login", MAY_SEE)
async def test_nobody_becomes_somebody_else(sessions: Sessions, login: str) -> None:
    others = {"anybody": "orcid_reader_limited", "insider": "postgres", "stranger": "orcid_reader"}
    for statement in (f"set role {others[login]}", f"set session authorization {others[login]}"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await sessions[login].execute(statement)


@pytest.mark.parametrize("login", READERS)
async def test_row_security_cannot_be_switched_off(sessions: Sessions, world: World, login: str) -> None:
    await sessions[login].execute("set row_security = off")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await sessions[login].fetch("select * from orcid.works")


PEEK = """
create function pg_temp.peek(said text) returns boolean language plpgsql cost 0.000000001
as $$ begin raise notice '%', said; return true; end $$
"""


@pytest.mark.parametrize("login", READERS)
async def test_a_function_that_tells_what_it_is_given_is_given_nothing_more(
    connection: asyncpg.Connection, sessions: Sessions, world: World, login: str
) -> None:
    """The planner puts cheap conditions first, but never before a policy, unless they cannot tell (leakproof)."""
    heard: list[str] = []
    reader = sessions[login]
    reader.add_log_listener(lambda _, message: heard.append(message.message))
    await reader.execute(PEEK)
    for name, _, _ in await relations(connection):
        if name.startswith("orcid."):
            await reader.fetch(f"select from {name} t where pg_temp.peek(t::text)")
            await reader.fetch(f"select from {name} t order by pg_temp.peek(t::text) limit 1")
    assert len(heard) > 100
    assert set(PLANTED.findall(" ".join(heard))) - world.planted(*MAY_SEE[login]) == set()


@pytest.mark.parametrize("login", READERS)
@pytest.mark.parametrize("condition", ["1 / (length(doc::text) - length(doc::text)) = 1", "doc::text::int = 1"])
async def test_an_error_quotes_nothing_that_is_hidden(
    sessions: Sessions, world: World, login: str, condition: str
) -> None:
    for life, orcid in world.orcids.items():
        audience = {"withheld": "nobody", "closed": "nobody", "in_doubt_limited": "nobody"}.get(life)
        if audience:
            assert await sessions[login].fetch(f"select from orcid.works where orcid = $1 and {condition}", orcid) == []


@pytest.mark.parametrize("login", READERS)
async def test_copies_plans_and_statistics_hold_nothing_more(
    connection: asyncpg.Connection, sessions: Sessions, world: World, login: str
) -> None:
    """EXPLAIN ANALYZE does tell how many rows a policy has removed: that something is hidden is not secret, what is."""
    await connection.execute("analyze")
    reader, said = sessions[login], io.BytesIO()
    for name, query, _ in await relations(connection):
        if name.startswith("orcid."):
            await reader.copy_from_query(query, output=said)
            said.write(str(await reader.fetch(f"explain (analyze, verbose) {query}")).encode())
    said.write(str(await reader.fetch("select s::text from pg_stats s")).encode())
    texts = set(PLANTED.findall(said.getvalue().decode()))
    assert texts - world.planted(*MAY_SEE[login]) == set()
    assert texts


async def test_hidden_rows_do_not_change_what_a_reader_counts(sessions: Sessions, world: World) -> None:
    """Groups, people and publications are made of what the reader may see, not of what there is."""
    reader = sessions["anybody"]
    closed = world.orcids["closed"]
    assert [
        tuple(row)
        for row in await reader.fetch("select name, employer, works from orcid.people where orcid = $1", closed)
    ] == [(None, None, 0)]
    for query in ("orcid.work_groups where orcid = $1", "orcid.publications where $1 = any (claimants)"):
        assert await reader.fetch(f"select from {query}", closed) == []
