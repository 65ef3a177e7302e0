"""What can be wrong with the mirror of one iD, or of one of its items."""

import enum

from msgspec import Struct


class DiagnosisKind(enum.StrEnum):
    """What it is called."""

    NEVER_CONNECTED = "never-connected"
    DISCONNECTED = "disconnected"
    DEPRECATED = "record-deprecated"
    DEACTIVATED = "record-deactivated"
    LOCKED = "record-locked"
    UNCLAIMED = "record-unclaimed"
    NOT_FOUND = "record-not-found"
    UNCONFIRMED = "unconfirmed"
    """ORCID said once that the record is closed or unknown."""
    ITEM_REMOVED = "item-removed"
    ITEM_MERGED = "item-merged"
    """It is one of several versions of the same work, in one of ORCID's groups."""
    ITEM_WITHHELD = "item-withheld"
    ITEM_RESTRICTED = "item-restricted"
    """It is in the mirror, but not for everybody."""
    QUOTA = "quota"
    REGISTRY_AWAY = "registry-away"
    HELD = "held"
    """What the last answer would take away, or show to more people, waits for a second read."""
    SECTION_UNSPOKEN = "section-unspoken"
    """The last answer did not speak of a section."""
    SET_ASIDE = "set-aside"
    """A part of the record cannot be understood."""
    FULL_FORM_UNREAD = "full-form-unread"
    """ORCID did not deliver the full form of an item."""
    ITEM_IN_DOUBT = "item-in-doubt"
    """One of these, of the item that was asked about."""
    ITEM_UNKNOWN = "item-unknown"
    """It is not in the mirror, and may be in what was not heard."""
    STALE_CACHE = "stale-cache"
    FAILING = "failing"
    OVERDUE = "overdue"
    PENDING = "pending"
    PERMISSION_REVOKED = "permission-revoked"
    PERMISSION_EXPIRED = "permission-expired"
    PERMISSION_SUSPECT = "permission-suspect"
    ORCID_DIFFERS = "orcid-differs"
    """Asked at this moment, ORCID shows something else than the mirror."""
    WEBHOOK_FAILING = "webhook-failing"
    """It could not be registered, revived or removed."""
    REVOCATION_FAILING = "revocation-failing"
    NOT_COMPARED = "not-compared"
    """Asked at this moment, ORCID did not give the record, or it could not be compared."""
    WEBHOOK_DEAD = "webhook-dead"
    WEBHOOK_MISSING = "webhook-missing"
    DEAF = "deaf"
    """No webhook of all can be heard."""
    ITEM_PRESENT = "item-present"
    LIMITED_ONLY = "limited-only"
    """What is not public needs the holder's permission, which we do not have."""
    ITEM_PRIVATE = "item-private"
    """Everything but private items would be seen, and it is not."""
    LATELY_REMOVED = "lately-removed"
    WELL = "well"


class Diagnosis(Struct, frozen=True):
    """A finding in words."""

    complaint: DiagnosisKind
    sentence: str
    advice: str | None = None
    """What can be done, if anything."""
