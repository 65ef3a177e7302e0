"""What isolated failures, a limit and an outage of the Registry's cost; part of `../pace.py`.

A worker with its queue, its reconciliations and its pace reads records that are always due, from a simulated Registry
in the same process. All figures are ratios within one run, or numbers of requests.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate, count, takewhile
from typing import Any

import structlog
from harness import KEY, follow, fresh_database, orcids

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Lane, Policy
from orcid_sync.registry.client import Account, open_registry
from orcid_sync.registry.http_exchange import Limits
from orcid_sync.registry.pace import NOBODY
from orcid_sync.service.runtime.health import Heartbeats
from orcid_sync.service.sync.pace_and_circuit import SealedTokens, SharedPace
from orcid_sync.service.sync.reconcile import Reconciler
from orcid_sync.service.sync.worker import Worker
from orcid_sync.simulator.base.journal import Request
from orcid_sync.simulator.base.rate_limits import RateLimit
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID, CLIENT_SECRET
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.database.pools import Database, open_database, statements
from orcid_sync.store.sync import queue

RATE, BURST, PLACES = 24.0, 8, 24
PEOPLE, SICK = 400, 20
ALLOWED = 10.0
"""Requests per second of the Registry that allows less than we want."""

ISOLATED = (0.001, 0.015, 0.05)
"""Shares of 503 that mean nothing."""

WARM_UP = 10.0
SILENCE = 15.0
"""Seconds after which a request is given up."""

RETURN = 60.0
"""Seconds within which the full rate must be back."""

OUTAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "503": ("error", {"status": 503}),
    "500": ("error", {"status": 500}),
    "HTML": ("html", {}),
    "resets": ("reset", {}),
    "nothing": ("timeout", {"seconds": SILENCE - 1}),  # a request that we give up is not in the journal
}


@dataclass(frozen=True)
class Stage:
    """A Registry, and a worker that reads from it."""

    sim: SimulatedRegistry
    names: list[Orcid]

    def since(self, began: float, until: float | None = None) -> list[Request]:
        """Requests that came in this stretch of time."""
        last = until if until is not None else time.time()
        return [one for one in self.sim.journal.requests if began <= one.began_ms / 1000 < last]


@asynccontextmanager
async def stage(dsn: str) -> AsyncIterator[Stage]:
    """All iDs are followed, and due again as soon as they were read."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    names = orcids(PEOPLE)
    await follow(dsn, names)
    async with SimulatedRegistry(speed=1.0, keep_history=False) as sim, open_database(dsn, workers=8) as database:
        for orcid in names:
            sim.add_record(orcid, works=0)
        account = Account(api_url=sim.api_url, web_url=sim.web_url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
        pace = SharedPace(database.worker, CLIENT_ID, rate=RATE, burst=BURST)
        vault = Vault({"1": KEY})
        tokens, limits = SealedTokens(database.worker, vault, CLIENT_ID), Limits(total_seconds=SILENCE)
        async with open_registry(account, pace=pace, tokens=tokens, observe=lambda *_: None, limits=limits) as registry:
            reconciler = Reconciler(
                database=database,
                registry=registry,
                vault=vault,
                policy=Policy(),
                grace=timedelta(0),
                subscription=None,
                swept=False,
                chance=lambda: 0.5,
                on_commit=lambda *_: None,
            )
            async with _working(database, reconciler, pace, names):
                await asyncio.sleep(WARM_UP)
                yield Stage(sim, names)


@asynccontextmanager
async def _working(
    database: Database, reconciler: Reconciler, pace: SharedPace, names: list[Orcid]
) -> AsyncIterator[None]:
    worker = Worker(
        database,
        reconciler.reconcile,
        pace.admission,
        capacity=PLACES,
        lease=timedelta(seconds=60),
        poll_seconds=1,
        heartbeats=Heartbeats(asyncio.get_running_loop().time),
    )

    over = asyncio.Event()  # not a cancellation: in Python 3.11 asyncio.wait_for can lose one

    async def notify() -> None:
        while not over.is_set():
            async with statements(database.intake) as connection:
                await queue.mark_due(connection, names, lane=Lane.NOTIFICATION)
            with suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), 1)

    async with asyncio.TaskGroup() as group:
        group.create_task(worker.run())
        group.create_task(notify())
        yield
        over.set()
        await worker.stop(1)


def good(requests: list[Request]) -> int:
    """Records that were answered."""
    return sum(one.status == 200 and not one.faults for one in requests)


async def isolated(dsn: str, share: float, seconds: float) -> tuple[list[str], bool]:
    """A share of the answers is a 503, by chance."""
    async with stage(dsn) as on:
        on.sim.faults.add("error", "record", probability=share, status=503)
        began = time.time()
        await asyncio.sleep(seconds)
        used = good(on.since(began)) / (RATE * (1 - share) * (time.time() - began))
    return [f"isolated 503: {share:.1%}", f"{used:.3f} of what is possible", ""], used >= 0.9


async def limited(dsn: str, seconds: float) -> tuple[list[str], bool]:
    """The Registry allows less than the settings."""
    async with stage(dsn) as on:
        on.sim.world.rate_limit = RateLimit(rate=ALLOWED, queue=PLACES // 3)
        began = time.time()
        await asyncio.sleep(seconds)
        requests = on.since(began)
        used = good(requests) / (ALLOWED * (time.time() - began))
        refused = sum(one.status == 503 for one in requests) / len(requests)
    line = [f"{ALLOWED:g} a second allowed, {RATE:g} wanted", f"{used:.3f} of the limit", f"{refused:.1%} refused"]
    return line, used >= 0.9 and refused <= 0.05


async def outage(dsn: str, name: str, seconds: float) -> tuple[list[str], bool]:
    """The Registry answers nothing of use; besides, some records are sick before and after it."""
    kind, options = OUTAGES[name]
    async with stage(dsn) as on:
        sick = set(on.names[:SICK])
        for orcid in sick:
            on.sim.faults.add("error", "record", orcid=orcid, status=500)
        fault = on.sim.faults.add(kind, "*", **options)
        began = time.time()
        await asyncio.sleep(seconds)
        on.sim.faults.clear(fault.number)
        over = time.time()
        away = on.since(began, over)
        probes = [one for one in away if one.orcid == NOBODY]
        others = sum(bool(probes) and one.began_ms > probes[0].began_ms and one.orcid != NOBODY for one in away)
        back = await _full_again(on, over)
        first = [one for one in on.since(over) if one.orcid != NOBODY][:100]
    healthy = sum(one.orcid not in sick for one in first) / max(1, len(first))
    line = [
        f"outage of {seconds:.0f} s: {name}",
        f"{len(probes)} tries, {others} others; {len(away) - len(probes) - others} before the first",
        f"full rate after {back:.0f} s; {healthy:.0%} of the first 100 healthy",
    ]
    return line, 0 < len(probes) <= pauses(seconds) and not others and back <= RETURN and healthy >= 0.9


async def _full_again(on: Stage, over: float) -> float:
    """Seconds after the outage at which ten seconds began that have the full rate."""
    window = 10.0
    for wait in count():
        await asyncio.sleep(max(0.0, over + wait + window - time.time()))
        healthy = good(on.since(over + wait, over + wait + window))
        if healthy >= 0.9 * RATE * window * (1 - SICK / PEOPLE) or wait > 2 * RETURN:
            return float(wait)
    raise AssertionError


def pauses(seconds: float) -> int:
    """How many tries an outage has if each is followed by a pause, twice as long as the one before."""
    moments = accumulate(min(45.0, 5.0 * 2.0**number) for number in count())
    return 1 + sum(1 for _ in takewhile(lambda moment: moment < seconds, moments))


def run(seconds: float, outage_seconds: float) -> tuple[list[list[str]], bool]:
    """All of it: lines of a table, and whether everything is as wanted."""
    scenarios: list[Callable[[str], Any]] = [
        *(lambda dsn, share=share: isolated(dsn, share, seconds) for share in ISOLATED),
        lambda dsn: limited(dsn, 2 * seconds),
        *(lambda dsn, name=name: outage(dsn, name, outage_seconds) for name in OUTAGES),
    ]
    lines, well = [], True
    for scenario in scenarios:
        with fresh_database() as dsn:
            line, good_enough = asyncio.run(scenario(dsn))
        sys.stderr.write("  ".join([*line, "" if good_enough else "NOT AS WANTED"]) + "\n")
        lines.append([*line, "yes" if good_enough else "NO"])
        well &= good_enough
    return lines, well
