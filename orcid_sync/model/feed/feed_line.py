"""A line of the change feed, as readers are told it."""

from datetime import datetime

import msgspec

from orcid_sync.model.ids import Orcid


class ChangeLine(msgspec.Struct, frozen=True):
    """What happened, without what it is about: the columns of the view `orcid.change_feed` (design section 5)."""

    seq: int
    orcid: Orcid
    section: str
    key: str
    op: str
    reason: str | None
    fields: list[str]
    minor: bool
    visibility: str | None
    cause: str
    at: datetime
    source_modified_at: datetime | None


class FeedLine(ChangeLine, frozen=True):
    """The same with its contents."""

    old: msgspec.Raw | None
    new: msgspec.Raw | None
