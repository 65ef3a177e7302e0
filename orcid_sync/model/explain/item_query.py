"""Which items a DOI, a put-code or a part of a title refers to."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from orcid_sync.model.text.labels import label

_PREFIXES = ("https://", "http://", "dx.doi.org/", "www.", "doi.org/", "doi:")


def needle(text: str) -> str:
    """What to look for: the text without what people paste around a DOI."""
    sought = text.strip()
    for prefix in _PREFIXES:
        if sought.lower().startswith(prefix):
            sought = sought[len(prefix) :].strip()
    return sought


def quoted(sought: str) -> str:
    """As it stands inside a JSON text."""
    return msgspec.json.encode(sought).decode()[1:-1]


def answers(document: bytes | None, key: str, sought: str) -> bool:
    """Whether an item is meant: by its key, an identifier of its own, or a part of its title."""
    if key.casefold() == sought.casefold():
        return True
    if document is None:
        return False
    wanted = sought.casefold()
    if wanted in label(document).title.casefold():
        return True
    values = (value.casefold() for _, value in _identifiers(msgspec.json.decode(document)))
    return any(value == wanted or needle(value) == wanted for value in values)


def stands_in(document: str, text: str) -> bool:
    """Whether a document that cannot be taken apart holds a text, as it is or as JSON writes it."""
    sought, where = needle(text), document.casefold()
    return sought.casefold() in where or quoted(sought).casefold() in where


def identifiers(document: bytes) -> list[str]:
    """The identifiers of an item as people read them, DOIs first: "doi 10.1234/5678"."""
    found = dict.fromkeys(f"{name} {value}" for name, value in _identifiers(msgspec.json.decode(document)))
    return sorted(found, key=lambda one: not one.startswith("doi "))


def _identifiers(item: Any) -> Iterator[tuple[str, str]]:
    """Type and value of each external identifier (contract section 3.6)."""
    listed = item.get("external-ids") if isinstance(item, Mapping) else None
    for one in (listed.get("external-id") if isinstance(listed, Mapping) else None) or []:
        name, value = one.get("external-id-type"), one.get("external-id-value")
        if isinstance(name, str) and isinstance(value, str):
            yield name, value
