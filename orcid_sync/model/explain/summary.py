"""The facts about an iD, name by name, on which the diagnosis is based."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from msgspec import Struct

from orcid_sync.model.analysis.audit import Finding, Verdict
from orcid_sync.model.explain.doubts_in_words import NAMES, together, tried
from orcid_sync.model.explain.facts import Connection, Facts, Queue, Webhook
from orcid_sync.model.record.doubts import UNCONFIRMED, Doubt, Kind
from orcid_sync.model.text.phrases import moment, number, series, span


class Fact(Struct, frozen=True):
    """A name and what is to be said under it."""

    name: str
    value: str
    doubtful: bool = False
    """Whether it is not as it should be."""


def standing(facts: Facts) -> list[Fact]:
    """What there is to say; what is not known is left out."""
    return [
        *_connection(facts),
        *_record(facts),
        *_items(facts),
        *_webhooks(facts),
        *_reading(facts),
        *in_doubt(facts.doubts, facts.at),
        *_waiting(facts),
        *_registry(facts),
    ]


def _connection(facts: Facts) -> Iterator[Fact]:
    known = facts.connection
    if known is None:
        yield Fact("connection", "none", doubtful=True)
        return
    since = known.disconnected_at or known.connected_at
    yield Fact("connection", f"{known.state} since {moment(since)}", known.state != "connected")
    yield Fact("access", _access(known), known.access_state in ("suspect", "revoked", "expired"))


def _access(known: Connection) -> str:
    scopes = f" ({_permitted(known)})"
    said = {
        "public": "the client's own token: public items only",
        "granted": f"the holder's token{scopes}",
        "suspect": f"the holder's token{scopes}, refused {number(known.refusals, 'time')}",
        "revoked": "the client's own token; the holder's was revoked",
        "expired": "the client's own token; the holder's expired",
    }[known.access_state]
    until = f", until {moment(known.expires_at)}" if known.expires_at else ""
    return said + until


def _permitted(known: Connection) -> str:
    if known.scopes:
        return series(known.scopes)
    shows = f"; it has shown more than what is public of: {series(known.shown)}" if known.shown else ""
    return f"no scopes came with it{shows}"


def _record(facts: Facts) -> Iterator[Fact]:
    record = facts.record
    if record is None:
        yield Fact("record", "not read yet", doubtful=True)
        return
    successor = f", now {record.primary_orcid}" if record.primary_orcid else ""
    yield Fact("record", f"{record.state}{successor}", record.state != "active")
    if record.withheld:
        what = {"limited": "all items that are not public", "all": "everything"}[record.withheld]
        yield Fact("hidden from readers", what, doubtful=True)
    if record.registry_modified_at:
        yield Fact("changed at ORCID", moment(record.registry_modified_at))
    yield Fact("changed here", moment(record.changed_at))


def _items(facts: Facts) -> Iterator[Fact]:
    if facts.items:
        yield Fact("items", series(f"{count} {visibility}" for visibility, count in facts.items.items()))


def _webhooks(facts: Facts) -> Iterator[Fact]:
    if not facts.hearing.wanted and not facts.webhooks:
        yield Fact("webhook", "switched off")
    for hook in facts.webhooks:
        yield Fact("webhook", _webhook(hook), bool(hook.suspect_since) or hook.state not in ("active", "verifying"))


def _webhook(hook: Webhook) -> str:
    parts = [hook.state if hook.present else f"{hook.state}, at an earlier address"]
    parts.append(f"registered {moment(hook.registered_at)}" if hook.registered_at else "never confirmed")
    parts.append(f"last called {moment(hook.last_called_at)}" if hook.last_called_at else "has never called")
    if hook.suspect_since:
        parts.append(f"suspect since {moment(hook.suspect_since)}")
    if hook.awaited_since:
        parts.append(f"waiting for a call about the change of {moment(hook.awaited_since)}")
    return ", ".join(parts)


def _reading(facts: Facts) -> Iterator[Fact]:
    queue = facts.queue
    if queue is None:
        return
    yield Fact("last notification", moment(queue.notified_at) if queue.notified_at else "none")
    verified = f"{moment(queue.verified_at)} ({queue.read_with or '?'})" if queue.verified_at else "never"
    yield Fact("last verified", verified, queue.verified_at is None)
    if queue.attempts:
        yield Fact("failing", f"{number(queue.attempts, 'time')} in a row: {queue.last_error}", doubtful=True)
    if queue.unconfirmed and queue.unconfirmed_at:
        yield Fact("not confirmed yet", f"{queue.unconfirmed}, on {moment(queue.unconfirmed_at)}", doubtful=True)


def in_doubt(doubts: Iterable[Doubt], now: datetime) -> Iterator[Fact]:
    """What the last answer left in doubt, like things together."""
    for group in together(doubts):
        because = "" if group.kind is Kind.SECTION or group.kind in UNCONFIRMED else f" ({'; '.join(group.reasons)})"
        released = ", released by an operator" if group.released else ""
        yield Fact(NAMES[group.kind], f"{group.what}, {tried(group, now)}{released}{because}", doubtful=True)


def _waiting(facts: Facts) -> Iterator[Fact]:
    queue, known = facts.queue, facts.connection
    if queue is None or known is None or known.state == "disconnected":
        return
    yield Fact("next read", "running now" if queue.leased else _due(facts, queue))
    if queue.second_look_at and queue.second_look_at > facts.at:
        yield Fact("second look", moment(queue.second_look_at))


def _due(facts: Facts, queue: Queue) -> str:
    away = span(facts.ago(queue.due_at))
    when = f"due for {away}" if queue.due_at <= facts.at else f"in {away}"
    return f"{moment(queue.due_at)} ({when}; lane {queue.lane.name.lower().replace('_', ' ')})"


def _registry(facts: Facts) -> Iterator[Fact]:
    limits = facts.limits
    if limits.daily_requests or limits.used_up_seconds:
        of = f" of {limits.daily_requests}" if limits.daily_requests else ""
        spent = bool(limits.shed or limits.used_up_seconds)
        yield Fact("requests today", f"{limits.used}{of}" + (", used up" if spent else ""), spent)
    if limits.failing_since:
        yield Fact("ORCID", f"no usable answer since {moment(limits.failing_since)}", doubtful=True)
    if facts.now:
        same = facts.now.verdict == "identical"
        yield Fact("ORCID now", "the same as the mirror" if same else _difference(facts.now), not same)


def _difference(now: Finding) -> str:
    if now.verdict in (Verdict.UNREADABLE, Verdict.FAILED):
        return f"not compared: {now.reason}"
    found = series(f"{number} {name}" for name, number in now.differences.items()) if now.differences else "the same"
    return f"{found}, as far as it could be compared ({now.reason})" if now.reason else found
