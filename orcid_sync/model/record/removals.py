"""Removed items: why they were removed, and what the change feed may still say of them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from orcid_sync.model.record.access import Access, part_of
from orcid_sync.model.record.diff import Change, Known
from orcid_sync.model.record.sections import Content, Item, ItemKey
from orcid_sync.model.record.visibility import LIMITED, wider_than

GOING = ("removed", "withdrawn")
"""Operations after which a copy must not have the item any more: no choice of operations leaves them out."""

REMOVED = "removed"
"""Deleted or hidden by the holder, which cannot be told apart (contract section 3.4)."""

ACCESS_LOST = "access-lost"

RESTRICTED = "visibility"
"""Still shown to us, but by the holder's will to fewer people than before (F61)."""

FORGOTTEN = frozenset({ACCESS_LOST, "record-deactivated", "record-deprecated"})
"""Reasons for which nothing may stay of what an item said, not even in the line that says that it went."""

EMAILS = ("email", "")
"""What a line names that takes e-mails away for good: their keys are addresses, so it means all e-mails of the iD."""

_OPENNESS = ("public", "limited")


def reason_gone(key: ItemKey, known: Known, before: Access, now: Access) -> str:
    """Why an item is not shown any more: a read with less access must never be taken for a deletion (S8, F59).

    `now` counts with what it was seen to show: a new token that shows nothing of a part may have been granted without
    it, whatever scopes were handed to us with it.
    """
    return ACCESS_LOST if part_of(key, known.visibility) in before.seen - now.seen else REMOVED


def removal(key: ItemKey, known: Known, old: Content | None, *, reason: str, at: datetime | None) -> Change:
    """The change of an item that is no longer in our view; without `old` if what it said is forgotten."""
    op = "withdrawn" if reason in (ACCESS_LOST, RESTRICTED) else "removed"
    seen = known.visibility
    return Change(*key, op, seen, reason, source_modified_at=at, old=old, visibility_before=seen)


def removal_of_emails(emails: Sequence[Known], *, reason: str, at: datetime | None) -> Change:
    """The change in which e-mails go for good, whichever and however many; those that stay have to be added again.

    It is as visible as the most visible of them: whoever was shown one must hear it.
    """
    seen = {known.visibility for known in emails}
    visibility = next((one for one in _OPENNESS if one in seen), None)
    return removal(EMAILS, Known(b"", visibility), None, reason=reason, at=at)


def is_named_publicly(key: ItemKey, known: Known) -> bool:
    """Whether the line that removes it, like all others, would go on telling everybody what it was: an address."""
    return key[0] == EMAILS[0] and known.visibility == "public"


def as_limited_change(change: Change) -> Change:
    """The removal of such an e-mail as those are told who may still see its past; the others are not told which."""
    return replace(change, visibility=LIMITED, visibility_before=LIMITED)


def readdition(key: ItemKey, known: Known, content: Content) -> Change:
    """The change of an e-mail that stays where others went for good; its old content keeps the past whole."""
    return Change(*key, "added", known.visibility, old=content, new=content, visibility_before=known.visibility)


def restricted_emails(held: Mapping[ItemKey, Known], moved: Iterable[Item]) -> dict[ItemKey, Known]:
    """The e-mails that fewer people may see than before: to those who may not any more, no line must name them."""
    section, _ = EMAILS
    emails = {item.id: item.visibility for item in moved if item.section == section}
    return {key: held[key] for key, now in emails.items() if held[key].visibility in wider_than(now)}


def restriction(change: Change) -> Change:
    """The update of such an e-mail as those are told who may still see it: all e-mails went, and this one is back."""
    return replace(change, op="added", fields=(), visibility_before=change.visibility)
