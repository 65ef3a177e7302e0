"""What a change that was found says about the webhook that should have announced it (contract sections 1.6 to 1.8).

Only what ORCID announces counts: not the display order, not what moves without a date (contract section 1.7). Nor does
what was edited before the webhook stood, or what is found so early that the notification may still be on its way.
"""

import enum
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from orcid_sync.model.record.diff import Change
from orcid_sync.model.record.removals import REMOVED

SKEW = timedelta(minutes=2)
"""How far ORCID's clock may be from ours."""


class Verdict(enum.StrEnum):
    """How the webhook stood to a change."""

    ANNOUNCED = "announced"
    WITHIN_GRACE = "within_grace"
    """Found before its notification, which may still come."""
    MISSED = "missed"


class Witness(Struct, frozen=True, kw_only=True):
    """What a webhook could hear of."""

    registered_at: datetime
    """When ORCID last created it."""
    up_since: datetime | None
    """Since when its calls are answered; None: they always were."""


def announced_dates(changes: Iterable[Change], after: datetime | None) -> list[datetime]:
    """ORCID's dates of those changes that it announces and that are younger than what was known."""
    told = [
        change.source_modified_at
        for change in changes
        if not change.minor and change.reason in (None, REMOVED) and change.source_modified_at is not None
    ]
    return [date for date in told if after is not None and date > after]


def first_unannounced(dates: Sequence[datetime], notified_at: datetime | None) -> datetime | None:
    """The first of these changes since which there was no notification; None if there is none."""
    heard_until = notified_at + SKEW if notified_at else None
    return min((date for date in dates if heard_until is None or date > heard_until), default=None)


def judge(changed_at: datetime, witness: Witness, *, now: datetime, grace: timedelta) -> Verdict | None:
    """The verdict on a change that no notification told of; None: nothing could."""
    if changed_at < witness.registered_at + SKEW:
        return None
    since = max(changed_at, witness.up_since or changed_at)  # ORCID repeats a call in vain until we are back
    return Verdict.WITHIN_GRACE if now - since <= grace else Verdict.MISSED
