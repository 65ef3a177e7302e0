"""What an idle daemon costs: memory and queries per second, with no iD and with 100,000 connected iDs.

    python tests/bench/idle.py [--ids 100000] [--seconds 30]

Wanted: at most 75 MB without iDs, and at most 5 MB more with 100,000. They live in PostgreSQL, not in the process.
"""

import argparse
import asyncio
import sys

import asyncpg
import uvloop
from harness import daemon, fresh_database, memory, orcids, serve_environment, show

from orcid_sync.cli.demo.setup import free_port

TRANSACTIONS = "select xact_commit + xact_rollback from pg_stat_database where datname = current_database()"
FILL = (
    "insert into orcid_sync.connections (orcid) select unnest($1::text[])",
    """insert into orcid_sync.queue (orcid, due_at, lane, gen, leased_gen, done_gen, verified_at)
       select unnest($1::text[]), now() + interval '1 day' + random() * interval '6 days', 3, 1, 1, 1, now()""",
    """with present as (
         insert into orcid_sync.callback_generations (key_version, public_url) values (1, '') returning number
       )
       insert into orcid_sync.webhooks (orcid, generation, state, registered_at)
       select orcid, present.number, 'active', now() from unnest($1::text[]) as orcid, present""",
)


async def idle(dsn: str, seconds: float) -> tuple[int, float]:
    """Resident bytes, and transactions per second that the daemon makes."""
    environment = serve_environment(dsn, "http://127.0.0.1:9", public_port=free_port(), internal_port=free_port())
    connection = await asyncpg.connect(dsn)
    async with daemon(environment) as pid:
        await asyncio.sleep(15)  # the jobs at start; what idle backends did is counted up to 10 s late
        before = await connection.fetchval(TRANSACTIONS)
        await asyncio.sleep(seconds)
        made = await connection.fetchval(TRANSACTIONS) - before - 1
        resident = memory(pid)["VmRSS"]
    await connection.close()
    return resident, made / seconds


async def run(dsn: str, ids: int, seconds: float) -> bool:
    empty, empty_rate = await idle(dsn, seconds)
    connection = await asyncpg.connect(dsn)
    for statement in FILL:
        await connection.execute(statement, orcids(ids))
    await connection.execute("vacuum analyze")
    await connection.close()
    full, full_rate = await idle(dsn, seconds)
    show(
        "An idle daemon",
        ["", "no iD", f"{ids:,} iDs", "wanted"],
        [
            ["memory, MB", f"{empty / 1e6:.0f}", f"{full / 1e6:.0f}", "<= 75 and 5 more"],
            ["transactions per second", f"{empty_rate:.2f}", f"{full_rate:.2f}", ""],
        ],
    )
    return empty <= 75e6 and full - empty <= 5e6


def main() -> int:
    """Run the benchmark; 0 if the bounds were kept."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--ids", type=int, default=100_000)
    options.add_argument("--seconds", type=float, default=30.0)
    chosen = options.parse_args()
    with fresh_database() as dsn:
        return 0 if uvloop.run(run(dsn, chosen.ids, chosen.seconds)) else 1


if __name__ == "__main__":
    sys.exit(main())
