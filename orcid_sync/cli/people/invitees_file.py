"""Lists of people to invite: a CSV file with one line per person."""

import re
from collections.abc import Iterator
from typing import BinaryIO, Final, TypeAlias

from orcid_sync.cli.base.csv_file import read_cells
from orcid_sync.cli.base.people_file import Rejected
from orcid_sync.model.ids import parse_orcid
from orcid_sync.registry.locales import LOCALES, locale_of
from orcid_sync.store.consent.invitations import Person

COLUMNS: Final = {
    "personid": "person_id",
    "givennames": "given_names",
    "givenname": "given_names",
    "firstname": "given_names",
    "familyname": "family_names",
    "familynames": "family_names",
    "lastname": "family_names",
    "surname": "family_names",
    "email": "email",
    "mail": "email",
    "orcid": "orcid",
    "orcidid": "orcid",
    "lang": "lang",
    "language": "lang",
}
"""Our columns by how people write them."""

_LONGEST: Final = 200
_EMAIL: Final = re.compile(r"[^\s@]{1,64}@[^\s@]{1,190}")

Invitee: TypeAlias = tuple[int, Person]


def read_invitees(stream: BinaryIO, *, home: str | None) -> Iterator[Invitee | Rejected]:
    """The people of the file with their lines, each once. Raises Failure if it has no column person_id.

    `home` is the environment in which we are, if it is ORCID's.
    """
    seen: dict[str, int] = {}
    for line, cells in read_cells(stream, COLUMNS, required="person_id"):
        if isinstance(cells, str):
            yield Rejected(line, cells)
            continue
        try:
            person = _read(cells, home)
        except ValueError as error:
            yield Rejected(line, str(error))
            continue
        first = seen.setdefault(person.person_id, line)
        if first == line:
            yield line, person
        else:
            yield Rejected(line, f"line {first} has the same person_id; this line is skipped", harmless=True)


def _read(cells: dict[str, str], home: str | None) -> Person:
    """One person. Raises ValueError that says what is wrong, without quoting a name or an address."""
    for column, cell in cells.items():
        if len(cell) > _LONGEST:
            raise ValueError(f"{column} is longer than {_LONGEST} characters")
        if not cell.isprintable() or "\ufffd" in cell:
            raise ValueError(f"{column} is not text; save the file as UTF-8")
    if not cells.get("person_id"):
        raise ValueError("person_id is missing")
    if (email := cells.get("email")) and not _EMAIL.fullmatch(email):
        raise ValueError("email is not an e-mail address")
    lang, orcid = cells.get("lang"), cells.get("orcid")
    locale = locale_of(lang) if lang else None
    if lang and locale is None:
        raise ValueError(f"lang must be one of ORCID's languages: {', '.join(LOCALES)}")
    return Person(
        person_id=cells["person_id"],
        given_names=cells.get("given_names") or None,
        family_names=cells.get("family_names") or None,
        email=email or None,
        orcid=parse_orcid(orcid, home=home) if orcid else None,
        lang=locale,
    )
