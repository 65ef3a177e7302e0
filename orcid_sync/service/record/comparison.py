"""An answer beside what the mirror holds: what of it counts now, and what it leaves in doubt."""

from collections.abc import Iterable, Mapping

import asyncpg
from msgspec import Struct
from msgspec.structs import replace

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record import agreement, diff, doubts
from orcid_sync.model.record.agreement import Question, moved_on
from orcid_sync.model.record.diff import Comparison, Held, edit_of, wants_detail
from orcid_sync.model.record.doubts import Doubt, Moment, Unread
from orcid_sync.model.record.extract import moment as moment_of
from orcid_sync.model.record.removals import REMOVED, reason_gone
from orcid_sync.model.record.sections import Item, ItemKey
from orcid_sync.model.sync.schedule import Cause
from orcid_sync.model.wire.orcid_json import Timestamp
from orcid_sync.registry.client import Registry
from orcid_sync.service.record import permission
from orcid_sync.service.record.full_forms import read_full_forms
from orcid_sync.service.record.read_outcome import Job
from orcid_sync.service.record.record_reader import Reading, yielding_to_event_loop
from orcid_sync.store.database.pools import statements
from orcid_sync.store.feed import changes
from orcid_sync.store.mirror import items
from orcid_sync.store.sync import doubts as store

ANOTHER_EDIT = Unread("full_form_of_another_edit", "it is of another edit than its summary")


class Compared(Struct, frozen=True):
    """An answer that was compared."""

    held: Held
    comparison: Comparison
    """What counts now."""
    full_forms: Mapping[ItemKey, bytes]
    """Those that were read anew."""
    reasons: Mapping[ItemKey, str]
    """Of each item that is gone: why."""
    doubts: list[Doubt]
    """What is unknown or unconfirmed."""
    doubted_before: bool
    """Whether anything was in doubt until now."""

    @property
    def unconfirmed(self) -> bool:
        """Whether something waits for a second read to say the same."""
        return any(doubt.kind in doubts.UNCONFIRMED for doubt in self.doubts)


async def compare(pool: asyncpg.Pool, registry: Registry, job: Job, reading: Reading, moment: Moment) -> Compared:
    """Compare the answer, and read the full forms of what is new or moved. Raises DatabaseUnavailable.

    `moment.before` is filled in here.
    """
    async with statements(pool) as connection:
        held = await items.load(connection, job.orcid)
        before = doubts.by_id(await store.load(connection, job.orcid))
    moment = replace(moment, before=before)
    full_forms, incomplete = await _full_forms(registry, job, reading, held, moment)
    shown = {item.id for item in reading.items}
    known = permission.in_sight(job, held.items, shown)
    found = diff.compare(known, reading.answered, reading.items, full_forms)
    found.gone[:] = dict.fromkeys((*found.gone, *permission.out_of_sight(job, held.items, shown)))
    reasons = {key: reason_gone(key, held.items[key], job.read_with, job.access) for key in found.gone}
    set_aside = list(
        doubts.misunderstood(reading.set_aside, [key for key in found.gone if reasons[key] == REMOVED], moment)
    )
    kept = doubts.not_gone(set_aside)
    found.gone[:] = [key for key in found.gone if key not in kept or reasons[key] != REMOVED]
    moved = moved_on(job.lease.registry_modified_ms, reading.modified_ms)
    question = Question(
        comparison=found,
        known=held.items,
        reasons=reasons,
        moved=moved,
        removed=() if moved else await _removed(pool, job.orcid, reading, found.added),
    )
    agreed, unconfirmed = agreement.agree(question, moment)
    waiting = {doubt.item for doubt in unconfirmed}  # an edit that may not count owes no full form
    found_doubts = [
        *doubts.unspoken(reading.answered, moment),
        *set_aside,
        *(doubt for doubt in incomplete if doubt.item not in waiting),
        *unconfirmed,
    ]
    return Compared(held, agreed, full_forms, reasons, found_doubts, bool(before))


async def _removed(pool: asyncpg.Pool, orcid: Orcid, reading: Reading, added: Iterable[Item]) -> frozenset[ItemKey]:
    """What an answer of the same date has removed, if anything is new to us."""
    at = moment_of(Timestamp(reading.modified_ms))
    if at is None or not any(added):
        return frozenset()
    async with statements(pool) as connection:
        return await changes.removed_at(connection, orcid, at)


async def _full_forms(
    registry: Registry, job: Job, reading: Reading, held: Held, moment: Moment
) -> tuple[dict[ItemKey, bytes], list[Doubt]]:
    """The full forms of the items that are new or moved (contract section 10), and the doubts about the others.

    One that failed is asked for when its time has come, or when an operator wants the record read.
    """
    wanted, incomplete = [], []
    async for item in yielding_to_event_loop(reading.items):
        if wants_detail(held.items.get(item.id), item):
            failed = doubts.failed_before(item, moment.before)
            if failed is not None and failed.waits(moment.now) and job.turn.cause is not Cause.OPERATOR:
                incomplete.append(failed)
            else:
                wanted.append(item)
    if not wanted:
        return {}, incomplete
    full = await read_full_forms(registry, job.orcid, job.token, wanted, lambda item: _failures(item, moment))
    async for item in yielding_to_event_loop(wanted):
        if item.id in full.read and (edit := edit_of(full.read[item.id], item.section)) != item.modified_ms:
            full.unread[item.id] = ANOTHER_EDIT
            if _goes_back(held, item, edit):
                del full.read[item.id]
        if why := full.unread.get(item.id):
            incomplete.append(doubts.incomplete(item, why, moment))
    return full.read, incomplete


def _failures(item: Item, moment: Moment) -> int:
    failed = doubts.failed_before(item, moment.before)
    return failed.attempts if failed else 0


def _goes_back(held: Held, item: Item, edit: int | None) -> bool:
    """Whether the mirror holds a full form of a later edit."""
    known, at = held.items.get(item.id), moment_of(Timestamp(edit))
    return known is not None and known.detail_modified_at is not None and (at is None or at < known.detail_modified_at)
