"""ROR's dump as a stream: a JSON file with one array of organisations, hundreds of megabytes, mostly inside a zip."""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from orcid_sync.model.analysis.ror import NotRor, Organisation, OrganisationId, parse_organisation

_PIECE = 1 << 20  # characters that are read at once
_LARGEST = 16 << 20  # characters that no organisation has


class DumpBroken(Exception):
    """This is no dump of ROR, or only a part of one; the message says in one sentence why."""


def read_dump(path: Path) -> Iterator[tuple[Organisation, list[OrganisationId]]]:
    """Its organisations with their identifiers. Raises DumpBroken, OSError."""
    with _open(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig")
        seen: set[str] = set()
        try:
            for number, document in enumerate(documents(text), 1):
                organisation, identifiers = _parse(document, number)
                if organisation.ror in seen:
                    raise DumpBroken(f"{path.name} has {organisation.ror} twice.")
                seen.add(organisation.ror)
                yield organisation, identifiers
        except UnicodeDecodeError:
            raise DumpBroken(f"{path.name} is not text in UTF-8.") from None
        if not seen:
            raise DumpBroken(f"{path.name} has no organisations.")


def documents(text: io.TextIOBase) -> Iterator[Any]:
    """The members of the array that the text is, one by one. Raises DumpBroken."""
    decoder = json.JSONDecoder()
    rest, at = text.read(_PIECE), 0
    if rest.lstrip()[:1] != "[":
        raise DumpBroken("This is not a JSON array of organisations.")
    at = rest.index("[") + 1
    while True:
        at = _past(rest, at)
        if rest[at : at + 1] == "]":
            return
        try:
            document, at = decoder.raw_decode(rest, at)
        except json.JSONDecodeError as error:
            more = text.read(_PIECE)
            if not more or len(rest) - at > _LARGEST:
                raise DumpBroken(f"The JSON is cut off or broken ({error.msg}).") from None
            rest, at = rest[at:] + more, 0
        else:
            yield document


def _past(text: str, at: int) -> int:
    """The place after blanks and commas."""
    while text[at : at + 1] in {" ", "\n", "\r", "\t", ","}:
        at += 1
    return at


def _parse(document: Any, number: int) -> tuple[Organisation, list[OrganisationId]]:
    try:
        return parse_organisation(document)
    except NotRor as error:
        raise DumpBroken(f"Organisation {number:,} of the dump: {error}.") from None


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    """The JSON in it: of a zip, the file in the second version of the schema."""
    with path.open("rb") as file:
        if not zipfile.is_zipfile(file):
            file.seek(0)
            yield file
            return
        with zipfile.ZipFile(file) as archive:
            names = sorted(name for name in archive.namelist() if name.lower().endswith(".json"))
            chosen = [name for name in names if "schema_v2" in name] or names
            if not chosen:
                raise DumpBroken(f"There is no JSON file in {path.name}.")
            with archive.open(chosen[-1]) as member:
                yield member  # type: ignore[misc]  # zipfile's file is a BinaryIO but for its annotations
