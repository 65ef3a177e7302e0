"""How exactly replicas keep to one pace: rate used, worst window, share of each lane, waits; as ratios to the settings.

    python tests/bench/pace.py [--seconds 20] [--failing-seconds 60] [--outage-seconds 30]

Each replica is a process of its own in which requests of several lanes wait for their moment all the time (a backlog).
Wanted with one replica and with three: at least 95 % of the rate used, and in no window of w seconds more than
rate * w + burst (the burst of the beginning included); every lane with work gets its weight or more; a notification now
and then waits for less than half a second.

Then what failures cost (parts/pace_failures.py). Wanted: with isolated 503 at least 0.9 of what is possible; where the
Registry allows less than we want, at least 0.9 of its limit with at most 5 % of the requests refused; during an outage
one request for each pause, and within a minute after it the full rate again, healthy records first. Two minutes:
--outage-seconds 120.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import uvloop
from harness import fresh_database, show
from parts import pace_failures

from orcid_sync.model.sync.lane_shares import SHARES
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.service.sync.pace_and_circuit import SharedPace
from orcid_sync.store.database.pools import open_database

BURST = 8
WINDOWS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
LATE = 0.02
"""Sent so much later than it was booked (an event loop's turn), a request falls into the window of later ones."""

SETTLING = 2.0

Sent = list[tuple[float, Lane, float]]
"""When it was sent, in which lane, after which wait."""


@dataclass(frozen=True)
class Scenario:
    """So many processes, in each of which so many requests of each lane wait at any time."""

    name: str
    replicas: int
    rate: float
    waiting: Mapping[Lane, int]
    rare: bool = False
    """A single notification now and then besides, from one of the processes."""

    @property
    def client(self) -> str:
        """Each has an API client, and hence a pace, of its own."""
        return f"APP-{self.name}"


ALL = dict.fromkeys(Lane, 6)
BULK = {Lane.FIRST_LOAD: 12, Lane.SWEEP: 12}

SCENARIOS = [
    Scenario("sweep alone, 1 replica", 1, 24, {Lane.SWEEP: 8}),
    Scenario("sweep alone, 3 replicas", 3, 24, {Lane.SWEEP: 8}),
    Scenario("all lanes, 1 replica", 1, 24, ALL),
    Scenario("all lanes, 3 replicas", 3, 24, ALL),
    Scenario("storm and checks, 3 replicas", 3, 24, {Lane.NOTIFICATION: 40, Lane.CHECK: 8}),
    Scenario("first load, sweep, rare notifications", 3, 24, BULK, rare=True),
    Scenario("200 requests/s, 3 replicas", 3, 200, dict.fromkeys(Lane, 40)),
]


async def _ask(dsn: str, scenario: Scenario, seconds: float, *, first: bool) -> Sent:
    sent: Sent = []
    async with open_database(dsn, workers=4) as database:
        pace = SharedPace(database.worker, scenario.client, rate=scenario.rate, burst=BURST)
        end = time.monotonic() + seconds

        async def request(lane: Lane, every: float = 0.0) -> None:
            while (began := time.monotonic()) < end:
                await pace.slot(lane)
                sent.append((time.time(), lane, time.monotonic() - began))
                await asyncio.sleep(every)

        async with asyncio.TaskGroup() as group:
            for lane, number in scenario.waiting.items():
                for _ in range(number):
                    group.create_task(request(lane))
            if scenario.rare and first:
                group.create_task(request(Lane.NOTIFICATION, every=0.7))
    return sent


def _replica(dsn: str, scenario: Scenario, seconds: float, first: bool, answers: "multiprocessing.Queue[Sent]") -> None:  # noqa: FBT001 - a process's arguments
    answers.put(uvloop.run(_ask(dsn, scenario, seconds, first=first)))


def run(dsn: str, scenario: Scenario, seconds: float) -> tuple[Sent, Sent]:
    """What the replicas sent, in order: all of it, and that from when all of them were at it until the first one left.

    Of the latter the first seconds are left out: whoever comes first has the burst.
    """
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[Sent] = context.Queue()
    replicas = [
        context.Process(target=_replica, args=(dsn, scenario, seconds, number == 0, answers), daemon=True)
        for number in range(scenario.replicas)
    ]
    for replica in replicas:
        replica.start()
    each = [answers.get() for _ in replicas]
    for replica in replicas:
        replica.join()
    begins = [min(at for at, _, _ in sent) for sent in each]
    everything = sorted(one for sent in each for one in sent)
    return everything, [one for one in everything if max(begins) + SETTLING <= one[0] <= min(begins) + seconds]


def worst_window(moments: Sequence[float], rate: float) -> float:
    """The most that was sent in any window, as a ratio to what may be sent in it."""
    worst = 0.0
    for window in WINDOWS:
        start = 0
        for end, moment in enumerate(moments):
            while moments[start] <= moment - window:
                start += 1
            worst = max(worst, (end - start + 1) / (rate * (window + LATE) + BURST))
    return worst


def judge(scenario: Scenario, everything: Sent, sent: Sent) -> tuple[list[str], bool]:
    """A line of the table, and whether it is as wanted."""
    used = (len(sent) - 1) / (sent[-1][0] - sent[0][0]) / scenario.rate
    worst = worst_window([at for at, _, _ in everything], scenario.rate)
    counts = Counter(lane for _, lane, _ in sent)
    shares = {lane: counts[lane] / len(sent) for lane in sorted(counts)}
    fair = all(shares[lane] >= 0.9 * SHARES[lane].weight for lane in scenario.waiting)
    waits = sorted(wait for _, lane, wait in sent if lane is Lane.NOTIFICATION)
    waited = f"{statistics.median(waits):.2f} / {waits[-1]:.2f}" if waits else ""
    line = [
        scenario.name,
        f"{used:.3f}",
        f"{worst:.3f}",
        " ".join(f"{share:.0%}" for share in shares.values()),
        "/".join(lane.name.lower()[0] for lane in shares),
        waited,
    ]
    prompt = not scenario.rare or waits[len(waits) * 9 // 10] < 0.5
    return line, 0.95 <= used <= 1.02 and worst <= 1.0 and fair and prompt


def main() -> int:
    """Run the benchmark; 0 if everything is as wanted."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seconds", type=float, default=20.0)
    options.add_argument("--failing-seconds", type=float, default=60.0, help="of isolated 503; of a limit, twice that")
    options.add_argument("--outage-seconds", type=float, default=30.0)
    options.add_argument("--only", choices=["rate", "failures"], help="one of the two tables")
    chosen = options.parse_args()
    well = chosen.only == "failures" or _rates(chosen.seconds)
    if chosen.only != "rate":
        lines, good = pace_failures.run(chosen.failing_seconds, chosen.outage_seconds)
        show("What failures cost", ["", "", "", "as wanted"], lines)
        well &= good
    return 0 if well else 1


def _rates(seconds: float) -> bool:
    lines, well = [], True
    with fresh_database() as dsn:
        for scenario in SCENARIOS:
            line, good = judge(scenario, *run(dsn, scenario, seconds))
            lines.append([*line, "yes" if good else "NO"])
            well &= good
    show(
        "The pace (ratios: 1 is what is configured)",
        ["", "used", "worst window", "shares", "of lanes", "notification waits, s: median / worst", "as wanted"],
        lines,
    )
    return well


if __name__ == "__main__":
    sys.exit(main())
