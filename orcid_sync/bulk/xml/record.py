"""A record as XML, taken apart as far as its JSON is: its own part, and its sections with the JSON of their items.

What is around the items in no known layout could be anything, also items: it is said, so that nobody takes the section
for complete.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from msgspec import Struct

from orcid_sync.bulk.xml import strays
from orcid_sync.bulk.xml.documents import Element, Strays, encode, local_names
from orcid_sync.bulk.xml.summaries import HEAD, LAYOUTS
from orcid_sync.model.record.sections import SECTIONS, Section
from orcid_sync.model.record.unknown_members import RECORD, Unknown
from orcid_sync.model.wire.groups import Strange

UNKNOWN_LAYOUT: Final = "it stands where this version knows of nothing"

BLOCKS: Final = frozenset(section.block for section in SECTIONS.values())
"""The halves of a record."""

_AROUND: Final = frozenset({"last-modified-date", "external-ids"})
"""What ORCID computes from the items of a section or group; the mirror does not keep it."""
_KNOWN: Final = {
    block: {section.container for section in SECTIONS.values() if section.block == block} | _AROUND for block in BLOCKS
}


class Part(Struct, frozen=True):
    """One section, as far as its XML is understood."""

    groups: list[list[bytes]]
    """The items as JSON, in their groups."""
    strange: list[Strange]
    unknown: list[Unknown]


_EMPTY: Final = Part([], [], [])


class RecordXml:
    """The elements of a record by their names."""

    def __init__(self, root: Element) -> None:
        self._root = root
        self._blocks = {block: _children(blocks) for block, blocks in _children([root]).items() if block in BLOCKS}

    @property
    def blocks(self) -> frozenset[str]:
        """The halves of a record that are there."""
        return frozenset(self._blocks)

    @property
    def activities(self) -> dict[str, list[Element]]:
        """What is in activities-summary."""
        return self._blocks.get("activities-summary", {})

    @property
    def uri(self) -> str:
        """The iD with its address."""
        return self._root.findtext("{*}orcid-identifier/{*}uri") or ""

    def head(self) -> tuple[bytes, list[Unknown]]:
        """What the record says of itself as JSON, and what is unknown beside its sections."""
        found: Strays = []
        head = encode(self._root, HEAD, found)
        others = [one for one in found if isinstance(one, tuple) or local_names[one.tag] not in BLOCKS]
        unknown = strays.named(RECORD, self._root, HEAD, others)
        for block, containers in self._blocks.items():
            others = [one for name, elements in containers.items() if name not in _KNOWN[block] for one in elements]
            unknown += [strays.outside(RECORD, block, one) for one in others]
        return head, unknown

    def part(self, section: Section) -> Part | None:
        """One section; None if the record does not speak of it."""
        containers = self._blocks.get(section.block, {}).get(section.container)
        if containers is None:
            # As in the JSON a name or biography that is not there is not visible.
            return _EMPTY if section.key_column is None and section.block in self._blocks else None
        if len(containers) == 1 and len(containers[0]) == 0 and not containers[0].text and LAYOUTS[section.name].path:
            return _EMPTY  # as most sections of most records are
        return _Reading(section).part(containers)


class _Reading:
    """Takes one section apart."""

    def __init__(self, section: Section) -> None:
        self._section = section
        self._layout = LAYOUTS[section.name]
        self._strange: list[Strange] = []
        self._unknown: list[Unknown] = []

    def part(self, containers: list[Element]) -> Part:
        """All of it."""
        if not self._layout.path:
            return Part([[self._item(one)] for one in containers], [], self._unknown)
        *outer, item = self._layout.path
        parents, path = containers, self._section.container
        for name in outer:
            parents = [child for parent in parents for child in self._inside(parent, name, path)]
            path = f"{path}.{name}[]"
        groups = [[self._item(child) for child in self._inside(parent, item, path)] for parent in parents]
        return Part(groups if outer else [[doc] for group in groups for doc in group], self._strange, self._unknown)

    def _item(self, element: Element) -> bytes:
        found: Strays = []
        doc = encode(element, self._layout.item, found)
        self._unknown += strays.named(self._section.name, element, self._layout.item, found)
        return doc

    def _inside(self, parent: Element, name: str, path: str) -> Iterator[Element]:
        """The children of a name; what else is there is put down."""
        if parent.text and parent.text.strip():
            self._put_down("text")
        for child in parent:
            found = local_names[child.tag]
            if found == name:
                yield child
            elif found not in _AROUND:
                self._put_down(found)
                self._unknown.append(strays.outside(self._section.name, path, child))

    def _put_down(self, name: str) -> None:
        # With a number, for each is a part of its own.
        doc = msgspec.json.encode({"element": name, "number": len(self._strange) + 1})
        self._strange.append(Strange(msgspec.Raw(doc), UNKNOWN_LAYOUT))


def _children(parents: Iterable[Element]) -> dict[str, list[Element]]:
    """The children of elements by their names. Of a name there should be one; what says it twice is read twice."""
    found: dict[str, list[Element]] = {}
    for parent in parents:
        for child in parent:
            found.setdefault(local_names[child.tag], []).append(child)
    return found
