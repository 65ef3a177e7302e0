"""What a token lets us see of a record, so that an item that we may not see never counts as deleted (S8, F59).

A token shows what ORCID granted with it, whatever scopes somebody wrote beside it. So there are two answers: what it is
said to show, and what it was seen to show, because an item came with it that neither everybody nor our own token sees
(contract section 3.4). What is hidden, forgotten and taken for lost goes by what was seen.
"""

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import replace

from orcid_sync.model.record.sections import SECTIONS, ItemKey
from orcid_sync.model.sync.schedule import READ_LIMITED, READ_PUBLIC
from orcid_sync.model.wire.orcid_scopes import BLOCKS, PRIVATE_EMAILS, SHOWS

_UNSEEN = "not seen: "


class Access(Struct, frozen=True):
    """What can be read beyond what is public: nothing, with our own token."""

    shows: frozenset[str] = frozenset()
    """Parts that it is said to show, or was seen to show."""
    seen: frozenset[str] = frozenset()
    """Those that it was seen to show."""

    @property
    def kind(self) -> str:
        """In one word: read-limited or read-public."""
        return READ_LIMITED if self.shows & BLOCKS else READ_PUBLIC

    @property
    def text(self) -> str:
        """As it is stored beside what was read."""
        return ", ".join([self.kind, *(part if part in self.seen else _UNSEEN + part for part in sorted(self.shows))])

    def covers(self, other: "Access") -> bool:
        """Whether it should show all that the other one shows, as far as is known before anything is read."""
        return other.shows <= self.shows

    def has_shown(self, parts: frozenset[str]) -> "Access":
        """The same, after these parts were seen with it, too."""
        return replace(self, shows=self.shows | parts, seen=self.seen | parts)


PUBLIC = Access()


def access_with(scopes: Iterable[str]) -> Access:
    """What a holder's token with these scopes should show."""
    return Access(frozenset().union(*(SHOWS.get(scope, frozenset()) for scope in scopes)))


def access_from(text: str | None) -> Access:
    """Read what `text` wrote. Earlier releases did not say which parts, or which were seen: all may have been."""
    if text == READ_LIMITED:
        return PUBLIC.has_shown(BLOCKS)
    parts = (text or READ_PUBLIC).split(", ")[1:]
    seen = frozenset(part for part in parts if not part.startswith(_UNSEEN))
    return Access(frozenset(part.removeprefix(_UNSEEN) for part in parts), seen)


def part_of(key: ItemKey, visibility: str | None) -> str | None:
    """The part to which an item of this visibility belongs; None if everybody sees it."""
    if visibility == "public":
        return None
    if visibility == "private" and key[0] == "email":
        return PRIVATE_EMAILS
    return SECTIONS[key[0]].block
