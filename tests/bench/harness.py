"""What the benchmarks share: a Registry in a process of its own, a fresh database, a reconciler, tables of medians."""

import asyncio
import base64
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
import structlog
from rich.console import Console
from rich.table import Table

from orcid_sync.model.ids import Orcid, check_character, hyphenated
from orcid_sync.model.sync.registry_health import Sign
from orcid_sync.model.sync.schedule import Lane, Policy
from orcid_sync.registry.client import Account, Registry, open_registry
from orcid_sync.registry.http_exchange import Limits
from orcid_sync.registry.pace import Pace
from orcid_sync.service.sync.pace_and_circuit import SealedTokens
from orcid_sync.service.sync.reconcile import Reconciler
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID, CLIENT_SECRET
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.database.embedded import embedded_postgres
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.database.migrate import migrate
from orcid_sync.store.database.pools import Database, connect, open_database, transaction
from orcid_sync.store.sync import queue
from orcid_sync.store.sync.queue import Lease

KEY = bytes(32)
LEASE = timedelta(hours=1)


def orcids(count: int) -> list[Orcid]:
    """iDs from a block that ORCID does not give out."""
    bases = [f"0009{number:011d}" for number in range(count)]
    return [Orcid(hyphenated(base + check_character(base))) for base in bases]


class NoPace:
    """No limit: the benchmark is after ours, not ORCID's."""

    async def slot(self, lane: Lane) -> bool:  # noqa: ARG002 - the same for all
        """Go."""
        return False

    async def heard(self, sign: Sign, about: str, *, silence: float = 0.0, probe: bool = False) -> None:
        """Not counted."""

    async def used_up(self) -> None:
        """Never said."""


def _simulate(sizes: dict[str, int], answer: Connection) -> None:
    async def run() -> None:
        sim = SimulatedRegistry(speed=1.0, keep_history=False)
        for orcid, works in sizes.items():
            sim.add_record(orcid, works=works)
        await sim.start()
        answer.send(sim.url)
        await asyncio.Event().wait()

    asyncio.run(run())


@contextmanager
def simulated(sizes: dict[str, int]) -> Iterator[str]:
    """A simulated Registry with records of so many works; yields its address."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_simulate, args=(sizes, there), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()


@contextmanager
def fresh_database() -> Iterator[str]:
    """A migrated database on a server of its own, with its usual durability."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        embedded_postgres(Path(folder)) as dsn,
    ):
        asyncio.run(migrate(dsn))
        yield dsn


def _nothing(*_: object) -> None:
    """Not looked at."""


@asynccontextmanager
async def reconciling(
    dsn: str,
    url: str,
    *,
    workers: int = 2,
    pace: Callable[[Database], Pace] = lambda _: NoPace(),
    limits: Limits | None = None,
    observe: Callable[..., None] = _nothing,
    on_commit: Callable[..., None] = _nothing,
) -> AsyncIterator[tuple[Database, Registry, Reconciler]]:
    """Everything that reconciles, without the worker's loop and webhooks."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    account = Account(api_url=url, web_url=url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    vault = Vault({"1": KEY})
    async with open_database(dsn, workers=workers) as database:
        tokens = SealedTokens(database.worker, vault, CLIENT_ID)
        async with open_registry(
            account, pace=pace(database), tokens=tokens, observe=observe, limits=limits
        ) as registry:
            reconciler = Reconciler(
                database=database,
                registry=registry,
                vault=vault,
                policy=Policy(),
                grace=timedelta(0),
                subscription=None,
                swept=False,
                chance=lambda: 0.5,
                on_commit=on_commit,
            )
            yield database, registry, reconciler


async def follow(dsn: str, names: Sequence[Orcid]) -> None:
    """Connect the iDs."""
    async with connect(dsn) as connection:
        await connect_orcids(connection, [Entry(orcid=orcid) for orcid in names])


async def lease_all(database: Database, count: int) -> list[Lease]:
    """Make every iD due and lease it."""
    async with transaction(database.worker) as connection:
        await connection.execute("update orcid_sync.queue set due_at = now(), lease_until = '-infinity'")
    async with transaction(database.worker) as connection:
        return await queue.lease_due(connection, limit=count, lease=LEASE)


async def control(url: str, path: str, **body: Any) -> Any:
    """Ask the simulated Registry's control for something."""
    async with aiohttp.ClientSession() as session, session.post(f"{url}/_sim/{path}", json=body) as answer:
        answer.raise_for_status()
        return await answer.json()


async def view(url: str, orcid: str) -> dict[str, Any]:
    """The record as anybody may read it, without faults."""
    async with aiohttp.ClientSession() as session, session.get(f"{url}/_sim/view/{orcid}") as answer:
        answer.raise_for_status()
        found: dict[str, Any] = await answer.json()
        return found


def memory(pid: int) -> dict[str, int]:
    """Resident and peak memory of a process, bytes (Linux)."""
    lines = (line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if words[0] in ("VmRSS:", "VmHWM:")}


def serve_environment(dsn: str, url: str, *, public_port: int, internal_port: int) -> dict[str, str]:
    """The environment of a daemon without limits that matter here."""
    settings = {
        "environment": "custom",
        "api_url": url,
        "web_url": url,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "public_url": f"http://127.0.0.1:{public_port}",
        "public_host": "127.0.0.1",
        "public_port": str(public_port),
        "internal_port": str(internal_port),
        "webhook_secret": "b" * 64,
        "encryption_key": base64.b64encode(KEY).decode(),
        "database_url": dsn,
        "requests_per_second": "1000",
        "burst": "100",
        "drain_seconds": "0",
        "log_level": "warning",
    }
    return os.environ | {f"ORCID_SYNC_{name.upper()}": value for name, value in settings.items()}


@asynccontextmanager
async def daemon(environment: dict[str, str]) -> AsyncIterator[int]:
    """`orcid-sync serve` as a process of its own, ready; yields its pid."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "orcid_sync", "serve", env=environment)
    ready = f"http://127.0.0.1:{environment['ORCID_SYNC_INTERNAL_PORT']}/readyz"
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(30):
            while not await _is_ready(session, ready):  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        await process.wait()


async def _is_ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


class Stopwatch:
    """Seconds spent under each name, added up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def time(self, name: str) -> Iterator[None]:
        """Add the time that the body takes."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)
