"""Which items of a section are versions of one thing (contract section 3.6)."""

from typing import Any

from orcid_sync.simulator.records.identifiers import group_key
from orcid_sync.simulator.records.profiles import Item

Json = dict[str, Any]


def identifiers_of(item: Item) -> list[Json]:
    """An item's external identifiers, wherever its kind keeps them."""
    content = item.content.get("proposal") or item.content
    holder = content.get("review-identifiers") or content.get("external-ids")
    return holder["external-id"] if holder else []


def grouped(items: list[Item]) -> list[list[Item]]:
    """Items in groups that share an identifier, transitively; the preferred version comes first in each group."""
    leader = list(range(len(items)))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    first_with: dict[tuple[str, str], int] = {}
    for index, item in enumerate(items):
        for identifier in identifiers_of(item):
            key = group_key(identifier)
            if key is not None:
                leader[find(index)] = find(first_with.setdefault(key, index))
    groups: dict[int, list[Item]] = {}
    for index, item in enumerate(items):
        groups.setdefault(find(index), []).append(item)
    return [sorted(group, key=lambda item: (-item.display_index, item.put_code)) for group in groups.values()]


def shared_identifiers(group: list[Item]) -> Json:
    """The identifiers of a group: the union of those of its members that group."""
    union: dict[tuple[str, str], Json] = {}
    for item in group:
        for identifier in identifiers_of(item):
            key = group_key(identifier)
            if key is not None:
                union.setdefault(key, identifier)
    return {"external-id": list(union.values())}
