"""Exports against COPY … TO STDOUT of the same rows, as PostgreSQL's text and as its CSV, thrown away.

    python tests/bench/export.py [--records 400] [--rounds 3]

Wanted: each format at least half as fast as the COPY. Peak memory is that of this process; it must not follow the rows.
"""

import argparse
import asyncio
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from harness import fresh_database, show

sys.path.insert(0, str(Path(__file__).parents[1]))
from orcid_sync.export.selection import Selection, choose, select_relation
from orcid_sync.export.write import Format, write
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.database.catalogue import read_catalogue, use_utc
from orcid_sync.store.database.pools import MAINTENANCE, connect, open_database
from rig.records.mirror import apply_record

MULTIPLY = """
    insert into {table} ({columns})
    select {shifted} from {table} cross join generate_series(1, {times}) as copy
"""


async def seed(dsn: str, records: int) -> None:
    """One record of 450 works, and its works again and again under other put-codes."""
    sim = SimulatedRegistry()
    orcid = sim.add_samples(2)[1]
    token = sim.token_service.issue(CLIENT_ID, ["/read-public"]).text
    async with open_database(dsn, workers=1) as database:
        await apply_record(database.worker, msgspec.json.encode(sim.view(orcid, token)))
    async with connect(dsn, MAINTENANCE) as connection:
        for table in ("orcid.works", "orcid.external_ids"):
            names = [
                row["attname"]
                for row in await connection.fetch(
                    "select attname from pg_attribute where attrelid = $1::text::regclass and attnum > 0"
                    " and attgenerated = ''",
                    table,
                )
            ]
            shifted = ["put_code + 10000000::bigint * copy" if name == "put_code" else name for name in names]
            await connection.execute(
                MULTIPLY.format(table=table, columns=", ".join(names), shifted=", ".join(shifted), times=records)
            )
        await connection.execute("vacuum analyze")


async def nowhere(_piece: bytes) -> None:
    """Throw it away."""


async def timed(work: Callable[[], Awaitable[Any]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def run(dsn: str, records: int, rounds: int) -> bool:
    await seed(dsn, records)
    seconds: dict[str, list[float]] = {}
    async with connect(dsn, MAINTENANCE) as connection:
        relations = choose(["works", "external_ids"], (await read_catalogue(connection)).relations)
        selections = [await select_relation(connection, relation) for relation in relations]
        rows = sum([await connection.fetchval(f"select count(*) from orcid.{one.name}") for one in selections])
        before = memory_here()
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await use_utc(connection)
            for _ in range(rounds):
                for name, work in ways(connection, selections).items():
                    seconds.setdefault(name, []).append(await timed(work))
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    base = medians["COPY, text"]
    show(
        f"{rows:,} rows of works and external_ids; peak memory {memory_here() - before:,} MB above the start",
        ["", "seconds", "rows/s", "of COPY, text"],
        [[name, f"{took:.2f}", f"{rows / took:,.0f}", f"{base / took:.2f}"] for name, took in medians.items()],
    )
    return all(base / took >= 0.5 for took in medians.values())


def ways(connection: asyncpg.Connection, selections: list[Selection]) -> dict[str, Callable[[], Awaitable[Any]]]:
    async def copy(form: str) -> None:
        for one in selections:
            await connection.copy_from_query(one.sql, output=nowhere, format=form)

    async def exported(form: Format) -> None:
        for one in selections:
            with tempfile.TemporaryFile() as out:
                await write(connection, one, form, out)

    return {
        "COPY, text": lambda: copy("text"),
        "COPY, csv": lambda: copy("csv"),
        **{form.value: lambda form=form: exported(form) for form in Format},
    }


def memory_here() -> int:
    """Peak memory of this process, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main() -> int:
    """Run the benchmark; 0 if the bound was kept."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=400)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    with fresh_database() as dsn:
        return 0 if asyncio.run(run(dsn, chosen.records, chosen.rounds)) else 1


if __name__ == "__main__":
    sys.exit(main())
