"""The erasure log: a file outside the database, so that a restored backup does not bring back who was erased (F66).

A line per certificate, as JSON. The iD is not in it, only a pseudonym whose key is in the database and hence in every
backup that could bring the person back: the file alone tells nobody who it was.

Lines are only added. They are written after the commit of the erasure, by whoever comes first: the command, the
scheduled job, or the next start of the service; a certificate that is missing is added later.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from orcid_sync.model.erasure import fingerprint, pseudonym
from orcid_sync.store import certificates, erasure
from orcid_sync.store.certificates import Certificate
from orcid_sync.store.database import AnyConnection


class ErasureLogUnusable(Exception):
    """The erasure log cannot be read or written; the message says which line or why."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate of erasure, as it is known outside the database."""

    database: str
    """Which key made the pseudonym: another database's lines are none of ours."""
    number: int
    person: str
    """Pseudonym of the iD."""
    at: datetime
    by: str
    deleted: dict[str, int]
    hash: str


class Returned(msgspec.Struct, frozen=True):
    """Somebody who was erased and is back."""

    orcid: str
    line: Line


async def write_missing(connection: AnyConnection, path: Path) -> int:
    """Add the certificates that the log does not have yet; returns how many. Raises ErasureLogUnusable."""
    key = await certificates.pseudonym_key(connection)
    found = await certificates.read(connection)
    with _usable(path), _locked(path) as file:
        known = {line.hash for line in _lines(path)}
        missing = [_line(key, one) for one in found if one.hash not in known]
        _append(file, path, missing)
    return len(missing)


async def who_is_back(connection: AnyConnection, path: Path) -> list[Returned]:
    """Those whom the log names as erased and of whom the database has data from before. Raises ErasureLogUnusable."""
    key = await certificates.pseudonym_key(connection)
    known = {one.hash for one in await certificates.read(connection)}
    unknown = [line for line in read(path) if line.hash not in known and line.database == fingerprint(key)]
    latest = {line.person: line for line in sorted(unknown, key=lambda line: line.at)}
    if not latest:
        return []
    people = {pseudonym(key, orcid): orcid for orcid in await erasure.all_orcids(connection)}
    named = [Returned(people[person], line) for person, line in latest.items() if person in people]
    return [one for one in named if await erasure.is_back(connection, one.orcid, one.line.at)]


async def replay(connection: AnyConnection, path: Path) -> list[Certificate]:
    """Erase again whoever is back; returns the new certificates. May be repeated, and run in several processes."""
    again = [
        await erasure.erase_again(connection, one.orcid, at=one.line.at, by=one.line.by)
        for one in await who_is_back(connection, path)
    ]
    return [certificate for certificate in again if certificate]


def read(path: Path) -> list[Line]:
    """The lines of the log; none if there is no such file. Raises ErasureLogUnusable."""
    with _usable(path):
        return list(_lines(path)) if path.exists() else []


def _lines(path: Path) -> Iterator[Line]:
    for number, text in enumerate(path.read_bytes().split(b"\n")[:-1], 1):
        # What follows the last end of a line was cut off by a crash; it is written again.
        try:
            yield msgspec.json.decode(text, type=Line)
        except msgspec.DecodeError:
            raise ErasureLogUnusable(f"Line {number} of the erasure log {path} is damaged.") from None


def _line(key: bytes, one: Certificate) -> Line:
    return Line(
        database=fingerprint(key),
        number=one.number,
        person=pseudonym(key, one.orcid),
        at=one.at,
        by=one.by,
        deleted=one.deleted,
        hash=one.hash,
    )


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """The file, opened, held against other processes, and without the beginning of a line at its end."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        content = path.read_bytes()
        if not content.endswith(b"\n"):
            os.truncate(file, content.rfind(b"\n") + 1)
        yield file
    finally:
        os.close(file)


def _append(file: int, path: Path, lines: Iterable[Line]) -> None:
    with open(file, "ab", closefd=False) as stream:
        stream.writelines(msgspec.json.encode(line) + b"\n" for line in lines)
    os.fsync(file)
    folder = os.open(path.parent, os.O_RDONLY)  # a new file's name must be on disk, too
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ErasureLogUnusable(f"The erasure log {path} cannot be used: {error.strerror}.") from None
