"""Who may see the past of an item: never more people than may see the item now (fault F61).

An item that was removed is shown to nobody any more. Whether its holder deleted or hid it cannot be told (contract
section 3.4), so it counts as hidden: what it said is no longer for everybody.
"""

from collections.abc import Iterable

from msgspec import Struct

from orcid_sync.model.record.diff import Change
from orcid_sync.model.record.sections import ItemKey

LIMITED = "limited"
"""What the past of an item that was removed is at most: those who were trusted with more keep what they had."""

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
    before, now = change.visibility_before, _visibility_after(change)
    return now if before in wider_than(now) else before


def restrictions(changes: Iterable[Change]) -> list[Restriction]:
    """What is not public from now on: at an earlier time more people may have been told of it.

    What goes without a word of what it said is left out: its past is forgotten.
    """
    items: dict[str | None, list[ItemKey]] = {}
    for change in changes:
        visibility = _visibility_after(change)
        told = change.old is not None or change.new is not None
        if told and wider_than(visibility):
            items.setdefault(visibility, []).append((change.section, change.key))
    return [Restriction(visibility, keys) for visibility, keys in items.items()]


def _visibility_after(change: Change) -> str | None:
    """How visible an item is after a change, or what remains of it in the past."""
    return LIMITED if change.new is None else change.visibility
