"""Who sees what (contract section 3.4)."""

import msgspec

from orcid_sync.simulator.records.profiles import Item, RecordState
from orcid_sync.simulator.records.sections import SECTIONS


class Viewer(msgspec.Struct, frozen=True):
    """One way of looking at a record; two tokens with equal viewers get equal answers."""

    client_id: str | None = None
    """The member client whose own items are shown whatever their visibility; None on the public API."""
    person_limited: bool = False
    activities_limited: bool = False
    private_email: bool = False


PUBLIC = Viewer()


def viewer_of(client_id: str, scopes: frozenset[str], *, personal: bool) -> Viewer:
    """What a member's token shows; `personal` tells a user's token from one of client credentials."""
    limited = "/read-limited" in scopes
    return Viewer(
        client_id=client_id,
        person_limited=personal and (limited or "/person/read-limited" in scopes),
        activities_limited=personal and (limited or "/activities/read-limited" in scopes),
        private_email=personal and "/email/read-private" in scopes,
    )


def sees(viewer: Viewer, item: Item) -> bool:
    """True if this viewer gets this item."""
    if item.section == "email" and not item.content["verified"]:
        return False
    if item.visibility == "public":
        return True
    if viewer.client_id is not None and item.source.belongs_to(viewer.client_id):
        return True
    if item.section == "email" and item.visibility == "private":
        return viewer.private_email
    personal = SECTIONS[item.section].personal
    return item.visibility == "limited" and (viewer.person_limited if personal else viewer.activities_limited)


def visible_items(viewer: Viewer, state: RecordState, section: str) -> list[Item]:
    """The items of a section that this viewer gets, in the order in which they were stored."""
    return [item for item in state.of(section).values() if sees(viewer, item)]
