"""CSV files as spreadsheets export them.

Forgiving about form (byte order marks, semicolons, tabs, empty lines, columns that we do not need), exact about
content: a line that is not understood is named with its number and reason.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, BinaryIO, cast

from orcid_sync.cli.base.session import Failure

if TYPE_CHECKING:
    from _csv import Reader

_DELIMITERS = ",;\t"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

Cells = dict[str, str] | str
"""The cells of a line by our names of their columns, without blanks around them; or what is wrong with the line."""


def read_cells(stream: BinaryIO, columns: Mapping[str, str], *, required: str) -> Iterator[tuple[int, Cells]]:
    """The lines with their numbers, one by one; those without content are passed over.

    `columns` are our names of columns by what people call them, without case, blanks, hyphens and underscores. What is
    not text comes as U+FFFD. Raises Failure if the first line does not name the column `required`.
    """
    buffered = io.BufferedReader(cast("io.RawIOBase", stream))
    utf_16 = buffered.peek(2)[:2] in _UTF_16
    text = io.TextIOWrapper(buffered, encoding="utf-16" if utf_16 else "utf-8-sig", errors="replace", newline="")
    try:
        yield from _read_text(text, columns, required)
    finally:
        text.detach()  # the stream belongs to the caller, who closes it
        buffered.detach()


def _read_text(text: io.TextIOWrapper, known: Mapping[str, str], required: str) -> Iterator[tuple[int, Cells]]:
    head = text.readline()
    skipped = 1
    if named := re.fullmatch(r"sep=(.)\s*", head):  # how Excel marks the delimiter
        head, skipped = text.readline(), 2
    delimiter = named[1] if named else max(_DELIMITERS, key=head.count)
    columns = _columns(next(csv.reader([head], delimiter=delimiter), []), known, required)
    for line, cells in _lines(csv.reader(text, delimiter=delimiter, strict=True), skipped):
        if isinstance(cells, str):
            yield line, cells
        elif any(cell.strip() for cell in cells):
            yield line, {columns[i]: cell.strip() for i, cell in enumerate(cells) if i in columns}


def _columns(names: list[str], known: Mapping[str, str], required: str) -> dict[int, str]:
    """Our columns by their place; of two that are the same the first counts."""
    columns: dict[int, str] = {}
    for place, name in enumerate(names):
        column = known.get(re.sub(r"[\s_-]", "", name).lower())
        if column and column not in columns.values():
            columns[place] = column
    if required not in columns.values():
        found = ", ".join(ascii(name.strip()[:40]) for name in names[:20]) or "nothing"
        raise Failure(f"The first line must name the columns, one of them {required}; it has {found}.")
    return columns


def _lines(reader: "Reader", skipped: int) -> Iterator[tuple[int, list[str] | str]]:
    """Line number and cells, or what is wrong with the line."""
    while True:
        line = reader.line_num + skipped + 1
        try:
            yield line, next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield line, f"is not CSV: {error}"
