"""A copy by logical replication, as operations.md describes it: what arrives there, and who may see it."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from acceptance.harness.cluster import Cluster, open_cluster
from orcid_sync.store.consent.erasure import erase
from orcid_sync.store.database.migrate import migrate
from orcid_sync.store.database.pools import open_database
from rig.records.mirror import apply_record, fetch, skeleton
from rig.records.sample_record import ORCID, encode, keyword, with_keywords

OPERATIONS = (Path(__file__).parents[2] / "deploy" / "docs" / "operations.md").read_text("utf-8")
[PUBLICATION] = re.findall(r"create publication .*;", OPERATIONS)


@pytest.fixture
async def logical() -> AsyncIterator[Cluster]:
    """A server that can be followed."""
    with (
        tempfile.TemporaryDirectory(prefix="orcid-sync-copy-", ignore_cleanup_errors=True) as folder,
        open_cluster(Path(folder)) as cluster,
    ):
        connection = await asyncpg.connect(cluster.dsn)
        await connection.execute("alter system set wal_level = 'logical'")
        await connection.close()
        await asyncio.to_thread(cluster.stop)
        await asyncio.to_thread(cluster.start)
        yield cluster


async def database(cluster: Cluster, name: str) -> str:
    """A migrated database of that name."""
    dsn = urlsplit(cluster.dsn)._replace(path=f"/{name}").geturl()
    connection = await asyncpg.connect(cluster.dsn)
    await connection.execute(f"create database {name}")
    await connection.close()
    await migrate(dsn)
    return dsn


async def mirror(pool: asyncpg.Pool, *visibilities: str) -> None:
    items = [keyword(number, f"word {number}", visibility=one) for number, one in enumerate(visibilities, 1)]
    await apply_record(pool, encode(with_keywords(skeleton(ORCID), *items)), access="read-limited")


async def test_a_copy_follows_is_protected_and_forgets(logical: Cluster, wait_until: Callable[..., Any]) -> None:
    here, there = await database(logical, "here"), await database(logical, "there")
    socket = re.search(r"host=([^&]+)", logical.dsn)
    assert socket is not None
    copy = await asyncpg.connect(there)
    async with open_database(here, workers=1) as source:
        await mirror(source.worker, "public", "limited")
        [(slot,)] = await fetch(
            source.worker, "select slot_name from pg_create_logical_replication_slot('orcid', 'pgoutput')"
        )
        async with source.worker.acquire() as connection:
            await connection.execute(PUBLICATION)
        await copy.execute(
            f"create subscription orcid connection 'host={socket[1]} dbname=here user={urlsplit(here).username}'"
            f" publication orcid with (create_slot = false, slot_name = '{slot}')"
        )
        try:
            await wait_until(lambda: is_equal(source.worker, copy), 15)
            await mirror(source.worker, "limited", "public", "public")
            await wait_until(lambda: is_equal(source.worker, copy), 10)
            assert await copy.fetchval("select count(*) from orcid.keywords") == 3
            async with copy.transaction():
                await copy.execute("set local role orcid_reader")
                assert await copy.fetchval("select count(*) from orcid.keywords") == 2

            async with source.worker.acquire() as connection:
                await erase(connection, ORCID, by="operator", learnt="command")
            await wait_until(lambda: is_equal(source.worker, copy), 10)
            assert await copy.fetchval("select count(*) from orcid.keywords") == 0
        finally:
            await copy.execute("alter subscription orcid disable")
            await copy.execute("alter subscription orcid set (slot_name = none)")
            await copy.execute("drop subscription orcid")
            await copy.close()


async def is_equal(pool: asyncpg.Pool, copy: asyncpg.Connection) -> bool:
    """Whether the copy says what the original says."""
    queries = (
        "select seq, orcid, section, key, op, visibility from orcid.changes order by seq",
        "select orcid, section, key, visibility from orcid.items order by 1, 2, 3",
    )
    for query in queries:
        if [tuple(row) for row in await copy.fetch(query)] != await fetch(pool, query):
            return False
    return True
