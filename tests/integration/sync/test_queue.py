"""What each verb of the queue does to a row, and what it costs."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Applied, Lane, Settlement
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.database.pools import connect
from orcid_sync.store.database.queries import load_queries
from orcid_sync.store.sync import queue

Sample = Callable[[int], list[Orcid]]
Wait = Callable[..., Any]

NOW = timedelta()
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LANES = "array[0, 1, 2, 3, 4]"
DONE = Settlement(done=True, due_in=7 * DAY)


@pytest.fixture
async def orcids(connection: asyncpg.Connection, sample_orcids: Sample) -> list[Orcid]:
    """Eight connected iDs, read once, due in a week."""
    orcids = sample_orcids(8)
    await connect_orcids(connection, [Entry(orcid=orcid) for orcid in orcids])
    for lease in await queue.lease_due(connection, limit=8, lease=MINUTE):
        await queue.settle(connection, lease, DONE, grace=NOW)
    return orcids


async def row(connection: asyncpg.Connection, orcid: Orcid) -> dict[str, Any]:
    """The row, with its moments in whole seconds from now."""
    found = dict(await connection.fetchrow("select *, now() as now from orcid_sync.queue where orcid = $1", orcid))
    for column in ("due_at", "second_look_at", "verified_at", "notified_at", "unconfirmed_at"):
        found[column] = None if found[column] is None else round((found[column] - found["now"]).total_seconds())
    return found


async def lease_one(connection: asyncpg.Connection) -> queue.Lease:
    [lease] = await queue.lease_due(connection, limit=1, lease=MINUTE)
    return lease


class TestMarking:
    async def test_a_notification_pulls_the_row_to_now_plus_delay(
        self, connection: asyncpg.Connection, orcids: list[Orcid]
    ) -> None:
        assert await queue.mark_due(connection, orcids[:1], lane=Lane.NOTIFICATION, delay=3 * SECOND) == orcids[:1]
        found = await row(connection, orcids[0])
        assert (found["gen"], found["due_at"], found["lane"], found["notified_at"]) == (2, 3, Lane.NOTIFICATION, 0)

    async def test_unknown_ids_are_left_out(
        self, connection: asyncpg.Connection, orcids: list[Orcid], sample_orcids: Sample
    ) -> None:
        asked = [sample_orcids(9)[-1], orcids[3], orcids[1]]
        assert sorted(await queue.mark_due(connection, asked, lane=Lane.CHECK)) == [orcids[1], orcids[3]]
        assert await connection.fetchval("select count(*) from orcid_sync.queue") == 8

    @pytest.mark.parametrize(
        ("lane", "delay", "written"),
        [
            (Lane.CHECK, MINUTE, False),  # the same again
            (Lane.SWEEP, HOUR, False),  # a weaker wish
            (Lane.OPERATOR, MINUTE, True),  # a better lane
            (Lane.CHECK, MINUTE - SECOND / 2, False),  # hardly sooner
            (Lane.CHECK, SECOND, True),  # sooner
        ],
    )
    async def test_a_mark_that_changes_nothing_writes_nothing(
        self, connection: asyncpg.Connection, orcids: list[Orcid], lane: Lane, delay: timedelta, *, written: bool
    ) -> None:
        await queue.mark_due(connection, orcids[:1], lane=Lane.CHECK, delay=MINUTE)
        await queue.mark_due(connection, orcids[:1], lane=lane, delay=delay)
        assert (await row(connection, orcids[0]))["gen"] == (3 if written else 2)

    @pytest.mark.fault("F08")
    async def test_a_storm_on_one_id_writes_once(
        self, dsn: str, connection: asyncpg.Connection, orcids: list[Orcid]
    ) -> None:
        before = await updates(connection)
        async with connect(dsn) as other:
            for each in (connection, other):
                await each.execute("set stats_fetch_consistency = none")

            async def storm(each: asyncpg.Connection) -> None:
                for _ in range(10_000):
                    await queue.mark_due(each, orcids[:1], lane=Lane.NOTIFICATION, delay=3 * SECOND)

            await asyncio.gather(storm(connection), storm(other))
            assert (await row(connection, orcids[0]))["gen"] == 2
            await connection.execute("select pg_stat_force_next_flush()")
            await other.execute("select pg_stat_force_next_flush()")
        assert await updates(connection) - before == 1

    @pytest.mark.fault("F79")
    async def test_rows_are_locked_in_the_order_of_their_ids(
        self, dsn: str, connection: asyncpg.Connection, orcids: list[Orcid], wait_until: Wait
    ) -> None:
        """While it waits for the first one it has locked no other, so two marks cannot wait for each other."""
        async with connect(dsn) as other:
            async with connection.transaction():
                await connection.execute("select 1 from orcid_sync.queue where orcid = $1 for update", orcids[0])
                mark = asyncio.create_task(queue.mark_due(other, orcids[::-1], lane=Lane.CHECK))
                await wait_until(lambda: connection.fetchval("select count(*) > 0 from pg_locks where not granted"))
                await connection.execute("select 1 from orcid_sync.queue for update nowait")
            assert sorted(await mark) == orcids

    async def test_a_sweep_borrows_no_better_lane_from_a_read_to_come(
        self, connection: asyncpg.Connection, orcids: list[Orcid]
    ) -> None:
        later, overdue, owed, leased = orcids[:4]
        await connection.execute(
            "update orcid_sync.queue set lane = 3, leased_gen = gen, done_gen = gen, due_at = now() + interval '1 day'"
        )
        await connection.execute("update orcid_sync.queue set due_at = now() where orcid = $1", overdue)
        await connection.execute("update orcid_sync.queue set done_gen = done_gen - 1, lane = 0 where orcid = $1", owed)
        await connection.execute("update orcid_sync.queue set lane = 1, gen = gen + 1 where orcid = $1", leased)

        await queue.mark_due(connection, orcids[:4], lane=Lane.SWEEP)

        rows = await connection.fetch("select orcid, lane from orcid_sync.queue where orcid = any($1)", orcids[:4])
        assert {row["orcid"]: row["lane"] for row in rows} == {later: 4, overdue: 3, owed: 0, leased: 1}

    async def test_a_request_can_be_waited_for(self, connection: asyncpg.Connection, orcids: list[Orcid]) -> None:
        await queue.mark_due(connection, orcids[:1], lane=Lane.CHECK)
        running = await lease_one(connection)
        wanted = await queue.request_sync(connection, orcids[:2])
        await queue.settle(connection, running, DONE, grace=NOW)
        assert set(await queue.unfinished(connection, wanted)) == set(orcids[:2]), "the running read began too early"
        failing, last = await queue.lease_due(connection, limit=2, lease=MINUTE)
        await queue.settle(connection, last, DONE, grace=NOW)
        failed = Settlement(done=False, due_in=HOUR, error="Busy", attempts=1)
        await queue.settle(connection, failing, failed, grace=NOW)
        assert await queue.unfinished(connection, wanted) == {failing.orcid: "Busy"}

    async def test_a_request_that_comes_second_waits_for_the_same_lease_as_the_first(
        self, dsn: str, connection: asyncpg.Connection, orcids: list[Orcid], wait_until: Wait
    ) -> None:
        """It finds nothing left to write, but a snapshot in which the running lease seems to cover it."""
        async with connect(dsn) as other:
            async with connection.transaction():
                await queue.request_sync(connection, orcids[:1])
                second = asyncio.create_task(queue.request_sync(other, orcids[:1]))
                await wait_until(lambda: connection.fetchval("select count(*) > 0 from pg_locks where not granted"))
            assert await second == {orcids[0]: 2}


class TestLeasing:
    async def test_lanes_first_then_the_longest_waiting(
        self, connection: asyncpg.Connection, orcids: list[Orcid]
    ) -> None:
        places = [(Lane.CHECK, 50), (Lane.NOTIFICATION, 1), (Lane.SWEEP, 90), (Lane.CHECK, 60), (Lane.OPERATOR, 2)]
        for orcid, (lane, seconds) in zip(orcids, places, strict=False):
            await connection.execute(
                "update orcid_sync.queue set lane = $2, due_at = now() - $3::interval where orcid = $1",
                orcid,
                lane,
                seconds * SECOND,
            )
        leased = [lease.orcid for lease in await queue.lease_due(connection, limit=4, lease=MINUTE)]
        assert leased == [orcids[1], orcids[4], orcids[3], orcids[0]]
        assert [lease.orcid for lease in await queue.lease_due(connection, limit=4, lease=MINUTE)] == [orcids[2]]

    @pytest.mark.fault("F17")
    @pytest.mark.invariant("S3")
    async def test_two_transactions_never_lease_the_same(
        self, dsn: str, connection: asyncpg.Connection, orcids: list[Orcid]
    ) -> None:
        await queue.mark_due(connection, orcids, lane=Lane.CHECK)
        async with connect(dsn) as other:
            async with connection.transaction(), other.transaction():
                first = await queue.lease_due(connection, limit=3, lease=MINUTE)
                second = await queue.lease_due(other, limit=8, lease=MINUTE)
            third = await queue.lease_due(connection, limit=8, lease=MINUTE)
        assert (len(first), len(second), third) == (3, 5, [])
        assert {lease.orcid for lease in first + second} == set(orcids)

    @pytest.mark.fault("F15")
    @pytest.mark.invariant("L4")
    async def test_a_killed_holders_row_is_leased_again_when_the_lease_lapses(
        self, dsn: str, connection: asyncpg.Connection, orcids: list[Orcid], wait_until: Wait
    ) -> None:
        await queue.mark_due(connection, orcids[:1], lane=Lane.CHECK)
        async with connect(dsn) as doomed:
            [lost] = await queue.lease_due(doomed, limit=1, lease=timedelta(milliseconds=200))
            doomed.terminate()
        assert await queue.lease_due(connection, limit=1, lease=MINUTE) == []
        [again] = await wait_until(lambda: queue.lease_due(connection, limit=1, lease=MINUTE), 2)
        assert (again.orcid, again.lease_no) == (lost.orcid, lost.lease_no + 1)
        for verb in (queue.hold(connection, lost), queue.extend(connection, lost, MINUTE)):
            with pytest.raises(queue.LeaseLost):
                await verb
        with pytest.raises(queue.LeaseLost):
            await queue.settle(connection, lost, DONE, grace=NOW)
        await queue.release(connection, lost)
        assert await queue.lease_due(connection, limit=1, lease=MINUTE) == [], "release of a lost lease frees nothing"

    async def test_a_released_row_is_leased_again_at_once(
        self, connection: asyncpg.Connection, orcids: list[Orcid]
    ) -> None:
        await queue.mark_due(connection, orcids[:1], lane=Lane.CHECK)
        lease = await lease_one(connection)
        await queue.release(connection, lease)
        assert (await lease_one(connection)).orcid == lease.orcid

    async def test_an_extended_lease_hides_the_row_for_longer(
        self, connection: asyncpg.Connection, orcids: list[Orcid]
    ) -> None:
        await queue.mark_due(connection, orcids[:1], lane=Lane.CHECK)
        [lease] = await queue.lease_due(connection, limit=1, lease=NOW)
        await queue.extend(connection, lease, MINUTE)
        assert await queue.lease_due(connection, limit=1, lease=MINUTE) == []

    @pytest.mark.fault("F19")
    @pytest.mark.invariant("S4")
    async def test_a_lease_applies_once(self, connection: asyncpg.Connection, orcids: list[Orcid]) -> None:
        await queue.mark_due(connection, orcids[:1], lane=Lane.CHECK)
        lease = await lease_one(connection)
        await queue.hold(connection, lease)
        applied = Applied(body_digest=b"d", access="read-public", registry_modified_ms=5)
        await queue.settle(connection, lease, Settlement(done=True, due_in=DAY, applied=applied), grace=NOW)
        with pytest.raises(queue.LeaseLost):
            await queue.hold(connection, lease)
        await queue.mark_due(connection, orcids[:1], lane=Lane.CHECK)
        following = await lease_one(connection)
        assert (following.body_digest, following.body_access, following.registry_modified_ms) == (
            b"d",
            "read-public",
            5,
        )

    async def test_seconds_to_next(self, connection: asyncpg.Connection, orcids: list[Orcid]) -> None:
        assert await queue.seconds_to_next(connection) == pytest.approx(7 * 86400, abs=60)
        await queue.mark_due(connection, orcids[:1], lane=Lane.SWEEP, delay=MINUTE)
        assert await queue.seconds_to_next(connection) == pytest.approx(60, abs=5)
        await queue.mark_due(connection, orcids[:2], lane=Lane.CHECK)
        assert await queue.seconds_to_next(connection) == 0
        await queue.lease_due(connection, limit=2, lease=MINUTE)
        assert await queue.seconds_to_next(connection) == pytest.approx(7 * 86400, abs=60)
        await connection.execute("truncate orcid_sync.queue cascade")
        assert await queue.seconds_to_next(connection) is None

    async def test_seconds_to_next_of_some_lanes(self, connection: asyncpg.Connection, orcids: list[Orcid]) -> None:
        """Who may only do what is urgent does not wake for a check."""
        await queue.mark_due(connection, orcids[:1], lane=Lane.NOTIFICATION, delay=MINUTE)
        await queue.mark_due(connection, orcids[1:2], lane=Lane.SWEEP)
        assert await queue.seconds_to_next(connection) == 0
        assert await queue.seconds_to_next(connection, lanes=[Lane.NOTIFICATION]) == pytest.approx(60, abs=5)
        assert await queue.seconds_to_next(connection, lanes=[Lane.OPERATOR]) is None
        await queue.lease_due(connection, limit=1, lease=MINUTE)
        assert await queue.seconds_to_next(connection, lanes=[Lane.SWEEP]) is None, "somebody is at it"

    async def test_depth_counts_who_fails_among_the_due(
        self, connection: asyncpg.Connection, orcids: list[Orcid]
    ) -> None:
        await queue.mark_due(connection, orcids[:3], lane=Lane.OPERATOR)
        await connection.execute("update orcid_sync.queue set attempts = 1 where orcid = any($1)", orcids[2:5])
        depth = {each.lane: each for each in await queue.depth(connection)}
        assert [(depth[lane].due, depth[lane].failing) for lane in Lane] == [(0, 0), (3, 1), (0, 0), (0, 0), (0, 0)]

    async def test_depth(self, connection: asyncpg.Connection, orcids: list[Orcid]) -> None:
        await queue.mark_due(connection, orcids[:5], lane=Lane.OPERATOR)
        await queue.lease_due(connection, limit=2, lease=MINUTE)
        await connection.execute("update orcid_sync.queue set due_at = due_at - interval '1 minute'")
        depth = {each.lane: each for each in await queue.depth(connection)}
        assert list(depth) == list(Lane)
        assert (depth[Lane.OPERATOR].due, depth[Lane.OPERATOR].leased) == (3, 2)
        assert depth[Lane.OPERATOR].oldest_seconds == pytest.approx(60, abs=5)
        assert (depth[Lane.CHECK].due, depth[Lane.CHECK].oldest_seconds) == (0, 0)

    @pytest.mark.fault("F82")
    async def test_waking_reaches_listeners(self, dsn: str, connection: asyncpg.Connection, wait_until: Wait) -> None:
        heard: list[str] = []
        async with connect(dsn) as listener:
            await listener.add_listener(queue.WAKE_CHANNEL, lambda *event: heard.append(event[2]))
            await queue.wake(connection)
            await wait_until(lambda: heard)
            await listener.remove_listener(queue.WAKE_CHANNEL, heard.append)
            await listener.reset()


class TestSettling:
    """Rows of the table: what the row was, the settlement, what it becomes (moments in seconds from now)."""

    @pytest.mark.parametrize(
        ("was", "settlement", "becomes"),
        [
            pytest.param(
                {"attempts": 3, "last_error": "Busy"},
                Settlement(done=True, due_in=DAY, verified=True),
                {
                    "done_gen": 2,
                    "due_at": 86400,
                    "lane": Lane.CHECK,
                    "attempts": 0,
                    "last_error": None,
                    "verified_at": 0,
                },
                id="success clears the failures",
            ),
            pytest.param(
                {},
                Settlement(done=False, due_in=HOUR, lane=Lane.NOTIFICATION, attempts=4, error="Busy"),
                {"done_gen": 1, "due_at": 3600, "lane": Lane.NOTIFICATION, "attempts": 4, "last_error": "Busy"},
                id="failure backs off",
            ),
            pytest.param(
                {},
                Settlement(done=True, due_in=DAY, second_look_in=MINUTE),
                {"due_at": 60, "second_look_at": 60},
                id="a second look comes before the schedule",
            ),
            pytest.param(
                {"second_look_at": MINUTE}, DONE, {"due_at": 7 * 86400, "second_look_at": None}, id="a look was had"
            ),
            pytest.param(
                {"second_look_at": MINUTE},
                Settlement(done=False, due_in=HOUR),
                {"due_at": 60, "second_look_at": 60},
                id="failure still owes the second look",
            ),
            pytest.param(
                {"second_look_at": -MINUTE},
                Settlement(done=False, due_in=HOUR),
                {"due_at": 3600, "second_look_at": -60},
                id="an overdue second look does not undo the back-off",
            ),
            pytest.param(
                {},
                Settlement(done=False, due_in=HOUR, unconfirmed="not-found"),
                {"unconfirmed_at": 0},
                id="not found starts",
            ),
            pytest.param(
                {"unconfirmed": "not-found", "unconfirmed_at": -HOUR},
                Settlement(done=False, due_in=HOUR, unconfirmed="not-found"),
                {"unconfirmed_at": -3600},
                id="not found goes on",
            ),
            pytest.param(
                {"unconfirmed_at": -HOUR},
                Settlement(done=False, due_in=HOUR),
                {"unconfirmed_at": -3600},
                id="no answer",
            ),
            pytest.param({"unconfirmed_at": -HOUR}, DONE, {"unconfirmed_at": None}, id="found again"),
        ],
    )
    async def test_settlements(
        self,
        connection: asyncpg.Connection,
        orcids: list[Orcid],
        was: dict[str, Any],
        settlement: Settlement,
        becomes: dict[str, Any],
    ) -> None:
        await queue.mark_due(connection, orcids[:1], lane=Lane.OPERATOR)
        lease = await lease_one(connection)
        for column, value in was.items():
            new = "now() + $2" if isinstance(value, timedelta) else "$2"
            await connection.execute(f"update orcid_sync.queue set {column} = {new} where orcid = $1", orcids[0], value)
        await queue.settle(connection, lease, settlement, grace=3 * SECOND)
        found = await row(connection, orcids[0])
        assert {column: found[column] for column in becomes} == becomes

    @pytest.mark.fault("F18")
    @pytest.mark.invariant("S2")
    @pytest.mark.parametrize("done", [True, False])
    async def test_what_came_during_the_read_is_due_after_grace_in_its_own_lane(
        self, connection: asyncpg.Connection, orcids: list[Orcid], *, done: bool
    ) -> None:
        await queue.mark_due(connection, orcids[:1], lane=Lane.CHECK)
        lease = await lease_one(connection)
        await queue.mark_due(connection, orcids[:1], lane=Lane.NOTIFICATION, delay=3 * SECOND)
        await queue.settle(connection, lease, Settlement(done=done, due_in=7 * DAY), grace=3 * SECOND)
        found = await row(connection, orcids[0])
        assert (found["due_at"], found["lane"], found["gen"]) == (3, Lane.NOTIFICATION, 3)
        assert found["done_gen"] == (2 if done else 1)


class TestCost:
    """Counts, not times: of rows written and of pages touched."""

    @pytest.fixture
    async def many(self, connection: asyncpg.Connection) -> None:
        """100,000 iDs, the checks of a week: an hour of them is due."""
        await connection.execute(
            """
            insert into orcid_sync.connections (orcid)
            select regexp_replace(to_char(i, 'FM0000000000000000'), '(....)(....)(....)(....)', '\\1-\\2-\\3-\\4')
              from generate_series(1, 100000) as i;
            insert into orcid_sync.queue (orcid, lane, due_at)
            select orcid, 3, now() + interval '7 days' * row_number() over () / 100000 - interval '1 hour'
              from orcid_sync.connections;
            """
        )
        await connection.execute("vacuum analyze orcid_sync.queue")

    @pytest.mark.usefixtures("many")
    @pytest.mark.parametrize("plans", ["force_custom_plan", "force_generic_plan"])
    async def test_leasing_uses_the_indexes(self, connection: asyncpg.Connection, plans: str) -> None:
        assert await pages(connection, "lease_due", f"{LANES}, 8, '1 minute'", plans) < 150
        assert await pages(connection, "seconds_to_next", LANES, plans) < 50

    @pytest.mark.usefixtures("many")
    @pytest.mark.parametrize("plans", ["force_custom_plan", "force_generic_plan"])
    async def test_marking_uses_the_indexes(self, connection: asyncpg.Connection, plans: str) -> None:
        one = "array['0000-0000-0004-2000'], '3 seconds', 0"
        assert await pages(connection, "mark_due", one, plans) < 40

    @pytest.mark.usefixtures("many")
    @pytest.mark.fault("F30")
    async def test_a_long_snapshot_costs_two_pages_at_most_for_each_row_settled_since(
        self, dsn: str, connection: asyncpg.Connection
    ) -> None:
        """Dead rows cannot be removed behind it; leasing walks over them, but over nothing more."""
        lease = f"{LANES}, 8, '1 minute'"
        fresh = await pages(connection, "lease_due", lease, "force_generic_plan")
        async with connect(dsn) as analyst, analyst.transaction(isolation="repeatable_read"):
            await analyst.fetchval("select count(*) from orcid_sync.queue")
            for _ in range(30):
                for each in await queue.lease_due(connection, limit=10, lease=MINUTE):
                    await queue.settle(connection, each, DONE, grace=NOW)
            behind = await pages(connection, "lease_due", lease, "force_generic_plan")
        assert behind < fresh + 2 * 300


async def updates(connection: asyncpg.Connection) -> int:
    """Row versions that updates of the queue have made so far, as PostgreSQL counts them."""
    await connection.execute("select pg_stat_force_next_flush()")
    await connection.execute("select pg_stat_clear_snapshot()")
    number: int = await connection.fetchval(
        "select n_tup_upd from pg_stat_user_tables where relid = 'orcid_sync.queue'::regclass"
    )
    return number


async def pages(connection: asyncpg.Connection, query: str, parameters: str, plans: str) -> int:
    """Pages that a named query touches; it must not scan the table. Rolled back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(f"set local plan_cache_mode = {plans}")
        await connection.execute(f"prepare measured as {getattr(load_queries(queue.__file__), query).sql}")
        call = f"measured({parameters})" if parameters else "measured"
        [answer] = await connection.fetch(f"explain (analyze, buffers, timing off, format json) execute {call}")
    finally:
        await transaction.rollback()
        await connection.execute("deallocate measured")
    assert b"Seq Scan" not in answer[0]
    plan = json.loads(answer[0])[0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
