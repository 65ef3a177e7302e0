"""Taking a section's container apart into groups of undecoded items (contract section 3.6).

Works, fundings and the like come in groups of versions of the same thing; everything else counts as groups of one.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import Raw, field

Groups = Callable[[Raw], Iterator[list[Raw]] | None]
"""Takes a container apart; None if a list that it should contain is not there: that is not an empty one (F49, F54).

Raises msgspec's errors.
"""


def single(container: Raw) -> Iterator[list[Raw]]:
    """Name and biography: the container is the item."""
    return iter([[container]])


def listed(member: str) -> Groups:
    """Person sections: a plain list; each item is a group of its own."""
    shape = _container(member, Raw)

    def groups(container: Raw) -> Iterator[list[Raw]] | None:
        found = _inside(container, shape)
        return None if found is None else ([raw] for raw in found)

    return groups


def grouped(member: str) -> Groups:
    """Works, fundings, research resources: `group[]` of lists, the preferred version first."""
    shape = _container("group", _container(member, Raw))

    def groups(container: Raw) -> Iterator[list[Raw]] | None:
        found = _nested(_inside(container, shape))
        return None if found is None else iter(found)

    return groups


def affiliations(kind: str) -> Groups:
    """`affiliation-group[].summaries[].{kind}-summary`."""
    summary = msgspec.defstruct("Summary", [("of", Raw, field(name=f"{kind}-summary"))])
    shape = _container("affiliation-group", _container("summaries", summary))

    def groups(container: Raw) -> Iterator[list[Raw]] | None:
        found = _nested(_inside(container, shape))
        return None if found is None else ([one.of for one in group] for group in found)

    return groups


def peer_reviews() -> Groups:
    """Two levels: the review group, in it the reviews that share an identifier."""
    shape = _container("group", _container("peer-review-group", _container("peer-review-summary", Raw)))

    def groups(container: Raw) -> Iterator[list[Raw]] | None:
        outer = _nested(_inside(container, shape))
        found = None if outer is None else _nested([group for groups in outer for group in groups])
        return None if found is None else iter(found)

    return groups


def _container(member: str, shape: Any) -> Any:
    """A Struct of which `of` is the list called `member`; None if the list is not there.

    Converters from XML write a list of one as the one: that is taken for a list too.
    """
    lists = list[shape] | None if shape is Raw else list[shape] | shape | None
    return msgspec.defstruct("Container", [("of", lists, field(name=member, default=None))])


def _inside(container: Raw, shape: Any) -> list[Any] | None:
    """The list in a container; None if it is missing."""
    found = msgspec.json.decode(container, type=shape).of
    return None if found is None else _many(found)


def _nested(groups: list[Any] | None) -> list[list[Any]] | None:
    """The lists in the groups of a container; None if one of them, or all of them, are missing."""
    if groups is None or any(group.of is None for group in groups):
        return None
    return [_many(group.of) for group in groups]


def _many(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [found]
