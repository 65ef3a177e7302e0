"""The cursor of a reader of the change feed over HTTP: opaque to readers, who only give back what they were given.

It names the history that its position belongs to, and what its bearer saw: positions of another history mean other
changes, and who is shown more now has missed what they were not shown before. Either way only starting again helps.
"""

import base64
import enum
import re
from uuid import UUID

import msgspec

from orcid_sync.model.scopes import View

_FORM = re.compile(r"([A-Za-z0-9_-]{22})\.([pl])\.([0-9]{1,18})", re.ASCII)
_LETTERS = {View.PUBLIC: "p", View.LIMITED: "l"}
_VIEWS = {letter: view for view, letter in _LETTERS.items()}


class Resync(enum.Enum):
    """Why a reader has to start again, and in words."""

    UNKNOWN = "this is not a cursor of this feed"
    EPOCH = "the feed has another history now: the database was restored or lost commits"
    AHEAD = "the feed ends before this cursor"
    VIEW = "this cursor was issued for a token that sees more or less than yours"


class Place(msgspec.Struct, frozen=True):
    """Where a feed ends, or how far a reader has come."""

    epoch: str
    seq: int


class Cursor(msgspec.Struct, frozen=True):
    """How far a reader has come, and with which view."""

    place: Place
    view: View

    def __str__(self) -> str:
        return f"{before_seq(self.place.epoch, self.view)}{self.place.seq}"


def before_seq(epoch: str, view: View) -> str:
    """What all cursors of this history and view begin with; the position follows."""
    identity = base64.urlsafe_b64encode(UUID(epoch).bytes).decode().rstrip("=")
    return f"{identity}.{_LETTERS[view]}."


def parse_cursor(text: str) -> Cursor | None:
    """The cursor; None if it was never one of ours."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    epoch = UUID(bytes=base64.urlsafe_b64decode(found[1] + "=="))
    return Cursor(Place(str(epoch), int(found[3])), _VIEWS[found[2]])


def resync_needed(cursor: Cursor, head: Place, view: View) -> Resync | None:
    """Why this reader cannot go on from its cursor while the feed ends at `head`; None if it can."""
    if cursor.place.epoch != head.epoch:
        return Resync.EPOCH
    if cursor.place.seq > head.seq:
        return Resync.AHEAD
    return Resync.VIEW if cursor.view is not view else None
