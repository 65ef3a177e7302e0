"""Taking a section's container apart into groups of undecoded items (contract section 3.6).

Works, fundings and the like come in groups of versions of the same thing; everything else counts as groups of one.
A group that makes no sense is named and does not keep the others from being taken (fault F49).
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Raw, Struct, field

from orcid_sync.model.wire import lenient

NO_LIST: Final = "a group without its list"
OTHER_KIND: Final = "a summary of another kind"


class Strange(NamedTuple):
    """A part of a container in which no items could be found."""

    raw: Raw
    reason: str


class Taken(Struct, frozen=True):
    """A container taken apart."""

    groups: Iterable[list[Raw]]
    strange: list[Strange] = []


class Groups:
    """Where the items are in a container: lists in lists, each under the name of a member."""

    def __init__(self, *path: str, wrapper: str | None = None) -> None:
        """`wrapper`: the member of each element of the innermost list that is the item."""
        self.path = path
        self.wrapper = wrapper
        shape: Any = msgspec.defstruct("Wrapper", [("of", Raw, field(name=wrapper))]) if wrapper else Raw
        for name in reversed(path):
            shape = _container(name, shape)
        self._decode = msgspec.json.Decoder(shape).decode

    def take(self, container: Raw) -> Taken | None:
        """The groups; None if the outermost list is not there: that is not an empty one (faults F49, F54)."""
        if not self.path:
            return Taken([[container]])
        try:
            level = [self._decode(container).of]
        except msgspec.ValidationError:
            return self._take_leniently(container)
        for _ in self.path[1:]:
            level = [_many(one.of) for outer in level for one in _many(outer)]
        return Taken(self._unwrapped(level) if self.wrapper else self._grouped(level))

    def _grouped(self, lists: list[list[Raw]]) -> Iterable[list[Raw]]:
        return lists if len(self.path) > 1 else ([raw] for raw in lists[0])

    @staticmethod
    def _unwrapped(lists: list[list[Any]]) -> Iterable[list[Raw]]:
        return ([one.of for one in group] for group in lists)

    def _take_leniently(self, container: Raw) -> Taken | None:
        """The same, list by list: the fast way refuses a container if anything in it is of another shape."""
        outermost = _list(container, self.path[0])
        if outermost is None:
            return None
        lists, strange = [outermost], list[Strange]()
        for name in self.path[1:]:
            found = [(raw, _list(raw, name)) for outer in lists for raw in outer]
            strange += [Strange(raw, NO_LIST) for raw, inner in found if inner is None]
            lists = [inner for _, inner in found if inner is not None]
        if self.wrapper:
            wrapped = [[(raw, _member(raw, self.wrapper)) for raw in group] for group in lists]
            strange += [Strange(raw, OTHER_KIND) for group in wrapped for raw, inner in group if inner is None]
            lists = [[inner for _, inner in group if inner is not None] for group in wrapped]
        return Taken(self._grouped(lists), strange)


def single() -> Groups:
    """Name and biography: the container is the item."""
    return Groups()


def listed(member: str) -> Groups:
    """Person sections: a plain list; each item is a group of its own."""
    return Groups(member)


def grouped(member: str) -> Groups:
    """Works, fundings, research resources: `group[]` of lists, the preferred version first."""
    return Groups("group", member)


def affiliations(kind: str) -> Groups:
    """`affiliation-group[].summaries[].{kind}-summary`."""
    return Groups("affiliation-group", "summaries", wrapper=f"{kind}-summary")


def peer_reviews() -> Groups:
    """Two levels: the review group, in it the reviews that share an identifier."""
    return Groups("group", "peer-review-group", "peer-review-summary")


def _container(member: str, shape: Any) -> Any:
    """A Struct of which `of` is the list called `member`.

    Converters from XML write a list of one as the one: that is taken for a list too.
    """
    lists = list[shape] if shape is Raw else list[shape] | shape
    return msgspec.defstruct("Container", [("of", lists, field(name=member))])


def _many(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]


def _member(raw: Raw, name: str) -> Raw | None:
    """A member of what should be an object; None if it is not there."""
    return (lenient.members(raw) or {}).get(name)


def _list(raw: Raw, name: str) -> list[Raw] | None:
    """The list under this name; None if it is not there. One object in its place is a list of one."""
    inner = _member(raw, name)
    if inner is None:
        return None
    found = lenient.elements(inner)
    return [inner] if found is None and lenient.members(inner) is not None else found
