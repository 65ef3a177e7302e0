"""What the search net asks of ORCID, against reading every record: 100,000 connected iDs of which 1 % changed.

    python tests/bench/sweep.py [--ids 100000] [--share 0.01]

Wanted: none missed, and the net itself asks at most 1 % of what reading every record asks. The counts are exact; the
time is that of a Registry in the same process, without a limit.
"""

import argparse
import sys
import time
from random import Random

import asyncpg
import uvloop
from harness import fresh_database, orcids, reconciling, show

from orcid_sync.service.sync.safety_nets import sweep_search
from orcid_sync.simulator.registry import SimulatedRegistry

CONNECT = "insert into orcid_sync.connections (orcid) select unnest($1::text[])"
READ = """
    insert into orcid_sync.queue (orcid, due_at, lane, gen, leased_gen, done_gen, verified_at, registry_modified_ms)
    select orcid, now() + interval '7 days', 3, 1, 1, 1, now(), modified_ms
      from unnest($1::text[], $2::bigint[]) as known (orcid, modified_ms)
    """
DUE = "select orcid from orcid_sync.queue where due_at <= now()"


async def run(dsn: str, ids: int, share: float) -> bool:
    sim, names, dice = SimulatedRegistry(keep_history=False), orcids(ids), Random(1)
    for orcid in names:
        sim.add_record(orcid, works=0, employments=0, fundings=0)
    connection = await asyncpg.connect(dsn)
    await connection.execute(CONNECT, names)
    await connection.execute(READ, names, [sim.profiles.state(orcid).modified_ms for orcid in names])
    edited = dice.sample(names, round(ids * share))
    sim.clock.advance(1)
    for orcid in edited:
        sim.edit.add_item(orcid, "keyword", {"content": "tides"})
    async with sim, reconciling(dsn, sim.url) as (database, registry, _):
        await sim.run_delivery(after=301)
        began = time.perf_counter()
        counts = await sweep_search(database, registry)
        seconds = time.perf_counter() - began
        again = await sweep_search(database, registry)
    due = {row["orcid"] for row in await connection.fetch(DUE)}
    await connection.close()
    missed = len(set(edited) - due)
    show(
        f"{ids:,} connected iDs, {len(edited):,} of them changed",
        ["", "requests", "of a full poll"],
        [
            ["the net", f"{counts['searches']:,}", f"{counts['searches'] / ids:.2%}"],
            ["reads of what it found", f"{len(due):,}", f"{len(due) / ids:.2%}"],
            ["the net once more, nothing new", f"{again['searches']:,}", f"{again['searches'] / ids:.2%}"],
            ["missed", f"{missed:,}", ""],
            ["seconds without a limit", f"{seconds:.1f}", ""],
            ["seconds at 20 requests per second", f"{counts['searches'] / 20:.0f}", ""],
            ["found without having changed", f"{len(due - set(edited)):,}", ""],
        ],
    )
    return missed == 0 and counts["searches"] <= ids / 100


def main() -> int:
    """Run the benchmark; 0 if the bounds were kept."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--ids", type=int, default=100_000)
    options.add_argument("--share", type=float, default=0.01)
    chosen = options.parse_args()
    with fresh_database() as dsn:
        return 0 if uvloop.run(run(dsn, chosen.ids, chosen.share)) else 1


if __name__ == "__main__":
    sys.exit(main())
