"""What an erasure writes: to the change feed, that everything is removed; to the erasure log, about whom."""

import hashlib
import hmac

from orcid_sync.model.record.diff import RECORD, Change, Held

REASON = "erased"
EMAIL = "email"


def erasure_changes(held: Held) -> list[Change]:
    """The lines of the change feed for the erasure of what the mirror holds: each item, then the record. No contents.

    An e-mail's key is its address, so their lines carry none: each means all e-mails of the iD. There is one for each
    visibility, because a reader sees only the lines of what it may see.
    """
    if held.record is None:
        return []
    keys = {
        (section, "" if section == EMAIL else key, known.visibility) for (section, key), known in held.items.items()
    }
    gone = sorted(keys, key=lambda item: (item[0], item[1], item[2] or ""))
    return [_gone(*item, held) for item in gone] + [_gone(RECORD, "", "public", held)]


def _gone(section: str, key: str, visibility: str | None, held: Held) -> Change:
    return Change(
        section,
        key,
        "removed",
        visibility,
        REASON,
        source_modified_at=held.modified_at,
        visibility_before=visibility,
    )


def pseudonym(key: bytes, orcid: str) -> str:
    """Stands for an iD where nobody but the holder of the database may recognise it: HMAC-SHA256, hexadecimal."""
    return hmac.new(key, f"orcid_sync|erasure|{orcid}".encode(), hashlib.sha256).hexdigest()


def fingerprint(key: bytes) -> str:
    """Tells whether a pseudonym was made with this key, without telling the key."""
    return hashlib.sha256(b"orcid_sync|erasure|" + key).hexdigest()[:16]
