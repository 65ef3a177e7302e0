"""Which changes a subscription wants: decided line by line, first without contents, then with those that it may see.

What cannot be judged is delivered, and what must be obeyed is, too: whoever has a copy of an item must hear that it
goes, whatever it said at last (it may have been wanted for what it said before). A change too many does no harm (at
least once), a missing one does.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from orcid_sync.model.record.diff import RECORD
from orcid_sync.model.record.removals import GOING
from orcid_sync.model.record.sections import SECTIONS

OPERATIONS = ("added", "updated", "removed", "withdrawn")
SOURCES = ("ROR", "GRID", "RINGGOLD", "FUNDREF", "LEI")
"""Registries of organisations, as ORCID names them (disambiguation-source)."""


class Line(Protocol):
    """A change, as the feed tells it to the subscription's view."""

    @property
    def section(self) -> str: ...  # noqa: D102 - as in the feed
    @property
    def op(self) -> str: ...  # noqa: D102
    @property
    def minor(self) -> bool: ...  # noqa: D102


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted. What is given must hold; of several values of one kind, any. Nothing given: everything."""

    sections: list[str] = []
    operations: list[str] = []
    organisations: list[str] = []
    """`[SOURCE:]identifier`, as ORCID writes them: `https://ror.org/…`, `GRID:grid.…`."""
    external_ids: list[str] = []
    """`type:` and maybe the beginning of the value: `doi:`, `doi:10.5281/`."""
    minor: bool = False
    """Whether also changes that only move dates, order or names of sources."""

    @property
    def needs_contents(self) -> bool:
        """Whether more than the line is needed to decide."""
        return bool(self.organisations or self.external_ids)

    def wants(self, line: Line) -> bool:
        """Whether the line may be wanted, as far as it tells.

        Lines about the record itself belong to every section and operation: they say that it ended, or what of it is
        withheld, and whoever keeps a copy of anything must obey. What goes belongs to every operation.
        """
        if line.minor and not self.minor:
            return False
        return line.section == RECORD or (
            (not self.sections or line.section in self.sections)
            and (not self.operations or line.op in self.operations or line.op in GOING)
        )

    def wants_contents(self, line: Line, *contents: bytes | None) -> bool:
        """Whether the line is wanted for what the item said before or after; None is what is not to be seen."""
        if line.section == RECORD or line.op in GOING or not self.needs_contents:
            return True
        seen = [msgspec.json.decode(content) for content in contents if content is not None]
        if not seen or (line.op == "updated" and len(seen) < len(contents)):
            return True
        return any(self._matches(content) for content in seen)

    def _matches(self, content: Any) -> bool:
        organisations, kinds = _folded(self.organisations), tuple(_folded(self.external_ids))
        return (not organisations or any(one in organisations for one in _organisations(content))) and (
            not kinds or any(one.startswith(kinds) for one in _identifiers(content))
        )


def parse_section(text: str) -> str:
    """A section by its name. Raises ValueError that lists them."""
    known = [RECORD, *SECTIONS]
    if text not in known:
        raise ValueError(f"{text!a} is not a section; the sections are: {', '.join(known)}.")
    return text


def parse_operation(text: str) -> str:
    """An operation. Raises ValueError that lists them."""
    if text not in OPERATIONS:
        raise ValueError(f"{text!a} is not an operation; the operations are: {', '.join(OPERATIONS)}.")
    return text


def parse_organisation(text: str) -> str:
    """An organisation, with the source in capitals if there is one. Raises ValueError if nothing is left."""
    source, colon, identifier = text.strip().partition(":")
    known = colon and source.upper() in SOURCES
    if not (identifier.strip() if known else text.strip()):
        raise ValueError("An organisation is an identifier such as https://ror.org/05gq02987 or GRID:grid.40263.33.")
    return f"{source.upper()}:{identifier.strip()}" if known else text.strip()


def parse_external_id(text: str) -> str:
    """A type of identifier with a colon, and the beginning of its value if there is one. Raises ValueError."""
    kind, _, prefix = text.strip().partition(":")
    if not kind or " " in kind:
        raise ValueError("An external identifier is a type such as doi, or a type and a prefix such as doi:10.5281/.")
    return f"{kind.lower()}:{prefix.strip()}"


def _folded(texts: list[str]) -> set[str]:
    return {text.casefold() for text in texts}


def _organisations(content: Any) -> Iterator[str]:
    """The identifiers of organisations, each with its source and without."""
    for node in _nodes(content):
        identifier = node.get("disambiguated-organization-identifier")
        if isinstance(identifier, str):
            yield identifier.strip().casefold()
            yield f"{node.get('disambiguation-source')}:{identifier.strip()}".casefold()


def _identifiers(content: Any) -> Iterator[str]:
    """The external identifiers as type:value, as written and as ORCID normalised them."""
    for node in _nodes(content):
        kind, value = node.get("external-id-type"), node.get("external-id-value")
        normalized = node.get("external-id-normalized")
        if isinstance(kind, str):
            values = (value, normalized.get("value") if isinstance(normalized, dict) else None)
            yield from (f"{kind}:{one}".casefold() for one in values if isinstance(one, str))


def _nodes(content: Any) -> Iterator[dict[str, Any]]:
    """Every object inside."""
    left = [content]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            yield node
            left += node.values()
        elif isinstance(node, list):
            left += node
