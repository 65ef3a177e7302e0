"""The time line: everything that is known to have happened, once, in its order; then what is to come."""

from datetime import datetime
from typing import Any

import msgspec
import pytest

from orcid_sync.model.explain.facts import ChangeSet, Connection, Facts, Line, Read, Webhook
from orcid_sync.model.explain.timeline import SHOWN, timeline
from orcid_sync.model.record.diff import MINOR
from unit.console.test_reasons import CONNECTION, HOUR, NOW, WEBHOOK, but


def ago(hours: float) -> datetime:
    return NOW - hours * HOUR


def told(facts: Facts, *kinds: str) -> list[str]:
    """The sentences of these kinds of events."""
    return [event.sentence for event in timeline(facts) if event.kind in kinds]


def read(hours: float, **differs: Any) -> Read:
    calm = Read(at=ago(hours), first_at=ago(hours), times=1, cause="check", outcome="changed", error=None, changes={})
    return msgspec.structs.replace(calm, **differs)


def line(**differs: Any) -> Line:
    calm = Line(section="work", key="7", op="updated", reason=None, fields=["title"], minor=False, title="Tides")
    return msgspec.structs.replace(calm, **differs)


def change(counts: dict[str, int], *lines: Line) -> ChangeSet:
    return ChangeSet(at=ago(3), cause="check", source_modified_at=None, counts=counts, lines=list(lines))


@pytest.mark.parametrize(
    ("connection", "sentences"),
    [
        ({}, ["connected", "the holder granted /read-limited"]),
        ({"granted_at": None}, ["connected"]),
        ({"granted_at": None, "disconnected_at": ago(9), "erased_at": ago(8)}, ["connected", "disconnected", "erased"]),
        (
            {"suspect_since": ago(5), "ended_at": ago(4), "access_state": "revoked"},
            [
                "connected",
                "the holder granted /read-limited",
                "ORCID refused the holder's token for the first time",
                "the holder's permission ended (revoked)",
            ],
        ),
    ],
)
def test_permissions(connection: dict[str, Any], sentences: list[str]) -> None:
    assert told(but(connection=connection), "connection", "access") == sentences


@pytest.mark.parametrize(
    ("hook", "sentences"),
    [
        ({}, ["webhook registered"]),
        ({"present": False}, ["webhook at an earlier address registered"]),
        ({"verified_at": ago(9)}, ["webhook registered", "webhook found to exist"]),
        ({"verified_at": ago(100)}, ["webhook registered"]),  # it was found by being registered
        (
            {"suspect_since": ago(9), "missed": 3},
            ["webhook registered", "webhook became suspect: 3 changes not announced"],
        ),
        (
            {"suspect_since": ago(9), "missed": 0},
            ["webhook registered", "webhook became suspect: 1 change not announced"],
        ),
        ({"state": "registering", "registered_at": None}, ["webhook requested"]),
        ({"state": "verifying", "requested_at": ago(9)}, ["webhook registered", "webhook to be verified"]),
        (
            {"state": "reviving", "requested_at": ago(9)},
            ["webhook registered", "webhook counted as dead, to be revived"],
        ),
        ({"state": "removing", "requested_at": ago(9)}, ["webhook registered", "webhook to be removed"]),
    ],
)
def test_webhooks(hook: dict[str, Any], sentences: list[str]) -> None:
    one: Webhook = msgspec.structs.replace(WEBHOOK, **hook)
    assert told(but(webhooks=[one]), "webhook") == sentences


@pytest.mark.parametrize(
    ("called", "notified", "number"),
    [(None, None, 0), (ago(5), None, 1), (None, ago(5), 1), (ago(5), ago(5), 1), (ago(5), ago(4), 2)],
)
def test_a_notification_is_told_once(called: datetime | None, notified: datetime | None, number: int) -> None:
    hook = msgspec.structs.replace(WEBHOOK, last_called_at=called)
    assert len(told(but(webhooks=[hook], queue={"notified_at": notified}), "notification")) == number


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (read(5), "read (check): changed"),
        (read(5, changes={"added": 2, "removed": 1}), "read (check): changed, 2 added and 1 removed"),
        (read(5, outcome="failed", error="busy: 503"), "read (check): failed, busy: 503"),
        (read(5, outcome="held", error="held: for a while"), "read (check): held, for a while"),
        (
            read(5, outcome="failed", error="busy: 503", times=3, first_at=ago(9)),
            "read (check): failed, busy: 503 (3 times since 11 May 2026, 23:15 UTC)",
        ),
    ],
)
def test_reads(one: Read, sentence: str) -> None:
    assert told(but(reads=[one], queue={"verified_at": None}), "read") == [sentence]


@pytest.mark.parametrize(
    ("verified", "sentences"),
    [
        (None, ["read (check): changed"]),
        (ago(5), ["read (check): changed"]),  # that read itself
        (ago(2), ["read (check): changed", "read: nothing had changed"]),
    ],
)
def test_a_read_that_found_nothing_is_known_by_its_time(verified: datetime | None, sentences: list[str]) -> None:
    assert told(but(reads=[read(5)], queue={"verified_at": verified}), "read") == sentences


@pytest.mark.parametrize(
    ("one", "sentence"),
    [
        (change({"added work": 1}, line(op="added", fields=[])), 'added 1 work ("Tides")'),
        (change({"updated work": 1}, line()), 'updated 1 work ("Tides": title)'),
        (change({"updated work": 1}, line(fields=["title", *MINOR])), 'updated 1 work ("Tides": title)'),
        (
            change({"removed work": 1}, line(op="removed", reason="access-lost", fields=[])),
            'removed 1 work ("Tides": access-lost)',
        ),
        (change({"removed work": 1}, line(op="removed", reason="removed", fields=[])), 'removed 1 work ("Tides")'),
        (change({"removed work": 1}, line(op="removed", title="", fields=[])), "removed 1 work (work 7)"),
        (change({"removed name": 1}, line(section="name", key="", title="", fields=[])), "removed 1 name (name)"),
        (change({"added work": 2, "added email": 1}, line()), "added 2 works and 1 e-mail"),  # too many to be named
        (change({"added work": 1, "updated work": 2}, line()), "added 1 work; updated 2 works"),
        (change({"minor": 2}, line(minor=True)), "2 minor changes"),
        (
            change({"updated work": 1, "minor": 1}, line(), line(minor=True)),
            'updated 1 work; 1 minor change ("Tides": title)',
        ),
        (change({"updated record": 1}, line(section="record", title="")), "updated 1 record"),
    ],
)
def test_changes(one: ChangeSet, sentence: str) -> None:
    [_, said] = told(but(changes=[one]), "change")
    assert said == f"mirror changed: {sentence}"


@pytest.mark.parametrize(
    ("queue", "connection", "sentences"),
    [
        ({"due_at": NOW + HOUR}, {}, ["the record is read next"]),
        ({"due_at": NOW}, {}, []),  # it is due: that is no event to come
        (
            {"due_at": NOW + HOUR, "second_look_at": NOW + 2 * HOUR},
            {},
            ["the record is read next", "the second look after a notification"],
        ),
        ({"due_at": NOW + HOUR, "second_look_at": NOW + HOUR}, {}, ["the record is read next"]),
        ({"due_at": ago(1), "second_look_at": NOW}, {}, []),
        ({"due_at": ago(1), "second_look_at": NOW + HOUR}, {}, ["the second look after a notification"]),
        ({"due_at": NOW}, {"expires_at": NOW + HOUR}, ["the holder's token expires"]),
        ({"due_at": NOW}, {"expires_at": NOW + HOUR, "access_state": "suspect"}, ["the holder's token expires"]),
        ({"due_at": NOW}, {"expires_at": NOW + HOUR, "access_state": "revoked"}, []),
        ({"due_at": NOW}, {"expires_at": NOW}, []),
        ({"due_at": NOW + HOUR}, {"state": "disconnected"}, []),
        ({"due_at": NOW + HOUR}, {"state": "disconnecting"}, ["the record is read next"]),
    ],
)
def test_what_is_to_come(queue: dict[str, Any], connection: dict[str, Any], sentences: list[str]) -> None:
    assert told(but(queue=queue, connection=connection), "to come") == sentences


def test_nothing_is_to_come_for_somebody_whom_nobody_follows() -> None:
    assert told(but(connection=None), "to come") == []
    assert told(but(queue=None), "to come") == []


def test_what_happened_at_one_moment_stands_in_the_order_in_which_one_follows_from_the_other() -> None:
    connection: Connection = msgspec.structs.replace(CONNECTION, connected_at=ago(5), granted_at=ago(5))
    hook = msgspec.structs.replace(WEBHOOK, registered_at=ago(5), last_called_at=ago(5))
    facts = but(
        connection=connection,
        webhooks=[hook],
        reads=[read(5)],
        changes=[msgspec.structs.replace(change({"minor": 1}), at=ago(5))],
        record=None,
        queue={"notified_at": None, "verified_at": None},
    )
    kinds = [event.kind.value for event in timeline(facts)]
    assert kinds == ["connection", "access", "webhook", "notification", "read", "change", "to come"]


def test_the_latest_of_many_events_are_shown_and_none_of_the_future_counts_as_past() -> None:
    reads = [read(hours / 60) for hours in range(1, SHOWN + 9)]
    facts = but(reads=[read(-1), *reads], queue={"due_at": NOW + HOUR})

    *past, last = timeline(facts)

    assert len(past) == SHOWN
    assert max(event.at for event in past) == NOW - HOUR / 60
    assert last.at == NOW + HOUR


def test_what_happens_at_this_very_moment_has_happened() -> None:
    assert told(but(reads=[read(0)], queue={"verified_at": None}), "read") == ["read (check): changed"]
