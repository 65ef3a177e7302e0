"""The list of changed records that premium members get each day (contract section 7.2), read as a stream.

It names every record of the Registry, the latest change first: whoever stops where it gets older than the last run has
read a few kilobytes of hundreds of megabytes. In spite of its name it is a tar compressed with gzip; an unpacked
one, and the CSV in it, are taken too.
"""

import codecs
import csv
import io
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from orcid_sync.model.ids import InvalidOrcid, Orcid, parse_orcid

TIMEOUT_SECONDS = 60
"""For each step of reading from an address."""


class ModifiedFileUnusable(Exception):
    """The list cannot be read; the message says what to do."""


@contextmanager
def open_modified(source: str) -> Iterator[Iterator[tuple[Orcid, datetime]]]:
    """The iDs of a list and when each record was changed last, latest first.

    `source` is the path of a file or an https address (of a presigned S3 object, say). Blocks while it reads: use a
    thread. Raises ModifiedFileUnusable, also while iterating.
    """
    with _complaining(source), _open(source) as stream, _text(stream) as lines:
        yield _rows(source, lines)


@contextmanager
def _complaining(source: str) -> Iterator[None]:
    name = urlsplit(source).path.rpartition("/")[2] or "the list"  # an address may hold a signature
    try:
        yield
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ModifiedFileUnusable(f"modified_file: {name} cannot be read ({reason}).") from None
    except (EOFError, zlib.error, tarfile.TarError, csv.Error, UnicodeDecodeError):
        raise ModifiedFileUnusable(f"modified_file: {name} is damaged or is no last_modified.csv.tar.") from None


def _open(source: str) -> io.BufferedReader:
    if urlsplit(source).scheme in ("http", "https"):
        opened: io.BufferedReader = urlopen(source, timeout=TIMEOUT_SECONDS)  # noqa: S310 - the operator's own setting
        return opened
    return Path(source).expanduser().open("rb")


@contextmanager
def _text(stream: io.BufferedReader) -> Iterator[Iterator[str]]:
    """The lines of the CSV in whatever it is packed."""
    head = stream.peek(512)[:512]
    if head.startswith(b"\x1f\x8b") or b"\x00" in head:  # compressed, or a tar's own header
        with tarfile.open(fileobj=stream, mode="r|*") as archive:
            for member in archive:
                if member.name.endswith(".csv") and (file := archive.extractfile(member)):
                    yield codecs.iterdecode(file, "utf-8")
                    return
        raise tarfile.TarError
    yield codecs.iterdecode(stream, "utf-8")


def _rows(source: str, lines: Iterable[str]) -> Iterator[tuple[Orcid, datetime]]:
    with _complaining(source):
        rows = csv.DictReader(lines, skipinitialspace=True)
        if not {"orcid", "last_modified"} <= set(rows.fieldnames or ()):
            raise ModifiedFileUnusable(
                "modified_file: the first line must name the columns orcid, path, date_created, last_modified."
            )
        for row in rows:
            if (read := _row(row)) is not None:
                yield read


def _row(row: dict[str, str]) -> tuple[Orcid, datetime] | None:
    """One line; None for one that says nothing: a list of twenty million lines is not given up for one."""
    try:
        modified = datetime.fromisoformat((row["last_modified"] or "").strip())
        return parse_orcid(row["orcid"] or ""), modified.replace(tzinfo=modified.tzinfo or UTC)
    except (InvalidOrcid, ValueError):
        return None
