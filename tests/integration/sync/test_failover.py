"""The database jumps back in time, as after a fail-over that lost commits or a restored backup: what heals, and how."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from datetime import timedelta
from random import Random
from typing import Any

import asyncpg
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Lane, Settlement
from orcid_sync.store.consent.connections import Entry, connect_orcids, disconnect_orcids
from orcid_sync.store.database.pools import connect
from orcid_sync.store.sync import queue
from rig.service.command_line import Cli
from rig.service.reconciler import OTHER, Bench, O

Sample = Callable[[int], list[Orcid]]

NOW = timedelta()
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


class Standby:
    """A copy of a bench's database as it was at one moment, which can take its place under the same address.

    Both steps end every connection, as a fail-over does; those of the pools come back by themselves.
    """

    def __init__(self, bench: Bench, server: str, copy: Callable[[str], str], stack: AsyncExitStack) -> None:
        self._bench, self._server, self._copy, self._stack = bench, server, copy, stack
        self._primary = _name(bench.database.dsn)
        self._spare = ""

    async def take(self) -> None:
        """What is committed from now on will be lost."""
        self._aside(_END.format(self._primary))
        self._spare = _name(self._copy(self._primary))
        await self._reconnect()

    async def take_over(self) -> None:
        """The copy becomes the database, the lost one is out of reach."""
        swap = ((self._primary, "between"), (self._spare, self._primary), ("between", self._spare))
        self._aside(_END.format(self._primary), *(f"alter database {old} rename to {new}" for old, new in swap))
        await self._reconnect()

    async def _reconnect(self) -> None:
        self._bench.connection = await self._stack.enter_async_context(connect(self._bench.database.dsn))

    def _aside(self, *statements: str) -> None:
        async def run() -> None:
            admin = await asyncpg.connect(self._server)
            for statement in statements:
                await admin.execute(statement)
            await admin.close()

        with ThreadPoolExecutor(1) as thread:  # the event loop stands still, so that nothing reconnects in between
            thread.submit(asyncio.run, run()).result()


_END = "select pg_terminate_backend(pid, 2000) from pg_stat_activity where datname = '{}'"


def _name(dsn: str) -> str:
    return dsn.split("?", maxsplit=1)[0].rsplit("/", 1)[1]


@pytest.fixture
async def standby(bench: Bench, server: str, new_database: Callable[[str], str]) -> AsyncIterator[Standby]:
    async with AsyncExitStack() as stack:
        yield Standby(bench, server, new_database, stack)


async def new_epoch(connection: asyncpg.Connection, spread: timedelta = NOW) -> str:
    """The operator's step; returns the epoch."""
    return str(await connection.fetchval("select orcid_sync.new_epoch($1)", spread))


REPLAYED = """
select orcid, section, key, new as content from (
  select distinct on (orcid, section, key) orcid, section, key, new
    from orcid.change_feed where epoch = $1 order by orcid, section, key, seq desc
) as last where new is not null
"""
MIRRORED = """
select orcid::text, past.section, past.key, past.content
  from orcid.records, orcid.record_as_of(orcid, 'infinity') as past
"""


@pytest.mark.fault("F77")
@pytest.mark.invariant("S20", "L3")
async def test_what_was_lost_is_read_again_and_the_feeds_readers_are_told(
    bench: Bench, standby: Standby, cli: Cli
) -> None:
    for orcid in (O, OTHER):
        await bench.connect(orcid)
        await bench.turn(orcid)
    await standby.take()
    bench.registry.edit.add_item(O, "work", {"title": "Applied, then lost", "type": "other"})
    bench.registry.edit.add_item(O, "keyword", {"content": "lost as well"})
    assert await bench.notified(O) == "changed"
    bench.registry.edit.add_item(OTHER, "keyword", {"content": "its notification was acknowledged, then lost"})
    await bench.notify(OTHER)
    epoch = await bench.connection.fetchval("select epoch::text from orcid_sync.feed_head")
    seen = await bench.head()

    await standby.take_over()
    assert await bench.head() < seen
    assert (await bench.row(OTHER))["gen"] == (await bench.row(OTHER))["done_gen"], "nobody knows of it any more"
    # Before anybody is there, work goes on, and positions that a reader has seen are given out for other changes.
    for number in range(3):
        bench.registry.edit.add_item(O, "keyword", {"content": f"number {number}"})
    assert await bench.notified(O) == "changed"
    assert await bench.head() > seen

    epoch_now = await new_epoch(bench.connection)

    told = await cli.apart("changes", "--after", str(seen), "--epoch", epoch)
    assert (told.exit_code, told.stdout) == (1, "")
    assert told.stderr.startswith("Resync")
    for orcid in (O, OTHER):
        await bench.turn(orcid)
        await bench.assert_mirrored(orcid)
    again = await cli.apart("changes", "--after", "0", "--epoch", epoch_now, "--json")
    assert (again.exit_code, len(again.stdout.splitlines())) == (0, await bench.head())
    replayed = await bench.connection.fetch(REPLAYED, epoch_now)
    assert len(replayed) > 50
    assert set(map(tuple, replayed)) == set(map(tuple, await bench.connection.fetch(MIRRORED)))


FOLLOWER = """
select exists(select from pg_stat_activity where datname = current_database() and query like '%change_feed%'
              and state = 'idle' and pid <> pg_backend_pid())
"""


@pytest.mark.fault("F77")
@pytest.mark.invariant("S20")
async def test_who_follows_the_feed_meanwhile_is_told_as_well(
    bench: Bench, cli: Cli, wait_until: Callable[..., Any]
) -> None:
    await bench.connect(OTHER)
    await bench.turn(OTHER)
    until = str(await bench.head() + 1)  # who is not told sees a line of the new epoch and ends
    following = asyncio.create_task(cli.apart("changes", "--follow", "--json", "--after", "0", "--limit", until))
    await wait_until(lambda: bench.connection.fetchval(FOLLOWER), 20)

    await new_epoch(bench.connection)
    bench.registry.edit.add_item(OTHER, "keyword", {"content": "a first line of the new epoch"})
    await bench.turn(OTHER)

    told = await asyncio.wait_for(following, 20)
    assert told.exit_code == 1
    assert told.stderr.splitlines()[-1].startswith("Resync")
    assert "a first line" not in told.stdout


@pytest.mark.fault("F77", "F16")
@pytest.mark.invariant("S2", "S3")
async def test_a_lease_of_the_lost_time_counts_for_nothing(bench: Bench, standby: Standby) -> None:
    """Its number is given out again. Whoever held it reads since before the notification that the new lease is for."""
    await bench.connect()
    await bench.turn()
    await standby.take()
    await bench.notify()
    lost = await bench.lease()
    await standby.take_over()

    await new_epoch(bench.connection)

    await bench.notify()
    present = await bench.lease()
    for verb in (
        queue.hold(bench.connection, lost),
        queue.extend(bench.connection, lost, MINUTE),
        queue.settle(bench.connection, lost, Settlement(done=True, due_in=DAY), grace=NOW),
    ):
        with pytest.raises(queue.LeaseLost):
            await verb
    await queue.hold(bench.connection, present)


@pytest.fixture
async def people(connection: asyncpg.Connection, sample_orcids: Sample) -> list[Orcid]:
    """A thousand connected iDs, read, and due in a week."""
    orcids = sample_orcids(1000)
    await connect_orcids(connection, [Entry(orcid=orcid) for orcid in orcids])
    await connection.execute(
        "update orcid_sync.queue set leased_gen = gen, done_gen = gen, lane = 3, due_at = now() + interval '7 days'"
    )
    return orcids


async def rows(connection: asyncpg.Connection) -> dict[str, dict[str, Any]]:
    """The queue, with its due times from now."""
    found = await connection.fetch("select *, due_at - now() as due_in from orcid_sync.queue order by orcid")
    return {row["orcid"]: dict(row) for row in found}


@pytest.mark.fault("F77", "F42")
async def test_all_are_due_in_the_last_lane_spread_over_the_time(
    connection: asyncpg.Connection, people: list[Orcid]
) -> None:
    leased, waiting, gone = people[:3]
    await queue.mark_due(connection, [leased], lane=Lane.OPERATOR)
    await queue.lease_due(connection, limit=1, lease=MINUTE)
    await queue.mark_due(connection, [waiting], lane=Lane.NOTIFICATION)
    await disconnect_orcids(connection, [gone])
    await connection.execute("update orcid_sync.connections set state = 'disconnected' where orcid = $1", gone)
    before = await rows(connection)

    await new_epoch(connection, DAY)

    after = await rows(connection)
    assert {orcid for orcid in people if after[orcid]["gen"] != before[orcid]["gen"] + 1} == {gone}
    assert {after[orcid]["lane"] for orcid in people[3:]} == {Lane.SWEEP}
    hours = [after[orcid]["due_in"] / timedelta(hours=1) for orcid in people[3:]]
    assert 0 <= min(hours) < 1
    assert 23 < max(hours) <= 24
    assert abs(sum(hours) / len(hours) - 12) < 2, "evenly"
    for orcid in (leased, waiting, gone):
        assert (after[orcid]["due_at"], after[orcid]["lane"]) == (before[orcid]["due_at"], before[orcid]["lane"])
    found = await queue.lease_due(connection, limit=2, lease=MINUTE)
    assert [lease.orcid for lease in found] == [waiting, leased], "what was leased is free again"


@pytest.mark.fault("F77", "F79")
async def test_it_runs_beside_marks_without_deadlocks(
    dsn: str, connection: asyncpg.Connection, people: list[Orcid]
) -> None:
    """The rows lie in the table in another order than that of their iDs, in which marks lock them."""
    await connection.execute(
        "with moved as (delete from orcid_sync.queue returning *) "
        "insert into orcid_sync.queue select * from moved order by md5(orcid)"
    )
    chance = Random(1)
    async with connect(dsn) as operator:
        stepping = asyncio.create_task(_times(10, lambda: new_epoch(operator, MINUTE)))
        while not stepping.done():
            await queue.mark_due(connection, chance.sample(people, 300), lane=Lane.NOTIFICATION)
        assert len(set(await stepping)) == 10


async def _times(number: int, step: Callable[[], Any]) -> list[Any]:
    return [await step() for _ in range(number)]


async def test_only_its_owner_may_call_it(connection: asyncpg.Connection) -> None:
    assert not await connection.fetchval(
        "select has_function_privilege('pg_monitor', 'orcid_sync.new_epoch(interval)', 'execute')"
    )
