"""What a token lets us see of a record, so that an item that we may not see never counts as deleted (S8, F59)."""

from msgspec import Struct

from orcid_sync.model.record.sections import SECTIONS, ItemKey
from orcid_sync.model.sync.schedule import READ_LIMITED, READ_PUBLIC

_SHOWS = {
    "/read-limited": frozenset({"person", "activities-summary"}),
    "/person/read-limited": frozenset({"person"}),
    "/activities/read-limited": frozenset({"activities-summary"}),
    "/email/read-private": frozenset({"private e-mails"}),
}
"""By scope: the parts of a record of which more than what is public can be read (contract sections 2.2 and 3.4)."""


class Access(Struct, frozen=True):
    """What can be read beyond what is public: nothing, with our own token."""

    shows: frozenset[str] = frozenset()
    """Parts of a record, as `_SHOWS` names them."""

    @property
    def kind(self) -> str:
        """In one word: read-limited or read-public."""
        return READ_LIMITED if self.shows & _SHOWS["/read-limited"] else READ_PUBLIC

    @property
    def text(self) -> str:
        """As it is stored beside what was read."""
        return ", ".join([self.kind, *sorted(self.shows)])

    def covers(self, other: "Access") -> bool:
        """Whether it shows all that the other one shows."""
        return other.shows <= self.shows

    def hides(self, key: ItemKey, visibility: str | None) -> bool:
        """Whether an item of this visibility may be there without being shown."""
        if visibility == "public":
            return False
        if visibility == "private" and key[0] == "email":
            return "private e-mails" not in self.shows
        return SECTIONS[key[0]].block not in self.shows


PUBLIC = Access()


def access_with(scopes: list[str]) -> Access:
    """What a holder's token with these scopes shows."""
    return Access(frozenset().union(*(_SHOWS.get(scope, frozenset()) for scope in scopes)))


def access_from(text: str | None) -> Access:
    """Read what `text` wrote. Earlier releases did not say which parts: /read-limited was what one had."""
    if text == READ_LIMITED:
        return access_with(["/read-limited"])
    return Access(frozenset((text or READ_PUBLIC).split(", ")[1:]))
