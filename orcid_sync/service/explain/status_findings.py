"""What needs an operator's attention, the most urgent first: a table of conditions and sentences, no I/O."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from orcid_sync.model.sync.record_states import Heard
from orcid_sync.model.sync.schedule import UNRENDERABLE, Lane
from orcid_sync.model.text.phrases import number
from orcid_sync.model.text.wording import duration, moment

if TYPE_CHECKING:
    from orcid_sync.store.console.overview import Overview
    from orcid_sync.store.sync.pace_and_circuit import Pace

LATE_SECONDS = {0: 120.0, 1: 120.0, 2: 86_400.0, 3: 86_400.0, 4: 86_400.0}
"""By lane: how long something may have been due before somebody should know. A first load of many takes its time."""

LONG_JOB = timedelta(hours=6)

FAR_BEHIND = timedelta(days=1)
"""A consumer that has not dealt with a change for so long probably does not run."""

NAMED = 3
"""Members of ORCID's JSON that are named where there are many."""


class Finding(msgspec.Struct, frozen=True):
    """Something that needs somebody, and what to do about it."""

    severity: str
    """fail: changes are not mirrored; warn: something is not as it should be."""
    sentence: str


def findings(seen: "Overview") -> list[Finding]:
    """Everything that needs somebody, the most urgent first; empty if all is well."""
    return urgent_first(
        [
            *_workers(seen),
            *_registry(seen),
            *_queue(seen),
            *_failures(seen),
            *_side_steps(seen),
            *_webhooks(seen),
            *_people(seen),
            *_jobs(seen),
            *_consumers(seen),
            *_drift(seen),
            *_pushes(seen),
        ]
    )


def _consumers(seen: "Overview") -> Iterator[Finding]:
    for one in seen.consumers:
        if one.must_resync:
            yield Finding(
                "warn",
                f"The consumer {one.name} reads a history of the feed that no longer exists: it must start again "
                f"from a snapshot.",
            )
        elif one.behind_seconds > FAR_BEHIND.total_seconds():
            behind = f"{number(one.behind, 'change')} behind, the first {duration(one.behind_seconds)} old"
            yield Finding(
                "warn",
                f"The consumer {one.name} is {behind}. Check that it runs; delete it if you do not need it any more.",
            )


def _verb(count: int, one: str = "is", many: str = "are") -> str:
    return one if count == 1 else many


def urgent_first(found: list[Finding]) -> list[Finding]:
    """The most urgent first, otherwise as they are."""
    return sorted(found, key=lambda finding: finding.severity != "fail")


def _workers(seen: "Overview") -> Iterator[Finding]:
    waiting = sum(lane.due for lane in seen.queue)
    if waiting and not seen.workers:
        yield Finding(
            "fail",
            f"No worker is connected to the database and {number(waiting, 'iD')} {_verb(waiting, 'waits', 'wait')}. "
            "Start one: orcid-sync serve",
        )


def _registry(seen: "Overview") -> Iterator[Finding]:
    for pace in seen.paces:
        if pace.away:
            retry = f"in {duration(pace.paused_seconds)}" if pace.paused_seconds else "due now"
            yield Finding("fail", f"{_outage(pace)} The next retry is {retry}.")
        if pace.silent_seconds:
            yield Finding(
                "warn",
                f"ORCID asked the service to wait (Retry-After); requests continue in {duration(pace.silent_seconds)}.",
            )
        if pace.slowed_at:
            slowed = f"{pace.rate:.1f} requests per second instead of {pace.ceiling:g}"
            yield Finding(
                "warn",
                f"ORCID said at {moment(pace.slowed_at)} that the service sends too many requests: it now sends "
                f"{slowed}.",
            )
        yield from _budget(pace)


def _outage(pace: "Pace") -> str:
    since = moment(pace.failing_since) if pace.failing_since else "?"
    return f"ORCID has given no usable answer since {since} ({pace.failures} failures in a row); nothing is lost."


def _budget(pace: "Pace") -> Iterator[Finding]:
    if pace.used_up_seconds:
        again = duration(pace.used_up_seconds)
        yield Finding("fail", f"ORCID says that your daily quota is used up; the service asks again in {again}.")
    shed = [lane for lane in Lane if pace.shed(lane)]
    if shed:
        lanes = ", ".join(lane.name.lower().replace("_", " ") for lane in shed)
        ends = duration(pace.day_ends_seconds)
        used = f"{pace.used} of {pace.daily_requests} requests"
        yield Finding(
            "fail" if Lane.NOTIFICATION in shed else "warn",
            f"The daily budget (setting daily_requests) is used up ({used}); these lanes wait until midnight UTC, "
            f"in {ends}: {lanes}.",
        )


def _queue(seen: "Overview") -> Iterator[Finding]:
    for lane in seen.queue:
        if lane.oldest_seconds > LATE_SECONDS[lane.lane]:
            name = lane.lane.name.lower().replace("_", " ")
            where = f"in the lane {name} {number(lane.due, 'iD')} {_verb(lane.due, 'waits', 'wait')}"
            oldest = duration(lane.oldest_seconds)
            yield Finding(
                "fail" if lane.lane <= 1 else "warn", f"The queue is behind: {where}, the oldest for {oldest}."
            )


def _failures(seen: "Overview") -> Iterator[Finding]:
    away = any(pace.away for pace in seen.paces)  # then it is not known to be the record
    for failure in seen.failures:
        kind, _, said = (failure.error or "unknown").partition(": ")
        if kind == UNRENDERABLE and not away:
            yield Finding(
                "warn",
                f"{number(failure.number, 'iD')} cannot be read; the cause is the record at ORCID, not the service: "
                f"{said}. For example: orcid-sync explain {failure.example}",
            )
            continue
        example = f"orcid-sync show {failure.example}"
        cannot = "cannot be read" if failure.read else f"{_verb(failure.number)} disconnected, but not completely"
        yield Finding(
            "warn", f"{number(failure.number, 'iD')} {cannot}: {failure.error or 'unknown'}. For example: {example}"
        )


SIDE_STEPS = {
    "webhook": ("webhook", "could not be changed at ORCID: {}. Until then perhaps only regular reads find changes"),
    "revocation": ("token", "no longer used could not be revoked at ORCID: {}"),
}
"""What fails for itself, and what that means."""


def _side_steps(seen: "Overview") -> Iterator[Finding]:
    for one in seen.side_steps:
        noun, said = SIDE_STEPS[one.step]
        yield Finding(
            "warn",
            f"{number(one.number, noun)} {said.format(one.error)}. No read waits for that, and the service tries again "
            f"by itself. For example: orcid-sync explain {one.example}",
        )


def _webhooks(seen: "Overview") -> Iterator[Finding]:
    if seen.unconfirmed_webhooks:
        yield Finding(
            "warn",
            f"ORCID has not confirmed {number(seen.unconfirmed_webhooks, 'webhook')} for over an hour. Find the cause: "
            "orcid-sync check",
        )


SUSPECTS = {
    Heard.REFUSED: "ORCID has refused {}; the service tries again for a day before a token counts as revoked. "
    "Meanwhile limited items are hidden, and public ones are followed. For example: orcid-sync explain {}",
    Heard.FOREIGN: "ORCID says that {} {belong} to another iD: limited items are hidden, and public ones are followed. "
    "Only the holder can mend it, by connecting again. For example: orcid-sync explain {}",
}
"""By the reason of the doubt."""


def _people(seen: "Overview") -> Iterator[Finding]:
    for one in seen.suspects:
        belong = _verb(one.number, "belongs", "belong")
        tokens = number(one.number, "token")
        yield Finding("warn", SUSPECTS[one.reason].format(tokens, one.example, belong=belong))
    if lost := seen.access.get("revoked", 0) + seen.access.get("expired", 0):
        yield Finding(
            "warn",
            f"{number(lost, 'token')} {_verb(lost)} revoked or expired: the service reads only public data of "
            "whoever gave them. Ask them to connect again.",
        )


def _jobs(seen: "Overview") -> Iterator[Finding]:
    for job in seen.jobs:
        if job.error:
            yield Finding("warn", f"The job {job.job} failed at {moment(job.started_at)}: {job.error}.")
        elif job.finished_at is None and seen.at - job.started_at > LONG_JOB:
            yield Finding("warn", f"The job {job.job} started at {moment(job.started_at)} and has not ended.")


def _drift(seen: "Overview") -> Iterator[Finding]:
    if seen.unknown:
        named = ", ".join(member.name for member in seen.unknown[:NAMED])
        more = f" and {len(seen.unknown) - NAMED} more" if len(seen.unknown) > NAMED else ""
        yield Finding(
            "warn",
            f"ORCID's records have members without a column: {named}{more}. They are kept in doc. "
            "List and acknowledge them: orcid-sync drift list",
        )


def _pushes(seen: "Overview") -> Iterator[Finding]:
    for group in seen.pushes.groups:
        if group.state in {"failing", "stopped"}:
            behind = f"the slowest is {number(group.behind, 'change')} behind"
            example = f"orcid-sync subscriptions show {group.example}"
            which = f"{number(group.number, 'subscription')} {_verb(group.number)} {group.state}"
            yield Finding("warn", f"{which}, {behind}. For example: {example}")
    if dead := seen.pushes.dead:
        yield Finding(
            "warn",
            f"{number(dead, 'push', 'pushes')} {_verb(dead, 'is a dead letter', 'are dead letters')}: not delivered "
            "after all tries. List: orcid-sync subscriptions dead",
        )
