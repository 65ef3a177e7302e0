"""Every named query fits the schema, and everything in the schema is explained."""

from pathlib import Path

import asyncpg
import pytest

from orcid_sync import store
from orcid_sync.store.database.queries import load_queries

STORE = Path(store.__path__[0])
FILES = sorted(path.relative_to(STORE) for path in STORE.rglob("*.sql") if path.with_suffix(".py").exists())
"""The files of named queries: each is the twin of a module."""
OTHERS = {"migrations", "questions"}
"""Folders of files that are no named queries."""

# Sessions stay behind in a pool, and behind PgBouncer anybody's statement may run in them.
SESSION_STATE = ("pg_advisory_lock", "set session", "create temp", "listen ", "declare ")


def test_every_file_of_queries_has_its_module() -> None:
    assert {path.relative_to(STORE) for path in STORE.rglob("*.sql") if path.parent.name not in OTHERS} == set(FILES)


@pytest.mark.parametrize("file", FILES, ids=str)
async def test_every_named_query_can_be_prepared(connection: asyncpg.Connection, file: Path) -> None:
    queries = load_queries(str(STORE / file))
    for query in queries.available_queries:
        if query.endswith("_cursor"):
            continue
        try:
            await connection.prepare(getattr(queries, query).sql)
        except asyncpg.PostgresError as error:
            pytest.fail(f"{file}, {query}: {error}")


@pytest.mark.parametrize("file", FILES, ids=str)
def test_every_named_query_says_what_it_returns(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without an operator after its name, an update would be taken for a select and not run when awaited."""
    load_queries.__wrapped__(str(STORE / file))
    assert [record.getMessage() for record in caplog.records] == []


@pytest.mark.fault("F81")
@pytest.mark.parametrize("file", FILES, ids=str)
def test_no_named_query_relies_on_session_state(file: Path) -> None:
    queries = load_queries(str(STORE / file))
    texts = {query: getattr(queries, query).sql.lower() for query in queries.available_queries}
    assert {query: word for query, text in texts.items() for word in SESSION_STATE if word in text} == {}


async def test_everything_in_the_schemas_has_a_comment(connection: asyncpg.Connection) -> None:
    uncommented = await connection.fetch(
        """
        with ours as (select oid from pg_namespace where nspname in ('orcid', 'orcid_sync'))
        select c.oid::regclass::text as what
          from pg_class c
         where c.relnamespace in (select oid from ours) and c.relkind in ('r', 'v', 'm', 'p')
           and obj_description(c.oid, 'pg_class') is null
        union all
        select c.oid::regclass || '.' || a.attname
          from pg_class c join pg_attribute a on a.attrelid = c.oid
         where c.relnamespace in (select oid from ours) and c.relkind in ('r', 'v', 'm', 'p')
           and a.attnum > 0 and not a.attisdropped and col_description(c.oid, a.attnum) is null
        union all
        select p.oid::regprocedure::text
          from pg_proc p
         where p.pronamespace in (select oid from ours) and obj_description(p.oid, 'pg_proc') is null
        union all
        select n.nspname
          from pg_namespace n
         where n.oid in (select oid from ours) and obj_description(n.oid, 'pg_namespace') is null
        order by 1
        """
    )
    assert [row["what"] for row in uncommented] == []
