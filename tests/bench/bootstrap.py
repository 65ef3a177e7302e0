"""Loading an archive like the public data file, against unpacking it.

    python tests/bench/bootstrap.py [--records 20000] [--rounds 3]

Interleaved, on archives that are made here: sizes of records as in the corpus (62 % without activities; of those with
works half have 7 or fewer, one in a hundred 274 or more), formatted as ORCID formats them.

    tar       tar -xzO ARCHIVE | wc -c: unpacks and throws away; the limit
    1/1000    orcid-sync bootstrap, one iD in a thousand connected; on an archive five times as large
    all       orcid-sync bootstrap --all into an empty mirror; what was loaded is compared with the archive by number
    again     the same once more: everything is there already

The time of starting the processes counts. Memory is the largest of all processes of a load.
"""

import argparse
import asyncio
import io
import multiprocessing
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random

import asyncpg
from harness import follow, fresh_database, memory, orcids, show
from rich.console import Console

from orcid_sync.bulk import workers
from orcid_sync.bulk.load import Progress, load
from orcid_sync.bulk.sources import open_source
from orcid_sync.bulk.write import Plan
from orcid_sync.model.ids import Orcid
from orcid_sync.simulator.records.sections import PERSON_LISTS
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.samples import random_items
from orcid_sync.simulator.samples.record_builder import RecordBuilder
from orcid_sync.simulator.samples.sample_records import named, register_sources
from orcid_sync.store.database.pools import connect

NATION = 20_000_000
"""Records of the projection."""
MODELS = 500
"""Records that are composed; the archive holds each of them under many iDs."""
WANTED = {"1/1000": 0.8, "all": 0.2}
CORES = 2

# Works of those who have any, by the share of people who have at most so many (corpus section 3.1).
WORKS = ((0.5, 1, 7), (0.75, 8, 23), (0.9, 24, 64), (0.95, 65, 102), (0.99, 103, 274), (1.0, 275, 600))


def compose(builder: RecordBuilder) -> None:
    """A record as the Registry has them, by chance."""
    rng = builder.rng
    named(builder)
    for section in PERSON_LISTS:
        for position in range(rng.choice((0,) * 9 + (1,))):
            builder.add(section, random_items.personal(rng, section), display_index=position)
    if rng.random() < 0.617:
        return
    if rng.random() < 0.593:
        chance = rng.random()
        least, most = next((least, most) for share, least, most in WORKS if chance <= share)
        builder.works(rng.randint(least, most))
    for kind in ("employment", "education"):
        for _ in range(rng.choice((0, 1, 1, 2))):
            builder.add(kind, random_items.affiliation(rng, kind))
    for section, make in (("funding", random_items.funding), ("peer-review", random_items.peer_review)):
        for _ in range(rng.choice((0,) * 9 + (2,))):
            builder.add(section, make(rng))


def models(folder: Path) -> list[tuple[str, bytes]]:
    """The composed records as XML, by their iDs."""
    sim = SimulatedRegistry(keep_history=False)
    register_sources(sim.world)
    for number, orcid in enumerate(orcids(MODELS)):
        builder = RecordBuilder(sim.profiles, orcid, Random(number))
        compose(builder)
        builder.build()
    with tarfile.open(sim.write_data_file(folder), "r|gz") as archive:
        return [(Path(member.name).stem, archive.extractfile(member).read()) for member in archive]  # type: ignore[union-attr]


def write_archive(path: Path, records: list[tuple[str, bytes]], names: list[Orcid]) -> int:
    """An archive of these iDs, each with one of the records; its size when unpacked."""
    size = 0
    with tarfile.open(path, "w:gz", compresslevel=6, format=tarfile.GNU_FORMAT) as archive:
        for number, orcid in enumerate(names):
            old, body = records[number % len(records)]
            member = tarfile.TarInfo(f"ORCID_2025_10_summaries/{orcid[-3:]}/{orcid}.xml")
            content = body.replace(old.encode(), orcid.encode())
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
            size += len(content)
    return size


@dataclass
class Case:
    """What was measured of one way to go through an archive."""

    records: int
    seconds: list[float] = field(default_factory=list)
    peak: int = 0
    """Bytes."""

    @property
    def rate(self) -> float:
        """Records a second."""
        return self.records / statistics.median(self.seconds)


def unpack(path: Path) -> float:
    """Seconds of `tar -xzO | wc -c`."""
    began = time.perf_counter()
    subprocess.run(f"tar -xzOf {path} | wc -c", shell=True, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


async def load_once(dsn: str, path: Path, *, everything: bool, expected: dict[str, int]) -> tuple[float, int]:
    """Seconds, and the most memory that any process took."""
    plan = Plan(everything=everything, dry=False, spread=timedelta(days=7))
    peaks = [0]

    def watch(_progress: Progress) -> None:
        peaks.extend(memory(child.pid or 0).get("VmHWM", 0) for child in multiprocessing.active_children())

    began = time.perf_counter()
    async with connect(dsn) as connection:
        with open_source(path) as source:
            async with workers.processes(dsn, plan, CORES) as loads:
                tally = await load(connection, source, plan, loads, ahead=2 * CORES, report=watch)
    seconds = time.perf_counter() - began
    if dict(tally.counts) != expected:
        raise SystemExit(f"{path.name}: {dict(tally.counts)} instead of {expected}; {tally.problems[:3]}")
    return seconds, max(peaks)


async def forget(connection: asyncpg.Connection) -> None:
    """As if nothing had ever been loaded."""
    await connection.execute("truncate orcid.records cascade; truncate orcid.changes, orcid.change_contents")
    await connection.execute("update orcid_sync.queue set registry_modified_ms = null")
    await connection.execute("checkpoint")


Measure = Callable[[], Iterator[None]]


async def run(dsn: str, small: Path, large: Path, numbers: tuple[int, int], rounds: int) -> dict[str, Case]:
    """All cases, interleaved."""
    few, many = numbers
    connected = len(range(0, many, 1000))
    cases = {"tar": Case(few), "tar, large": Case(many), "1/1000": Case(many), "all": Case(few), "again": Case(few)}
    followed = sum(1 for number in range(0, many, 1000) if number < few)
    async with connect(dsn) as connection:
        for _ in range(rounds):
            cases["tar, large"].seconds.append(unpack(large))
            await forget(connection)
            await measure(cases["1/1000"], load_once(dsn, large, everything=False, expected={"loaded": connected}))
            cases["tar"].seconds.append(unpack(small))
            await forget(connection)
            await measure(cases["all"], load_once(dsn, small, everything=True, expected={"loaded": few}))
            await measure(cases["again"], load_once(dsn, small, everything=True, expected={"current": few}))
            rows = await connection.fetchval("select count(*) from orcid.records")
            if rows != few or followed > connected:
                raise SystemExit(f"{rows} records instead of {few}")
    return cases


async def measure(case: Case, loading: "asyncio.Future[tuple[float, int]] | object") -> None:
    """Note one round of a case."""
    seconds, peak = await loading  # type: ignore[misc]
    case.seconds.append(seconds)
    case.peak = max(case.peak, peak)


def report(cases: dict[str, Case]) -> bool:
    """Print the table; whether every ratio is what is wanted."""
    rows, good = [], True
    for name, case in cases.items():
        limit = cases["tar, large" if name in {"1/1000", "tar, large"} else "tar"]
        ratio = statistics.median(
            (case.records / mine) / (limit.records / theirs)
            for mine, theirs in zip(case.seconds, limit.seconds, strict=True)
        )
        wanted = WANTED.get(name)
        good = good and (wanted is None or ratio >= wanted)
        rows.append(
            [
                name,
                f"{case.records:,}",
                f"{case.rate:,.0f}",
                f"{ratio:.2f}",
                f">= {wanted}" if wanted else "",
                f"{case.peak / 1e6:.0f} MB" if case.peak else "",
                f"{NATION / case.rate / 3600:.1f} h",
            ]
        )
    columns = ["case", "records", "records/s", "to tar", "wanted", "largest process", "20 million"]
    show(f"Loading an archive with {CORES} processes (medians)", columns, rows)
    return good


def main() -> int:
    """Run the benchmark; 0 if every ratio is what is wanted."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--records", type=int, default=20_000)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    few, many = chosen.records, 5 * chosen.records
    names = orcids(many)
    with fresh_database() as dsn, tempfile.TemporaryDirectory() as folder:
        records = models(Path(folder))
        small, large = Path(folder) / "small.tar.gz", Path(folder) / "large.tar.gz"
        size = write_archive(small, records, names[:few])
        write_archive(large, records, names)
        sizes = f"{few:,} records of {size / few / 1e3:.1f} kB on average, {small.stat().st_size / 1e6:.0f} MB packed"
        Console().print(sizes)
        asyncio.run(follow(dsn, names[::1000]))
        return 0 if report(asyncio.run(run(dsn, small, large, (few, many), chosen.rounds))) else 1


if __name__ == "__main__":
    sys.exit(main())
