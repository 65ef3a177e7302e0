"""Which of several reasons is the answer, and that each of them can be put into words for every view."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from orcid_sync.model.explain.explanation import explain
from orcid_sync.model.explain.facts import Asked, Connection, Facts, Item, Limits, Queue, Record, Webhook, WebhookHealth
from orcid_sync.model.explain.reasons import diagnose
from orcid_sync.model.ids import Orcid
from orcid_sync.model.scopes import View
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.model.text.phrases import kinds

NOW = datetime(2026, 5, 12, 8, 15, tzinfo=UTC)
HOUR = timedelta(hours=1)

CONNECTION = Connection(
    state="connected",
    connected_at=NOW - 100 * HOUR,
    disconnected_at=None,
    erased_at=None,
    access_state="granted",
    suspect_since=None,
    refusals=0,
    scopes=["/read-limited"],
    granted_at=NOW - 100 * HOUR,
    expires_at=None,
    ended_at=None,
)
RECORD = Record(
    state="active",
    access="read-limited",
    primary_orcid=None,
    withheld=None,
    registry_modified_at=NOW - 50 * HOUR,
    first_seen_at=NOW - 100 * HOUR,
    changed_at=NOW - 50 * HOUR,
)
QUEUE = Queue(
    due_at=NOW + 100 * HOUR,
    lane=Lane.CHECK,
    owed=False,
    leased=False,
    attempts=0,
    last_error=None,
    second_look_at=None,
    notified_at=NOW - 50 * HOUR,
    verified_at=NOW - 2 * HOUR,
    read_with="read-limited, activities-summary, person",
    held_at=None,
    held_released=False,
    held_removals=None,
    unconfirmed=None,
    unconfirmed_at=None,
)
WEBHOOK = Webhook(
    generation=1,
    present=True,
    state="active",
    requested_at=NOW - 100 * HOUR,
    registered_at=NOW - 100 * HOUR,
    last_called_at=NOW - 50 * HOUR,
    verified_at=None,
    missed=0,
    suspect_since=None,
    awaited_since=None,
)
WELL = Facts(
    at=NOW,
    orcid=Orcid("0000-0002-1825-0097"),
    view=None,
    connection=CONNECTION,
    record=RECORD,
    queue=QUEUE,
    webhooks=[WEBHOOK],
    hearing=WebhookHealth(wanted=True),
    limits=Limits(workers=8),
    reads=[],
)
WORK = Item(section="work", key="7", title="Title", identifiers=["doi 10.5555/7"], visibility="public")

Changes = dict[str, dict[str, Any]]


def but(**changes: Any) -> Facts:
    """All is well, but for this: `queue={"attempts": 3}` changes a part, anything else takes its place."""
    parts = {
        name: msgspec.structs.replace(getattr(WELL, name), **value) if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    return msgspec.structs.replace(WELL, **parts)


OVERDUE = {"due_at": NOW - HOUR, "lane": Lane.NOTIFICATION, "owed": True}
GONE = Asked(
    text="7", found=[msgspec.structs.replace(WORK, gone_at=NOW - HOUR, gone_op="removed", gone_reason="removed")]
)
ABSENT = Asked(text="7", found=[])


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (WELL, ["well"]),
        (but(connection=None, record=None, queue=None, webhooks=[]), ["never-connected"]),
        (but(connection={"state": "disconnected", "erased_at": NOW}, queue=OVERDUE), ["disconnected"]),
        (but(record={"state": "deprecated"}, queue={"attempts": 3}), ["record-deprecated"]),
        (but(record={"state": "locked"}, item=GONE), ["record-locked", "item-removed"]),
        (but(item=GONE, queue=OVERDUE), ["item-removed", "overdue", "pending"]),
        (but(queue=OVERDUE, limits={"workers": 0, "used_up_seconds": 60.0}), ["quota", "overdue", "pending"]),
        (but(queue=OVERDUE, limits={"failing_since": NOW}), ["registry-away", "overdue", "pending"]),
        (but(limits={"used_up_seconds": 60.0, "failing_since": NOW}), ["well"]),
        (but(queue={"attempts": 2, "last_error": "stale: older"}), ["stale-cache", "failing"]),
        (but(queue={"attempts": 2, "last_error": "busy: slow down"}), ["failing"]),
        (but(queue={**OVERDUE, "leased": True}), ["pending"]),
        (but(connection={"access_state": "revoked"}, item=ABSENT), ["permission-revoked", "item-private"]),
        (but(connection={"access_state": "suspect", "suspect_since": NOW}), ["permission-suspect"]),
        (but(webhooks=[]), ["webhook-missing"]),
        (but(webhooks=[], hearing=WebhookHealth(wanted=False)), ["well"]),
        (but(hearing=WebhookHealth(wanted=True, lost_before=NOW)), ["webhook-dead"]),
        (but(hearing=WebhookHealth(wanted=True, lost_before=NOW - 60 * HOUR)), ["well"]),
        (but(hearing=WebhookHealth(wanted=True, silent_since=NOW)), ["deaf"]),
        (but(item=Asked(text="7", found=[WORK])), ["item-present"]),
        (but(item=ABSENT), ["item-private"]),
        (but(item=ABSENT, queue={"read_with": "read-public"}), ["limited-only"]),
        (but(item=Asked(text="7", found=[WORK]), record={"withheld": "all"}), ["item-withheld", "item-present"]),
        (but(item=Asked(text="7", found=[WORK]), record={"withheld": "limited"}), ["item-present"]),
    ],
)
def test_the_weightiest_reason_is_the_answer(facts: Facts, expected: list[str]) -> None:
    assert [diagnosis.complaint for diagnosis in diagnose(facts)] == expected


def test_a_record_that_orcid_cannot_show_is_not_taken_for_an_outage_or_a_wrong_setting() -> None:
    error = "unrenderable: ORCID cannot show this record (HTTP 500, error-code 9008)"
    found = diagnose(but(queue={"attempts": 3, "last_error": error, "due_at": NOW + HOUR, "owed": True}))[0]

    assert found.complaint == "failing"
    assert found.sentence.startswith(
        "ORCID cannot show this record (HTTP 500, error-code 9008): 3 reads in a row failed"
    )
    assert "other records are read as usual" in found.sentence
    assert found.advice is not None
    assert "Only ORCID can mend it" in found.advice


@pytest.mark.parametrize("view", [None, *View])
def test_an_explanation_has_no_holes(view: View | None) -> None:
    told = explain(msgspec.structs.replace(but(item=GONE, queue=OVERDUE), view=view))

    sentences = [told.diagnosis.sentence, *(other.sentence for other in told.also)]
    assert all(sentence.endswith(".") and "None" not in sentence for sentence in sentences)
    assert [event.at for event in told.timeline] == sorted(event.at for event in told.timeline)
    assert told.diagnosis.sentence == (
        'The work "Title" (doi 10.5555/7) was removed by its owner or hidden on 12 May 2026; ORCID does not tell which.'
    )
    assert told.diagnosis.advice is not None
    assert "--as-of 2026-05-12T07:14Z" in told.diagnosis.advice


@pytest.mark.parametrize(
    ("section", "count", "words"),
    [
        ("work", 1, "1 work"),
        ("address", 4, "4 addresses"),
        ("biography", 2, "2 biographies"),
        ("email", 3, "3 e-mails"),
    ],
)
def test_numbers_of_items_are_words(section: str, count: int, words: str) -> None:
    assert kinds(section, count) == words
