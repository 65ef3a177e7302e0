"""Pushes to many subscriptions, half of which are dead: what the others notice of it.

    python tests/bench/pushes.py [--subscriptions 1000] [--changes 10]

Changes are committed one after another, and each must reach every subscription that is alive. Measured is the time from
the commit to the last of them, by turns with the dead ones paused and not: these take the connection and never answer,
until the time for a message is over. Wanted: with dead ones at most 1.5 times as long.
Then one subscription alone catches up with a long feed. Receivers are one process, beside the sender's.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_network
from multiprocessing.connection import Connection

import asyncpg
import structlog
import uvloop
from aiohttp import web
from harness import KEY, fresh_database, orcids, show

from orcid_sync.service.pushes.delivery import Delivery
from orcid_sync.service.pushes.guarded_client import Rules, open_guarded_client
from orcid_sync.service.pushes.push_loop import PushLoop
from orcid_sync.service.runtime.health import Heartbeats
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.database.pools import Database, connect, open_database
from orcid_sync.store.pushes import subscriptions
from orcid_sync.store.pushes.subscriptions import Wish

VAULT = Vault({"1": KEY})
SECONDS = 2.0
"""Bound of one message: shorter than usual, so that the dead ones come round more often."""

APPEND = """
with numbered as (
  insert into orcid.changes (seq, orcid, section, key, op, visibility, cause, at)
  select h.last + n, $1, 'keyword', n::text, 'added', 'public', 'check', clock_timestamp()
    from generate_series(1, $2) as n, orcid_sync.feed_head as h
  returning orcid, seq
), contents as (
  insert into orcid.change_contents (orcid, seq, side, visibility, content)
  select orcid, seq, 'new', 'public', jsonb_build_object('doc', jsonb_build_object('content', 'tides')) from numbered
)
update orcid_sync.feed_head set last = last + $2
"""

PAUSE = """
update orcid_sync.push_progress as p set paused = $1
  from orcid_sync.subscriptions as s where s.id = p.subscription_id and s.name like 'dead%'
"""

BEHIND = """
select count(*) from orcid_sync.push_progress as p join orcid_sync.subscriptions as s on s.id = p.subscription_id,
       orcid_sync.feed_head as h
 where s.name like 'alive%' and p.reached < h.last
"""


def _receive(answer: Connection) -> None:
    """Two servers: one that takes messages, one that takes connections only."""

    async def run() -> None:
        async def take(request: web.BaseRequest) -> web.Response:
            await request.read()
            return web.Response(status=204)

        async def ignore(_request: web.BaseRequest) -> web.Response:
            await asyncio.sleep(3_600)
            return web.Response()

        ports = []
        for handler in (take, ignore):
            runner = web.ServerRunner(web.Server(handler, access_log=None))
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
            ports.append(runner.addresses[0][1])
        answer.send(ports)
        await asyncio.Event().wait()

    uvloop.run(run())


@contextmanager
def receivers() -> Iterator[tuple[int, int]]:
    """Ports of the one that takes messages and of the silent one."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_receive, args=(there,), daemon=True)
    process.start()
    try:
        yield tuple(here.recv())
    finally:
        process.terminate()
        process.join()


async def subscribe(connection: asyncpg.Connection, kind: str, number: int, port: int) -> None:
    """So many subscriptions, each of a host of its own as far as the circuit is concerned."""
    for one in range(number):
        wish = Wish(url=f"http://127.0.0.1:{port}/{one}", origin=f"http://{kind}-{one}", view="public")
        await subscriptions.add(connection, VAULT, f"{kind}-{one}", wish, after=None)


async def one_round(connection: asyncpg.Connection, pusher: PushLoop, *, dead: bool) -> float:
    """Seconds from a commit until all that are alive have it, with the dead ones or without."""
    await connection.execute(PAUSE, None if dead else "by hand")
    await connection.execute(APPEND, orcids(1)[0], 1)
    began = time.perf_counter()
    pusher.wake()
    while await connection.fetchval(BEHIND):  # noqa: ASYNC110 - what is measured is written by another task
        await asyncio.sleep(0.005)
    return time.perf_counter() - began


async def catch_up(connection: asyncpg.Connection, pusher: PushLoop, changes: int) -> float:
    """Changes per second to one subscription that has fallen behind."""
    await connection.execute("delete from orcid_sync.subscriptions where name not in ('alive-0')")
    await connection.execute(APPEND, orcids(1)[0], changes)
    began = time.perf_counter()
    pusher.wake()
    while await connection.fetchval(BEHIND):  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    return changes / (time.perf_counter() - began)


async def run(dsn: str, ports: tuple[int, int], number: int, changes: int) -> bool:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    async with connect(dsn) as connection, open_database(dsn, workers=4) as database:
        await subscribe(connection, "alive", number // 2, ports[0])
        async with open_guarded_client(
            Rules(allowed=[ip_network("127.0.0.0/8")], plain_http=True), seconds=SECONDS
        ) as courier:
            delivery = Delivery(
                pool=database.worker,
                courier=courier,
                vault=VAULT,
                seconds=SECONDS,
                spare_seconds=30,
                chance=lambda: 0.5,
                clock=lambda: datetime.now(UTC),
                counted=lambda _result: None,
            )
            return await measure(connection, database, delivery, ports, number, changes)


async def measure(
    connection: asyncpg.Connection,
    database: Database,
    delivery: Delivery,
    ports: tuple[int, int],
    number: int,
    changes: int,
) -> bool:
    heartbeats = Heartbeats(asyncio.get_running_loop().time)
    pusher = PushLoop(database, delivery, capacity=64, poll_seconds=5, heartbeats=heartbeats)
    running = asyncio.create_task(pusher.run())
    await one_round(connection, pusher, dead=False)  # from now on they are known to be alive
    await subscribe(connection, "dead", number // 2, ports[1])
    without, with_dead = [], []
    for _ in range(changes):
        without.append(await one_round(connection, pusher, dead=False))
        with_dead.append(await one_round(connection, pusher, dead=True))
    tried = await connection.fetchval("select sum(attempts) from orcid_sync.push_progress")
    speed = await catch_up(connection, pusher, 20_000)
    await pusher.stop(0)
    await running
    ratio = statistics.median(with_dead) / statistics.median(without)
    show(
        f"{number // 2:,} subscriptions that are alive, each of {changes} changes to all of them",
        ["", "median, s", "worst, s", "messages/s"],
        [
            [
                name,
                f"{statistics.median(took):.2f}",
                f"{max(took):.2f}",
                f"{number // 2 / statistics.median(took):,.0f}",
            ]
            for name, took in (("alone", without), (f"with {number // 2:,} dead ones", with_dead))
        ],
    )
    show(
        "In short",
        ["", ""],
        [
            ["with dead ones / alone", f"{ratio:.2f}"],
            ["tries of dead ones meanwhile", f"{tried or 0:,}"],
            ["one subscription catching up, changes/s", f"{speed:,.0f}"],
        ],
    )
    return ratio <= 1.5


def main() -> int:
    """Run the benchmark; 0 if the bound was kept."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--subscriptions", type=int, default=1_000)
    options.add_argument("--changes", type=int, default=10)
    chosen = options.parse_args()
    with fresh_database() as dsn, receivers() as ports:
        return 0 if uvloop.run(run(dsn, ports, chosen.subscriptions, chosen.changes)) else 1


if __name__ == "__main__":
    sys.exit(main())
