"""Who may see the past of an item: never more people than may see the item now (fault F61)."""

from collections.abc import Iterable

from msgspec import Struct

from orcid_sync.model.diff import Change
from orcid_sync.model.sections import ItemKey

_WIDER: dict[str | None, tuple[str, ...]] = {"public": (), "limited": ("public",)}


class Restriction(Struct, frozen=True):
    """Items whose past must be as little visible as they are now."""

    visibility: str | None
    items: list[ItemKey]

    @property
    def wider(self) -> tuple[str, ...]:
        """The visibilities that more people may see."""
        return wider_than(self.visibility)


def wider_than(visibility: str | None) -> tuple[str, ...]:
    """The visibilities that let more people see an item; whatever we do not know counts as private (fault F49)."""
    return _WIDER.get(visibility, ("public", "limited"))


def visibility_of_old(change: Change) -> str | None:
    """Who may see the old content of a change."""
    before, now = change.visibility_before, change.visibility
    return now if before in wider_than(now) else before


def restrictions(changes: Iterable[Change]) -> list[Restriction]:
    """What is here now and not public: at an earlier time more people may have been told of it."""
    items: dict[str | None, list[ItemKey]] = {}
    for change in changes:
        if change.new is not None and wider_than(change.visibility):
            items.setdefault(change.visibility, []).append((change.section, change.key))
    return [Restriction(visibility, keys) for visibility, keys in items.items()]
