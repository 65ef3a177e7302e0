"""What sick records cost the healthy ones: time from notification to commit, and requests per second, as ratios.

    python tests/bench/containment.py [--seconds 40] [--rounds 3]

A worker follows 400 iDs at a simulated Registry in the same process. Somebody edits a work and ORCID calls, 20 times a
second, every iD in turn; 0, 2 and 10 % of the iDs are sick, in all the ways of SICKNESSES at once. Wanted, against the
same round without sick ones: 99 % of the healthy ones committed within 1.5 times the time, at least 0.95 of the
requests per second, and every healthy one committed. The medians of the rounds count.
"""

import argparse
import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

import uvloop
from harness import follow, fresh_database, orcids, reconciling, show

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Lane, Turn
from orcid_sync.registry.http_exchange import Limits
from orcid_sync.service.record.read_outcome import Finding
from orcid_sync.service.runtime.health import Heartbeats
from orcid_sync.service.sync.pace_and_circuit import SharedPace
from orcid_sync.service.sync.worker import Worker
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.database.pools import Database, statements
from orcid_sync.store.sync import queue
from orcid_sync.store.sync.queue import Lease

PEOPLE = 400
SHARES = (0.0, 0.02, 0.10)
RATE, BURST, PLACES = 60.0, 10, 24
CALLS = 20.0
"""Notifications a second."""

SILENCE = 15.0
"""Seconds after which a request is given up."""

WARM_UP = 5.0

LATEST = 60.0
"""Seconds after which a healthy iD that was not committed is counted as lost."""

SLOWER, SLOWEST_RATE = 1.5, 0.95
"""What is wanted."""

SICKNESSES: list[tuple[str, str, dict[str, Any]]] = [
    # kind of fault at the simulated Registry, endpoint, options
    ("error", "record", {"code": 9008}),
    ("error", "works-bulk", {"code": 9008}),
    ("html", "record", {}),
    ("error", "record", {"status": 503}),
    ("timeout", "record", {}),
    ("truncated", "record", {}),
    ("error", "works-bulk", {"status": 503}),
    ("reset", "record", {}),
    ("error", "record", {"code": 9006}),
    ("list", "record", {}),
    ("error", "record", {"status": 502}),
    ("timeout", "works-bulk", {}),
]


@dataclass
class Watch:
    """When each iD was called for, and how long it took until its change was committed."""

    called: dict[Orcid, float] = field(default_factory=dict)
    took: dict[Orcid, list[float]] = field(default_factory=dict)
    requests: int = 0

    def asked(self, *_: object) -> None:
        """A request was sent."""
        self.requests += 1

    def committed(self, lease: Lease, _turn: Turn, finding: Finding) -> None:
        """A reconciliation was committed."""
        if finding.outcome == "changed" and (since := self.called.pop(lease.orcid, None)):
            self.took.setdefault(lease.orcid, []).append(time.monotonic() - since)


@dataclass(frozen=True)
class Stage:
    """A Registry, a worker that follows it, and who is followed."""

    sim: SimulatedRegistry
    database: Database
    worker: Worker
    watch: Watch
    names: list[Orcid]
    works: dict[Orcid, int]


@asynccontextmanager
async def stage(dsn: str) -> AsyncIterator[Stage]:
    """All iDs are followed and were read once."""
    names, watch, paces = orcids(PEOPLE), Watch(), list[SharedPace]()

    def paced(database: Database) -> SharedPace:
        paces.append(SharedPace(database.worker, CLIENT_ID, rate=RATE, burst=BURST))
        return paces[0]

    await follow(dsn, names)
    async with SimulatedRegistry(speed=1.0, keep_history=False) as sim:
        for orcid in names:
            sim.add_record(orcid, works=1)
        works = {orcid: next(iter(sim.profiles.state(orcid).of("work"))) for orcid in names}
        async with reconciling(
            dsn,
            sim.url,
            workers=8,
            pace=paced,
            limits=Limits(total_seconds=SILENCE),
            observe=watch.asked,
            on_commit=watch.committed,
        ) as (database, _, reconciler):
            worker = Worker(
                database,
                reconciler.reconcile,
                paces[0].admission,
                capacity=PLACES,
                lease=timedelta(seconds=120),
                poll_seconds=1,
                heartbeats=Heartbeats(asyncio.get_running_loop().time),
            )
            async with asyncio.TaskGroup() as group:
                group.create_task(worker.run())
                await _read_once(database)
                yield Stage(sim, database, worker, watch, names, works)
                sim.faults.clear()
                await worker.stop(1)


async def _read_once(database: Database) -> None:
    query = "select count(*) from orcid_sync.queue where verified_at is null"
    while True:
        async with statements(database.reader) as connection:
            if not await connection.fetchval(query):
                return
        await asyncio.sleep(0.5)


@dataclass(frozen=True)
class Measured:
    """What one stretch of time showed of the healthy iDs."""

    p99: float
    median: float
    requests: float
    """Per second, all together."""
    lost: int


async def measure(on: Stage, share: float, seconds: float, rng: Random) -> Measured:
    """A stretch of time in which so many iDs are sick."""
    names = rng.sample(on.names, len(on.names))
    sick = set(names[: round(share * len(names))])
    for orcid, (kind, endpoint, options) in zip(sorted(sick), itertools.cycle(SICKNESSES), strict=False):
        on.sim.faults.add(kind, endpoint, orcid=orcid, **options)
    rng.shuffle(names)
    on.watch.took.clear()
    began, asked = time.monotonic(), on.watch.requests
    await _call(on, itertools.cycle(names), seconds, rng)
    rate = (on.watch.requests - asked) / (time.monotonic() - began)
    late = time.monotonic() + LATEST
    while (waiting := on.watch.called.keys() - sick) and time.monotonic() < late:  # noqa: ASYNC110 - it is a benchmark
        await asyncio.sleep(0.1)
    took = sorted(wait for orcid, waits in on.watch.took.items() if orcid not in sick for wait in waits)
    on.sim.faults.clear()
    on.watch.called.clear()
    return Measured(took[len(took) * 99 // 100], statistics.median(took), rate, len(waiting))


async def _call(on: Stage, names: Iterator[Orcid], seconds: float, rng: Random) -> None:
    """Somebody edits a work, and ORCID calls."""
    began = time.monotonic()
    for number in range(round(seconds * CALLS)):
        await asyncio.sleep(max(0.0, began + number / CALLS - time.monotonic()))
        orcid = next(names)
        title = {"title": f"Edition {rng.randrange(10**9)}"}
        on.sim.edit.edit_item(orcid, "work", on.works[orcid], title)
        on.watch.called.setdefault(orcid, time.monotonic())
        async with statements(on.database.intake) as connection:
            await queue.mark_due(connection, [orcid], lane=Lane.NOTIFICATION)
        on.worker.wake()  # as the listener does


def report(rounds: Sequence[dict[float, Measured]]) -> bool:
    """Print the table; whether everything is as wanted."""
    lines, well = [], True
    for share in SHARES:
        mine = [one[share] for one in rounds]
        slower = statistics.median(one[share].p99 / one[0.0].p99 for one in rounds)
        rate = statistics.median(one[share].requests / one[0.0].requests for one in rounds)
        lost = sum(one.lost for one in mine)
        good = slower <= SLOWER and rate >= SLOWEST_RATE and not lost
        well &= good
        lines.append(
            [
                f"{share:.0%} of {PEOPLE} sick",
                f"{1000 * statistics.median(one.median for one in mine):.0f} ms",
                f"{1000 * statistics.median(one.p99 for one in mine):.0f} ms",
                f"{slower:.2f}",
                f"{statistics.median(one.requests for one in mine):.1f}",
                f"{rate:.2f}",
                f"{lost}",
                "yes" if good else "NO",
            ]
        )
    show(
        "The healthy, from notification to commit",
        [
            "",
            "median",
            "p99",
            f"to 0 % (<= {SLOWER})",
            "requests/s",
            f"to 0 % (>= {SLOWEST_RATE})",
            "lost",
            "as wanted",
        ],
        lines,
    )
    return well


async def run(dsn: str, seconds: float, rounds: int) -> bool:
    """All rounds, one after the other: each share in turn."""
    rng = Random(1)
    async with stage(dsn) as on:
        await measure(on, 0.0, WARM_UP, rng)
        return report([{share: await measure(on, share, seconds, rng) for share in SHARES} for _ in range(rounds)])


def main() -> int:
    """Run the benchmark; 0 if everything is as wanted."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=40.0, help="of each share in each round")
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    with fresh_database() as dsn:
        return 0 if uvloop.run(run(dsn, chosen.seconds, chosen.rounds)) else 1


if __name__ == "__main__":
    sys.exit(main())
