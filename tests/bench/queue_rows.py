"""The queue with a million rows: how fast it is leased and settled, and whether it grows by being used.

    python tests/bench/queue_rows.py [--ids 1000000] [--cycles 200000]

A cycle is what an unchanged record costs the queue: one lease, one settlement. Every tenth is a notification, which
marks the row first. Sizes are taken after each fifth of the cycles, with PostgreSQL's own autovacuum at work: what is
wanted is that they stop growing, and that leasing stays as fast. Ten million cycles are five days at ORCID's limit.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from random import Random

import asyncpg
import uvloop
from rig import Stopwatch, fresh_database, orcids, show

from orcid_sync.model.ids import Orcid
from orcid_sync.model.lifecycle import Lane, Settlement
from orcid_sync.store import queue
from orcid_sync.store.database import Database, open_database, transaction

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


class Usage:
    """Uses the queue as a service does, one step after the other."""

    def __init__(self, database: Database, names: Sequence[Orcid]) -> None:
        self._database = database
        self._names = names
        self._dice = Random(1)
        self.watch = Stopwatch()

    async def cycles(self, number: int) -> None:
        """So many leases and settlements."""
        pool = self._database.worker
        for _ in range(number // BATCH):
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
                for lease in leases:
                    due_in = timedelta(days=6 + self._dice.random())
                    settlement = Settlement(done=True, due_in=due_in, verified=True)
                    async with transaction(pool) as connection:
                        await queue.settle(connection, lease, settlement, grace=timedelta())


async def run(dsn: str, ids: int, cycles: int) -> bool:
    names, rows = orcids(ids), []
    connection = await asyncpg.connect(dsn)
    for statement in FILL:
        await connection.execute(statement, names)
    await connection.execute("vacuum analyze")
    async with open_database(dsn, workers=2) as database:
        usage = Usage(database, names)
        await usage.cycles(BATCH * 50)  # warm
        for part in range(PARTS + 1):
            sizes = await connection.fetchrow(SIZES)
            rows.append((part * cycles // PARTS, sizes, dict(usage.watch.seconds)))
            if part < PARTS:
                usage.watch = Stopwatch()
                began = time.perf_counter()
                await usage.cycles(cycles // PARTS)
                usage.watch.seconds["all"] = time.perf_counter() - began
                await asyncio.sleep(1)  # statistics are sent with a delay
    await connection.close()
    _show(ids, cycles // PARTS, rows)
    first, last = rows[1][1], rows[-1][1]
    return bool(last["table_mb"] <= 1.3 * first["table_mb"] and last["indexes_mb"] <= 1.5 * first["indexes_mb"])


def _show(ids: int, each: int, rows: list[tuple[int, asyncpg.Record, dict[str, float]]]) -> None:
    def per_second(seconds: dict[str, float], name: str) -> str:
        return f"{each / seconds[name]:,.0f}" if seconds.get(name) else ""

    show(
        f"A queue of {ids:,} rows, {BATCH} leased at once, one connection",
        ["cycles", "leases/s", "settlements/s", "table MB", "indexes MB", "dead rows", "autovacuums", "HOT"],
        [
            [
                f"{done:,}",
                per_second(seconds, "lease"),
                per_second(seconds, "settle"),
                f"{sizes['table_mb']:.0f}",
                f"{sizes['indexes_mb']:.0f}",
                f"{sizes['dead']:,}",
                str(sizes["vacuums"]),
                f"{sizes['hot'] or 0:.0%}",
            ]
            for done, sizes, seconds in rows
        ],
    )


def main() -> int:
    """Run the benchmark; 0 if the queue stopped growing."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--ids", type=int, default=1_000_000)
    options.add_argument("--cycles", type=int, default=200_000)
    chosen = options.parse_args()
    with fresh_database() as dsn:
        return 0 if uvloop.run(run(dsn, chosen.ids, chosen.cycles)) else 1


if __name__ == "__main__":
    sys.exit(main())
