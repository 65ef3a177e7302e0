"""The queue with a million rows: how fast it is leased and settled, and whether it grows by being used.

    python tests/bench/queue_rows.py [--ids 1000000] [--cycles 200000] [--minutes 4]

A cycle is what an unchanged record costs the queue: one lease, one settlement. Every tenth is a notification, which
marks the row first. Sizes are taken after each fifth of the cycles, with PostgreSQL's own autovacuum at work: what is
wanted is that they stop growing, and that leasing stays as fast. Ten million cycles are five days at ORCID's limit; the
last line is what the sizes would come to if all of them grew the queue as those of the last fifth did: an upper bound.

Filling the table takes a minute more. Where the minutes do not suffice for the cycles, there are fewer.
"""

import argparse
import asyncio
import math
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import asyncpg
import uvloop
from harness import Stopwatch, fresh_database, orcids, show

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Lane, Settlement
from orcid_sync.store.database.pools import Database, open_database, transaction
from orcid_sync.store.sync import queue
from orcid_sync.store.sync.queue import Lease

FILL = (
    "insert into orcid_sync.connections (orcid) select unnest($1::text[])",
    """insert into orcid_sync.queue (orcid, due_at, lane, gen, leased_gen, done_gen, verified_at)
       select orcid, now() + random() * interval '7 days', 3, 1, 1, 1, now() from unnest($1::text[]) as orcid""",
)
PARTS = 5
BATCH = 8
"""Rows leased at once: what a worker with its usual capacity asks for."""
SIZES = """
    select pg_table_size('orcid_sync.queue') / 1e6::float as table_mb,
           pg_indexes_size('orcid_sync.queue') / 1e6::float as indexes_mb,
           n_dead_tup as dead, autovacuum_count as vacuums, n_tup_hot_upd::float / nullif(n_tup_upd, 0) as hot
      from pg_stat_user_tables where relid = 'orcid_sync.queue'::regclass
    """


GROWING = ("table_mb", "indexes_mb")
MANY = 10_000_000
"""Cycles of the projection."""


@dataclass(frozen=True)
class Part:
    """So many cycles, the sizes after them, and the seconds that went into their steps."""

    cycles: int
    sizes: asyncpg.Record
    seconds: Mapping[str, float]

    def per_second(self, step: str) -> str:
        """How many cycles a second this step alone would allow."""
        return f"{self.cycles / self.seconds[step]:,.0f}" if self.seconds.get(step) else ""


class Usage:
    """Uses the queue as a service does, one step after the other."""

    def __init__(self, database: Database, names: Sequence[Orcid]) -> None:
        self._database = database
        self._names = names
        self._dice = Random(1)
        self.watch = Stopwatch()

    async def cycles(self, number: int, seconds: float = math.inf) -> int:
        """So many leases and settlements, or as many as the time suffices for; how many they were."""
        pool, end = self._database.worker, time.perf_counter() + seconds
        for done in range(number // BATCH):
            if time.perf_counter() > end:
                return done * BATCH
            due = self._dice.sample(self._names, BATCH)
            async with transaction(pool) as connection:
                await connection.execute("update orcid_sync.queue set due_at = now() where orcid = any($1)", due)
            if self._dice.random() < 0.1:
                with self.watch.time("mark"):
                    async with transaction(pool) as connection:
                        await queue.mark_due(connection, due, lane=Lane.NOTIFICATION)
            with self.watch.time("lease"):
                async with transaction(pool) as connection:
                    leases = await queue.lease_due(connection, limit=BATCH, lease=timedelta(minutes=1))
            with self.watch.time("settle"):
                await asyncio.gather(*(self._settle(lease) for lease in leases))
        return number

    async def _settle(self, lease: Lease) -> None:
        settlement = Settlement(done=True, due_in=timedelta(days=6 + self._dice.random()), verified=True)
        async with transaction(self._database.worker) as connection:
            await queue.settle(connection, lease, settlement, grace=timedelta())


async def run(dsn: str, ids: int, cycles: int, minutes: float) -> bool:
    names, rows = orcids(ids), []
    connection = await asyncpg.connect(dsn)
    for statement in FILL:
        await connection.execute(statement, names)
    await connection.execute("vacuum analyze")
    async with open_database(dsn, workers=BATCH) as database:
        usage = Usage(database, names)
        await usage.cycles(BATCH * 50)  # warm
        rows.append(Part(0, await connection.fetchrow(SIZES), {}))
        for _ in range(PARTS):
            usage.watch = Stopwatch()
            done = await usage.cycles(cycles // PARTS, minutes * 60 / PARTS)
            await asyncio.sleep(1)  # statistics are sent with a delay
            rows.append(Part(done, await connection.fetchrow(SIZES), dict(usage.watch.seconds)))
    await connection.close()
    _show(ids, rows)
    first, last = rows[1].sizes, rows[-1].sizes
    return bool(last["table_mb"] <= 1.3 * first["table_mb"] and last["indexes_mb"] <= 1.5 * first["indexes_mb"])


def _show(ids: int, rows: list[Part]) -> None:
    done, lines = 0, []
    for part in rows:
        done += part.cycles
        lines.append(
            [
                f"{done:,}",
                part.per_second("lease"),
                part.per_second("settle"),
                *(f"{part.sizes[name]:.0f}" for name in GROWING),
                f"{part.sizes['dead']:,}",
                str(part.sizes["vacuums"]),
                f"{part.sizes['hot'] or 0:.0%}",
            ]
        )
    last, before = rows[-1], rows[-2]
    more = (MANY - done) / max(1, last.cycles)
    grown = [last.sizes[name] + more * max(0.0, last.sizes[name] - before.sizes[name]) for name in GROWING]
    lines.append([f"{MANY:,} (reckoned)", "", "", *(f"{size:.0f}" for size in grown), "", "", ""])
    show(
        f"A queue of {ids:,} rows, {BATCH} leased at once",
        ["cycles", "leases/s", "settlements/s", "table MB", "indexes MB", "dead rows", "autovacuums", "HOT"],
        lines,
    )


def main() -> int:
    """Run the benchmark; 0 if the queue stopped growing."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--ids", type=int, default=1_000_000)
    options.add_argument("--cycles", type=int, default=200_000)
    options.add_argument("--minutes", type=float, default=4)
    chosen = options.parse_args()
    with fresh_database() as dsn:
        return 0 if uvloop.run(run(dsn, chosen.ids, chosen.cycles, chosen.minutes)) else 1


if __name__ == "__main__":
    sys.exit(main())
