"""Watching whether notifications still arrive, and reviving webhooks that may be dead (design section 9).

ORCID stops calling without a word (contract section 1.6) and cannot be asked. What is known is when nobody could answer
it, which changes were found without it, and how often it usually calls; from these follows what is to be revived.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial

import structlog

from orcid_sync.model.webhooks.dead_webhooks import Outage, failed_tries, lost_before
from orcid_sync.model.webhooks.evidence import Verdict
from orcid_sync.model.webhooks.health import DAYS, AlarmKind, Rules, WebhookHealth
from orcid_sync.model.webhooks.silence import SHORTEST, Silence, silence
from orcid_sync.service.runtime.job import Job
from orcid_sync.store.database.pools import AnyConnection, Database, transaction
from orcid_sync.store.webhooks import evidence, inventory

EVERY = timedelta(minutes=5)

BEGINS = {
    AlarmKind.OUTAGE: "webhooks may be lost",
    AlarmKind.SILENCE: "webhooks are silent",
    AlarmKind.CANARY: "canary not heard of",
}
ENDS = {
    AlarmKind.OUTAGE: "webhooks revived",
    AlarmKind.SILENCE: "webhooks are heard again",
    AlarmKind.CANARY: "canary heard of again",
}
"""What is logged once when something alarming begins, and when it ends."""

log = structlog.get_logger(__name__)


def make_health_job(rules: Rules) -> Job:
    """The job of every worker; whoever is first does it."""
    return Job("hearing", EVERY, partial(watch, rules=rules))


async def assess(connection: AnyConnection, rules: Rules) -> WebhookHealth:
    """How well we hear. Raises DatabaseUnavailable."""
    at = await evidence.clock(connection)
    outages = await evidence.outages(connection)
    present = outages[-1] if outages and outages[-1].ended >= at else None
    alive_since = lost_before(outages, rules.sender)
    alive_at, heard_at = await evidence.last_signs(connection)
    canary_heard_at = await evidence.heard_of(connection, rules.canary) if rules.canary else None
    return WebhookHealth(
        at=at,
        switched_on=await evidence.switched_on(connection),
        alive_at=alive_at,
        heard_at=heard_at,
        outage=present,
        failures=failed_tries(outages, rules.sender)[-1].failures if present else 0,
        tries=rules.sender.tries,
        alive_since=alive_since,
        webhooks=await evidence.webhooks(connection, alive_since=alive_since),
        silence=await _silence(connection, heard_at, at),
        verdicts=await evidence.verdicts(connection, days=DAYS),
        canary=rules.canary,
        canary_heard_at=canary_heard_at,
        canary_silent=canary_heard_at is not None and at - canary_heard_at > rules.canary_within,
    )


async def watch(database: Database, rules: Rules) -> Mapping[str, int]:
    """Decide what was awaited, say what is alarming, have revived what may be dead. Raises DatabaseUnavailable."""
    async with transaction(database.worker) as connection:
        if not await evidence.watching(connection):
            return {}
        up_since = _up_since(await evidence.outages(connection))
        decided = await evidence.decide_awaited(connection, grace=rules.grace, up_since=up_since)
        before = await evidence.open_alarms(connection)
        health = await assess(connection, rules)
        await _change_alarms(connection, before, health)
        await evidence.forget(connection)
    _tell(before, health)
    async with transaction(database.worker) as connection:
        revived = await _revive(connection, health)
    return {Verdict.MISSED.value: decided.get(Verdict.MISSED, 0), "revived": revived}


async def _silence(connection: AnyConnection, heard_at: datetime | None, at: datetime) -> Silence | None:
    if heard_at is None or at - heard_at < SHORTEST:
        return None  # nothing is read for the usual case
    return silence(await evidence.hours(connection), heard_at=heard_at, now=at)


def _up_since(outages: list[Outage]) -> datetime | None:
    return outages[-1].ended if outages else None


async def _change_alarms(
    connection: AnyConnection, before: Mapping[AlarmKind, datetime], health: WebhookHealth
) -> None:
    now = health.alarms
    for kind in now.keys() - before.keys():
        await evidence.raise_alarm(connection, kind, now[kind])
    for kind in before.keys() - now.keys():
        heard = health.heard_at if kind is AlarmKind.SILENCE else None
        await evidence.end_alarm(connection, kind, heard or health.at)


def _tell(before: Mapping[AlarmKind, datetime], health: WebhookHealth) -> None:
    """One line at the beginning, one at the end."""
    now = health.alarms
    for kind in sorted(now.keys() - before.keys()):
        log.warning(BEGINS[kind], since=now[kind].isoformat(), lost=health.webhooks.lost)
    for kind in sorted(before.keys() - now.keys()):
        log.info(ENDS[kind], since=before[kind].isoformat())


async def _revive(connection: AnyConnection, health: WebhookHealth) -> int:
    """So many that not more than a certain number wait at once: what is urgent is never behind them.

    Those that an outage took are revived when it is over: during it they would only use up their tries again.
    """
    room = max(0, evidence.AT_ONCE - health.webhooks.reviving)
    if not health.switched_on or not room:
        return 0
    revived = await inventory.revive(connection, limit=room, suspect=True)
    if health.alive_since and health.outage is None and len(revived) < room:
        limit = room - len(revived)
        revived += await inventory.revive(connection, limit=limit, not_alive_since=health.alive_since)
    return len(revived)
