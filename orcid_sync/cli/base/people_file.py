"""Lists of people as spreadsheets export them: whose iDs to follow, with or without tokens.

Forgiving about form (see `csv_file`; letters in any encoding), exact about content: a line that is not understood is
named with its number and reason.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, TypeAlias

import msgspec

from orcid_sync.cli.base.csv_file import read_cells
from orcid_sync.model.ids import InvalidOrcid, Orcid, parse_orcid
from orcid_sync.model.wire.orcid_scopes import doubts_about, read_scopes
from orcid_sync.registry.answers import is_token

# Our columns by how people write them, once case, blanks, hyphens and underscores are taken away.
_COLUMNS = {
    "orcid": "orcid",
    "orcidid": "orcid",
    "accesstoken": "access_token",
    "refreshtoken": "refresh_token",
    "scope": "scope",
    "scopes": "scope",
    "expiresat": "expires_at",
    "expiresin": "expires_in",
}


class Entrant(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody to connect, and where that was asked for. The text form shows no token."""

    line: int | None
    """Line of the file; None: argument of the command."""
    orcid: Orcid
    access_token: str | None = None
    refresh_token: str | None = None
    scopes: tuple[str, ...] = ()
    expires_at: datetime | None = None
    doubt: str | None = None
    """What is strange about the line, although it can be followed."""

    def __repr__(self) -> str:
        return f"Entrant({self.line}, {self.orcid})"


class Rejected(msgspec.Struct, frozen=True):
    """Something that cannot be connected, and why."""

    line: int | None
    problem: str
    harmless: bool = False
    """True of a repetition: nothing is missing because of it."""


Line: TypeAlias = Entrant | Rejected


def read_arguments(texts: Iterable[str], *, home: str | None) -> Iterator[Line]:
    """Read iDs given as arguments of the command. `home` is the environment in which we are, if it is ORCID's."""
    for text in texts:
        try:
            yield Entrant(line=None, orcid=parse_orcid(text, home=home))
        except InvalidOrcid as error:
            yield Rejected(None, str(error))


def read_people(stream: BinaryIO, *, now: datetime, home: str | None) -> Iterator[Line]:
    """The lines of a CSV file, one by one. `now` is what `expires_in` counts from, `home` our environment.

    Whatever is not text is in columns that we do not read: iDs and tokens are ASCII. Raises Failure if the first line
    does not name a column orcid.
    """
    for line, cells in read_cells(stream, _COLUMNS, required="orcid"):
        yield Rejected(line, cells) if isinstance(cells, str) else _read(line, cells, now, home)


def without_repetitions(lines: Iterable[Line]) -> Iterator[Line]:
    """The same, with a note in place of an iD that came before."""
    seen: dict[Orcid, int | None] = {}
    for line in lines:
        if isinstance(line, Entrant) and line.orcid in seen:
            first = seen[line.orcid]
            where = "" if first is None else f" in line {first}"
            yield Rejected(
                line.line, f"{line.orcid} is already in the file{where}; this line is skipped", harmless=True
            )
            continue
        if isinstance(line, Entrant):
            seen[line.orcid] = line.line
        yield line


def _read(line: int, cells: dict[str, str], now: datetime, home: str | None) -> Line:
    given = cells.get("scope") or ""
    scopes = read_scopes(given)
    try:
        return Entrant(
            line=line,
            orcid=parse_orcid(cells.get("orcid", ""), home=home),
            access_token=_token(cells, "access_token"),
            refresh_token=_token(cells, "refresh_token"),
            scopes=scopes.known,
            expires_at=_expiry(cells, now),
            doubt=doubts_about(scopes, given=bool(given)) if cells.get("access_token") else None,
        )
    except ValueError as error:
        return Rejected(line, str(error))


def _token(cells: dict[str, str], column: str) -> str | None:
    token = cells.get(column)
    if not token:
        return None
    if not is_token(token):
        raise ValueError(f"{column} is not a token: it has spaces or characters that tokens never have")
    if not cells.get("access_token"):
        raise ValueError("refresh_token without access_token")
    return token


def _expiry(cells: dict[str, str], now: datetime) -> datetime | None:
    """When the token ends: `expires_at` (ISO 8601; UTC unless it says otherwise) or `expires_in` (seconds from now)."""
    try:
        if at := cells.get("expires_at"):
            moment = datetime.fromisoformat(at)
            return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if seconds := cells.get("expires_in"):
            return now + timedelta(seconds=float(seconds))
    except (ValueError, OverflowError):
        raise ValueError(
            "expires_at must be a time such as 2045-11-30T12:00:00Z, expires_in a number of seconds"
        ) from None
    return None
