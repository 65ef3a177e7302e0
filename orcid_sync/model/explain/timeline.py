"""One time line of what happened to an iD: what came from ORCID, what was read and changed, and what is to come."""

import enum
from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from orcid_sync.model.explain.facts import ChangeSet, Facts, Line, Read, Webhook
from orcid_sync.model.record.diff import MINOR, RECORD
from orcid_sync.model.text.phrases import kind, moment, number, series, tally

SHOWN = 40
"""Events at most; the latest."""


class EventKind(enum.StrEnum):
    """What an event belongs to; pages may draw it differently."""

    CONNECTION = "connection"
    ACCESS = "access"
    WEBHOOK = "webhook"
    NOTIFICATION = "notification"
    READ = "read"
    CHANGE = "change"
    TO_COME = "to come"


class Event(Struct, frozen=True):
    """Something that happened, or is to."""

    at: datetime
    kind: EventKind
    sentence: str


_PLACES = {kind: place for place, kind in enumerate(EventKind)}


def timeline(facts: Facts) -> list[Event]:
    """The earliest first; what happened at the same moment in the order in which one follows from the other."""
    events = [*_connection(facts), *_webhooks(facts), *_notifications(facts), *_reads(facts), *_changes(facts)]
    past = sorted((event for event in events if event.at <= facts.at), key=_order)[-SHOWN:]
    return [*past, *sorted(_to_come(facts), key=_order)]


def _order(event: Event) -> tuple[datetime, int]:
    return event.at, _PLACES[event.kind]


def _connection(facts: Facts) -> Iterator[Event]:
    known = facts.connection
    if known is None:
        return
    yield Event(known.connected_at, EventKind.CONNECTION, "connected")
    if known.disconnected_at:
        yield Event(known.disconnected_at, EventKind.CONNECTION, "disconnected")
    if known.erased_at:
        yield Event(known.erased_at, EventKind.CONNECTION, "erased")
    if known.granted_at:
        what = series(known.scopes) if known.scopes else "a token that came without its scopes"
        yield Event(known.granted_at, EventKind.ACCESS, f"the holder granted {what}")
    if known.suspect_since:
        yield Event(known.suspect_since, EventKind.ACCESS, "ORCID refused the holder's token for the first time")
    if known.ended_at:
        yield Event(known.ended_at, EventKind.ACCESS, f"the holder's permission ended ({known.access_state})")
    if facts.record:
        yield Event(facts.record.first_seen_at, EventKind.CHANGE, "added to the mirror")


def _webhooks(facts: Facts) -> Iterator[Event]:
    for hook in facts.webhooks:
        of = "" if hook.present else " at an earlier address"
        for at, said in _webhook(hook):
            if at:
                yield Event(at, EventKind.WEBHOOK, f"webhook{of} {said}")


def _webhook(hook: Webhook) -> Iterator[tuple[datetime | None, str]]:
    yield hook.registered_at, "registered"
    yield hook.suspect_since, f"became suspect: {number(max(hook.missed, 1), 'change')} not announced"
    if hook.verified_at != hook.registered_at:
        yield hook.verified_at, "found to exist"
    if hook.state not in ("active", "removing"):
        yield (
            hook.requested_at,
            {"registering": "requested", "verifying": "to be verified"}.get(
                hook.state, "counted as dead, to be revived"
            ),
        )
    if hook.state == "removing":
        yield hook.requested_at, "to be removed"


def _notifications(facts: Facts) -> Iterator[Event]:
    """The last one of each kind is known: that which moved the queue's row, and that which a read has answered."""
    called = {hook.last_called_at for hook in facts.webhooks}
    notified = {facts.queue.notified_at} if facts.queue else set()
    for at in called | notified:
        if at:
            yield Event(
                at, EventKind.NOTIFICATION, "notification from ORCID; answered 204, marked the record to be read"
            )


def _reads(facts: Facts) -> Iterator[Event]:
    for read in facts.reads:
        yield Event(read.at, EventKind.READ, _read(read))
    queue = facts.queue
    if queue and queue.verified_at and not any(read.at == queue.verified_at for read in facts.reads):
        yield Event(queue.verified_at, EventKind.READ, "read: nothing had changed")


def _read(read: Read) -> str:
    found = series(f"{count} {op}" for op, count in read.changes.items()) if read.changes else ""
    parts = [f"read ({read.cause}): {read.outcome}"]
    parts += [f", {found}"] if found else []
    parts += [f", {read.error.removeprefix(f'{read.outcome}: ')}"] if read.error else []
    parts += [f" ({number(read.times, 'time')} since {moment(read.first_at)})"] if read.times > 1 else []
    return "".join(parts)


def _changes(facts: Facts) -> Iterator[Event]:
    for change in facts.changes:
        yield Event(change.at, EventKind.CHANGE, _change(change))


def _change(change: ChangeSet) -> str:
    """The counts; of a few items also their names."""
    counts: dict[str, dict[str, int]] = {}
    for name, count in change.counts.items():
        op, _, section = name.partition(" ")
        counts.setdefault(op, {})[section] = count
    parts = [f"{op} {tally(sections)}" for op, sections in counts.items() if op != "minor"]
    parts += [number(change.counts["minor"], "minor change")] if "minor" in change.counts else []
    names = [_line(line) for line in change.lines if not line.minor and line.section != RECORD]
    whole = sum(change.counts.values()) <= len(change.lines)
    return f"mirror changed: {'; '.join(parts)}" + (f" ({'; '.join(names)})" if whole and names else "")


def _line(line: Line) -> str:
    name = f'"{line.title}"' if line.title else f"{kind(line.section)} {line.key}".strip()
    reason = line.reason if line.reason != line.op else None
    details = [*(field for field in line.fields if field not in MINOR), *filter(None, [reason])]
    return f"{name}: {', '.join(details)}" if details else name


def _to_come(facts: Facts) -> Iterator[Event]:
    queue, known = facts.queue, facts.connection
    if queue is None or known is None or known.state == "disconnected":
        return
    if queue.due_at > facts.at:
        yield Event(queue.due_at, EventKind.TO_COME, "the record is read next")
    if queue.second_look_at and queue.second_look_at > max(facts.at, queue.due_at):
        yield Event(queue.second_look_at, EventKind.TO_COME, "the second look after a notification")
    if known.expires_at and known.expires_at > facts.at and known.access_state in ("granted", "suspect"):
        yield Event(known.expires_at, EventKind.TO_COME, "the holder's token expires")
