"""What a 204 promises: the mark is durable, whatever happens to connections, servers and the service."""

import asyncio
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.store.database.pools import Database, open_database
from rig.service.intake import (
    Poster,
    Rig,
    SilentProxy,
    WaitUntil,
    connect_cold,
    exchange,
    marks,
    path_of,
    post_all,
    request,
    running_intake,
    sample_orcids,
    status_of,
)

ORCIDS = sample_orcids(5000)
ORCID = ORCIDS[0]
PATH = path_of(ORCID)


@pytest.mark.fault("F03")
@pytest.mark.invariant("S1")
async def test_each_204_is_durable_when_it_is_sent(rig: Rig, connection: asyncpg.Connection) -> None:
    await connect_cold(connection, ORCIDS[:100])
    poster = Poster(rig.port)
    for orcid in ORCIDS[:100]:
        assert await poster.post(path_of(orcid)) == 204
        row = await connection.fetchrow("select * from orcid_sync.queue where orcid = $1", orcid)
        assert (row["gen"], row["lane"]) == (2, 0)
        assert timedelta(0) < row["due_at"] - row["notified_at"] <= timedelta(seconds=3)
    poster.close()


@pytest.mark.fault("F03")
@pytest.mark.invariant("S1")
async def test_no_answer_before_the_commit(rig: Rig, connection: asyncpg.Connection, wait_until: WaitUntil) -> None:
    await connect_cold(connection, [ORCID])
    async with connection.transaction():
        await connection.execute("select from orcid_sync.queue for update")
        answer = asyncio.ensure_future(exchange(rig.port, request(PATH)))
        await wait_until(lambda: blocked(connection))
        assert not answer.done()
    assert status_of(await answer) == 204
    assert await marks(connection) == {ORCID: 1}


@pytest.mark.fault("F05", "F06")
@pytest.mark.invariant("S1")
async def test_a_commit_whose_connection_is_lost_is_tried_once_more(
    rig: Rig, connection: asyncpg.Connection, wait_until: WaitUntil
) -> None:
    await connect_cold(connection, [ORCID])
    async with connection.transaction():
        await connection.execute("select from orcid_sync.queue for update")
        answer = asyncio.ensure_future(exchange(rig.port, request(PATH)))
        await wait_until(lambda: blocked(connection))
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock'"
        )
        await wait_until(lambda: rig.connects == 2)
    assert status_of(await answer) == 204
    assert await marks(connection) == {ORCID: 1}


async def blocked(connection: asyncpg.Connection) -> bool:
    """Whether a mark waits for a lock in this database."""
    await connection.execute("select pg_stat_clear_snapshot()")
    return await connection.fetchval(
        "select exists(select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"
    )


@pytest.mark.fault("F11")
async def test_an_orphan_is_acknowledged_and_counted(rig: Rig, connection: asyncpg.Connection) -> None:
    assert status_of(await exchange(rig.port, request(PATH))) == 204

    assert rig.counted("orphan") == 1
    assert rig.counted("acknowledged") == 0
    assert rig.wakes == 0
    assert await marks(connection) == {}


@pytest.mark.fault("F07")
async def test_a_burst_of_5000_posts_is_taken_whole(rig: Rig, connection: asyncpg.Connection) -> None:
    await connect_cold(connection, ORCIDS)

    statuses = await post_all(rig.port, map(path_of, ORCIDS), connections=1000)

    assert set(statuses) == {204}
    assert await marks(connection) == dict.fromkeys(ORCIDS, 1)
    assert rig.counted("acknowledged") == 5000


@pytest.mark.fault("F08", "F09")
async def test_a_storm_on_one_id_writes_its_row_once(rig: Rig, connection: asyncpg.Connection) -> None:
    await connect_cold(connection, [ORCID])

    assert set(await post_all(rig.port, [PATH] * 2000, connections=50)) == {204}

    assert await marks(connection) == {ORCID: 1}


@pytest.mark.fault("F26")
async def test_workers_that_hold_every_connection_do_not_delay_acknowledgements(
    rig: Rig, database: Database, connection: asyncpg.Connection
) -> None:
    await connect_cold(connection, ORCIDS[:100])
    held = [await database.worker.acquire() for _ in range(database.worker.get_max_size())]
    held_by_readers = [await database.reader.acquire() for _ in range(database.reader.get_max_size())]
    try:
        async with asyncio.timeout(2):
            assert set(await post_all(rig.port, map(path_of, ORCIDS[:100]), connections=10)) == {204}
    finally:
        for pool, connections in [(database.worker, held), (database.reader, held_by_readers)]:
            for one in connections:
                await pool.release(one)


@pytest.mark.fault("F05", "F06")
@pytest.mark.invariant("S1")
async def test_no_acknowledgement_is_lost_when_the_connection_is_killed(
    rig: Rig, connection: asyncpg.Connection
) -> None:
    await connect_cold(connection, ORCIDS[:2000])
    answered: dict[Orcid, int] = {}
    waiting = iter(ORCIDS[:2000])
    killed = 0

    async def post() -> None:
        poster = Poster(rig.port)
        for orcid in waiting:
            answered[orcid] = await poster.post(path_of(orcid))
        poster.close()

    posting = asyncio.gather(*(post() for _ in range(20)))
    while not posting.done():
        killed += await connection.fetchval(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity "
            "where datname = current_database() and application_name like '%intake'"
        )
        await asyncio.wait([posting], timeout=0.02)
    await posting

    assert killed > 5
    assert set(answered.values()) <= {204, 503}
    durable = await marks(connection)
    assert {orcid for orcid, status in answered.items() if status == 204} <= durable.keys()
    assert list(answered.values()).count(204) > 1000
    assert status_of(await exchange(rig.port, request(PATH))) == 204


@pytest.mark.fault("F76")
@pytest.mark.invariant("L6")
async def test_a_server_that_became_read_only_is_left_for_one_that_can_write(
    rig: Rig, connection: asyncpg.Connection
) -> None:
    await connect_cold(connection, ORCIDS[:3])
    assert status_of(await exchange(rig.port, request(path_of(ORCIDS[0])))) == 204
    name = await connection.fetchval("select current_database()")
    admin = "select pg_terminate_backend(pid) from pg_stat_activity where application_name like '%intake'"

    await connection.execute(f'alter database "{name}" set default_transaction_read_only = on')
    await connection.execute(admin)
    assert status_of(await exchange(rig.port, request(path_of(ORCIDS[1])))) == 503

    await connection.execute(f'alter database "{name}" set default_transaction_read_only = off')
    assert status_of(await exchange(rig.port, request(path_of(ORCIDS[2])))) == 204


@pytest.mark.fault("F04")
@pytest.mark.invariant("S1", "L6")
async def test_a_black_hole_is_answered_503_in_time_and_left_at_once_when_it_ends(
    dsn: str, connection: asyncpg.Connection, tmp_path: Path
) -> None:
    await connect_cold(connection, ORCIDS[:50])
    loop = asyncio.get_running_loop()
    async with (
        SilentProxy(dsn, tmp_path) as proxy,
        open_database(proxy.dsn, workers=1) as database,
        running_intake(database) as rig,
    ):
        assert status_of(await exchange(rig.port, request(path_of(ORCIDS[0])))) == 204
        proxy.go_silent()
        began = loop.time()
        assert set(await post_all(rig.port, map(path_of, ORCIDS[1:11]), connections=10)) == {503}
        assert loop.time() - began < 3
        # Those that came while the first batch hung wait no longer either.
        late = asyncio.gather(*(exchange(rig.port, request(path_of(orcid))) for orcid in ORCIDS[11:15]))
        assert {status_of(answer) for answer in await asyncio.wait_for(late, 3)} == {503}
        assert rig.counted("unavailable") == 14

        proxy.recover()
        began = loop.time()
        assert status_of(await exchange(rig.port, request(path_of(ORCIDS[20])))) == 204
        assert loop.time() - began < 1
    assert (await marks(connection)).keys() == {ORCIDS[0], ORCIDS[20]}


@pytest.mark.fault("F12")
@pytest.mark.invariant("L7")
async def test_draining_answers_on_and_asks_clients_to_leave(rig: Rig, connection: asyncpg.Connection) -> None:
    await connect_cold(connection, [ORCID])
    rig.draining.begin()

    answer = await exchange(rig.port, request(PATH))

    assert status_of(answer) == 204
    assert b"Connection: close\r\n" in answer


@pytest.mark.fault("F12")
@pytest.mark.invariant("L7")
async def test_closing_finishes_what_has_begun(
    database: Database, connection: asyncpg.Connection, wait_until: WaitUntil
) -> None:
    await connect_cold(connection, [ORCID])
    lock = connection.transaction()
    await lock.start()
    await connection.execute("select from orcid_sync.queue for update")
    async with running_intake(database) as rig:
        answer = asyncio.ensure_future(exchange(rig.port, request(PATH)))
        await wait_until(lambda: blocked(connection))
        release = asyncio.ensure_future(release_when_closed(lock, rig.port, wait_until))
    await release
    assert status_of(await answer) == 204


async def release_when_closed(lock: asyncpg.transaction.Transaction, port: int, wait_until: WaitUntil) -> None:
    """Give the lock back once the listener takes no connections any more."""

    async def refused() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return True
        writer.close()
        return False

    await wait_until(refused)
    closed = asyncio.get_running_loop().time()
    await wait_until(lambda: asyncio.get_running_loop().time() > closed + 0.5)  # well into the closing
    await lock.rollback()


@pytest.mark.fault("F82")
async def test_workers_elsewhere_are_notified_but_not_of_every_mark(
    rig: Rig, database: Database, connection: asyncpg.Connection, wait_until: WaitUntil
) -> None:
    await connect_cold(connection, ORCIDS[:200])
    heard: list[str] = []
    listener = await database.connect_listener()
    await listener.add_listener("orcid_sync_due", lambda *event: heard.append(event[3]))

    await post_all(rig.port, map(path_of, ORCIDS[:200]), connections=5)
    await wait_until(lambda: heard)

    assert heard == [""]
    assert rig.wakes == 1
    listener.terminate()
