"""From an answer to what must be written: everything in which the mirror differs from it."""

from collections.abc import Mapping
from datetime import datetime

import asyncpg
from msgspec import Struct

from orcid_sync.model import diff, lifecycle
from orcid_sync.model.diff import Change, Comparison, Held, RecordContent, Writing
from orcid_sync.model.sections import SECTIONS, Content, ItemKey
from orcid_sync.service.reading import unhurried
from orcid_sync.store import mirror
from orcid_sync.store.database import statements


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


def reason_gone(held: Held, key: ItemKey, access: str) -> str:
    """Why an item is no longer there: a read with less access must never be taken for a deletion (design section 5)."""
    less = held.record is not None and (held.record.access, access) == (lifecycle.READ_LIMITED, lifecycle.READ_PUBLIC)
    return "access-lost" if less and held.items[key].visibility != "public" else "removed"


async def make_changeset(pool: asyncpg.Pool, orcid: str, held: Held, answer: Answer) -> Changeset:
    """All that differs; loads the old content of what moved or went. Raises MalformedRecord, DatabaseUnavailable."""
    comparison, details = answer.comparison, answer.details
    old: dict[ItemKey, Content] = {}
    if wanted := [*comparison.gone, *(item.id for item in comparison.moved)]:
        async with statements(pool) as connection:
            old = await mirror.load_contents(connection, orcid, wanted)
    own = diff.record_change(orcid, held.record, answer.content, answer.modified_at)
    changes = [own] if own else []
    for key in comparison.gone:
        reason, known = answer.reasons[key], held.items[key]
        changes.append(diff.removal(key, known, old[key], reason=reason, at=answer.modified_at))
    updated = []
    async for item in unhurried(comparison.moved):
        update, change = diff.update(orcid, item, old[item.id], details.get(item.id))
        updated.append(update)
        changes += [change] if change else []
    added = []
    async for item in unhurried(comparison.added):
        new = diff.with_detail(item.content, details.get(item.id))
        added.append((SECTIONS[item.section], new))
        changes.append(diff.addition(item, new))
    record = answer.content if own else None
    writing = Writing(answer.modified_at, record, held.record is None, added, updated, comparison.gone)
    return Changeset(writing, changes)
