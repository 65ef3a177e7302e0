"""From an answer to what must be written: everything in which the mirror differs from it."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from orcid_sync.model.record import diff
from orcid_sync.model.record.diff import Change, Comparison, Held, Known, RecordContent, Writing
from orcid_sync.model.record.removals import (
    EMAILS,
    FORGOTTEN,
    REMOVED,
    RESTRICTED,
    as_limited_change,
    is_named_publicly,
    readdition,
    removal,
    removal_of_emails,
    restricted_emails,
    restriction,
)
from orcid_sync.model.record.sections import SECTIONS, Content, ItemKey
from orcid_sync.service.record.record_reader import yielding_to_event_loop
from orcid_sync.store.database.pools import statements
from orcid_sync.store.mirror import items


class Changeset(Struct, frozen=True):
    """What one reconciliation writes: to the mirror, and to the change feed."""

    writing: Writing
    changes: list[Change]


NOTHING = Changeset(Writing(None), [])


class Answer(Struct, frozen=True):
    """What the Registry said, as far as it concerns the mirror."""

    content: RecordContent
    modified_at: datetime | None
    """history.last-modified-date."""
    comparison: Comparison
    details: Mapping[ItemKey, bytes]
    """The full forms that were read anew."""
    reasons: Mapping[ItemKey, str]
    """Of each item that is gone: why."""

    def forgets(self, key: ItemKey) -> bool:
        """Whether an item goes in such a way that nothing may be told of what it said."""
        return self.reasons.get(key) in FORGOTTEN


def withholding(held: Held, withheld: str | None) -> Changeset:
    """Nothing changes but what readers are shown. Of a record that was never read nothing can be shown anyway."""
    if held.record is None or held.record.withheld == withheld:
        return NOTHING
    content = replace(held.record, withheld=withheld)
    change = Change(
        *(diff.RECORD, "", "updated", "public", None, ("withheld",), held.modified_at, held.record, content),
        visibility_before="public",
    )
    return Changeset(Writing(held.modified_at, content), [change])


async def make_changeset(pool: asyncpg.Pool, orcid: str, held: Held, answer: Answer) -> Changeset:
    """All that differs; loads the old content of what moved or went. Raises MalformedRecord, DatabaseUnavailable."""
    comparison, details = answer.comparison, answer.details
    restricted = restricted_emails(held.items, comparison.moved)
    unnamed = _unnamed_emails(held, answer)
    kept = _kept_emails(held, answer, restricted, unnamed)
    old = await _old_contents(pool, orcid, answer, kept)
    own = diff.record_change(orcid, held.record, answer.content, answer.modified_at)
    changes = [own] if own else []
    changes += _removals(held, answer, old, unnamed)
    if restricted:
        changes.append(removal_of_emails(list(restricted.values()), reason=RESTRICTED, at=answer.modified_at))
    changes += [readdition(key, known, old[key]) for key, known in kept.items()]
    updated = []
    async for item in yielding_to_event_loop(comparison.moved):
        update, change = diff.update(orcid, item, old[item.id], details.get(item.id))
        updated.append(update)
        if change:
            changes.append(restriction(change) if item.id in restricted else change)
    added = []
    async for item in yielding_to_event_loop(comparison.added):
        new = diff.with_detail(item.content, details.get(item.id))
        added.append((SECTIONS[item.section], new))
        changes.append(diff.addition(item, new))
    record = answer.content if own else None
    writing = Writing(answer.modified_at, record, held.record is None, added, updated, comparison.gone)
    return Changeset(writing, changes)


def _unnamed_emails(held: Held, answer: Answer) -> list[Known]:
    """The e-mails that everybody knew and the holder removed: nobody else is told any more which they were."""
    gone = {key: held.items[key] for key in answer.comparison.gone if not answer.forgets(key)}
    return [known for key, known in gone.items() if is_named_publicly(key, known)]


def _kept_emails(
    held: Held, answer: Answer, restricted: Container[ItemKey], unnamed: Sequence[Known]
) -> dict[ItemKey, Known]:
    """The e-mails that stay, if others go for good or out of some readers' sight: the line about those means all."""
    section, _ = EMAILS
    emails = {key: known for key, known in held.items.items() if key[0] == section}
    if not unnamed and not any(answer.forgets(key) or key in restricted for key in emails):
        return {}
    return {key: known for key, known in emails.items() if key not in answer.reasons and key not in restricted}


async def _old_contents(
    pool: asyncpg.Pool, orcid: str, answer: Answer, kept: Iterable[ItemKey]
) -> dict[ItemKey, Content]:
    """What the items said of which the change feed is to tell it."""
    told = [key for key in answer.comparison.gone if not answer.forgets(key)]
    wanted = {*told, *kept, *(item.id for item in answer.comparison.moved)}
    if not wanted:
        return {}
    async with statements(pool) as connection:
        return await items.load_contents(connection, orcid, list(wanted))


def _removals(held: Held, answer: Answer, old: Mapping[ItemKey, Content], unnamed: Sequence[Known]) -> Iterator[Change]:
    emails: dict[str, list[Known]] = {REMOVED: list(unnamed)} if unnamed else {}
    for key in answer.comparison.gone:
        reason, known = answer.reasons[key], held.items[key]
        if key[0] == EMAILS[0] and answer.forgets(key):
            emails.setdefault(reason, []).append(known)
        else:
            change = removal(key, known, old.get(key), reason=reason, at=answer.modified_at)
            yield as_limited_change(change) if is_named_publicly(key, known) else change
    for reason, gone in emails.items():
        yield removal_of_emails(gone, reason=reason, at=answer.modified_at)
