"""Whether an iD may be connected by an invitation, decided from who was asked and who came back."""

import enum
from collections.abc import Collection

import msgspec

from orcid_sync.model.ids import Orcid

SCOPE = "/read-limited"
"""What an invitation asks for (contract section 2.2)."""

IDENTITY = "/authenticate"
"""What is asked for if we only need to know who it is: it allows us to read nothing but what is public."""


class Outcome(enum.StrEnum):
    """How a way to ORCID and back ended."""

    GRANTED = "granted"
    RECOGNISED = "recognised"
    """Nothing was asked for but who it is, and it is the one who ended the connection."""
    DENIED = "denied"
    DIFFERENT = "different"
    """Another iD than the one that the institution expected."""
    USED = "used"
    """The invitation is connected with another iD."""
    TAKEN = "taken"
    """The iD is connected with another person of the institution (fault F64)."""
    INCOMPLETE = "incomplete"
    """Less was granted than asked for."""
    REFUSED = "refused"
    """ORCID did not take the code, or ended the attempt for a reason of its own."""
    UNAVAILABLE = "unavailable"
    """Nothing is known for certain: ORCID or our database is away."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the invitation, and of the iD that came back."""

    expected: str | None
    """The iD that the institution expects."""
    expected_primary: str | None
    """The iD that this one was merged into."""
    bound: str | None
    """The iD that the invitation was connected with before."""
    bound_connected: bool
    bound_primary: str | None
    holder: int | None
    """The number of another invitation that is connected with this iD."""
    connected: bool
    """Whether this iD is connected at present."""


def recognise(orcid: Orcid, bound: str | None) -> Outcome:
    """What becomes of the holder of `orcid` who comes back to have deleted what was kept of the iD `bound`."""
    return Outcome.RECOGNISED if orcid == bound else Outcome.DIFFERENT


def judge(orcid: Orcid, scopes: Collection[str], standing: Standing) -> Outcome:
    """What becomes of a grant by the holder of `orcid`; all but GRANTED leave everything as it was.

    Whoever was merged comes back with the primary iD (contract section 9). Who has ended a connection is free: to
    connect another iD, and the iD to be connected by another person.
    """
    if standing.expected not in {None, orcid} and standing.expected_primary != orcid:
        return Outcome.DIFFERENT
    if standing.bound not in {None, orcid} and standing.bound_connected and standing.bound_primary != orcid:
        return Outcome.USED
    if standing.holder is not None and standing.connected:
        return Outcome.TAKEN
    if SCOPE not in scopes:
        return Outcome.INCOMPLETE
    return Outcome.GRANTED
