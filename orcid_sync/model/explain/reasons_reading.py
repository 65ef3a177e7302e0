"""Reasons that concern reading: quotas, ORCID's outages and caches, webhooks that are silent."""

from datetime import timedelta

from orcid_sync.model.analysis.audit import Verdict
from orcid_sync.model.explain.diagnosis import Diagnosis, DiagnosisKind
from orcid_sync.model.explain.facts import Facts, Queue, Webhook
from orcid_sync.model.record.doubts import UNCONFIRMED
from orcid_sync.model.sync.record_states import State
from orcid_sync.model.sync.schedule import UNRENDERABLE, Lane
from orcid_sync.model.text.phrases import failed, moment, number, series, span, until
from orcid_sync.model.webhooks.registration import HookState

LATE = {Lane.NOTIFICATION: timedelta(minutes=2), Lane.OPERATOR: timedelta(minutes=2)}
"""After which a read is late; the other lanes have a day."""

UNCONFIRMED_FOR = timedelta(minutes=10)
"""After which a registration should have been confirmed."""


def _waiting(facts: Facts) -> Queue | None:
    """The iD's place in the queue, if a read of it is wanted now."""
    queue = facts.queue
    return queue if queue and not queue.leased and (queue.owed or queue.due_at <= facts.at) else None


def quota(facts: Facts) -> Diagnosis | None:
    """The requests of the day are used up, ORCID's or our own."""
    queue, limits = _waiting(facts), facts.limits
    if queue is None or not (limits.used_up_seconds or limits.shed):
        return None
    if limits.used_up_seconds:
        whose, again = "ORCID says that your daily quota of requests is used up", limits.used_up_seconds
    else:
        whose = (
            f"The daily budget for reads of this kind is used up ({limits.used} of {limits.daily_requests} requests)"
        )
        again = limits.day_ends_seconds
    return Diagnosis(
        DiagnosisKind.QUOTA,
        f"{whose}: the read has been due since {moment(queue.due_at)} and waits; requests continue in {span(again)}.",
        "How many requests the records need per day: orcid-sync plan. The budget is the setting daily_requests; "
        "ORCID gives members larger quotas.",
    )


def away(facts: Facts) -> Diagnosis | None:
    """ORCID does not answer, or wants silence."""
    queue, limits = _waiting(facts), facts.limits
    if queue is None or not (limits.failing_since or limits.paused_seconds or limits.silent_seconds):
        return None
    if limits.failing_since:
        said = f"ORCID has given no usable answer since {moment(limits.failing_since)}"
    else:
        said = "ORCID asked the service to wait"
    soon = facts.at + timedelta(seconds=max(limits.paused_seconds, limits.silent_seconds))
    return Diagnosis(
        DiagnosisKind.REGISTRY_AWAY,
        f"{said}: the read that is due waits for the next try, {until(soon, facts.at)}; nothing is lost.",
        "See https://orcid.statuspage.io for ORCID's outages; orcid-sync check shows whether your own network is "
        "the cause.",
    )


def stale(facts: Facts) -> Diagnosis | None:
    """ORCID's caches and replicas serve what was (contract section 3.9)."""
    queue = facts.queue
    if queue is None or not queue.attempts or _kind(queue) != "stale":
        return None
    return Diagnosis(
        DiagnosisKind.STALE_CACHE,
        f"ORCID answers with an older version than the mirror holds ({number(queue.attempts, 'time')} in a row): "
        f"one of its caches is out of date, and the record is read again {until(queue.due_at, facts.at)}.",
    )


def perhaps_stale(facts: Facts) -> Diagnosis | None:
    """A notification, and nothing found: it may be a cache (contract section 3.9)."""
    queue = facts.queue
    if queue is None or queue.notified_at is None or queue.verified_at is None or queue.second_look_at is None:
        return None
    heard = queue.notified_at
    if queue.verified_at < heard or queue.second_look_at < facts.at or _found_since(facts, heard):
        return None
    return Diagnosis(
        DiagnosisKind.STALE_CACHE,
        f"The read after the notification of {moment(heard)} found nothing new: ORCID's caches can serve old content "
        f"for 15 minutes, so the record is read once more {until(queue.second_look_at, facts.at)}.",
        f"To read it now: orcid-sync sync {facts.orcid}",
    )


def _found_since(facts: Facts, heard: object) -> bool:
    at = [read.at for read in facts.reads if read.changes or read.outcome == "changed"]
    return any(moment >= heard for moment in [*at, *(change.at for change in facts.changes)])  # type: ignore[operator]


def _kind(queue: Queue) -> str:
    return (queue.last_error or "").partition(":")[0]


def failing(facts: Facts) -> Diagnosis | None:
    """Reads fail for another reason."""
    queue = facts.queue
    if queue is None or not queue.attempts or is_token_refused(facts):
        return None
    first = next((read.first_at for read in facts.reads if read.outcome == "failed"), None)
    since = f", the first on {moment(first)}" if first and queue.attempts > 1 else ""
    if _kind(queue) == UNRENDERABLE and not facts.limits.failing_since:
        said = (queue.last_error or "").partition(": ")[2]
        return Diagnosis(
            DiagnosisKind.FAILING,
            f"{said}: {failed(queue.attempts, 'read')}{since}, and other records are read as usual. "
            f"The mirror stays unchanged, and the next retry is {until(queue.due_at, facts.at)}.",
            f"Only ORCID can mend it: ask its support about {facts.orcid}. To retry now: orcid-sync sync "
            f"{facts.orcid} --wait",
        )
    return Diagnosis(
        DiagnosisKind.FAILING,
        f"{failed(queue.attempts, 'read')}{since}; the last said: {queue.last_error}. "
        f"The mirror stays unchanged, and the next retry is {until(queue.due_at, facts.at)}.",
        f"To retry now: orcid-sync sync {facts.orcid} --wait. What the error means: deploy/docs/runbook.md",
    )


def is_token_refused(facts: Facts) -> bool:
    """Whether what fails is only the holder's token: what is public is followed (`reasons_record.token_suspect`)."""
    in_doubt = facts.connection is not None and facts.connection.access_state == "suspect"
    return in_doubt and facts.queue is not None and _kind(facts.queue) == "unauthorized"


def overdue(facts: Facts) -> Diagnosis | None:
    """Nobody gets round to it."""
    queue = _waiting(facts)
    if queue is None or facts.ago(queue.due_at) < LATE.get(queue.lane, timedelta(days=1)):
        return None
    idle = facts.limits.workers == 0
    why = "no worker is connected to the database" if idle else "the queue is behind"
    return Diagnosis(
        DiagnosisKind.OVERDUE,
        f"The read has been due since {moment(queue.due_at)} and waits: {why}.",
        "Start one: orcid-sync serve" if idle else "To see how much waits, and for what: orcid-sync status",
    )


def pending(facts: Facts) -> Diagnosis | None:
    """It is on its way."""
    queue = facts.queue
    if queue is None or not queue.owed or (queue.lane is Lane.CHECK and _waits_for_a_second_read(facts)):
        return None
    if queue.leased:
        said = "The record is being read now"
    elif queue.verified_at is None:
        said = f"The record is connected but not read yet; the read is due {until(queue.due_at, facts.at)}"
    elif queue.lane is Lane.NOTIFICATION and queue.notified_at:
        said = (
            f"A notification arrived on {moment(queue.notified_at)}; the record is read {until(queue.due_at, facts.at)}"
        )
    else:
        said = f"A read was requested; it is due {until(queue.due_at, facts.at)}"
    return Diagnosis(DiagnosisKind.PENDING, f"{said}.")


def _waits_for_a_second_read(facts: Facts) -> bool:
    """Then nobody has asked for the read that is owed: it is told of with what waits."""
    return any(doubt.kind in UNCONFIRMED for doubt in facts.doubts)


def differs(facts: Facts) -> Diagnosis | None:
    """What ORCID shows at this moment is not what the mirror holds."""
    now = facts.now
    if now is None or not now.differences:
        return None
    what = series(f"{count} {name}" for name, count in now.differences.items())
    changed = f"changed there on {moment(now.changed_at)}" if now.changed_at else "changed there"
    why = {
        Verdict.NEWER: f"{changed}, and no notification or check has found it yet",
        Verdict.DRIFTED: "the record's date has not changed, so the cause is a cache, the name of a source, or a "
        "defect",
    }.get(now.verdict, "a read of it is already requested")
    return Diagnosis(
        DiagnosisKind.ORCID_DIFFERS,
        f"ORCID shows something else now ({what}): {why}.",
        f"Read it into the mirror: orcid-sync sync {facts.orcid} --wait",
    )


def not_compared(facts: Facts) -> Diagnosis | None:
    """ORCID was asked at this moment, and nothing came of it: then nobody knows that all is well."""
    if facts.now is None or not facts.now.reason:
        return None
    only = "only in part" if facts.now.verdict not in (Verdict.UNREADABLE, Verdict.FAILED) else "not"
    said = facts.now.reason.rstrip(".")
    return Diagnosis(DiagnosisKind.NOT_COMPARED, f"It could {only} be compared with what ORCID shows now: {said}.")


def webhook_dead(facts: Facts) -> Diagnosis | None:
    """It does not call any more, as far as can be told (contract section 1.6)."""
    hook, hearing = facts.registered, facts.hearing
    if hook is None or not hearing.wanted or not _followed(facts):
        return None
    if hook.suspect_since:
        why = (
            f"it did not announce {number(max(hook.missed, 1), 'change')} that regular reads found "
            f"(suspect since {moment(hook.suspect_since)})"
        )
    elif _is_lost(facts, hook):
        why = "ORCID could not reach the service for so long that it may have given up"
    elif hook.state == HookState.REVIVING:
        why = f"the service has counted it as dead since {moment(hook.requested_at)}"
    else:
        return None
    return Diagnosis(
        DiagnosisKind.WEBHOOK_DEAD,
        f"The webhook may be dead: {why}; the service revives it, and until then only regular reads find changes.",
        f"To revive it now: orcid-sync webhooks revive {facts.orcid}",
    )


def _is_lost(facts: Facts, hook: Webhook) -> bool:
    before, alive_at = facts.hearing.lost_before, hook.alive_at
    return before is not None and (alive_at is None or alive_at < before)


def _followed(facts: Facts) -> bool:
    """Whether there should be a webhook."""
    connected = facts.connection is not None and facts.connection.state == "connected"
    return connected and (facts.record is None or facts.record.state != State.DEPRECATED)


def webhook_missing(facts: Facts) -> Diagnosis | None:
    """ORCID has not confirmed it."""
    if not facts.hearing.wanted or not _followed(facts):
        return None
    hook = facts.registered
    if hook is None:
        said = "ORCID has no webhook of this service for this iD"
    elif any(one.step == "webhook" for one in facts.side_steps):
        return None  # said by reasons_side_steps
    elif hook.state == HookState.REGISTERING and facts.ago(hook.requested_at) > UNCONFIRMED_FOR:
        said = f"ORCID has not confirmed the webhook that was requested on {moment(hook.requested_at)}"
    else:
        return None
    return Diagnosis(
        DiagnosisKind.WEBHOOK_MISSING,
        f"{said}: until the next read registers it, only regular reads find changes.",
        f"To register it now: orcid-sync sync {facts.orcid} --wait",
    )


def deaf(facts: Facts) -> Diagnosis | None:
    """Nothing is heard, of this iD or any other."""
    hearing = facts.hearing
    if not hearing.wanted or not _followed(facts):
        return None
    if hearing.outage_since:
        since = moment(hearing.outage_since)
        said = f"The service has been unable to receive notifications since {since}: no public listener runs"
    elif hearing.silent_since:
        said = f"No webhook at all has called since {moment(hearing.silent_since)}, which is unusual"
    else:
        return None
    return Diagnosis(
        DiagnosisKind.DEAF,
        f"{said}; only regular reads find changes.",
        'See orcid-sync status, and "Webhooks fall silent" in deploy/docs/runbook.md',
    )
