"""Durable acknowledgements per second, against a handler that does nothing.

    python tests/bench/intake.py [--rounds 5] [--posts 20000]

Three servers, each a process of its own with uvloop: an aiohttp application whose one route answers 204 (the limit),
the same on aiohttp's low-level server, and the intake with its group commit on an embedded PostgreSQL (fsync as it
comes). Rounds are interleaved, medians are shown, and only ratios within one run mean anything. Every post of a round
is for another iD that is not due, so that each one writes its row.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import cast

import asyncpg
import structlog
import uvloop
from aiohttp import web
from rich.console import Console
from rich.table import Table

from orcid_sync.model.ids import Orcid, check_character, hyphenated
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.registry.callbacks import Callbacks, callback_url
from orcid_sync.service.http.listeners import public_listener
from orcid_sync.service.http.metrics import Metrics
from orcid_sync.service.runtime.health import Draining
from orcid_sync.service.runtime.wakeup import WakeUp
from orcid_sync.service.webhooks.group_commit import GroupCommit
from orcid_sync.service.webhooks.intake import Intake
from orcid_sync.store.database.embedded import embedded_postgres
from orcid_sync.store.database.migrate import migrate
from orcid_sync.store.database.pools import open_database
from orcid_sync.store.sync.queue import mark_due

SECRET = bytes(32)
GRACE = timedelta(seconds=3)
CASES = ("bare application", "bare low-level", "durable intake")
TARGETS = {64: 0.80, 16: 0.55}
"""Ratio of the durable intake to the bare application that is wanted, by connections."""


async def serve_bare_application(_dsn: str, ready: Callable[[int], None]) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/webhooks/{orcid}/{token}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    ready(site.port)
    await asyncio.Event().wait()


async def serve_bare_low_level(_dsn: str, ready: Callable[[int], None]) -> None:
    async def answer(_request: web.BaseRequest) -> web.Response:
        return web.Response(status=204)

    async with public_listener(answer, host="127.0.0.1", port=0, on_error=print) as port:
        ready(port)
        await asyncio.Event().wait()


async def serve_durable_intake(dsn: str, ready: Callable[[int], None]) -> None:
    metrics = Metrics()
    async with open_database(dsn, workers=8) as database:
        commit = GroupCommit(
            database.connect_intake,
            partial(mark_due, lane=Lane.NOTIFICATION, delay=GRACE),
            metrics=metrics,
            wake=WakeUp(lambda: None, database.intake, grace=GRACE.total_seconds()),
        )
        intake = Intake(commit.mark, callbacks=Callbacks("sandbox", {1: SECRET}), metrics=metrics, draining=Draining())
        async with public_listener(intake, host="127.0.0.1", port=0, on_error=intake.count_error) as port:
            ready(port)
            await asyncio.Event().wait()


SERVERS: dict[str, Callable[[str, Callable[[int], None]], Awaitable[None]]] = dict(
    zip(CASES, (serve_bare_application, serve_bare_low_level, serve_durable_intake), strict=True)
)


def serve(case: str, dsn: str, answer: Connection) -> None:
    """The main function of a server process."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    uvloop.run(SERVERS[case](dsn, answer.send))


class Sender(asyncio.Protocol):
    """One keep-alive connection that posts, one request at a time."""

    def __init__(self, requests: Iterator[bytes], latencies: list[float], done: asyncio.Future[None]) -> None:
        self._requests = requests
        self._latencies = latencies
        self._done = done
        self._sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not derived from it

    def start(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._done.set_result(None)
            self._transport.close()
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 204") or not data.endswith(b"\r\n\r\n"):
            raise SystemExit(f"not a 204: {data!r}")
        self._latencies.append(time.perf_counter() - self._sent)
        self.start()


async def post_all(port: int, requests: Sequence[bytes], connections: int) -> tuple[float, float]:
    """Requests per second, and the 99th percentile of the latencies in milliseconds."""
    loop = asyncio.get_running_loop()
    remaining = iter(requests)
    latencies: list[float] = []
    finished = [loop.create_future() for _ in range(connections)]
    senders = [
        (await loop.create_connection(lambda done=done: Sender(remaining, latencies, done), "127.0.0.1", port))[1]
        for done in finished
    ]
    began = time.perf_counter()
    for sender in senders:
        sender.start()
    await asyncio.gather(*finished)
    seconds = time.perf_counter() - began
    return len(requests) / seconds, statistics.quantiles(latencies, n=100)[98] * 1000


async def reset(dsn: str) -> None:
    """As if every iD had been reconciled just now."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "update orcid_sync.queue set leased_gen = gen, due_at = now() + interval '7 days', lane = 3"
    )
    await connection.execute("vacuum orcid_sync.queue")
    await connection.close()


async def count_marks(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    marked: int = await connection.fetchval("select count(*) from orcid_sync.queue where gen > leased_gen")
    await connection.close()
    return marked


async def prepare(dsn: str, orcids: Sequence[Orcid]) -> None:
    await migrate(dsn)
    connection = await asyncpg.connect(dsn)
    await connection.execute("insert into orcid_sync.connections (orcid) select unnest($1::text[])", orcids)
    await connection.execute("insert into orcid_sync.queue (orcid) select unnest($1::text[])", orcids)
    await connection.execute("analyze")
    await connection.close()


def request(orcid: Orcid) -> bytes:
    path = callback_url("", secret=SECRET, key_version=1, environment="sandbox", orcid=orcid)
    return (
        f"POST {path} HTTP/1.1\r\nContent-Length: 0\r\nHost: a\r\nUser-Agent: Java-http-client/17.0.9\r\n\r\n".encode()
    )


Results = dict[tuple[int, str], list[tuple[float, float]]]


def measure(dsn: str, ports: dict[str, int], requests: Sequence[bytes], rounds: int) -> Results:
    """One warming round, then `rounds` for each number of connections and case, interleaved."""
    results: Results = {(connections, case): [] for connections in TARGETS for case in CASES}
    for number in range(rounds + 1):
        for connections, case in results:
            uvloop.run(reset(dsn))
            result = uvloop.run(post_all(ports[case], requests, connections))
            if case == "durable intake" and (marked := uvloop.run(count_marks(dsn))) != len(requests):
                raise SystemExit(f"{len(requests)} acknowledged, {marked} marked")
            if number > 0:
                results[connections, case].append(result)
    return results


def show(results: Results) -> bool:
    """Print the table; whether every ratio is what is wanted."""
    table = Table(
        "connections", "case", "204/s", "ratio", "wanted", "p99 ms", title="Durable acknowledgements (medians)"
    )
    good = True
    for (connections, case), rounds in results.items():
        rate, p99 = (statistics.median(values) for values in zip(*rounds, strict=True))
        ratio = statistics.median(
            mine / limit for (mine, _), (limit, _) in zip(rounds, results[connections, "bare application"], strict=True)
        )
        wanted = TARGETS[connections] if case == "durable intake" else 0
        good = good and ratio >= wanted
        table.add_row(
            str(connections), case, f"{rate:,.0f}", f"{ratio:.2f}", f">= {wanted:.2f}" if wanted else "", f"{p99:.1f}"
        )
    Console().print(table)
    return good


def foreign_load() -> float:
    """Share of the machine that others use while our servers idle; 0 where the kernel does not tell."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0.0
    before, after = (read_after(stat, pause) for pause in (0, 1))
    ticks = [late - early for early, late in zip(before, after, strict=True)]
    return 1 - (ticks[3] + ticks[4]) / sum(ticks)  # idle, and waiting for a disk


def read_after(stat: Path, pause: float) -> list[int]:
    time.sleep(pause)
    return [int(field) for field in stat.read_text().partition("\n")[0].split()[1:]]


def main() -> int:
    """Run the benchmark; 0 if every ratio is what is wanted."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--posts", type=int, default=20_000)
    chosen = options.parse_args()
    bases = [f"0009{number:011d}" for number in range(chosen.posts)]
    orcids = [Orcid(hyphenated(base + check_character(base))) for base in bases]
    context = multiprocessing.get_context("spawn")
    servers = []
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        embedded_postgres(Path(folder)) as dsn,
    ):
        uvloop.run(prepare(dsn, orcids))
        ports = {}
        for case in CASES:
            here, there = context.Pipe()
            servers.append(context.Process(target=serve, args=(case, dsn, there), daemon=True))
            servers[-1].start()
            ports[case] = here.recv()
        foreign = foreign_load()
        results = measure(dsn, ports, [request(orcid) for orcid in orcids], chosen.rounds)
        foreign = max(foreign, foreign_load())
        good = show(results)
        if foreign > 0.1:
            Console().print(
                f"Others used {foreign:.0%} of the machine; the intake, which needs it most, looks too slow."
            )
        for server in servers:
            server.terminate()
            server.join()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
