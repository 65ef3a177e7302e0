"""What of the whole needs somebody, the most urgent first: a table of conditions and sentences, no I/O."""

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from orcid_sync.cli.output import duration, moment

if TYPE_CHECKING:
    from orcid_sync.store.reading import Circuit, Overview

LATE_SECONDS = {0: 120.0, 1: 120.0, 2: 86_400.0, 3: 86_400.0, 4: 86_400.0}
"""By lane: how long something may have been due before somebody should know. A first load of many takes its time."""

LONG_JOB = timedelta(hours=6)


class Finding(msgspec.Struct, frozen=True):
    """Something that needs somebody, and what to do about it."""

    severity: str
    """fail: changes are not mirrored; warn: something is not as it should be."""
    sentence: str


def findings(seen: "Overview") -> list[Finding]:
    """Everything that needs somebody, the most urgent first; empty if all is well."""
    found = [
        *_workers(seen),
        *_registry(seen),
        *_queue(seen),
        *_failures(seen),
        *_webhooks(seen),
        *_people(seen),
        *_jobs(seen),
    ]
    return sorted(found, key=lambda finding: finding.severity != "fail")


def _workers(seen: "Overview") -> Iterator[Finding]:
    waiting = sum(lane.due for lane in seen.queue)
    if waiting and not seen.workers:
        yield Finding("fail", f"No worker is connected to the database and {waiting} iDs wait. Start: orcid-sync serve")


def _registry(seen: "Overview") -> Iterator[Finding]:
    for circuit in seen.circuits:
        if circuit.failing_since and circuit.paused_seconds:
            yield Finding("fail", _outage(circuit) + f" The next try is in {duration(circuit.paused_seconds)}.")
        elif circuit.paused_seconds:
            yield Finding("warn", f"ORCID asked for silence; requests go on in {duration(circuit.paused_seconds)}.")
        elif circuit.failing_since:
            yield Finding("warn", _outage(circuit))


def _outage(circuit: "Circuit") -> str:
    since = moment(circuit.failing_since) if circuit.failing_since else "?"
    return f"ORCID has given no usable answer since {since} ({circuit.failures} failures in a row); nothing is lost."


def _queue(seen: "Overview") -> Iterator[Finding]:
    for lane in seen.queue:
        if lane.oldest_seconds > LATE_SECONDS[lane.lane]:
            where = f"in the lane {lane.lane.name.lower().replace('_', ' ')} {lane.due} iDs wait"
            oldest = duration(lane.oldest_seconds)
            yield Finding(
                "fail" if lane.lane <= 1 else "warn", f"The queue is behind: {where}, the oldest for {oldest}."
            )


def _failures(seen: "Overview") -> Iterator[Finding]:
    for failure in seen.failures:
        example = f"orcid-sync show {failure.example}"
        yield Finding(
            "warn", f"{failure.number} iDs cannot be read: {failure.error or 'unknown'}. For example: {example}"
        )


def _webhooks(seen: "Overview") -> Iterator[Finding]:
    if seen.unconfirmed_webhooks:
        yield Finding(
            "warn",
            f"{seen.unconfirmed_webhooks} webhooks were not confirmed by ORCID for over an hour. Try: orcid-sync check",
        )


def _people(seen: "Overview") -> Iterator[Finding]:
    if suspect := seen.access.get("suspect", 0):
        yield Finding("warn", f"{suspect} tokens were refused by ORCID lately; they are tried again for a day.")
    if lost := seen.access.get("revoked", 0) + seen.access.get("expired", 0):
        yield Finding(
            "warn", f"{lost} tokens are revoked or expired: only public data is read. Ask the people to connect again."
        )


def _jobs(seen: "Overview") -> Iterator[Finding]:
    for job in seen.jobs:
        if job.error:
            yield Finding("warn", f"The job {job.job} failed at {moment(job.started_at)}: {job.error}.")
        elif job.finished_at is None and seen.at - job.started_at > LONG_JOB:
            yield Finding("warn", f"The job {job.job} began at {moment(job.started_at)} and has not ended.")
