"""Workers that load batches: this process itself, or several processes, each with its own connection.

Processes, because most of the work is Python's. Parsing takes about as long as PostgreSQL needs to take the rows, so
that with one process for each processor all are busy.
"""

import asyncio
import gc
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from multiprocessing import connection, get_context, parent_process
from typing import Protocol

import asyncpg
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from orcid_sync.bulk.details import load_details
from orcid_sync.bulk.parse import Unit
from orcid_sync.bulk.records import load_records
from orcid_sync.bulk.tally import Tally
from orcid_sync.bulk.write import Plan
from orcid_sync.store.database.pools import DatabaseUnavailable, connect

TRIES = 3
"""How often a batch is tried: deadlocks pass, and a server may just be starting."""


class Loads(Protocol):
    """Whoever loads a batch."""

    async def __call__(self, units: Sequence[Unit]) -> Tally:
        """Load it. Raises DatabaseUnavailable."""


@asynccontextmanager
async def here(dsn: str, plan: Plan) -> AsyncIterator[Loads]:
    """This very process, one batch after the other: enough for a few files."""
    async with AsyncExitStack() as stack:
        worker, turn = _Worker(dsn, plan, stack), asyncio.Lock()

        async def load(units: Sequence[Unit]) -> Tally:
            async with turn:
                return await worker.load(units)

        yield load


@asynccontextmanager
async def processes(dsn: str, plan: Plan, number: int) -> AsyncIterator[Loads]:
    """So many processes. They end with this one, however it ends."""
    # spawn: this process has threads, which a fork would not survive.
    pool = ProcessPoolExecutor(number, get_context("spawn"), _begin, (dsn, plan))
    loop = asyncio.get_running_loop()

    async def load(units: Sequence[Unit]) -> Tally:
        return await loop.run_in_executor(pool, _load, units)

    try:
        yield load
    finally:
        # What is under way is finished, or rolled back by a server that is gone; it takes less than a second.
        pool.shutdown(cancel_futures=True)


class _Worker:
    """A connection, and what to do with a batch."""

    def __init__(self, dsn: str, plan: Plan, stack: AsyncExitStack) -> None:
        self._dsn = dsn
        self._plan = plan
        self._stack = stack
        self._connection: asyncpg.Connection | None = None

    @retry(
        retry=retry_if_exception_type(DatabaseUnavailable),
        stop=stop_after_attempt(TRIES),
        wait=wait_random_exponential(max=5),
        reraise=True,
    )
    async def load(self, units: Sequence[Unit]) -> Tally:
        """Load a batch; to try it again does no harm. Raises DatabaseUnavailable."""
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._stack.enter_async_context(connect(self._dsn))
        activities = [unit for unit in units if unit.name is not None and unit.name.activity is not None]
        records = [unit for unit in units if unit.name is None or unit.name.activity is None]
        tally = Tally()
        for load, some in ((load_records, records), (load_details, activities)):
            if some:
                tally.add(await load(self._connection, self._plan, some))
        return tally


class _Process:
    """What a process of the pool keeps between two batches."""

    load: Callable[[Sequence[Unit]], Tally]


def _begin(dsn: str, plan: Plan) -> None:
    """Make this process ready."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all of a terminal's processes; the first one decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    runner = asyncio.Runner()
    worker = _Worker(dsn, plan, AsyncExitStack())
    _Process.load = lambda units: runner.run(worker.load(units))
    # Thousands of rows are made and dropped together; looking for cycles among them costs a twentieth of the time.
    gc.freeze()
    gc.set_threshold(200_000, 50, 1_000)


def _load(units: Sequence[Unit]) -> Tally:
    """Load a batch in this process."""
    return _Process.load(units)


def _end_with_parent() -> None:
    """A process of a pool would outlive one that was killed, and go on."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
    os._exit(1)
