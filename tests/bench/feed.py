"""Following the feed over HTTP: how fast a consumer catches up, and how late ten hear of a change under full load.

    python tests/bench/feed.py [--changes 60000] [--consumers 10] [--rate 1000] [--seconds 15]

Catching up: one consumer reads everything line by line, counts, and does nothing with it; beside it the same rows by
SELECT as the same reader, which is what PostgreSQL takes. Tailing: consumers follow by server-sent events while four
writers append --rate changes a second, five in a transaction (a first load at ORCID's limit makes some 1,700). A change
is as late as it is between taking its position, just before its commit, and being read by the consumer. Listener,
writers and consumers are three processes on one machine.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import aiohttp
import asyncpg
import msgspec
import uvloop
from harness import daemon, fresh_database, memory, orcids, serve_environment, show

from orcid_sync.cli.demo.setup import free_port
from orcid_sync.model.record.diff import Change
from orcid_sync.store.database.pools import Database, connect, open_database, transaction
from orcid_sync.store.feed import changes

WANTED_PER_SECOND, WANTED_SECONDS = 20_000, 0.100
WRITERS, PER_COMMIT = 4, 5
NAMES = orcids(1_000)
CONTENT = msgspec.json.encode({"doc": {"title": {"value": "x" * 1_200}, "put-code": 1}, "detail": None}).decode()
PAGE = "select * from orcid.change_feed where seq > $1 order by seq limit 1000"


class Seen(msgspec.Struct):
    """What a consumer looks at."""

    seq: int
    at: datetime


def additions(count: int) -> list[Change]:
    """Works that were added, each of some 1.3 kB."""
    return [Change("work", str(number), "added", "public", new=CONTENT) for number in range(count)]


async def fill(dsn: str, count: int) -> None:
    async with open_database(dsn, workers=1) as database:
        for _ in range(0, count, 5_000):
            lines = [(NAMES[n % len(NAMES)], change) for n, change in enumerate(additions(5_000))]
            async with transaction(database.worker) as connection:
                await changes.append_all(connection, lines, cause="check", chunk=100)
    async with connect(dsn) as connection:
        await connection.execute("vacuum analyze orcid.changes")
        await connection.execute("vacuum analyze orcid.change_contents")


async def selected(dsn: str) -> tuple[int, float]:
    """Changes and seconds of plain SQL."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("set role orcid_reader_limited")
    began, last, count = time.perf_counter(), 0, 0
    while rows := await connection.fetch(PAGE, last):
        last, count = rows[-1]["seq"], count + len(rows)
    seconds = time.perf_counter() - began
    await connection.close()
    return count, seconds


async def caught_up(url: str) -> tuple[int, float]:
    """Changes and seconds of one consumer that reads from the beginning."""
    began, count = time.perf_counter(), -1  # the last line is no change
    async with (
        aiohttp.ClientSession(read_bufsize=2**20) as session,
        session.get(f"{url}/v1/changes", headers={"Accept": "application/x-ndjson"}) as answer,
    ):
        async for chunk in answer.content.iter_any():
            count += chunk.count(b"\n")
    return count, time.perf_counter() - began


def consume(url: str, consumers: int, seconds: float, tell: Callable[[Any], None]) -> None:
    """The consumers, in a process of their own; tells how many seconds late each change was for each of them."""
    late: list[list[float]] = [[] for _ in range(consumers)]

    async def follow(session: aiohttp.ClientSession, mine: list[float]) -> None:
        before = None
        async with session.get(f"{url}/v1/changes/stream?after=end") as answer:
            async for line in answer.content:
                if line.startswith(b"data: "):
                    change = msgspec.json.decode(line[6:], type=Seen)
                    mine.append((datetime.now(UTC) - change.at).total_seconds())
                    if before is not None and change.seq != before + 1:
                        raise RuntimeError(f"{change.seq} came after {before}")
                    before = change.seq

    async def work() -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), read_bufsize=2**20) as session:
            following = [asyncio.create_task(follow(session, mine)) for mine in late]
            tell("ready")
            done, waiting = await asyncio.wait(following, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
            for task in waiting:
                task.cancel()
            for task in done:
                task.result()

    uvloop.run(work())
    tell(late)


async def write(dsn: str, rate: float, seconds: float) -> int:
    """Append at this rate for so long; returns the number of changes."""
    written = 0
    end, gap = time.perf_counter() + seconds, PER_COMMIT * WRITERS / rate

    async def writer(database: Database, number: int) -> None:
        nonlocal written
        due = time.perf_counter() + gap * number / WRITERS
        while (now := time.perf_counter()) < end:
            await asyncio.sleep(max(0.0, due - now))
            due += gap
            async with transaction(database.worker) as connection:
                orcid = NAMES[written % len(NAMES)]
                await changes.append(connection, orcid, additions(PER_COMMIT), cause="check")
            written += PER_COMMIT

    async with open_database(dsn, workers=WRITERS) as database:
        await asyncio.gather(*(writer(database, number) for number in range(WRITERS)))
    return written


async def tailed(dsn: str, url: str, options: argparse.Namespace) -> tuple[int, list[list[float]]]:
    """How many changes were written, and how late each consumer heard of each."""
    spawn = multiprocessing.get_context("spawn")
    here, there = spawn.Pipe()
    arguments = (url, options.consumers, options.seconds + 3, there.send)
    process = spawn.Process(target=consume, args=arguments, daemon=True)
    process.start()
    await asyncio.to_thread(here.recv)
    await asyncio.sleep(1)
    written = await write(dsn, options.rate, options.seconds)
    late = await asyncio.to_thread(here.recv)
    process.join()
    return written, late


async def run(dsn: str, options: argparse.Namespace) -> bool:
    await fill(dsn, options.changes)
    port = free_port()
    environment = serve_environment(dsn, "http://127.0.0.1:9", public_port=free_port(), internal_port=port)
    url = f"http://127.0.0.1:{port}"
    async with daemon(environment) as pid:
        before = memory(pid)["VmRSS"]
        rates: dict[str, list[float]] = {"SELECT": [], "HTTP": []}
        for _ in range(3):
            for name, take in (("SELECT", selected(dsn)), ("HTTP", caught_up(url))):
                count, seconds = await take
                rates[name].append(count / seconds)
        grown = memory(pid)["VmHWM"] - before
        written, late = await tailed(dsn, url, options)
    plain, served = (statistics.median(rates[name]) for name in ("SELECT", "HTTP"))
    times = sorted(one for mine in late for one in mine)
    half, most = (times[int(len(times) * share)] for share in (0.5, 0.99))
    missed = options.consumers * written - len(times)
    show(
        f"The feed over HTTP, {options.changes:,} changes; {options.consumers} consumers, {written:,} written",
        ["", "measured", "wanted"],
        [
            ["catching up, changes per second", f"{served:,.0f}", f">= {WANTED_PER_SECOND:,}"],
            ["the same by SELECT", f"{plain:,.0f}", ""],
            ["memory grown meanwhile, MB", f"{grown / 1e6:.0f}", "flat"],
            ["commits to consumers, median, ms", f"{half * 1e3:.1f}", ""],
            ["p99, ms", f"{most * 1e3:.1f}", f"< {WANTED_SECONDS * 1e3:.0f}"],
            ["worst, ms", f"{times[-1] * 1e3:.1f}", ""],
            ["missed", f"{missed:,}", "0"],
        ],
    )
    return served >= WANTED_PER_SECOND and most < WANTED_SECONDS and not missed


def main() -> int:
    """Run the benchmark; 0 if the bounds were kept."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--changes", type=int, default=60_000)
    options.add_argument("--consumers", type=int, default=10)
    options.add_argument("--rate", type=float, default=1_000)
    options.add_argument("--seconds", type=float, default=15.0)
    chosen = options.parse_args()
    with fresh_database() as dsn:
        return 0 if uvloop.run(run(dsn, chosen)) else 1


if __name__ == "__main__":
    sys.exit(main())
