"""What of an answer could not be understood: kept apart, so that the rest can be applied (fault F49)."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from msgspec import Struct

NOT_AN_OBJECT: Final = "it is not an object"
NO_PUT_CODE: Final = "its put-code is not a whole number below 2^63"
NO_EMAIL: Final = "it has no e-mail address"
DOUBLE: Final = "another item has the same key"


class SetAside(Struct, frozen=True):
    """A part of a section that could not be understood. It may hold anything, also what is not public."""

    section: str
    doc: bytes
    """The part as ORCID gave it, fit to be stored: an item, or a group of them."""
    reason: str
    """Plain words; the content is not quoted."""
    key: str | None = None
    """Of which item it says something, if that is known: then the item itself was understood in another form."""

    named: str | None = None
    """The key of the item that its path names, if it has one: then it is no other."""
    copy: int = 0
    """How many of the same words stand before it."""

    @property
    def digest(self) -> bytes:
        """What tells it apart inside its record."""
        copy = self.copy.to_bytes(8)
        return blake2b(self.doc, digest_size=16, person=self.section.encode()[:16], salt=copy).digest()


def may_lose(answered: Iterable[str], set_aside: Iterable[SetAside]) -> frozenset[str]:
    """The sections in which an item that is missing is gone.

    Not those of which the answer does not speak (fault F54), nor those in which something could be any of the items.
    """
    return frozenset(answered) - {one.section for one in set_aside if one.key is None}
