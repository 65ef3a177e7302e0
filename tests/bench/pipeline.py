"""Fetch, parse, diff, commit: records per second and core, and where the time goes.

    python tests/bench/pipeline.py [--records 300] [--rounds 5]

Records of 50 works from a simulated Registry on the same machine, one at a time: its process has the other core. Four
cases, interleaved: the GET alone (the limit), unchanged, one work changed, first load. Besides, the rows of the first
load written by raw COPY into tables of the same shape: what PostgreSQL takes at best. Only ratios within one run count.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import uvloop
from harness import Stopwatch, control, follow, fresh_database, lease_all, orcids, reconciling, show, simulated, view

from orcid_sync.registry.client import Registry
from orcid_sync.service.record import changeset, comparison, record_reader
from orcid_sync.service.sync import reconcile
from orcid_sync.service.sync.reconcile import Reconciler
from orcid_sync.store.database.pools import Database
from orcid_sync.store.feed import changes
from orcid_sync.store.mirror import items
from orcid_sync.store.sync import queue

CASES = ("GET only", "unchanged", "one work changed", "first load")
WANTED = {"unchanged": 0.30, "one work changed": 0.08, "first load": 0.04}
TABLES = "select table_name from information_schema.tables where table_schema = 'orcid' and table_type = 'BASE TABLE'"


def instrument(watch: Stopwatch) -> None:
    """Time the stages where the service calls them."""

    def awaited(name: str, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def timed(*arguments: Any, **named: Any) -> Any:
            with watch.time(name):
                return await function(*arguments, **named)

        return timed

    reconcile.parse_in_steps = awaited("parse", record_reader.parse_in_steps)
    comparison.read_full_forms = awaited("fetch of full forms", comparison.read_full_forms)
    reconcile.make_changeset = awaited("diff", changeset.make_changeset)
    items.load = awaited("database", items.load)
    items.apply = awaited("database", items.apply)
    changes.append = awaited("database", changes.append)
    queue.hold = awaited("database", queue.hold)
    queue.settle = awaited("database", queue.settle)


async def rows_of(connection: asyncpg.Connection) -> dict[str, tuple[list[str], list[tuple[Any, ...]]]]:
    """Everything in schema orcid, by table, without generated columns."""
    found = {}
    for row in await connection.fetch(TABLES):
        table = row[0]
        columns = [
            one[0]
            for one in await connection.fetch(
                "select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped "
                "and attgenerated = '' order by attnum",
                f"orcid.{table}",
            )
        ]
        values = await connection.fetch(f"select {', '.join(columns)} from orcid.{table}")
        found[table] = (columns, [tuple(value) for value in values])
    return found


async def raw_copy(
    connection: asyncpg.Connection, content: dict[str, tuple[list[str], list[tuple[Any, ...]]]]
) -> float:
    """Seconds to COPY the same rows into empty tables with the same keys and indexes."""
    await connection.execute("drop schema if exists raw cascade; create schema raw")
    for table in content:
        await connection.execute(f"create table raw.{table} (like orcid.{table} including all)")
    began = time.perf_counter()
    async with connection.transaction():
        for table, (columns, values) in content.items():
            await connection.copy_records_to_table(table, schema_name="raw", columns=columns, records=values)
    return time.perf_counter() - began


async def forget(connection: asyncpg.Connection) -> None:
    """As if nothing had ever been read."""
    await connection.execute("truncate orcid.records cascade; truncate orcid.changes, orcid.change_contents")
    await connection.execute("update orcid_sync.queue set body_digest = null, registry_modified_ms = null")


async def change_one_work(url: str, names: list[str], codes: dict[str, int], number: int) -> None:
    """Every researcher mends a title."""
    for orcid in names:
        title = {"title": f"A survey of benchmarks, round {number}"}
        await control(url, "edit/edit_item", orcid=orcid, section="work", put_code=codes[orcid], changes=title)


async def work_codes(url: str, names: list[str]) -> dict[str, int]:
    """One work of each record."""
    codes = {}
    for orcid in names:
        groups = (await view(url, orcid))["activities-summary"]["works"]["group"]
        codes[orcid] = groups[0]["work-summary"][0]["put-code"]
    return codes


async def one_round(
    case: str, database: Database, registry: Registry, reconciler: Reconciler, names: list[str], expected: str
) -> float:
    """Records per second."""
    if case == "GET only":
        began = time.perf_counter()
        for orcid in names:
            async with registry.record(orcid):
                pass
        return len(names) / (time.perf_counter() - began)
    leases = await lease_all(database, len(names))
    began = time.perf_counter()
    for lease in leases:
        outcome = await reconciler.reconcile(lease)
        if outcome != expected:
            raise SystemExit(f"{case}: outcome {outcome}")
    return len(names) / (time.perf_counter() - began)


async def run(dsn: str, url: str, names: list[str], rounds: int) -> bool:
    await follow(dsn, names)
    codes = await work_codes(url, names)
    rates: dict[str, list[float]] = {case: [] for case in CASES}
    watches = {case: Stopwatch() for case in CASES}
    copies = []
    async with reconciling(dsn, url) as (database, registry, reconciler), database.reader.acquire() as connection:
        for number in range(rounds + 1):
            for case in ("first load", "GET only", "unchanged", "one work changed"):
                if case == "first load":
                    await forget(connection)
                if case == "one work changed":
                    await change_one_work(url, names, codes, number)
                watch = Stopwatch()
                instrument(watch)
                expected = "unchanged" if case == "unchanged" else "changed"
                rate = await one_round(case, database, registry, reconciler, names, expected)
                if case == "first load" and number > 0:
                    copies.append(len(names) / await raw_copy(connection, await rows_of(connection)))
                if number > 0:  # the first round warms up
                    rates[case].append(rate)
                    for name, seconds in watch.seconds.items():
                        watches[case].seconds[name] = watches[case].seconds.get(name, 0) + seconds
    return report(rates, watches, copies, len(names) * rounds)


def report(rates: dict[str, list[float]], watches: dict[str, Stopwatch], copies: list[float], read: int) -> bool:
    """Print the tables; whether every ratio is what is wanted."""
    rows, good = [], True
    for case in CASES:
        ratio = statistics.median(mine / limit for mine, limit in zip(rates[case], rates["GET only"], strict=True))
        wanted = WANTED.get(case)
        good = good and (wanted is None or ratio >= wanted)
        total = sum(read / len(rates[case]) / rate for rate in rates[case])
        spent = watches[case].seconds
        shares = [f"{100 * spent.get(name, 0) / total:.0f} %" for name in ("parse", "diff", "database")]
        rest = f"{100 * (1 - sum(spent.get(name, 0) for name in ('parse', 'diff', 'database')) / total):.0f} %"
        rows.append(
            [
                case,
                f"{statistics.median(rates[case]):,.0f}",
                f"{ratio:.2f}",
                f">= {wanted}" if wanted else "",
                *shares,
                rest,
            ]
        )
    columns = ["case", "records/s", "to GET", "wanted", "parse", "diff", "database", "HTTP and the rest"]
    show("Records of 50 works, one at a time (medians)", columns, rows)
    copied, loaded = statistics.median(copies), statistics.median(rates["first load"])
    show(
        "The rows of a first load",
        ["", "records/s", "ratio"],
        [
            ["raw COPY of the same rows, one transaction", f"{copied:,.0f}", "1.00"],
            ["fetched, parsed, compared, committed record by record", f"{loaded:,.0f}", f"{loaded / copied:.2f}"],
        ],
    )
    return good


def main() -> int:
    """Run the benchmark; 0 if every ratio is what is wanted."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=300)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    names = orcids(chosen.records)
    with fresh_database() as dsn, simulated(dict.fromkeys(names, 50)) as url:
        return 0 if uvloop.run(run(dsn, url, list(names), chosen.rounds)) else 1


if __name__ == "__main__":
    sys.exit(main())
