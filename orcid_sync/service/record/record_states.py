"""Answers that speak of a record instead of showing it: it is locked, deactivated, merged, unknown, … (contract 3.5).

`model.sync.record_states.TRANSITIONS` says what each of them means; this module does it. What would take anything away
hides the record at once, and is believed when it is said again.
"""

import dataclasses

import asyncpg
from msgspec.structs import replace

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.access import PUBLIC
from orcid_sync.model.record.diff import RECORD, Comparison, Held, RecordContent
from orcid_sync.model.record.doubts import UNCONFIRMED as TO_BE_SAID_AGAIN
from orcid_sync.model.sync import schedule
from orcid_sync.model.sync.record_states import TRANSITIONS, Fate, Heard, Outcome, State, withheld
from orcid_sync.model.sync.schedule import Policy
from orcid_sync.registry.errors import Deactivated, Deprecated, Locked, NotFound, RegistryError, Unclaimed
from orcid_sync.service.record import permission
from orcid_sync.service.record.changeset import Answer, Changeset, make_changeset, withholding
from orcid_sync.service.record.read_outcome import Effect, Finding, Job
from orcid_sync.store.database.pools import AnyConnection, statements
from orcid_sync.store.feed import forgetting
from orcid_sync.store.mirror import items
from orcid_sync.store.sync import doubts

OUTCOMES: dict[type[RegistryError], Outcome] = {
    Locked: Outcome.LOCKED,
    Unclaimed: Outcome.UNCLAIMED,
    Deactivated: Outcome.DEACTIVATED,
    Deprecated: Outcome.DEPRECATED,
    NotFound: Outcome.NOT_FOUND,
}
"""Answers that speak of the record's state (contract section 4.2); every other error tells nothing about it (S10)."""

UNCONFIRMED = "unconfirmed"
"""The outcome of a first answer that would close a record."""


async def close(pool: asyncpg.Pool, policy: Policy, job: Job, error: RegistryError, heard: Heard) -> Finding:
    """What an answer about the record's state leads to; `heard`: of the holder's token, if our own heard the answer."""
    async with statements(pool) as connection:
        held = await items.load(connection, job.orcid)
        # It agrees to nothing that a read said before it; what was not understood then is as unknown as it was.
        unknown = [doubt for doubt in await doubts.load(connection, job.orcid) if doubt.kind not in TO_BE_SAID_AGAIN]
    before = State(held.record.state) if held.record else State.ACTIVE
    fate = TRANSITIONS[before, OUTCOMES[type(error)]]
    if fate.confirm and not _is_confirmed(policy, job, fate):
        settlement = schedule.settle_unconfirmed(policy, fate)
        return Finding(outcome=UNCONFIRMED, settlement=settlement, changeset=withholding(held, "all"), doubts=unknown)
    primary = getattr(error, "primary", None)
    if fate.removes:
        return await _end(pool, policy, job, fate, held, primary)
    finding = await _pause(pool, policy, job, fate, held, heard)
    return dataclasses.replace(finding, doubts=unknown)


def _is_confirmed(policy: Policy, job: Job, fate: Fate) -> bool:
    """Whether the same was said before, long enough ago; another closing answer starts anew."""
    lease = job.lease
    return lease.unconfirmed == fate.state and schedule.confirmed(policy, lease.unconfirmed_at, lease.leased_at)


async def _end(pool: asyncpg.Pool, policy: Policy, job: Job, fate: Fate, held: Held, primary: Orcid | None) -> Finding:
    """Nothing of the person stays but a tombstone: no item, no past, and no token if ORCID has ended it (F62, F63)."""
    before = held.record or RecordContent(fate.state, PUBLIC.kind)
    merged_into = primary or before.primary_orcid if fate.state is State.DEPRECATED else None
    content = RecordContent(fate.state, PUBLIC.kind, merged_into, b"{}", withheld(fate.withholds, before=None))
    gone = list(held.items)
    answer = Answer(content, held.modified_at, Comparison([], [], gone), {}, dict.fromkeys(gone, fate.removes or ""))
    changeset = _without_past(await make_changeset(pool, job.orcid, held, answer))
    effects: list[Effect] = [_forget] if changeset.changes else []
    if fate.state is State.DEACTIVATED and job.usable:
        effects += permission.effects(job, Heard.CLOSED)
    settlement = schedule.settle_state(job.turn, policy, fate, PUBLIC.text)
    return Finding(
        outcome=fate.state.value, settlement=settlement, changeset=changeset, effects=tuple(effects), doubts=()
    )


async def _pause(pool: asyncpg.Pool, policy: Policy, job: Job, fate: Fate, held: Held, heard: Heard) -> Finding:
    """The items stay for when the record comes back, and with them what they were read with (S8)."""
    before = held.record or RecordContent(fate.state, job.access.kind)
    hidden = withheld(fate.withholds, before=before.withheld, hide_locked=policy.hide_locked)
    in_doubt = "limited" if heard is not Heard.ANSWERED or job.is_narrower else None
    content = replace(before, state=fate.state, primary_orcid=None, withheld=hidden or in_doubt)
    answer = Answer(content, held.modified_at, Comparison([], [], []), {}, {})
    changeset = await make_changeset(pool, job.orcid, held, answer)
    settlement = schedule.settle_state(
        job.turn, policy, fate, job.lease.body_access or job.access.text, job.lease.registry_modified_ms
    )
    effects = permission.effects(job, heard)
    return Finding(outcome=fate.state.value, settlement=settlement, changeset=changeset, effects=effects)


def _without_past(changeset: Changeset) -> Changeset:
    """The record's own line quotes nothing either: its history block is the person's too."""
    changes = [replace(one, old=None) if one.section == RECORD else one for one in changeset.changes]
    return Changeset(changeset.writing, changes)


async def _forget(connection: AnyConnection, orcid: Orcid) -> None:
    await forgetting.forget_all(connection, orcid)
