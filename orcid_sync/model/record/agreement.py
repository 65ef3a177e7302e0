"""What of an answer counts at once, and what an independent second read must say again, item by item (S8).

- Removals must be agreed to if more than half of a section would go at once (F54).
- Under an unmoved `history.last-modified-date` an answer may add and renew. ORCID's caches may serve older content
  under a new date (contract section 3.9), and every removal and every change of visibility moves the date (contract
  section 1.7): so what it takes away, shows to more people than before, shows again, or takes back to an older edit
  must be agreed to.

Agreed is what every read has said since the one that said it first, if the last of them is independent of that one.
"""

from collections.abc import Collection, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from orcid_sync.model.record import extract
from orcid_sync.model.record.diff import Comparison, Known, shrinking
from orcid_sync.model.record.doubts import Doubt, Kind, Moment
from orcid_sync.model.record.removals import EMAILS, REMOVED
from orcid_sync.model.record.sections import Item, ItemKey
from orcid_sync.model.record.visibility import wider_than
from orcid_sync.model.wire.orcid_json import Timestamp

REASONS = {
    Kind.REMOVAL: "it is gone from ORCID's answer: a second read must agree",
    Kind.SHOWN: "it is shown to more people under the same date: a second read must agree",
    Kind.OLDER: "it is of an older edit under the same date: a second read must agree",
}


class Question(Struct, frozen=True, kw_only=True):
    """An answer as far as agreement depends on it."""

    comparison: Comparison
    known: Mapping[ItemKey, Known]
    reasons: Mapping[ItemKey, str]
    """Of each item that is gone, why: only what the holder removed needs agreement."""
    moved: bool
    """Whether the record's date moved since the answer that was applied last."""
    removed: Collection[ItemKey] = ()
    """What an answer of this very date removed: nothing of it comes back unasked."""


def moved_on(before_ms: int | None, now_ms: int | None) -> bool:
    """Whether the record's date says that something happened since the answer that was applied last.

    An older date gets here only if ORCID insists on it for hours (schedule.STALE_TRIES): then it is ORCID's word.
    """
    return now_ms is not None and now_ms != before_ms


def agree(question: Question, moment: Moment) -> tuple[Comparison, list[Doubt]]:
    """What counts of a comparison, and what is unconfirmed."""
    waiting = {}
    for kind, key in _doubted(question):
        doubt = _unconfirmed(kind, key, moment)
        if not doubt.released and moment.now - doubt.since < moment.wait:
            waiting[key] = doubt
    comparison = question.comparison
    agreed = Comparison(
        [item for item in comparison.added if item.id not in waiting],
        [item for item in comparison.moved if item.id not in waiting],
        [key for key in comparison.gone if key not in waiting],
    )
    return agreed, list(waiting.values())


def _doubted(question: Question) -> Iterator[tuple[Kind, ItemKey]]:
    removed = [key for key in question.comparison.gone if question.reasons[key] == REMOVED]
    if question.moved:
        removed = list(shrinking(question.known, removed))
    else:
        yield from _steps_back(question)
    for key in removed:
        yield Kind.REMOVAL, key


def _steps_back(question: Question) -> Iterator[tuple[Kind, ItemKey]]:
    for item in question.comparison.moved:
        before = question.known[item.id]
        if item.visibility in wider_than(before.visibility):
            yield Kind.SHOWN, item.id
        elif _is_older(item, before):
            yield Kind.OLDER, item.id
    for item in question.comparison.added:
        if item.id in question.removed or (item.section == EMAILS[0] and EMAILS in question.removed):
            yield Kind.SHOWN, item.id


def _is_older(item: Item, before: Known) -> bool:
    now = extract.moment(Timestamp(item.modified_ms))
    return now is not None and before.modified_at is not None and now < before.modified_at


def _unconfirmed(kind: Kind, key: ItemKey, moment: Moment) -> Doubt:
    section, name = key
    new = Doubt(kind=kind, section=section, key=name, reason=REASONS[kind], since=moment.now)
    doubt = moment.before.get(new.id, new)
    return replace(doubt, due_at=doubt.since + moment.wait)
