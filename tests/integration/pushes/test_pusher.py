"""The loop that pushes: woken by the feed, slowed by nobody who is down, stopped without losing anything."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from orcid_sync.service.pushes.announce import FeedNews
from orcid_sync.service.pushes.push_loop import PushLoop
from orcid_sync.service.runtime.health import Heartbeats
from orcid_sync.store.database.pools import Database
from orcid_sync.store.feed.changes import CHANNEL
from rig.push_receiver import PushBench, push_bench, receiving

ORCID = "0009-9990-0000-0013"

NAMES = ("push_progress", "hidden")

WaitUntil = Callable[..., Awaitable[Any]]


@pytest.fixture
async def bench(database: Database, connection: asyncpg.Connection) -> AsyncIterator[PushBench]:
    async with push_bench(database, connection, seconds=1.0) as opened:
        yield opened


@asynccontextmanager
async def pushing(bench: PushBench, *, capacity: int = 8, poll: float = 30) -> AsyncIterator[PushLoop]:
    heartbeats = Heartbeats(asyncio.get_running_loop().time)
    pusher = PushLoop(bench.database, bench.delivery, capacity=capacity, poll_seconds=poll, heartbeats=heartbeats)
    running = asyncio.create_task(pusher.run())
    try:
        yield pusher
    finally:
        await pusher.stop(0)
        await running


async def test_changes_are_sent_as_soon_as_they_are_announced(bench: PushBench, wait_until: WaitUntil) -> None:
    """Also those that another process has committed."""
    async with receiving() as receiver, pushing(bench):
        news = FeedNews(lambda: None, bench.database.worker)
        await bench.subscribe("cris", receiver.url)
        for number in range(3):
            await bench.edit_record(ORCID, f"tides {number}")
            news()
            await wait_until(lambda number=number: len(receiver.received) == number + 1, 3)
        await news.aclose()


async def test_receivers_that_are_down_slow_down_nobody(bench: PushBench, wait_until: WaitUntil) -> None:
    """Half of them take connections and never answer, each in turn for as long as a message may take."""
    async with receiving() as receiver, receiving() as silent:
        silent.patience = asyncio.Event()
        for number in range(30):
            await bench.subscribe(f"alive-{number}", receiver.url)
            await bench.subscribe(f"dead-{number}", silent.url, origin=f"http://dead-{number}")
        await bench.connection.execute("update orcid_sync.push_progress set delivered_at = now()")
        await bench.connection.execute(
            "update orcid_sync.push_progress as p set attempts = 3"
            " from orcid_sync.subscriptions as s where s.id = p.subscription_id and s.name like 'dead%'"
        )
        async with pushing(bench) as pusher:
            for number in range(3):
                began = asyncio.get_running_loop().time()
                await bench.edit_record(ORCID, f"tides {number}")
                pusher.wake()
                await wait_until(lambda number=number: len(receiver.received) == 30 * (number + 1), 5)
                assert asyncio.get_running_loop().time() - began < 3, "one silent receiver alone takes 1 s"
        silent.patience.set()
    assert 0 < len(silent.received) < 30, "they have some of the places, not all"


async def test_stopping_gives_back_what_is_under_way(bench: PushBench, wait_until: WaitUntil) -> None:
    async with receiving() as receiver:
        receiver.patience = asyncio.Event()
        await bench.subscribe("cris", receiver.url)
        await bench.edit_record(ORCID, "tides")
        async with pushing(bench):
            await wait_until(lambda: receiver.received)
        receiver.patience.set()

        await bench.turn()
        assert receiver.ids == [receiver.ids[0]] * 2
        assert (await bench.load("cris")).behind == 0


async def test_a_database_that_cannot_answer_is_told_of_once(bench: PushBench) -> None:
    heartbeats = Heartbeats(asyncio.get_running_loop().time)
    pusher = PushLoop(bench.database, bench.delivery, capacity=8, poll_seconds=30, heartbeats=heartbeats)
    away, back = (f"alter table orcid_sync.{one} rename to {two}" for one, two in (NAMES, NAMES[::-1]))
    with capture_logs() as lines:
        for statement, turns in ((away, 3), (back, 1), (away, 2)):
            await bench.connection.execute(statement)
            for _ in range(turns):
                await pusher._turn()
        await bench.connection.execute(back)
    await pusher.stop(0)
    assert [line["event"] for line in lines] == ["nothing pushed"] * 2


async def test_a_failed_message_is_tried_again_without_being_asked(bench: PushBench, wait_until: WaitUntil) -> None:
    async with receiving() as receiver:
        receiver.answers = [500, 500]
        await bench.subscribe("cris", receiver.url)
        await bench.edit_record(ORCID, "tides")
        async with pushing(bench):
            for number in (1, 2):
                await wait_until(lambda number=number: _attempts(bench, number))
                await bench.wait_out()
                await bench.connection.execute("select pg_notify($1, '')", CHANNEL)
            await wait_until(lambda: len(receiver.received) == 3)


async def _attempts(bench: PushBench, number: int) -> bool:
    return (await bench.load("cris")).attempts == number


async def test_the_news_of_a_storm_of_commits_is_told_a_few_times_and_to_its_end(
    bench: PushBench, wait_until: WaitUntil
) -> None:
    heard: list[str] = []
    woken: list[None] = []
    listener = await bench.database.connect_listener()
    await listener.add_listener(CHANNEL, lambda *message: heard.append(message[3]))
    news = FeedNews(lambda: woken.append(None), bench.database.worker)
    for _ in range(60):
        await bench.append([ORCID], 1)
        news()
    await wait_until(lambda: heard and heard[-1] == "60")
    await news.aclose()
    listener.terminate()

    assert len(woken) == 60
    assert len(heard) < 40
    assert [int(position) for position in heard] == sorted(map(int, heard))
