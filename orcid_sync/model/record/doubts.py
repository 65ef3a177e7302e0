"""What an answer leaves in doubt: kept as it was, named, and looked at again by itself; nothing else waits for it.

*Unknown* is what was not heard: a section that the answer does not speak of, an item that cannot be understood, a full
form that could not be read. *Unconfirmed* is what was heard and must be heard again before it counts (`agreement`).
"""

import enum
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from orcid_sync.model.record.sections import SECTIONS, Item, ItemKey
from orcid_sync.model.sync import schedule
from orcid_sync.model.wire.set_aside import SetAside


class Kind(enum.StrEnum):
    """What is in doubt."""

    SECTION = "section"
    """The answer did not speak of the section."""
    ITEM = "item"
    """A part of a section cannot be understood and was set aside."""
    FULL_FORM = "full-form"
    """The full form of an item could not be read, or is of another edit than its summary."""
    REMOVAL = "removal"
    """An item is gone."""
    SHOWN = "shown"
    """An item is shown to more people than before, or again."""
    OLDER = "older"
    """An item is of an older edit than the one that is known."""


UNCONFIRMED = frozenset({Kind.REMOVAL, Kind.SHOWN, Kind.OLDER})
"""What counts once an independent read says it again."""


class Doubt(Struct, frozen=True, kw_only=True):
    """One thing that is in doubt."""

    kind: Kind
    section: str
    key: str = ""
    """The item's key; of a part set aside a hash of it; of a section empty."""
    reason: str
    """In words, for operators; never a content."""
    since: datetime
    """When a read first met it."""
    attempts: int = 1
    """Reads that met it, as far as they tried to end it."""
    due_at: datetime | None = None
    """When the record is read again for it; None: when it is read anyway."""
    modified_ms: int | None = None
    """Of a full form: the edit of the summary that it should belong to."""
    doc: bytes | None = None
    """Of a part that was set aside: as ORCID gave it."""
    may_be: tuple[str, ...] = ()
    """Of a part that was set aside: keys of the items that were missing when it first came; it may be one of them."""
    released: bool = False
    """An operator has agreed: it counts when it is said again, however soon."""

    @property
    def item(self) -> ItemKey:
        """Which item it is about, if it is about one."""
        return self.section, self.key

    def waits(self, now: datetime) -> bool:
        """Whether it is not its time yet."""
        return self.due_at is not None and self.due_at > now

    @property
    def id(self) -> "DoubtKey":
        """No two doubts of one iD have the same."""
        return self.kind, self.section, self.key


DoubtKey = tuple[Kind, str, str]
Doubts = Mapping[DoubtKey, Doubt]


def by_id(doubts: Iterable[Doubt]) -> dict[DoubtKey, Doubt]:
    """As they are looked up."""
    return {doubt.id: doubt for doubt in doubts}


def next_look(doubts: Iterable[Doubt], now: datetime) -> timedelta | None:
    """Time until the record is read again because of them; None: when it is read anyway."""
    times = [doubt.due_at for doubt in doubts if doubt.due_at is not None]
    return max(min(times) - now, timedelta()) if times else None


class Moment(Struct, frozen=True, kw_only=True):
    """When an answer was asked for, and what was in doubt then."""

    now: datetime
    wait: timedelta
    """Time after which a second read counts as independent (contract section 3.9)."""
    chance: float
    """From 0 to 1."""
    before: Doubts = {}

    def again(self, doubt: Doubt, kind: str) -> Doubt:
        """The doubt of this answer, with the time of the next look: spaced by how often it was met already."""
        earlier = self.before.get(doubt.id)
        if earlier is not None and earlier.modified_ms == doubt.modified_ms:
            doubt = replace(doubt, since=earlier.since, attempts=earlier.attempts + 1)
        return replace(doubt, due_at=self.now + schedule.backoff(kind, doubt.attempts, self.chance))


def unspoken(answered: Collection[str], moment: Moment) -> Iterator[Doubt]:
    """The sections that an answer does not speak of: they stay as they are (F54)."""
    reason = "ORCID's last answer did not speak of it"
    for section in SECTIONS:
        if section not in answered:
            yield moment.again(
                Doubt(kind=Kind.SECTION, section=section, reason=reason, since=moment.now), "section_unspoken"
            )
    # What was set aside of them will not be new when it is met again.
    yield from (one for one in moment.before.values() if one.kind is Kind.ITEM and one.section not in answered)


def misunderstood(parts: Iterable[SetAside], gone: Iterable[ItemKey], moment: Moment) -> Iterator[Doubt]:
    """The parts that were set aside. What is missing at their first coming may be one of them, and is not gone (S8).

    What goes later is: it was there beside them. They are not asked for again: only a new edit, or a later version of
    this software, can help.
    """
    missing: dict[str, list[str]] = {}
    for section, key in gone:
        missing.setdefault(section, []).append(key)
    for part in parts:
        may_be = () if part.key is not None else tuple(missing.get(part.section, ()))
        if part.named is not None:
            may_be = tuple(key for key in may_be if key == part.named)
        new = Doubt(
            kind=Kind.ITEM,
            section=part.section,
            key=part.digest.hex(),
            reason=part.reason,
            since=moment.now,
            doc=part.doc,
            may_be=may_be,
        )
        yield moment.before.get(new.id, new)


def not_gone(doubts: Iterable[Doubt]) -> frozenset[ItemKey]:
    """The items that parts set aside may be."""
    return frozenset((doubt.section, key) for doubt in doubts for key in doubt.may_be)


class Unread(Struct, frozen=True):
    """Why a full form was not read, or not as it should be."""

    kind: str
    """How the next tries are spaced: a key of schedule.BACKOFFS."""
    reason: str
    asked: bool = True
    """False: its turn did not come."""


def failed_before(item: Item, before: Doubts) -> Doubt | None:
    """The doubt about the full form of this very edit, if there was one."""
    failed = before.get((Kind.FULL_FORM, *item.id))
    return failed if failed is not None and failed.modified_ms == item.modified_ms else None


def incomplete(item: Item, why: Unread, moment: Moment) -> Doubt:
    """The doubt about an item whose full form is not that of its summary."""
    doubt = Doubt(
        kind=Kind.FULL_FORM,
        section=item.section,
        key=item.key,
        reason=why.reason,
        since=moment.now,
        modified_ms=item.modified_ms,
    )
    if why.asked:
        return moment.again(doubt, why.kind)
    earlier = failed_before(item, moment.before) or replace(doubt, attempts=0)
    soon = moment.now + schedule.backoff(why.kind, 1, moment.chance)
    return replace(doubt, since=earlier.since, attempts=earlier.attempts, due_at=soon)
