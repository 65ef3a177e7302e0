"""The SQL examples of the documents run, and find something, on a mirror of lifelike records."""

import re
from pathlib import Path

import asyncpg
import msgspec

from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.consent import connections
from orcid_sync.store.consent.connections import Entry
from orcid_sync.store.database.pools import Database
from rig.records.mirror import apply_record

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "deploy" / "docs"
EXAMPLES = re.findall(r"```sql\n-- (\d+)\. ([^\n]+)\n(.*?)```", (DOCS / "tables.md").read_text("utf-8"), re.DOTALL)
KNOWN = "0000-0002-1825-0097"


async def mirror_samples(database: Database) -> str:
    """Mirror forty sample records; returns the iD of one of them."""
    sim = SimulatedRegistry()
    orcids = sim.add_samples(40)
    token = sim.token_service.issue(CLIENT_ID, ["/read-public"]).text
    for orcid in orcids:
        await apply_record(database.worker, msgspec.json.encode(sim.view(orcid, token)))
    # Two people who claim the same work.
    first, second = (sim.view(orcid, token) for orcid in orcids[:2])
    second["activities-summary"]["works"] = first["activities-summary"]["works"]
    await apply_record(database.worker, msgspec.json.encode(second))
    async with database.worker.acquire() as connection:
        await connections.connect_orcids(connection, [Entry(orcid=orcid) for orcid in orcids])
        await connection.execute("update orcid_sync.queue set verified_at = now()")
        await connection.execute("update orcid.changes set at = at - interval '2 days'")
    return orcids[0]


def test_there_are_ten_examples() -> None:
    assert [int(number) for number, _, _ in EXAMPLES] == list(range(1, 11))


async def test_each_example_finds_something(database: Database) -> None:
    orcid = await mirror_samples(database)

    async with database.reader.acquire() as connection:
        found = {title: len(await connection.fetch(sql.replace(KNOWN, orcid))) for _, title, sql in EXAMPLES}

    assert [title for title, rows in found.items() if rows == 0] == []


async def test_the_examples_to_begin_with_find_something(database: Database) -> None:
    """Of the README's quick start. How the feed is followed: test_consumers."""
    page = (ROOT / "README.md").read_text("utf-8")
    await mirror_samples(database)

    async with database.reader.acquire() as connection:
        found = [
            len(await connection.fetch(sql))
            for sql in re.findall(r"^ *```sql\n(.*?)```", page, re.MULTILINE | re.DOTALL)
        ]

    assert len(found) == 1
    assert all(found)


async def test_every_table_view_and_function_is_described(connection: asyncpg.Connection) -> None:
    """And what is described exists."""
    text = (DOCS / "tables.md").read_text("utf-8")
    cells = [row.partition(" | ")[0] + row.partition("also as the views")[2] for row in text.splitlines()]
    named = {name for cell in cells if cell.startswith("| `") for name in re.findall(r"`(\w+)[`(]", cell)}
    inside = "(select oid from pg_namespace where nspname = 'orcid')"
    relations = f"select relname from pg_class where relnamespace = {inside} and relkind in ('r', 'v', 'p')"
    functions = f"select proname from pg_proc where pronamespace = {inside}"
    tables = {name for (name,) in await connection.fetch(relations)}
    everything = tables | {name for (name,) in await connection.fetch(functions)}
    assert named - everything == set()
    assert tables - set(re.findall(r"`(\w+)`", text)) == set()


async def test_the_roles_are_made_as_described(connection: asyncpg.Connection) -> None:
    text = (DOCS / "privacy.md").read_text("utf-8")
    statements = [sql for block in re.findall(r"```sql\n(.*?)```", text, re.DOTALL) for sql in block.splitlines()]
    transaction = connection.transaction()
    await transaction.start()
    try:
        found = [await connection.fetchval(sql) for sql in statements]
    finally:
        await transaction.rollback()
    assert found == [None, None, True]
