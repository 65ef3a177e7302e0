"""CSV on stdout for people who open it in a spreadsheet."""

import csv
import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from orcid_sync.cli.base.output import moment

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def print_csv(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """A head and its rows; lists become one cell, and what a spreadsheet would compute stays text (fault F55)."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(head)
    for row in rows:
        writer.writerow([_cell(value) for value in row])


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, (list, tuple)):
        value = "; ".join(map(str, value))
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
