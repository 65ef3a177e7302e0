"""What an unchanged record costs, against one durable upsert.

    python tests/bench/unchanged.py [--rounds 300]

Counts are exact and hard: no row of schema orcid may be written, and at most 1 kB of WAL. Times are a ratio within this
run: a whole reconciliation, its HTTP read included, against one INSERT … ON CONFLICT DO UPDATE, interleaved.
"""

import argparse
import asyncio
import statistics
import sys
import time

import asyncpg
from harness import follow, fresh_database, lease_all, orcids, reconciling, show, simulated

from orcid_sync.service.sync.reconcile import Reconciler
from orcid_sync.store.database.pools import Database

TABLES = "select table_name from information_schema.tables where table_schema = 'orcid' and table_type = 'BASE TABLE'"
FLOOR = "insert into floor values ($1, now()) on conflict (orcid) do update set at = excluded.at"


async def versions(connection: asyncpg.Connection) -> set[tuple[str, str, int]]:
    """Every row version in schema orcid: table, place, and the transaction that wrote it."""
    found = set()
    for [table] in await connection.fetch(TABLES):
        rows = await connection.fetch(f"select ctid::text, xmin::text::bigint from orcid.{table}")
        found |= {(table, place, transaction) for place, transaction in rows}
    return found


async def wal(connection: asyncpg.Connection) -> int:
    position: int = await connection.fetchval("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
    return position


async def measure(
    database: Database, reconciler: Reconciler, rounds: int
) -> tuple[list[float], list[float], list[int]]:
    reads, floors, bytes_of_wal = [], [], []
    async with database.reader.acquire() as connection:
        for _ in range(rounds):
            [lease] = await lease_all(database, 1)
            before, began = await wal(connection), time.perf_counter()
            outcome = await reconciler.reconcile(lease)
            reads.append(time.perf_counter() - began)
            bytes_of_wal.append(await wal(connection) - before)
            if outcome != "unchanged":
                raise SystemExit(f"outcome {outcome}")
            began = time.perf_counter()
            await connection.execute(FLOOR, lease.orcid)
            floors.append(time.perf_counter() - began)
    return reads, floors, bytes_of_wal


async def run(dsn: str, url: str, rounds: int) -> bool:
    await follow(dsn, orcids(1))
    async with reconciling(dsn, url) as (database, _, reconciler):
        async with database.reader.acquire() as connection:
            await connection.execute("create table floor (orcid text primary key, at timestamptz)")
        [lease] = await lease_all(database, 1)
        await reconciler.reconcile(lease)
        async with database.reader.acquire() as connection:
            before = await versions(connection)
        reads, floors, bytes_of_wal = await measure(database, reconciler, rounds)
        async with database.reader.acquire() as connection:
            rows = len(await versions(connection) ^ before)
    read, floor = statistics.median(reads) * 1000, statistics.median(floors) * 1000
    logged = statistics.median(bytes_of_wal)
    show(
        f"An unchanged record of 50 works, {rounds} reads",
        ["", "measured", "wanted"],
        [
            ["rows written in schema orcid", str(rows), "0"],
            ["WAL of one reconciliation, bytes (median)", f"{logged:.0f}", "<= 1024"],
            ["reconciliation with its HTTP read, ms (median)", f"{read:.2f}", ""],
            ["one durable upsert, ms (median)", f"{floor:.2f}", ""],
            ["ratio", f"{read / floor:.1f}", ""],
        ],
    )
    return rows == 0 and logged <= 1024


def main() -> int:
    """Run the benchmark; 0 if the counts are what is wanted."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rounds", type=int, default=300)
    chosen = options.parse_args()
    with fresh_database() as dsn, simulated({orcids(1)[0]: 50}) as url:
        return 0 if asyncio.run(run(dsn, url, chosen.rounds)) else 1


if __name__ == "__main__":
    sys.exit(main())
