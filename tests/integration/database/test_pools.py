"""Connections survive what happens to servers and networks, and say "not now" in one voice."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from orcid_sync.store.database.pools import (
    Database,
    DatabaseRefused,
    DatabaseUnavailable,
    connect,
    guarded,
    open_database,
    transaction,
)
from rig.proxy import Proxy

Wait = Callable[..., Any]

END_THE_OTHERS = """
select pg_terminate_backend(pid, 1000) from pg_stat_activity
 where datname = current_database() and pid <> pg_backend_pid()
"""
INSERT = "insert into orcid_sync.runs (job) values ('check')"
COUNT = "select count(*) from orcid_sync.runs"


async def count(database: Database) -> int:
    async with transaction(database.reader) as connection:
        number: int = await connection.fetchval(COUNT)
        return number


async def test_json_travels_as_bytes(database: Database) -> None:
    text = '{"n": [1, null], "name": "Ünïcode"}'.encode()
    async with transaction(database.worker) as connection:
        for kind in ("json", "jsonb"):
            assert await connection.fetchval(f"select $1::{kind}", text) == text
            assert await connection.fetchval(f"select $1::{kind}[]", [text, None]) == [text, None]
            assert await connection.fetchval(f"select $1::{kind} ->> 'name'", text) == "Ünïcode"


async def test_each_pool_has_limits_of_its_own(database: Database) -> None:
    found = {}
    for name in ("intake", "worker", "reader"):
        async with transaction(getattr(database, name)) as connection:
            found[name] = await connection.fetchval("show statement_timeout")
            assert await connection.fetchval("show lock_timeout") == "5s"
            assert await connection.fetchval("show idle_in_transaction_session_timeout") == "10s"
            assert await connection.fetchval("show application_name") == f"orcid_sync {name}"
    assert found == {"intake": "2s", "worker": "20s", "reader": "1min"}


@pytest.mark.fault("F26")
async def test_busy_workers_do_not_keep_notifications_waiting(database: Database) -> None:
    workers = [await database.worker.acquire() for _ in range(database.worker.get_max_size())]
    try:
        async with asyncio.timeout(1), transaction(database.intake) as connection:
            await connection.execute(INSERT)
    finally:
        for worker in workers:
            await database.worker.release(worker)


@pytest.mark.invariant("S5")
async def test_a_body_that_raises_is_rolled_back(database: Database) -> None:
    async def fail_after_writing() -> None:
        async with transaction(database.worker) as connection:
            await connection.execute(INSERT)
            raise LookupError("made up")

    with pytest.raises(LookupError):
        await fail_after_writing()
    assert await count(database) == 0


@pytest.mark.fault("F27")
@pytest.mark.invariant("S5")
async def test_a_cancelled_transaction_is_rolled_back_and_the_pool_goes_on(
    database: Database, connection: asyncpg.Connection, wait_until: Wait
) -> None:
    async def slow() -> None:
        async with transaction(database.worker) as mine:
            await mine.execute(INSERT)
            await mine.execute("select pg_sleep(10)")

    async def sleeping() -> bool:
        found: bool = await connection.fetchval(
            "select count(*) > 0 from pg_stat_activity where wait_event = 'PgSleep'"
        )
        return found

    tasks = [asyncio.create_task(slow()) for _ in range(database.worker.get_max_size())]
    await wait_until(sleeping)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    assert await count(database) == 0
    async with transaction(database.worker) as fresh:
        await fresh.execute(INSERT)
    assert await count(database) == 1


@pytest.mark.fault("F05")
@pytest.mark.invariant("L6")
async def test_the_first_transaction_after_a_restart_works(
    database: Database, behind_its_back: Callable[..., None]
) -> None:
    behind_its_back(END_THE_OTHERS)
    for pool in (database.intake, database.worker):
        async with transaction(pool) as connection:
            await connection.execute(INSERT)
    assert await count(database) == 2


@pytest.mark.fault("F06", "F75")
@pytest.mark.invariant("S5")
@pytest.mark.parametrize("when", ["before a statement", "before the commit"])
async def test_a_connection_lost_in_the_middle_is_unavailable(
    database: Database, behind_its_back: Callable[..., None], when: str
) -> None:
    async def lose() -> None:
        async with transaction(database.worker) as connection:
            await connection.execute(INSERT)
            behind_its_back(END_THE_OTHERS)
            if when == "before a statement":
                await connection.execute(INSERT)

    with pytest.raises(DatabaseUnavailable):
        await lose()
    assert await count(database) == 0


@pytest.mark.fault("F76")
@pytest.mark.invariant("L6")
async def test_a_pool_leaves_a_server_that_has_become_read_only(database: Database) -> None:
    async with transaction(database.worker) as connection:
        await connection.execute("set session characteristics as transaction read only")
    with pytest.raises(DatabaseUnavailable, match="read-only"):
        async with transaction(database.worker) as connection:
            await connection.execute(INSERT)
    async with transaction(database.worker) as connection:
        await connection.execute(INSERT)
    assert await count(database) == 1


@pytest.mark.fault("F76")
async def test_of_several_hosts_the_first_that_answers_is_taken(proxy: Proxy, tmp_path: Path) -> None:
    async with connect(proxy.dsn.replace("host=", f"host={tmp_path},")) as connection:
        await connection.execute(INSERT)


@pytest.mark.fault("F76")
async def test_a_read_only_server_is_not_connected_to(dsn: str, behind_its_back: Callable[..., None]) -> None:
    name = dsn.split("?", maxsplit=1)[0].rsplit("/", 1)[1]
    behind_its_back(f"alter database {name} set default_transaction_read_only = on")
    with pytest.raises(DatabaseUnavailable):
        async with connect(dsn):
            pytest.fail("connected")


@pytest.mark.fault("F04")
async def test_a_server_that_is_gone_is_unavailable_at_once(proxy: Proxy) -> None:
    async with open_database(proxy.dsn, workers=2) as database:
        proxy.cut()
        began = time.monotonic()
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable):
                async with transaction(database.intake) as connection:
                    await connection.execute(INSERT)
        assert time.monotonic() - began < 2
        proxy.mend()
        assert await count(database) == 0


@pytest.mark.fault("F04")
async def test_a_black_hole_is_left_in_seconds(proxy: Proxy) -> None:
    async with open_database(proxy.dsn, workers=2) as database:
        proxy.freeze()
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            async with transaction(database.intake) as connection:
                await connection.execute(INSERT)
        assert time.monotonic() - began < 15
        proxy.mend()
        assert await count(database) == 0


@pytest.mark.parametrize("dsn_of", ["cut", "nowhere"])
async def test_nothing_opens_without_a_server(proxy: Proxy, dsn_of: str) -> None:
    proxy.cut()
    dsn = {"cut": proxy.dsn, "nowhere": "postgresql://nobody:hunter2@127.0.0.1:1/none"}[dsn_of]
    with pytest.raises(DatabaseUnavailable) as caught:
        async with open_database(dsn, workers=1):
            pytest.fail("opened")
    assert "hunter2" not in str(caught.value)


@pytest.mark.invariant("S12")
@pytest.mark.parametrize("wrong", ["mysql://u:hunter2@h/d", "postgresql://u:hunter2@h:port/d"])
async def test_an_unusable_address_is_refused_without_repeating_it(wrong: str) -> None:
    with pytest.raises(DatabaseRefused) as caught:
        async with connect(wrong):
            pytest.fail("connected")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.invariant("S12")
async def test_the_password_is_not_shown(database: Database) -> None:
    assert "postgres" not in repr(database)


@pytest.mark.fault("F83")
async def test_a_schema_change_under_a_prepared_statement_passes(
    database: Database, behind_its_back: Callable[..., None]
) -> None:
    query = "select * from orcid_sync.runs"
    async with transaction(database.worker) as connection:
        await connection.fetch(query)
    behind_its_back("alter table orcid_sync.runs add column added int")
    with pytest.raises(DatabaseUnavailable, match="schema changed"):
        async with transaction(database.worker) as connection:
            await connection.fetch(query)
    async with transaction(database.worker) as connection:
        await connection.fetch(query)


@pytest.mark.fault("F79")
@pytest.mark.parametrize("state", ["40001", "40P01", "53100", "53300", "55P03", "57014", "57P01", "57P03", "58030"])
async def test_what_may_work_later_is_unavailable(database: Database, state: str) -> None:
    with pytest.raises(DatabaseUnavailable, match=state):
        async with transaction(database.worker) as connection:
            await connection.execute(f"do $$ begin raise exception 'made up' using errcode = '{state}'; end $$")


@pytest.mark.invariant("S12")
async def test_a_refusal_names_the_rule_and_no_value(database: Database) -> None:
    with pytest.raises(DatabaseRefused, match=r"CheckViolationError 23514 orcid_sync pace .*pace_rate_check") as caught:
        async with transaction(database.worker) as connection:
            await connection.execute("insert into orcid_sync.pace (client_id, rate) values ('secret value', -1)")
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


async def test_errors_of_the_program_pass(connection: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.InterfaceError):
        async with guarded(connection):
            await connection.fetch("select 1", "an argument too many")


async def test_connections_outside_the_pools(database: Database, wait_until: Wait) -> None:
    heard: list[str] = []
    flusher, listener = await database.connect_intake(), await database.connect_listener()
    try:
        await listener.add_listener("made_up", lambda *event: heard.append(event[3]))
        await flusher.execute("notify made_up, 'hello'")
        await wait_until(lambda: heard == ["hello"])
        assert await flusher.fetchval("show statement_timeout") == "2s"
    finally:
        flusher.terminate()
        await listener.reset()
        listener.terminate()
