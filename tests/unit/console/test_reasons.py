"""Which of several reasons is the answer, and that each of them can be put into words for every view."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from orcid_sync.model.explain.explanation import explain
from orcid_sync.model.explain.facts import (
    Asked,
    Connection,
    Facts,
    Item,
    Limits,
    Queue,
    Record,
    SideStep,
    Webhook,
    WebhookHealth,
)
from orcid_sync.model.explain.reasons import diagnose
from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.doubts import Doubt, Kind
from orcid_sync.model.scopes import View
from orcid_sync.model.sync.record_states import Heard
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
    suspect_reason=None,
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


def doubt(kind: Kind, section: str = "work", key: str = "", **differs: Any) -> Doubt:
    """Something in doubt since an hour, tried three times, tried next in two hours."""
    said = {"reason": "so it is", "since": NOW - HOUR, "attempts": 3, "due_at": NOW + 2 * HOUR, **differs}
    return Doubt(kind=kind, section=section, key=key, **said)


LEFT_OUT = doubt(Kind.SECTION)
SET_ASIDE = doubt(Kind.ITEM, key="ab", due_at=None)
MAY_BE_7 = doubt(Kind.ITEM, key="ab", due_at=None, may_be=("7", "8"))
FULL_FORM = doubt(Kind.FULL_FORM, key="7")
REMOVAL = doubt(Kind.REMOVAL, key="7")
SHOWN = doubt(Kind.SHOWN, "keyword", "1")
OLDER = doubt(Kind.OLDER, "funding", "2")
PRESENT = Asked(text="7", found=[WORK])
IN_A_PART = Asked(text="7", found=[], set_aside=[SET_ASIDE])


def failing(step: str) -> SideStep:
    return SideStep(step=step, act="removed", attempts=3, error="busy: slow down", next_try_at=NOW + HOUR)


FOREIGN = {"access_state": "suspect", "suspect_since": NOW, "suspect_reason": Heard.FOREIGN, "refusals": 3}
UNCONFIRMED = msgspec.structs.replace(WEBHOOK, state="registering")
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
        (
            but(connection=FOREIGN, queue={"attempts": 3, "last_error": "unauthorized: of another iD"}),
            ["permission-suspect"],
        ),
        (but(webhooks=[]), ["webhook-missing"]),
        (but(side_steps=[failing("webhook")]), ["webhook-failing"]),
        (but(side_steps=[failing("revocation")]), ["revocation-failing"]),
        (but(side_steps=[failing("webhook")], webhooks=[UNCONFIRMED]), ["webhook-failing"]),
        (but(webhooks=[], hearing=WebhookHealth(wanted=False)), ["well"]),
        (but(hearing=WebhookHealth(wanted=True, lost_before=NOW)), ["webhook-dead"]),
        (but(hearing=WebhookHealth(wanted=True, lost_before=NOW - 60 * HOUR)), ["well"]),
        (but(hearing=WebhookHealth(wanted=True, silent_since=NOW)), ["deaf"]),
        (but(item=Asked(text="7", found=[WORK])), ["item-present"]),
        (but(item=ABSENT), ["item-private"]),
        (but(item=ABSENT, queue={"read_with": "read-public"}), ["limited-only"]),
        (but(item=Asked(text="7", found=[WORK]), record={"withheld": "all"}), ["item-withheld", "item-present"]),
        (but(item=Asked(text="7", found=[WORK]), record={"withheld": "limited"}), ["item-present"]),
        # What the last answer left in doubt is never well.
        (but(doubts=[LEFT_OUT]), ["section-unspoken"]),
        (but(doubts=[SET_ASIDE]), ["set-aside"]),
        (but(doubts=[FULL_FORM]), ["full-form-unread"]),
        (but(doubts=[REMOVAL]), ["held"]),
        (but(doubts=[SHOWN, OLDER]), ["held"]),
        (
            but(doubts=[SET_ASIDE, FULL_FORM, LEFT_OUT, OLDER]),
            ["held", "section-unspoken", "set-aside", "full-form-unread"],
        ),
        (but(doubts=[LEFT_OUT], queue={"attempts": 2, "last_error": "busy: x"}), ["failing", "section-unspoken"]),
        (but(doubts=[LEFT_OUT], connection={"access_state": "public"}), ["section-unspoken"]),
        # Nobody asked for the read that is owed, but somebody may have.
        (but(doubts=[REMOVAL], queue={"owed": True}), ["held"]),
        (but(doubts=[REMOVAL], queue={"owed": True, "lane": Lane.OPERATOR}), ["held", "pending"]),
        (but(doubts=[FULL_FORM], queue={"owed": True}), ["full-form-unread", "pending"]),
        # Of an item, what is in doubt of it comes first, and is not said again of the record.
        (but(doubts=[FULL_FORM], item=PRESENT), ["item-in-doubt", "item-present"]),
        (but(doubts=[REMOVAL], item=PRESENT), ["item-in-doubt", "item-present"]),
        (but(doubts=[LEFT_OUT], item=PRESENT), ["item-in-doubt", "item-present"]),
        (but(doubts=[MAY_BE_7], item=PRESENT), ["item-in-doubt", "item-present"]),
        (but(doubts=[SET_ASIDE], item=PRESENT), ["set-aside", "item-present"]),
        (but(doubts=[SHOWN], item=PRESENT), ["held", "item-present"]),
        (but(doubts=[LEFT_OUT, FULL_FORM], item=GONE), ["item-removed", "item-in-doubt", "section-unspoken"]),
        # What is not there may be in what was not heard, and then it is not private.
        (but(doubts=[SET_ASIDE], item=IN_A_PART), ["item-in-doubt", "set-aside"]),
        (but(doubts=[SET_ASIDE], item=ABSENT), ["item-unknown", "set-aside"]),
        (but(doubts=[LEFT_OUT], item=ABSENT), ["item-unknown", "section-unspoken"]),
        (but(doubts=[FULL_FORM], item=ABSENT), ["full-form-unread", "item-private"]),
    ],
)
def test_the_weightiest_reason_is_the_answer(facts: Facts, expected: list[str]) -> None:
    assert [diagnosis.complaint for diagnosis in diagnose(facts)] == expected


@pytest.mark.parametrize(
    ("doubts", "item", "words"),
    [
        (
            [LEFT_OUT],
            None,
            (
                "did not speak of the section work (since 12 May 2026, 07:15 UTC, tried 3 times, again in 2 hours): "
                "the mirror keeps what it had, unverified"
            ),
        ),
        (
            [doubt(Kind.SECTION, section) for section in ("work", "funding", "keyword", "name", "email")],
            None,
            "did not speak of the sections work, funding, keyword and 2 more (",
        ),
        (
            [SET_ASIDE],
            None,
            "1 part of the section work (so it is) cannot be understood and was set aside (since 12 May",
        ),
        (
            [MAY_BE_7],
            None,
            "; 2 works missing from the same answer may be meant and stay in the mirror; everything",
        ),
        (
            [FULL_FORM, doubt(Kind.FULL_FORM, key="8", attempts=1), doubt(Kind.FULL_FORM, "funding", "1")],
            None,
            (
                "The full form of 2 works and 1 funding could not be read (so it is; since 12 May 2026, 07:15 UTC, "
                "tried 3 times, again in 2 hours)"
            ),
        ),
        (
            [REMOVAL, SHOWN, OLDER],
            None,
            (
                "would remove 1 work, show 1 keyword to more people and take 1 funding back to an older version. This "
                "is held until a second read says the same, in 2 hours"
            ),
        ),
        ([doubt(Kind.REMOVAL, key="7", released=True)], None, "An operator has approved it: it is held until a second"),
        (
            [FULL_FORM],
            PRESENT,
            "its full form could not be read (so it is; since 12 May 2026, 07:15 UTC, tried 3 times",
        ),
        ([FULL_FORM], PRESENT, "so it is shown as its summary says"),
        ([doubt(Kind.FULL_FORM, key="7", attempts=0, due_at=NOW)], PRESENT, "07:15 UTC, not tried yet, again at once)"),
        ([REMOVAL], PRESENT, "it is removed when a second read agrees"),
        ([MAY_BE_7], PRESENT, "may be a part of the section work that cannot be understood"),
        ([SET_ASIDE], IN_A_PART, '"7" stands in a part of the section work that cannot be understood (so it is)'),
        ([LEFT_OUT], ABSENT, "but of the section work the last answer was not understood whole"),
    ],
)
def test_what_is_in_doubt_is_said_with_since_when_how_often_and_when_next(
    doubts: list[Doubt], item: Asked | None, words: str
) -> None:
    sentence = explain(but(doubts=doubts, item=item)).diagnosis.sentence

    assert words in sentence
    assert sentence.endswith(".")
    assert "None" not in sentence


def test_each_doubt_is_among_the_facts_like_things_together() -> None:
    doubts = [LEFT_OUT, SET_ASIDE, FULL_FORM, doubt(Kind.FULL_FORM, key="8", attempts=9), REMOVAL, SHOWN, OLDER]

    facts = {fact.name: fact.value for fact in explain(but(doubts=doubts)).facts if fact.doubtful}

    assert facts == {
        "left out": "section work, since 12 May 2026, 07:15 UTC, tried 3 times, again in 2 hours",
        "set aside": "1 part of the section work, since 12 May 2026, 07:15 UTC, until an edit at ORCID or a later "
        "version of this software ends it (so it is)",
        "full form unread": "2 works, since 12 May 2026, 07:15 UTC, tried 9 times, again in 2 hours (so it is)",
        "removal waits": "1 work, since 12 May 2026, 07:15 UTC, the second read in 2 hours",
        "wider visibility waits": "1 keyword, since 12 May 2026, 07:15 UTC, the second read in 2 hours",
        "older version waits": "1 funding, since 12 May 2026, 07:15 UTC, the second read in 2 hours",
    }


def test_a_view_in_which_nothing_is_in_doubt_promises_nothing_for_what_it_does_not_show() -> None:
    sentence = explain(msgspec.structs.replace(WELL, view=View.PUBLIC)).diagnosis.sentence

    assert sentence.startswith("Nothing that this view shows is in doubt: ")


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


def test_an_outage_is_not_the_record_s_fault() -> None:
    queue = {"attempts": 1, "last_error": "unrenderable: ORCID cannot show this record", "due_at": NOW, "owed": True}
    told = explain(but(queue=queue, limits={"failing_since": NOW - HOUR}))

    assert told.diagnosis.complaint == "registry-away"
    assert not [other for other in told.also if "other records are read as usual" in other.sentence]


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
