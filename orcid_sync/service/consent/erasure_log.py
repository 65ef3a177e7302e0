"""The erasure log: a file outside the database, so that a restored backup does not bring people back (fault F66).

A line per certificate of erasure, and per permission that ended (disconnected, revoked, expired), as JSON; and one for
each chain when an operator says that a backup was restored, so that what it took away is not missed. The iD is
not in it, only a pseudonym whose key is in the database and hence in every backup that could bring the person back: the
file alone tells nobody who it was.

Lines are only added. They are written after the commit of what they tell, by whoever comes first: the command, the
scheduled job, or the next start of the service; one that is missing is added later.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec
import structlog

from orcid_sync.model.consent.erasure import fingerprint, pseudonym
from orcid_sync.model.ids import Orcid
from orcid_sync.service.runtime.job import JobFailed
from orcid_sync.store.consent import ended_grants, erasure, erasure_certificates
from orcid_sync.store.consent.erasure_certificates import Certificate
from orcid_sync.store.database.pools import AnyConnection

log = structlog.get_logger(__name__)


class ErasureLogUnusable(JobFailed):
    """The erasure log cannot be read or written; the message says which line or why."""


ERASED = "erased"

EVENTS: Sequence[str] = (ERASED, *ended_grants.EVENTS)
"""What lines tell, the strongest first: whoever is erased has nothing left that could end."""

CERTIFICATES, CONSENTS = CHAINS = ("erasures", "consents")
"""The chains of which the lines are entries, as the database names them."""

RESTORED: Mapping[str, str] = {chain: f"{chain}-restored" for chain in CHAINS}
"""What a line tells that says that a backup was restored: this chain goes on from the entry that it names."""


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A certificate of erasure, or an entry of the consent ledger, as it is known outside the database."""

    database: str
    """Which key made the pseudonym: another database's lines are none of ours."""
    number: int
    person: str
    """Pseudonym of the iD."""
    at: datetime
    by: str
    deleted: dict[str, int] | None = None
    """Rows by table; None if nothing was erased."""
    event: str = ERASED
    hash: str


class Returned(msgspec.Struct, frozen=True):
    """Somebody who went and is back."""

    orcid: Orcid
    line: Line


class Again(msgspec.Struct, frozen=True):
    """Somebody who was sent away again."""

    orcid: str
    event: str
    certificate: Certificate | None = None
    """If they were erased."""


async def write_missing(connection: AnyConnection, path: Path) -> int:
    """Add what the log does not have yet; returns how many lines. Raises ErasureLogUnusable."""
    found = await lines_of(connection)
    with _usable(path), _locked(path, expected=bool(found)) as file:
        known = {line.hash for line in _lines(path)}
        missing = [line for line in found if line.hash not in known]
        _append(file, path, missing)
    return len(missing)


def append(path: Path, lines: Sequence[Line]) -> None:
    """Add these lines. Raises ErasureLogUnusable."""
    with _usable(path), _locked(path) as file:
        _append(file, path, lines)


async def lines_of(connection: AnyConnection) -> list[Line]:
    """What the log must say, as the database knows it."""
    key = await erasure_certificates.pseudonym_key(connection)
    return [_line(key, one) for one in await _gone(connection)]


async def who_is_back(connection: AnyConnection, path: Path) -> list[Returned]:
    """Those who went, as the log has it, and go on here as if they had not. Raises ErasureLogUnusable."""
    return await find_back(connection, read(path))


async def find_back(connection: AnyConnection, lines: Sequence[Line]) -> list[Returned]:
    """The same, of lines that were read before the database is asked, which then knows what they tell."""
    key = await erasure_certificates.pseudonym_key(connection)
    known = {one.hash for one in await _gone(connection)}
    ours = [line for line in lines if line.database == fingerprint(key) and line.event in EVENTS]
    unknown = [line for line in ours if line.hash not in known]
    if not unknown:
        return []
    people = {pseudonym(key, orcid): Orcid(orcid) for orcid in await erasure.all_orcids(connection)}
    latest = {(line.event, line.person): line for line in sorted(unknown, key=lambda line: line.at)}
    named = [Returned(people[line.person], line) for line in latest.values() if line.person in people]
    named.sort(key=lambda one: EVENTS.index(one.line.event))
    return [one for one in named if await _is_back(connection, one)]


async def replay(connection: AnyConnection, path: Path) -> list[Again]:
    """Erase again, and disconnect again, whoever is back; may be repeated, and run in several processes."""
    again = [await _erase_or_disconnect_again(connection, one) for one in await who_is_back(connection, path)]
    return [one for one in again if one]


async def _gone(connection: AnyConnection) -> list[Certificate | ended_grants.Ending]:
    """What the database itself knows of those who went."""
    return [*await erasure_certificates.read(connection), *await ended_grants.read(connection)]


async def _is_back(connection: AnyConnection, one: Returned) -> bool:
    if one.line.event == ERASED:
        return await erasure.is_back(connection, one.orcid, one.line.at)
    return await ended_grants.is_back(connection, one.orcid, one.line.event, one.line.at)


async def _erase_or_disconnect_again(connection: AnyConnection, one: Returned) -> Again | None:
    """None if they are not back after all: what was said before has sent them away, or another process."""
    orcid, line = one.orcid, one.line
    if line.event == ERASED:
        certificate = await erasure.erase_again(connection, orcid, at=line.at, by=line.by)
        return Again(orcid, ERASED, certificate) if certificate else None
    ended = await ended_grants.end_again(connection, orcid, line.event, at=line.at, by=line.by)
    return Again(orcid, line.event) if ended else None


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


def _line(key: bytes, one: Certificate | ended_grants.Ending) -> Line:
    return Line(
        database=fingerprint(key),
        number=one.number,
        person=pseudonym(key, one.orcid),
        at=one.at,
        by=one.by,
        deleted=one.deleted if isinstance(one, Certificate) else None,
        event=one.event if isinstance(one, ended_grants.Ending) else ERASED,
        hash=one.hash,
    )


@contextmanager
def _locked(path: Path, *, expected: bool = False) -> Iterator[int]:
    """The file, opened, held against other processes, and without the beginning of a line at its end.

    `expected`: there has been something to write before, so that it should be there.
    """
    if expected and not path.exists():
        log.warning("the erasure log was not there, and is written anew", path=str(path))
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
