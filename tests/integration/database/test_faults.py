"""What other sessions and a server at its limits do to us: a frozen lock holder, no more connections, a full disk."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from orcid_sync.daemon.push_sender import CONNECTIONS
from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.settings.settings import Settings
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.database.pools import (
    PUSHER,
    Database,
    DatabaseUnavailable,
    connect,
    open_database,
    open_pool,
    transaction,
)
from orcid_sync.store.database.queries import load_queries
from orcid_sync.store.feed import changes
from orcid_sync.store.sync import queue
from rig.proxy import Proxy
from rig.service.daemon import Service, serving
from rig.service.intake import connect_cold, exchange, path_of, post_all, request, running_intake, status_of
from rig.service.reconciler import Bench, O

Wait = Callable[..., Any]
Sample = Callable[[int], list[Orcid]]

OPERATIONS = (Path(__file__).parents[3] / "deploy" / "docs" / "operations.md").read_text("utf-8")
TAKE = load_queries(changes.__file__).take_positions


@asynccontextmanager
async def every_kind(database: Database) -> AsyncIterator[list[asyncpg.Connection]]:
    """One connection of each kind that the software opens: three pools, flusher, listener, command."""
    async with AsyncExitStack() as stack:
        kinds = [
            await stack.enter_async_context(transaction(pool))
            for pool in (database.intake, database.worker, database.reader)
        ]
        kinds += [await database.connect_intake(), await database.connect_listener()]
        kinds.append(await stack.enter_async_context(connect(database.dsn)))
        yield kinds
        for own in kinds[3:5]:
            own.terminate()


@pytest.mark.fault("F80")
async def test_every_connection_bounds_what_it_can_do_to_others(database: Database) -> None:
    async with every_kind(database) as kinds:
        for connection in kinds:
            who = await connection.fetchval("show application_name")
            for name, most in [
                ("idle_in_transaction_session_timeout", timedelta(seconds=10)),
                ("lock_timeout", timedelta(seconds=5)),
                ("statement_timeout", timedelta(seconds=60)),
            ]:
                limit = await connection.fetchval(f"select current_setting('{name}')::interval")
                assert timedelta(0) < limit <= most, f"{name} of {who}"


@pytest.mark.fault("F80")
@pytest.mark.invariant("L1")
async def test_a_process_of_ours_that_freezes_with_the_feeds_head_is_put_out_by_the_server(
    proxy: Proxy, database: Database
) -> None:
    """The limit is 10 s; here the frozen one is given less."""
    loop = asyncio.get_running_loop()

    async def freeze_while_holding_it() -> None:
        async with transaction(frozen.worker) as connection:
            await connection.execute("set local idle_in_transaction_session_timeout = '500ms'")
            await TAKE(connection, count=1)
            proxy.freeze()
            async with transaction(database.worker) as other:
                await TAKE(other, count=1)
            proxy.mend()

    async with open_database(proxy.dsn, workers=1) as frozen:
        began = loop.time()
        with pytest.raises(DatabaseUnavailable):
            await freeze_while_holding_it()
        assert 0.4 < loop.time() - began < 4
        async with transaction(frozen.worker) as connection:
            assert (await TAKE(connection, count=1))["before"] == 1, "what the frozen one had taken was given back"


@pytest.mark.fault("F80")
@pytest.mark.invariant("S5", "L1")
async def test_a_foreign_session_on_the_feeds_head_costs_a_try_and_nothing_else(
    bench: Bench, connection: asyncpg.Connection
) -> None:
    await bench.connect()
    await bench.turn()
    before = await bench.mirror()
    bench.registry.edit.add_item(O, "keyword", {"content": "new"})
    async with connect(bench.database.dsn) as silent, silent.transaction():
        await silent.execute("set local idle_in_transaction_session_timeout = 0")
        await silent.execute("select from orcid_sync.feed_head for update")
        async with asyncio.timeout(8):  # lock_timeout is 5 s
            assert await bench.notified() == "failed"

    row = await bench.row()
    assert row["last_error"].startswith("database: a lock was not available in time")
    assert row["done_gen"] < row["gen"]
    assert timedelta(0) < await bench.due_in() < timedelta(seconds=30)
    assert await bench.mirror() == before
    assert await bench.when_due() == "changed"
    await bench.assert_mirrored()


DISK_FULL = """
create function orcid_sync.disk_full() returns trigger language plpgsql as
  $$ begin raise exception 'could not extend file' using errcode = '53100'; end $$;
create trigger disk_full before insert on orcid.keywords for each row execute function orcid_sync.disk_full();
"""


@pytest.mark.fault("F78")
@pytest.mark.invariant("S1", "S5")
async def test_a_full_disk_stops_the_mirror_but_not_the_marks(bench: Bench) -> None:
    """Large writes fail first; the small ones of the queue, which need no new page, go on."""
    await bench.connect()
    await bench.turn()
    before = await bench.mirror()
    await bench.connection.execute(DISK_FULL)
    bench.registry.edit.add_item(O, "keyword", {"content": "new"})

    assert await bench.notified() == "failed"

    assert "out of disk space" in (await bench.row())["last_error"]
    assert await bench.mirror() == before
    async with running_intake(bench.database) as rig:
        assert status_of(await exchange(rig.port, request(path_of(O)))) == 204
    assert (await bench.row())["gen"] == (await bench.row())["leased_gen"] + 1
    await bench.connection.execute("drop trigger disk_full on orcid.keywords")
    assert await bench.when_due() == "changed"
    await bench.assert_mirrored()


OPEN = """
select count(*) from pg_stat_activity
 where datname = current_database() and application_name like 'orcid\\_sync %' and application_name not like '% command'
"""


@pytest.mark.fault("F84")
async def test_the_connections_of_a_process_are_as_many_as_the_readme_says(
    dsn: str, connection: asyncpg.Connection
) -> None:
    workers = 3
    async with (
        open_database(dsn, workers=workers) as database,
        open_pool(dsn, PUSHER, size=CONNECTIONS) as pusher,
        AsyncExitStack() as stack,
    ):
        for pool in (database.intake, database.worker, database.reader, pusher):
            for _ in range(pool.get_max_size()):
                await stack.enter_async_context(transaction(pool))
        ears = [await database.connect_listener() for _ in ("worker", "feed", "pushes")]
        own = [await database.connect_intake(), *ears]
        count = await connection.fetchval(OPEN)
        for each in own:
            each.terminate()
    assert count == workers + 18
    assert "`workers` + 18 connections" in OPERATIONS


@pytest.mark.fault("F84")
async def test_a_busy_service_opens_no_others(
    settings: Settings, dsn: str, connection: asyncpg.Connection, sample_orcids: Sample
) -> None:
    """A hundred records and as many notifications at once, with readiness and metrics being asked for."""
    orcids = sample_orcids(100)
    most = 0

    async def ask(service: Service) -> None:
        for orcid in orcids:
            assert await service.post(orcid) == 204
            await asyncio.gather(service.get("/readyz"), service.get("/metrics"))

    await connect_orcids(connection, [Entry(orcid=orcid) for orcid in orcids])
    async with serving(settings, dsn) as service:
        asking = asyncio.gather(*(ask(service) for _ in range(8)))
        while not asking.done():
            await connection.execute("select pg_stat_clear_snapshot()")
            most = max(most, await connection.fetchval(OPEN))
            await asyncio.wait([asking], timeout=0.01)
        await asking
    assert settings.workers < most <= settings.workers + 18


@pytest.fixture
async def limited(
    dsn: str, connection: asyncpg.Connection, sample_orcids: Sample
) -> AsyncIterator[tuple[str, Callable[[int], Any]]]:
    """A DSN of a role that may have few connections, and how to say how many; 53300 hits it as it hits all others."""
    role = f"few_{urlsplit(dsn).path[1:]}"
    await connection.execute(f"create role {role} login connection limit 0")
    for schema in ("orcid", "orcid_sync"):
        await connection.execute(f"grant usage on schema {schema} to {role}")
        await connection.execute(f"grant all on all tables in schema {schema} to {role}")
        await connection.execute(f"grant all on all sequences in schema {schema} to {role}")

    async def allow(number: int) -> None:
        await connection.execute(f"alter role {role} connection limit {number}")
        await connection.execute(
            f"select pg_terminate_backend(pid, 1000) from pg_stat_activity where usename = '{role}'"
        )

    address = urlsplit(dsn)
    host = address.netloc.rpartition("@")[2]
    try:
        yield address._replace(netloc=f"{role}@{host}").geturl(), allow
    finally:
        await connection.execute(f"drop owned by {role}")
        await allow(0)
        await connection.execute(f"drop role {role}")


@pytest.mark.fault("F84")
@pytest.mark.invariant("S1", "L6")
async def test_no_more_connections_means_not_now(
    limited: tuple[str, Callable[[int], Any]], connection: asyncpg.Connection, sample_orcids: Sample
) -> None:
    dsn, allow = limited
    orcids = sample_orcids(60)
    await connect_cold(connection, orcids)
    with pytest.raises(DatabaseUnavailable, match="53300"):
        async with connect(dsn):
            pytest.fail("connected")
    await allow(3)
    async with open_database(dsn, workers=2) as database, running_intake(database) as rig:
        assert set(await post_all(rig.port, map(path_of, orcids[:20]), connections=10)) == {204}

        await allow(0)
        assert set(await post_all(rig.port, map(path_of, orcids[20:40]), connections=10)) == {503}
        with pytest.raises(DatabaseUnavailable, match="53300"):
            async with transaction(database.worker) as starved:
                await queue.lease_due(starved, limit=1, lease=timedelta(minutes=1))
        assert await marked(connection) == orcids[:20]

        await allow(3)
        assert set(await post_all(rig.port, map(path_of, orcids[40:]), connections=10)) == {204}
        async with transaction(database.worker) as again:
            await queue.mark_due(again, orcids[20:40], lane=Lane.NOTIFICATION)
        assert await marked(connection) == orcids


async def marked(connection: asyncpg.Connection) -> list[str]:
    """The iDs that something is to be done for."""
    rows = await connection.fetch("select orcid from orcid_sync.queue where gen > leased_gen order by orcid")
    return [row["orcid"] for row in rows]
