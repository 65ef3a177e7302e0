"""Results: tables and lines for people, JSON for machines, both on stdout.

Titles and names come from anybody: whatever would act on a terminal is made visible (F55), and rich's markup is never
interpreted in them.
"""

import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from orcid_sync.cli.base.session import is_terminal
from orcid_sync.model.text.wording import ago, duration, moment
from orcid_sync.settings.redaction import visible

# Moments and durations belong to what is printed, wherever they are written.
__all__ = [
    "ago",
    "console",
    "duration",
    "line",
    "moment",
    "print_json",
    "print_json_line",
    "table",
    "text",
]

_WIDE = 1_000
"""Columns where no terminal sets a limit: nothing is cut off in a pipe."""

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red", "note": "dim"}


def console() -> Console:
    """Where people read: no guessing of highlights, no cutting where there is no terminal."""
    return Console(highlight=False, markup=False, emoji=False, width=None if is_terminal() else _WIDE)


def text(value: Any, style: str = "") -> Text:
    """A cell; None is empty."""
    if value is None:
        return Text("")
    if isinstance(value, Text):
        return value
    shown = moment(value) if isinstance(value, datetime) else str(value)
    return Text(visible(shown), style=STYLES.get(style, style))


def table(*columns: str, rows: Iterable[Iterable[Any]], title: str | None = None) -> Table:
    """A plain table; without column names, a list of names and values."""
    made = Table(
        *columns,
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD if any(columns) else None,
        show_header=any(columns),
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    for row in rows:
        made.add_row(*(text(cell) for cell in row))
    return made


def line(*parts: Any) -> None:
    """One line for people, its parts separated by two spaces."""
    Console(highlight=False, markup=False, emoji=False, soft_wrap=True).print(
        Text("  ").join(text(part) for part in parts if part not in (None, ""))
    )


def print_json(document: Any) -> None:
    """One JSON document, in several lines for a person and in one for a program."""
    encoded = msgspec.json.encode(document, enc_hook=str)
    typer.echo((msgspec.json.format(encoded, indent=2) if is_terminal() else encoded).decode())


def print_json_line(document: Any) -> None:
    """One line of a stream of JSON documents, sent off at once."""
    typer.echo(msgspec.json.encode(document, enc_hook=str).decode())
    sys.stdout.flush()
