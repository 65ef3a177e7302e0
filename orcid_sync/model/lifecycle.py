"""What happens to an iD: decisions as values and tables.

Everything that decides when an iD is read again is in this file.

A reconciliation ends in a Settlement: what the iD's queue row becomes. Delays are relative, so that only the database's
clock counts and no clock is needed here; chance comes in as an argument.
"""

import enum
from datetime import timedelta

import msgspec


class Lane(enum.IntEnum):
    """Who goes first; the lower number."""

    NOTIFICATION = 0
    OPERATOR = 1
    FIRST_LOAD = 2
    CHECK = 3
    SWEEP = 4


class Applied(msgspec.Struct, frozen=True):
    """The Registry's answer that the mirror now equals."""

    body_digest: bytes | None
    """Hash of the body; None if parts were missing, so that the next read does not take it for known."""
    access: str
    """Access with which it was read: read-limited or read-public."""
    registry_modified_ms: int | None
    """history.last-modified-date, milliseconds since 1970."""


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What the queue row becomes after a reconciliation."""

    done: bool
    """True: the generation that was leased is dealt with. False: it is tried again."""
    due_in: timedelta
    """Time until the next reconciliation, if nothing was notified meanwhile."""
    lane: Lane = Lane.CHECK
    attempts: int = 0
    """Failures in a row, this one included."""
    second_look_in: timedelta | None = None
    """Time until the second look (contract sections 1.8, 3.9), if one is owed."""
    applied: Applied | None = None
    """Set when a read was applied to the mirror, or found equal to it."""
    held_digest: bytes | None = None
    """Body that waits for an independent second read to agree before it may remove most of a section."""
    not_found: bool = False
    """The Registry says that it does not know the iD (counts only when it says so again later)."""
    error: str | None = None
    """Kind of the failure, for operators."""
    verified: bool = False
    """The mirror is known to equal the Registry's answer."""
