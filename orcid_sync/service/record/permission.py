"""The holder's permission: refused tokens (contract section 2.6), tokens that expired, grants that became narrower.

Losing access is a change of state, never a deletion. It takes three steps, so that none of them waits for another: what
we may not see any more is hidden at once, whatever the Registry says or does not say; then the permission's end is
written down; then a read with what access is left takes the hidden items out of the mirror and out of its history.
"""

from collections.abc import Container, Mapping
from dataclasses import replace

import asyncpg
import structlog
from msgspec import structs

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.access import PUBLIC, Access, access_with, part_of
from orcid_sync.model.record.diff import Known
from orcid_sync.model.record.sections import ItemKey
from orcid_sync.model.sync import schedule
from orcid_sync.model.sync.record_states import ACCESS_TRANSITIONS, USABLE, AccessFate, AccessState, Heard, withheld
from orcid_sync.model.sync.schedule import Policy
from orcid_sync.model.wire.own_items import is_own
from orcid_sync.service.record.changeset import NOTHING, Changeset, withholding
from orcid_sync.service.record.read_outcome import Effect, Finding, Job, Superseded
from orcid_sync.service.record.record_reader import Reading, yielding_to_event_loop
from orcid_sync.store.consent import consent_ledger
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.database.pools import AnyConnection, statements
from orcid_sync.store.feed import forgetting
from orcid_sync.store.mirror import items
from orcid_sync.store.sync import access
from orcid_sync.store.sync.access import Known as Standing

REFUSED = "unauthorized: ORCID refuses the holder's token"
FOREIGN = "unauthorized: ORCID says that the holder's token belongs to another iD"
OUTAGE = "unauthorized: ORCID refuses this holder's token and many others; none counts as revoked"

log = structlog.get_logger(__name__)


def means(vault: Vault, orcid: Orcid, known: Standing) -> tuple[str | None, Access]:
    """The token to read with (None: our own), and what it shows (contract section 3.4). Raises VaultError."""
    if known.access_token is None or known.access_state not in USABLE:
        return None, PUBLIC
    shows = access_with(known.scopes).has_shown(frozenset(known.shown))
    return vault.open(known.access_token, orcid=orcid, column="access_token"), shows


async def proven(job: Job, reading: Reading, client_id: str) -> Job:
    """With what the answer itself proves that the holder's token shows, whatever is said of its scopes.

    Our own items prove nothing: our own token sees them as well (contract section 3.4).
    """
    if job.token is None:
        return job
    parts: set[str] = set()
    async for item in yielding_to_event_loop(reading.items):
        part = part_of(item.id, item.visibility)
        if part is not None and part not in parts and not is_own(item.content.doc, client_id):
            parts.add(part)
    return replace(job, access=job.access.has_shown(frozenset(parts)))


async def foresee(pool: asyncpg.Pool, job: Job) -> Finding | None:
    """What is over without a question to the Registry; None if nothing is, and the record can be read."""
    if job.expires_in is not None and job.expires_in.total_seconds() <= 0:
        return await _step(pool, job, Heard.EXPIRED)
    if job.is_narrower and job.known.record_state is not None and job.known.withheld is None:
        return await _step(pool, job, Heard.NARROWED)
    return None


async def refused(pool: asyncpg.Pool, policy: Policy, chance: float, job: Job, heard: Heard) -> Finding:
    """The holder's token was refused, our own was answered: in doubt at first, in the end revoked.

    Unless it happens to many at once; then the trouble is ORCID's or our client's, and nobody has revoked (F57). A
    token that belongs to another iD was not revoked either.
    """
    if heard is Heard.FOREIGN:
        return await _doubted(pool, chance, job, heard, FOREIGN)
    known, now, error = job.known, job.lease.leased_at, REFUSED
    since = known.suspect_since if known.suspect_reason is heard else None
    if schedule.refused_for_long(policy, known.refusals + 1, since, now):
        async with statements(pool) as connection:
            refusals, answers = await access.count_tried(connection, within=policy.outage_window)
        if not schedule.outage(policy, refusals, answers, since, now):
            return await _step(pool, job, Heard.REFUSED_FOR_LONG)
        log.warning("holders' tokens are refused in numbers", refused=refusals, answered=answers)
        error = OUTAGE
    return await _doubted(pool, chance, job, heard, error)


async def _doubted(pool: asyncpg.Pool, chance: float, job: Job, heard: Heard, error: str) -> Finding:
    return Finding(
        outcome=AccessState.SUSPECT.value,
        settlement=schedule.settle_failure(job.turn, "unauthorized", chance, error),
        changeset=await _hidden(pool, job, heard),
        effects=effects(job, heard),
    )


def with_view(doubt: Finding, seen: Finding | None) -> Finding:
    """The same, with what our own token shows; `seen` None, or without a change: nothing but that it is in doubt."""
    if seen is None or seen.changeset is NOTHING or doubt.outcome != AccessState.SUSPECT:
        return doubt
    settlement = structs.replace(doubt.settlement, applied=seen.settlement.applied)
    return replace(seen, outcome=doubt.outcome, settlement=settlement, effects=doubt.effects)


def in_sight(job: Job, held: Mapping[ItemKey, Known], shown: Container[ItemKey]) -> Mapping[ItemKey, Known]:
    """The items that an answer can speak of: while a token is in doubt, not what perhaps only that token shows.

    Those stay, hidden, until the token works again or its end is written down (S8).
    """
    if not job.in_doubt:
        return held
    return {key: item for key, item in held.items() if key in shown or part_of(key, item.visibility) is None}


def out_of_sight(job: Job, held: Mapping[ItemKey, Known], shown: Container[ItemKey]) -> list[ItemKey]:
    """The items that only a permission showed that there is no more, and that this answer does not show.

    They go though the answer may not speak of their section at all: what we may not see must not wait to be spoken of.
    """
    lost = job.read_with.seen - job.access.seen
    return [key for key, item in held.items() if part_of(key, item.visibility) in lost and key not in shown]


def effects(job: Job, heard: Heard) -> tuple[Effect, ...]:
    """What becomes of the connection, in the transaction that writes what was read; nothing if it stays as it is."""
    if not job.usable:
        return ()
    before = job.known.access_state
    fate = ACCESS_TRANSITIONS[before, heard]
    if fate.standing is before and fate.doubt is None:
        return ()
    return (demand(job), _following(fate))


def effects_of_reading(job: Job) -> tuple[Effect, ...]:
    """The same for a record that was read and is written: what it no longer shows is forgotten, what it proves kept."""
    lost = (demand(job), _forget) if job.has_lost_sight else ()
    proof = (demand(job), _proving(job.access.seen)) if job.token and job.access.seen != set(job.known.shown) else ()
    return (*lost, *proof, *effects(job, Heard.ANSWERED))


def _proving(parts: frozenset[str]) -> Effect:
    async def prove(connection: AnyConnection, orcid: Orcid) -> None:
        await access.prove(connection, orcid, parts)

    return prove


async def _forget(connection: AnyConnection, orcid: Orcid) -> None:
    await forgetting.forget_limited(connection, orcid)


def demand(job: Job) -> Effect:
    """See that the connection is still as it was when the record was read."""

    async def stand(connection: AnyConnection, orcid: Orcid) -> None:
        if not await access.stands(connection, orcid, job.known.access_token):
            raise Superseded

    return stand


def _following(fate: AccessFate) -> Effect:
    async def follow(connection: AnyConnection, orcid: Orcid) -> None:
        if fate.standing is AccessState.GRANTED:
            await access.accept(connection, orcid)
        elif fate.doubt:
            await access.refuse(connection, orcid, fate.doubt)
        elif entry := fate.entry:
            await access.lose(connection, orcid, fate.standing)
            await consent_ledger.record(connection, entry.event, orcid=orcid, by=entry.by, learnt=entry.learnt)

    return follow


async def _step(pool: asyncpg.Pool, job: Job, heard: Heard) -> Finding:
    """Hide, and write down what is over; the read that follows finds out what is left."""
    fate = ACCESS_TRANSITIONS[job.known.access_state, heard]
    return Finding(
        outcome=(fate.standing if fate.entry else heard).value,
        settlement=schedule.settle_step(job.turn),
        changeset=await _hidden(pool, job, heard),
        effects=effects(job, heard),
    )


async def _hidden(pool: asyncpg.Pool, job: Job, heard: Heard) -> Changeset:
    """The mirror without what is not public, if it was read with more than our own access."""
    async with statements(pool) as connection:
        held = await items.load(connection, job.orcid)
    before = held.record.withheld if held.record else None
    if job.read_with == PUBLIC:
        return withholding(held, before)
    return withholding(held, withheld(ACCESS_TRANSITIONS[job.known.access_state, heard].withholds, before=before))
