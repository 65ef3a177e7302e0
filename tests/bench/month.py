"""A month in minutes: how stale changes get and what it costs, with webhooks that get lost, and compared with others.

    python tests/bench/month.py [--ids 10000] [--days 10] [--minutes 4] [--variant ours]

The daemon runs as it is, on a PostgreSQL whose now() runs faster, beside a Registry whose clock runs as fast. Records
change at random, for each visible change there is one that nobody but its holder sees; of the notifications a share is
lost, another share comes hours late, and some webhooks die for good (reviving them is timed by the daemon's own clock,
so it does not happen here). A change is stale until the Registry has answered a read of the record that contains it.

Variants: `ours`; `webhooks`, which trusts them alone; `poll`, which has none and reads every record every night: for
10,000 iDs three days in four minutes are what a small machine manages (--days 3). The last column is for a whole month.
Loading everybody first takes a minute or two more, and is not counted.
"""

import argparse
import asyncio
import bisect
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

import asyncpg
import uvloop
from harness import daemon, follow, fresh_database, orcids, serve_environment, show
from msgspec import Struct

from orcid_sync.cli.demo.setup import free_port
from orcid_sync.model.analysis.plan import Means, Population, make_plan
from orcid_sync.model.ids import Orcid
from orcid_sync.simulator.registry import SimulatedRegistry

CHANGES_PER_DAY = 0.03
LOST, LATE = 0.02, 0.02
"""Shares of the notifications: more than ORCID's documentation lets one expect."""
DYING = 0.01
"""Share of the webhooks that ORCID has given up by the end."""
MONTH = 30
HOURS = {"ours": (168, 1), "webhooks": (8_760, 0), "poll": (24, 0)}
"""By variant: longest interval, and interval of the search."""

FASTER = """
    create schema faster;
    create function faster.now() returns timestamptz language sql stable as
      $$ select timestamptz '{began}' + (pg_catalog.now() - timestamptz '{began}') * {speed} $$;
    alter database postgres set search_path = faster, pg_catalog, public;
    """


class Edit(Struct, frozen=True):
    """A visible change."""

    orcid: Orcid
    version: int
    at_ms: int


async def edit(sim: SimulatedRegistry, names: Sequence[Orcid], until_ms: int, dice: Random) -> list[Edit]:
    """Change records at random until the time is over; for each visible change there is one that is not."""
    edits, began_ms = list[Edit](), sim.clock.now_ms()
    last, doomed, dead = began_ms, dice.sample(hooks := list(sim.webhooks), round(DYING * len(hooks))), 0
    while (now := sim.clock.now_ms()) < until_ms:
        expected = CHANGES_PER_DAY * len(names) * (now - last) / 86_400_000
        number = int(expected) + (dice.random() < expected % 1)
        last = now
        for orcid in dice.choices(names, k=number):
            sim.edit.add_item(orcid, "keyword", {"content": f"word {len(edits)}"})
            state = sim.profiles.state(orcid)
            edits.append(Edit(orcid, state.version, state.modified_ms))
            sim.edit.add_item(dice.choice(names), "keyword", {"content": "secret"}, visibility="private")
        before, dead = dead, round(len(doomed) * (now - began_ms) / (until_ms - began_ms))
        for hook in doomed[before:dead]:
            hook.enabled = False
        await asyncio.sleep(0.05)
    return edits


def staleness(sim: SimulatedRegistry, edits: Sequence[Edit], end_ms: int) -> tuple[list[float], int]:
    """Hours that each change waited, sorted, and how many wait still; the last day's changes are not counted."""
    reads: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for one in sim.journal.requests:
        if one.endpoint == "record" and one.status == 200 and one.orcid and one.version is not None:
            reads[one.orcid].append((one.version, one.at_ms))
    waits, never = [], 0
    for change in edits:
        seen = sorted(reads[change.orcid])
        place = bisect.bisect_left(seen, (change.version, 0))
        if place < len(seen):
            waits.append((seen[place][1] - change.at_ms) / 3_600_000)
        elif change.at_ms < end_ms - 86_400_000:
            never += 1
    return sorted(waits), never


def settings(variant: str, speed: float) -> dict[str, str]:
    """What the daemon is told. The jobs' intervals pass by its own clock, everything else by the database's."""
    longest, search = HOURS[variant]
    chosen = {
        "webhooks": str(variant != "poll").lower(),
        "check_interval_hours": str(longest),
        "shortest_interval_hours": str(longest),
        "search_interval_hours": str(search / speed),
        "lease_seconds": str(30 * speed),
        "poll_seconds": "0.05",
        "workers": "8",
        "log_level": "error",
    }
    return {f"ORCID_SYNC_{name.upper()}": value for name, value in chosen.items()}


async def run(dsn: str, *, ids: int, days: float, minutes: float, variant: str) -> bool:
    speed, names, dice = days * 1440 / minutes, orcids(ids), Random(1)
    began = datetime.now(UTC)
    sim = SimulatedRegistry(speed=speed, start_ms=round(began.timestamp() * 1000), keep_history=False)
    for orcid in names:
        sim.add_record(orcid, works=0, employments=0, fundings=0)
    sim.faults.add("lost", "notification", probability=LOST)
    sim.faults.add("delayed", "notification", probability=LATE, seconds=6 * 3600)
    connection = await asyncpg.connect(dsn)
    await connection.execute(FASTER.format(began=began.isoformat(), speed=speed))
    await connection.close()
    await sim.start(deliver=True)
    environment = serve_environment(dsn, sim.url, public_port=free_port(), internal_port=free_port())
    try:
        await follow(dsn, names)
        async with daemon(environment | settings(variant, speed)):
            await _first_load(dsn, ids)
            before = len(sim.journal.requests)
            end_ms = sim.clock.now_ms() + round(days * 86_400_000)
            edits = await edit(sim, names, end_ms, dice)
    finally:
        await sim.stop()
    asked = Counter(one.endpoint for one in list(sim.journal.requests)[before:])
    return _show(ids, days, variant, asked, *staleness(sim, edits, end_ms))


async def _first_load(dsn: str, ids: int) -> None:
    connection = await asyncpg.connect(dsn)
    read = "select count(*) from orcid_sync.queue where verified_at is not null"
    while await connection.fetchval(read) < ids:  # noqa: ASYNC110 - the daemon is another process
        await asyncio.sleep(0.2)
    # As it is long afterwards: some were read just now, others long ago.
    await connection.execute("update orcid_sync.queue set due_at = now() + (due_at - now()) * random()")
    await connection.close()


def _show(ids: int, days: float, variant: str, asked: Counter[str], waits: Sequence[float], never: int) -> bool:
    """Print the figures; whether those that were foretold came true."""
    longest, search = HOURS[variant]
    means = Means(
        per_second=1e9,
        webhooks=variant != "poll",
        lost=LOST + DYING / 2,
        search_every=search / 24 or None,
        shortest=longest / 24,
        longest=longest / 24,
    )
    plan = make_plan(Population(connected=ids, changes=CHANGES_PER_DAY, details=0), means)
    quantiles = {f"{share:.0%}": waits[min(len(waits) - 1, int(share * len(waits)))] for share in (0.5, 0.99)}
    rows = [["changes", f"{len(waits) + never:,}", ""]]
    rows += [[f"noticed within, {share}", f"{hours:.2f} h", ""] for share, hours in quantiles.items()]
    rows += [
        ["noticed within, all that were", f"{waits[-1]:.1f} h", ""],
        ["not noticed for a day or more", str(never), ""],
    ]
    monthly = MONTH / days / ids
    rows += [[f"requests: {name}", f"{number:,}", f"{number * monthly:.2f}"] for name, number in asked.most_common()]
    # Keywords have no full form to be read.
    planned = sum(number for name, number in plan.requests.items() if name != "full forms") * days
    rows += [
        ["requests, all", f"{asked.total():,}", f"{asked.total() * monthly:.2f}"],
        ["requests that `plan` foretells", f"{planned:,.0f}", f"{planned * monthly:.2f}"],
    ]
    show(f"{variant}: {ids:,} iDs, {days:g} days", ["", "", "per iD and month"], rows)
    return abs(asked.total() / planned - 1) <= 0.1


def main() -> int:
    """Run the benchmark; 0 if the requests were as many as `plan` foretells, give or take a tenth."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--ids", type=int, default=10_000)
    options.add_argument("--days", type=float, default=10)
    options.add_argument("--minutes", type=float, default=4)
    options.add_argument("--variant", choices=HOURS, default="ours")
    with fresh_database() as dsn:
        return 0 if uvloop.run(run(dsn, **vars(options.parse_args()))) else 1


if __name__ == "__main__":
    sys.exit(main())
