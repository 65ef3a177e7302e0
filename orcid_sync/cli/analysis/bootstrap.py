"""bootstrap: a first load from the public data file, without asking ORCID for every record."""

import asyncio
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import console, print_json, table
from orcid_sync.cli.base.session import Failure, Session, tell
from orcid_sync.model.text import phrases

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.bulk.load import Progress, Report
    from orcid_sync.bulk.tally import Tally
    from orcid_sync.bulk.write import Plan

COUNTS = {
    "loaded": "loaded: not in the mirror before",
    "updated": "updated: the mirror had an older state",
    "detailed": "full activities added",
    "current": "skipped: the mirror is as new or newer",
    "left": "skipped: read with the holder's permission, not in the mirror, closed, or disconnected",
    "busy": "skipped: being read by the service",
    "closed": "without a record: locked or merged",
    "refused": "refused: of another of ORCID's versions",
    "bad": "bad",
    "set_aside": "parts set aside: not understood, so nothing was removed where they are",
    "not_public": "items left out: not public",
}
"""What a load counts, in words."""

SHOWN = 20
"""Files that people get to see named; --json shows more."""

Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILE…",
        exists=True,
        show_default=False,
        help="Archives of the public data file (ORCID_*_summaries.tar.gz, then ORCID_*_activities_*.tar.gz), folders "
        "of the same files, or single records in XML or JSON.",
    ),
]
All = Annotated[
    bool,
    typer.Option(
        "--all",
        help="Load every record of the file, not only those of connected iDs. The others get no webhook and no "
        "reads: they stay as they are until you load a newer file or connect them.",
    ),
]
Processes = Annotated[
    int | None,
    typer.Option("--processes", min=1, show_default=False, help="Number of processes. Default: one per processor."),
]


@command
def bootstrap(
    session: Session,
    files: Files,
    *,
    everything: All = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Change nothing, only count what would be loaded.")
    ] = False,
    processes: Processes = None,
    json: Json = False,
) -> None:
    """Load records from files instead of reading each of them from ORCID.

    You can interrupt and repeat it.
    """
    from orcid_sync.bulk.tally import total  # noqa: PLC0415 - heavy
    from orcid_sync.bulk.write import Plan  # noqa: PLC0415 - heavy

    spread = timedelta(hours=session.settings.check_interval_hours)
    plan = Plan(everything=everything, dry=dry_run, spread=spread)
    with session.database(create=not dry_run) as dsn:
        tallies = asyncio.run(_load_all(session, dsn, files, plan, processes or _processors()))
    whole = total(tallies)
    if json:
        sources = [{"source": file, **_counts(tally)} for file, tally in zip(files, tallies, strict=True)]
        print_json({"dry_run": dry_run, "sources": sources, "problems": whole.problems, "remarks": whole.remarks})
    else:
        _show(whole, dry_run=dry_run)
        _name_files(whole, dry_run=dry_run)
    if whole.counts["bad"] or whole.counts["refused"]:
        raise typer.Exit(1)


async def _load_all(session: Session, dsn: str, files: Sequence[Path], plan: "Plan", processes: int) -> list["Tally"]:
    from orcid_sync.store.database.pools import DatabaseUnavailable  # noqa: PLC0415 - heavy

    async with session.connect(dsn) as connection:
        try:
            return [await _load_one(connection, dsn, file, plan, processes) for file in files]
        except DatabaseUnavailable as error:
            raise Failure(
                f"The database failed: {error}. What was loaded stays. Fix the cause, then run the same command "
                "again: it continues from there."
            ) from None


async def _load_one(connection: "Connection", dsn: str, file: Path, plan: "Plan", processes: int) -> "Tally":
    from orcid_sync.bulk import workers  # noqa: PLC0415 - heavy
    from orcid_sync.bulk.load import load  # noqa: PLC0415 - heavy
    from orcid_sync.bulk.sources import open_source  # noqa: PLC0415 - heavy

    with open_source(file) as source, _progress(file.name, source.size) as report:
        # Starting a process takes longer than loading a single file.
        several = workers.here(dsn, plan) if source.chosen else workers.processes(dsn, plan, processes)
        async with several as loads:
            return await load(connection, source, plan, loads, ahead=2 * processes, report=report)


@contextmanager
def _progress(title: str, size: int | None) -> "Iterator[Report]":
    """Shows how far a load is: a bar on a terminal, now and then a line elsewhere."""
    if not sys.stderr.isatty():
        yield Lines(title, size)
        return
    from rich import progress  # noqa: PLC0415 - takes time
    from rich.console import Console  # noqa: PLC0415 - takes time

    columns: list[Any] = [
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TextColumn("{task.fields[said]}", markup=False),
        progress.TimeRemainingColumn(),
    ]
    with progress.Progress(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task(title, total=size, said="")
        begun_at: list[int] = []

        def report(stand: "Progress") -> None:
            begun_at[:] = begun_at or [stand.files]
            elapsed = bars.tasks[0].elapsed or 0.0
            rate = (stand.files - begun_at[0]) / elapsed if elapsed else 0.0
            said = f"{stand.files:,} files ({rate:,.0f}/s), {_written(stand.tally):,} written"
            bars.update(bar, completed=stand.position, said=said)

        yield report


class Lines:
    """Says every tenth of a load in a line; the end needs none."""

    def __init__(self, title: str, size: int | None) -> None:
        self._title = title
        self._size = size
        self._tenths = 0
        self._begun = False

    def __call__(self, stand: "Progress") -> None:
        """Told after each batch."""
        if not self._begun and stand.files:
            tell(f"{self._title}: goes on after {stand.files:,} files of an earlier run")
        self._begun = True
        tenths = 10 * stand.position // self._size if self._size else 0
        if self._tenths < tenths < 10:
            self._tenths = tenths
            tell(f"{self._title}: {10 * tenths} %, {stand.files:,} files, {_written(stand.tally):,} written")


def _show(whole: "Tally", *, dry_run: bool) -> None:
    """The counts of all sources together; what there was nothing of is left out."""
    rows = [row for count, words in COUNTS.items() for row in _rows(whole, count, words)]
    shown = [(f"{number:,}", words) for number, words in [*rows, (whole.items, "items written")] if number]
    title = "Would be" if dry_run else None
    console().print(table("", "", rows=shown or [("0", "files that are wanted")], title=title))


def _rows(whole: "Tally", count: str, words: str) -> list[tuple[int, str]]:
    """The row of a count; of what was refused one for each version."""
    if count == "refused":
        return [(number, f"refused: of ORCID's version {one}") for one, number in sorted(whole.versions.items())]
    return [(whole.counts[count], words)]


def _name_files(whole: "Tally", *, dry_run: bool) -> None:
    """Say of which files nothing was loaded or not all, and what is unknown in the others."""
    named = [*whole.problems, *whole.remarks]
    for one in named[:SHOWN]:
        tell(f"{one.file}: {one.what}")
    further = whole.counts["bad"] + whole.counts["refused"] + len(whole.remarks) - SHOWN
    if further > 0:
        tell(f"… and {further:,} more; --json shows {len(named):,} of them")
    if whole.unknown and not dry_run:
        said = phrases.number(len(whole.unknown), "unknown member")
        tell(f"{said} of ORCID's records: orcid-sync drift list tells which")


def _counts(tally: "Tally") -> dict[str, Any]:
    """The counts of one source, as --json has them."""
    return {
        **{count: tally.counts[count] for count in COUNTS},
        "items": tally.items,
        "versions": dict(sorted(tally.versions.items())),
        "unknown_members": [
            {"section": one.section, "path": one.path, "times": times} for one, times in sorted(tally.unknown.items())
        ],
    }


def _written(tally: "Tally") -> int:
    return sum(tally.counts[count] for count in ("loaded", "updated", "detailed"))


def _processors() -> int:
    """How many processors this process may use."""
    available: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(available(0)) if available else os.cpu_count() or 1
