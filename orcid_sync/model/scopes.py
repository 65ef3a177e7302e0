"""The scopes of tokens for the internal listener, and the view of the mirror that each of them gives."""

import enum
import re
from collections.abc import Collection

import msgspec

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}", re.ASCII)
"""What a token, or a consumer of the feed, may be called."""


class Scope(enum.Enum):
    """What a token allows; each one includes those before it."""

    READ_PUBLIC = "read-public"
    """Read what everybody may see at ORCID."""
    READ_LIMITED = "read-limited"
    """Also what record holders show to trusted organisations."""
    ADMIN = "admin"
    """Also act: connect and disconnect iDs, have them read now, see who is connected and how they stand."""


class View(enum.Enum):
    """How much of the mirror a reader sees; PostgreSQL keeps it (store/database/roles.py)."""

    PUBLIC = "public"
    LIMITED = "limited"


class Entry(enum.Enum):
    """How somebody proved who they are."""

    BEARER = "bearer"
    """By a token in the header Authorization."""
    SESSION = "session"
    """By the cookie of a browser that had shown a token."""
    LOOPBACK = "loopback"
    """By nothing: the listener is bound to loopback, and no token was ever asked for."""


_ORDER = list(Scope)


class Caller(msgspec.Struct, frozen=True):
    """Somebody who may ask."""

    name: str
    """Name of the token; in parentheses what is none: (internal_token), (loopback)."""
    scopes: frozenset[Scope]
    """All that they may, also what is included in something greater."""
    entry: Entry

    def may(self, scope: Scope) -> bool:
        """Whether the caller is allowed this."""
        return scope in self.scopes

    @property
    def view(self) -> View:
        """How much of the mirror they see. Nobody sees more than limited items here, not even administrators."""
        return View.LIMITED if self.may(Scope.READ_LIMITED) else View.PUBLIC


def with_included(scopes: Collection[Scope]) -> frozenset[Scope]:
    """The scopes and all that they include; nothing for none."""
    highest = max((_ORDER.index(scope) for scope in scopes), default=-1)
    return frozenset(_ORDER[: highest + 1])
