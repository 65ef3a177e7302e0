"""The sentences of the reasons: each says what is so, and nothing that is not."""

from typing import Any

import msgspec
import pytest

from orcid_sync.model.analysis.audit import Finding, Verdict
from orcid_sync.model.explain.facts import Asked, ChangeSet, Facts, Limits, Line, Read, WebhookHealth
from orcid_sync.model.explain.reasons import diagnose
from orcid_sync.model.scopes import View
from orcid_sync.model.sync.schedule import Lane
from unit.console.test_reasons import HOUR, NOW, OVERDUE, WEBHOOK, WELL, WORK, but

EARLIER, LATER = NOW - HOUR, NOW + HOUR
THEM = "0000-0002-1825-0098"


def said(facts: Facts, complaint: str) -> str | None:
    """What is said of this complaint, if it is one."""
    found = {one.complaint.value: f"{one.sentence} {one.advice or ''}" for one in diagnose(facts)}
    return found.get(complaint)


def fits(sentence: str | None, words: str | None) -> bool:
    """Whether these words are said; None: nothing is."""
    return sentence is None if words is None else words in (sentence or "")


def item(**differs: Any) -> Asked:
    return Asked(text="7", found=[msgspec.structs.replace(WORK, **differs)])


def gone(reason: str | None, **differs: Any) -> Asked:
    return item(gone_at=EARLIER, gone_op="removed", gone_reason=reason, **differs)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (gone("removed"), "was removed by its owner or hidden on 12 May 2026; ORCID does not tell which."),
        (gone("access-lost"), "because your client may not see it any more"),
        (gone("visibility"), "was restricted by its holder on 12 May 2026"),
        (gone("erased"), "was erased on 12 May 2026."),
        (gone("what nobody thought of"), "was removed from the mirror on 12 May 2026."),
        (gone(None), "was removed from the mirror on 12 May 2026."),
        (gone("removed", gone_modified_at=NOW - 50 * HOUR), "on 10 May 2026"),  # ORCID's date is nearer to the deed
        (gone("removed", gone_modified_at=NOW + 50 * HOUR), "on 12 May 2026"),  # it is the date of something later
        (gone("removed", title="", identifiers=[]), "The work 7 was removed"),
    ],
)
def test_an_item_that_is_gone(asked: Asked, words: str) -> None:
    sentence = said(but(item=asked), "item-removed")
    assert sentence is not None
    assert words in sentence


@pytest.mark.parametrize(
    ("visibility", "withheld", "hidden"),
    [
        ("public", None, False),
        ("public", "limited", False),
        ("limited", "limited", True),
        (None, "limited", True),
        ("public", "all", True),
        ("limited", "all", True),
        ("limited", None, False),
    ],
)
def test_an_item_that_is_withheld(visibility: str | None, withheld: str | None, *, hidden: bool) -> None:
    facts = but(item=item(visibility=visibility), record={"withheld": withheld})
    assert (said(facts, "item-withheld") is not None) is hidden
    assert said(msgspec.structs.replace(facts, record=None), "item-withheld") is None
    assert said(msgspec.structs.replace(facts, item=gone("removed")), "item-withheld") is None


@pytest.mark.parametrize(
    ("differs", "words"),
    [
        ({"versions": 2}, "represents 2 versions that ORCID counts as the same work"),
        ({"versions": 2, "preferred_key": "7"}, "represents 2 versions"),
        ({"versions": 3, "preferred_key": "8", "preferred_title": "Other"}, "is in the mirror as one of 3 versions"),
        (
            {"versions": 3, "preferred_key": "8", "preferred_title": "Other"},
            'one instead, the work "Other"',
        ),
        ({"versions": 3, "preferred_key": "8"}, "one instead, the work 8."),
        ({"versions": 1}, None),
        ({"versions": 2, "gone_at": EARLIER}, None),
    ],
)
def test_an_item_of_several_versions(differs: dict[str, Any], words: str | None) -> None:
    sentence = said(but(item=item(**differs)), "item-merged")
    assert fits(sentence, words)
    assert said(but(item=item(**differs)), "item-present") is None or differs["versions"] == 1


@pytest.mark.parametrize(
    ("visibility", "words"),
    [
        ("public", None),
        ("limited", "only members of orcid_reader_limited see it"),
        ("private", "it is private, so only the service sees it"),
        (None, "its visibility is unknown, so only the service sees it"),
    ],
)
def test_an_item_that_not_everybody_sees(visibility: str | None, words: str | None) -> None:
    sentence = said(but(item=item(visibility=visibility)), "item-restricted")
    assert fits(sentence, words)
    assert (said(but(item=item(visibility=visibility)), "item-present") is not None) == (words is None)


@pytest.mark.parametrize(
    ("differs", "queue", "words"),
    [
        ({}, {}, "everybody may see it; the record was last verified on 12 May 2026, 06:15 UTC."),
        ({"first_seen_at": NOW - 50 * HOUR}, {"verified_at": None}, "everybody may see it, since 10 May 2026."),
    ],
)
def test_an_item_that_is_there(differs: dict[str, Any], queue: dict[str, Any], words: str) -> None:
    assert words in (said(but(item=item(**differs), queue=queue), "item-present") or "")


ABSENT = Asked(text="tides", found=[])


@pytest.mark.parametrize(
    ("view", "words"),
    [
        (None, 'Nothing that matches "tides" was ever in the mirror: '),
        (View.PUBLIC, 'Nothing that matches "tides" is, or was, in the mirror for this view: '),
    ],
)
@pytest.mark.parametrize(
    ("read_with", "complaint", "shows"),
    [
        ("read-public", "limited-only", "only public items"),
        ("read-limited, activities-summary, person", "item-private", "(activities and person)"),
        ("read-limited, person", "item-private", "(person)"),
    ],
)
def test_an_item_that_was_never_seen(view: View | None, words: str, read_with: str, complaint: str, shows: str) -> None:
    facts = msgspec.structs.replace(but(item=ABSENT, queue={"read_with": read_with}), view=view)
    sentence = said(facts, complaint)
    assert sentence is not None
    assert sentence.startswith(words)
    assert shows in sentence
    unread = msgspec.structs.replace(facts, queue=msgspec.structs.replace(facts.queue, verified_at=None))
    assert said(unread, complaint) is None, "who was never read is not known to lack anything"


def line(**differs: Any) -> Line:
    calm = Line(section="work", key="7", op="removed", reason="removed", fields=[], minor=False, title="Tides")
    return msgspec.structs.replace(calm, **differs)


def changes(counts: dict[str, int], *lines: Line) -> ChangeSet:
    return ChangeSet(at=EARLIER, cause="check", source_modified_at=None, counts=counts, lines=list(lines))


UPDATED = changes({"updated work": 1}, line(op="updated"))


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        ([], None),
        ([UPDATED], None),
        ([changes({"removed work": 1}, line())], 'The work "Tides" was removed by its owner or hidden'),
        (
            [changes({"removed work": 2, "withdrawn email": 1}, line(), line())],
            '"Tides" (and 2 more) was removed',
        ),
        ([changes({"withdrawn work": 1, "added work": 4}, line(op="withdrawn"))], 'The work "Tides" was'),
        (
            [changes({"minor": 1}), changes({"removed work": 1}, line())],
            'The work "Tides" was',
        ),  # the last that matters
        ([UPDATED, changes({"removed work": 1}, line())], None),  # something else happened since
        ([changes({"removed record": 1}, line(section="record"))], None),
    ],
)
def test_what_a_record_last_lost(sets: list[ChangeSet], words: str | None) -> None:
    sentence = said(but(changes=sets), "lately-removed")
    assert fits(sentence, words)
    assert said(but(changes=sets, item=item()), "lately-removed") is None


SAME = Finding(orcid=WELL.orcid, verdict=Verdict.IDENTICAL)


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (None, None),
        (SAME, None),
        (
            Finding(orcid=WELL.orcid, verdict=Verdict.NEWER, differences={"work missing": 2}, changed_at=EARLIER),
            "(2 work missing): changed there on 12 May 2026, 07:15 UTC, and no notification",
        ),
        (Finding(orcid=WELL.orcid, verdict=Verdict.NEWER, differences={"work missing": 2}), "changed there, and no"),
        (
            Finding(orcid=WELL.orcid, verdict=Verdict.DRIFTED, differences={"work differs": 1}),
            "has not changed, so the",
        ),
    ],
)
def test_orcid_shows_something_else(now: Finding | None, words: str | None) -> None:
    assert fits(said(but(now=now), "orcid-differs"), words)


@pytest.mark.parametrize(
    ("differs", "complaint", "words"),
    [
        ({}, "well", "the mirror is up to date (last verified on 12 May 2026, 06:15 UTC)."),
        ({"queue": {"verified_at": None}}, "well", "the mirror is up to date."),
        ({"connection": {"access_state": "public"}}, "limited-only", "with the public items"),
        ({"now": SAME}, "well", "the mirror equals what ORCID shows now (last verified"),
        (
            {"now": msgspec.structs.replace(SAME, verdict=Verdict.UNREADABLE, reason="busy")},
            "not-compared",
            "could not be compared with what ORCID shows now: busy.",
        ),
        (
            {"now": msgspec.structs.replace(SAME, verdict=Verdict.PARTLY, reason="half")},
            "not-compared",
            "It could only in part be compared with what ORCID shows now: half.",
        ),
    ],
)
def test_all_is_well(differs: dict[str, Any], complaint: str, words: str) -> None:
    assert words in (said(but(**differs), complaint) or "")


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"used_up_seconds": 90.0}, "your daily quota of requests is used up"),
        ({"shed": True, "used": 93, "daily_requests": 100, "day_ends_seconds": 7_200.0}, "(93 of 100 requests)"),
        ({"shed": True, "used": 93, "daily_requests": 100, "day_ends_seconds": 7_200.0}, "continue in 2 hours"),
        ({"used": 93, "daily_requests": 100}, None),
    ],
)
def test_a_budget_that_is_used_up(limits: dict[str, Any], words: str | None) -> None:
    sentence = said(but(queue=OVERDUE, limits=Limits(**limits)), "quota")
    assert fits(sentence, words)
    assert said(but(limits=Limits(**limits)), "quota") is None, "nothing waits"
    due_now = but(queue={"due_at": NOW, "owed": False}, limits=Limits(**limits))
    assert (said(due_now, "quota") is None) == (words is None), "a check waits as soon as it is due"
    assert said(but(queue={**OVERDUE, "leased": True}, limits=Limits(**limits)), "quota") is None


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"failing_since": EARLIER, "paused_seconds": 30.0}, "no usable answer since 12 May 2026, 07:15 UTC"),
        (
            {"paused_seconds": 30.0},
            "ORCID asked the service to wait: the read that is due waits for the next",
        ),
        ({"silent_seconds": 90.0, "paused_seconds": 30.0}, "in 2 minutes"),
        ({}, None),
    ],
)
def test_orcid_is_away(limits: dict[str, Any], words: str | None) -> None:
    sentence = said(but(queue=OVERDUE, limits=Limits(**limits)), "registry-away")
    assert fits(sentence, words)
    assert said(but(limits=Limits(**limits)), "registry-away") is None, "nothing waits"


def found(hours: float, **differs: Any) -> Read:
    at = NOW - hours * HOUR
    calm = Read(at=at, first_at=at, times=1, cause="check", outcome="changed", error=None, changes={})
    return msgspec.structs.replace(calm, **differs)


LOOKED = {"notified_at": NOW - 3 * HOUR, "verified_at": NOW - 2 * HOUR, "second_look_at": LATER}


@pytest.mark.parametrize(
    ("queue", "reads", "stale"),
    [
        ({}, [], True),
        ({"notified_at": None}, [], False),
        ({"verified_at": None}, [], False),
        ({"second_look_at": None}, [], False),
        ({"verified_at": NOW - 4 * HOUR}, [], False),  # not read since
        ({"second_look_at": NOW - HOUR}, [], False),  # it is over
        ({}, [found(1)], False),  # the read found something
        ({}, [found(1, outcome="unchanged", changes={"updated": 1})], False),
        ({}, [found(1, outcome="failed")], True),
        ({}, [found(5)], True),  # before the notification
        ({}, [found(3)], False),
        ({"second_look_at": NOW}, [], True),
    ],
)
def test_a_read_after_a_notification_that_found_nothing(
    queue: dict[str, Any], reads: list[Read], *, stale: bool
) -> None:
    sentence = said(but(queue=LOOKED | queue, reads=reads), "stale-cache")
    assert (sentence is not None) is stale
    assert sentence is None or "read once more in 60 minutes" in sentence or "read once more at once" in sentence


@pytest.mark.parametrize(
    ("queue", "limits", "words"),
    [
        ({"due_at": NOW - HOUR / 30}, {}, "the queue is behind"),
        ({"due_at": NOW - HOUR / 31}, {}, None),
        ({"due_at": NOW - HOUR, "lane": Lane.CHECK}, {}, None),
        ({"due_at": NOW - 24 * HOUR, "lane": Lane.CHECK}, {}, "the queue is behind"),
        ({"due_at": NOW - HOUR}, {"workers": 0}, "no worker is connected to the database. Start one"),
        ({"due_at": NOW - HOUR}, {"workers": None}, "the queue is behind"),
        ({"due_at": NOW - HOUR, "leased": True}, {}, None),
    ],
)
def test_a_read_that_is_late(queue: dict[str, Any], limits: dict[str, Any], words: str | None) -> None:
    sentence = said(but(queue=OVERDUE | queue, limits=Limits(**limits)), "overdue")
    assert fits(sentence, words)


@pytest.mark.parametrize(
    ("queue", "words"),
    [
        ({"owed": False}, None),
        ({"leased": True}, "The record is being read now."),
        ({"verified_at": None}, "is connected but not read yet; the read is due at once."),
        ({"due_at": LATER}, "A notification arrived on 10 May 2026, 06:15 UTC; the record is read in 60 minutes."),
        ({"notified_at": None}, "A read was requested; it is due at once."),
        ({"lane": Lane.OPERATOR}, "A read was requested; it is due at once."),
    ],
)
def test_a_read_that_is_on_its_way(queue: dict[str, Any], words: str | None) -> None:
    sentence = said(but(queue=OVERDUE | queue), "pending")
    assert fits(sentence, words)


@pytest.mark.parametrize(
    ("hook", "hearing", "words"),
    [
        ({}, {}, None),
        ({"suspect_since": EARLIER, "missed": 2}, {}, "it did not announce 2 changes"),
        ({"suspect_since": EARLIER, "missed": 0}, {}, "it did not announce 1 change"),
        ({"state": "reviving", "requested_at": EARLIER}, {}, "counted it as dead since 12 May 2026, 07:15 UTC"),
        ({}, {"lost_before": NOW}, "it may have given up"),
        ({}, {"lost_before": NOW - 50 * HOUR}, None),  # it called at that very moment
        ({"registered_at": None, "last_called_at": None}, {"lost_before": NOW - 999 * HOUR}, "it may have given up"),
        ({"suspect_since": EARLIER}, {"wanted": False}, None),
    ],
)
def test_a_webhook_that_may_be_dead(hook: dict[str, Any], hearing: dict[str, Any], words: str | None) -> None:
    one = msgspec.structs.replace(WEBHOOK, **hook)
    facts = but(webhooks=[one], hearing=WebhookHealth(**({"wanted": True} | hearing)))
    sentence = said(facts, "webhook-dead")
    assert fits(sentence, words)
    assert (
        said(
            msgspec.structs.replace(facts, record=msgspec.structs.replace(facts.record, state="deprecated")),
            "webhook-dead",
        )
        is None
    )


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        (None, "ORCID has no webhook of this service for this iD"),
        ({"present": False}, "ORCID has no webhook of this service for this iD"),
        ({"state": "registering", "requested_at": NOW - HOUR}, "was requested on 12 May 2026, 07:15 UTC"),
        ({"state": "registering", "requested_at": NOW - HOUR / 6}, None),  # give it time
        ({"state": "active", "requested_at": NOW - HOUR}, None),
    ],
)
def test_a_webhook_that_is_missing(hook: dict[str, Any] | None, words: str | None) -> None:
    hooks = [] if hook is None else [msgspec.structs.replace(WEBHOOK, **hook)]
    sentence = said(but(webhooks=hooks), "webhook-missing")
    assert fits(sentence, words)
    assert said(but(webhooks=hooks, hearing=WebhookHealth(wanted=False)), "webhook-missing") is None


@pytest.mark.parametrize(
    ("hearing", "words"),
    [
        ({}, None),
        ({"outage_since": EARLIER}, "unable to receive notifications since 12 May 2026, 07:15 UTC"),
        ({"silent_since": EARLIER}, "No webhook at all has called since 12 May 2026, 07:15 UTC"),
        ({"silent_since": EARLIER, "wanted": False}, None),
    ],
)
def test_nothing_is_heard(hearing: dict[str, Any], words: str | None) -> None:
    sentence = said(but(hearing=WebhookHealth(**({"wanted": True} | hearing))), "deaf")
    assert fits(sentence, words)


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        ({"state": "disconnected", "disconnected_at": EARLIER}, "was disconnected on 12 May 2026, 07:15 UTC: "),
        ({"state": "disconnecting"}, "was disconnected: "),
        ({"state": "disconnected", "erased_at": EARLIER}, "was erased on 12 May 2026, 07:15 UTC"),
        ({"erased_at": EARLIER}, None),  # and connected again
    ],
)
def test_somebody_who_was_let_go(connection: dict[str, Any], words: str | None) -> None:
    sentence = said(but(connection=connection), "disconnected")
    assert fits(sentence, words)


@pytest.mark.parametrize(
    ("record", "complaint", "words"),
    [
        (
            {"state": "deprecated", "primary_orcid": "0000-0002-1825-0098"},
            "record-deprecated",
            "into 0000-0002-1825-0098",
        ),
        ({"state": "deprecated"}, "record-deprecated", "into another iD (found on 12 May 2026, 07:15 UTC): "),
        ({"state": "locked"}, "record-locked", "readers see it as it was"),
        ({"state": "locked", "withheld": "all"}, "record-locked", "readers see nothing of it"),
        ({"state": "unclaimed", "withheld": "all"}, "record-unclaimed", "has not claimed the record"),
        ({"state": "not-found", "withheld": "all"}, "record-not-found", "the service tries it every week"),
    ],
)
def test_a_record_that_is_closed(record: dict[str, Any], complaint: str, words: str) -> None:
    when = changes({"updated record": 1}, line(section="record", op="updated", fields=["state"]))
    assert words in (said(but(record=record, changes=[changes({"minor": 1}), when]), complaint) or "")
    other = changes({"updated work": 1}, line(op="updated", fields=["state"]))
    assert "(found on" not in (said(but(record=record, changes=[other]), complaint) or "")


@pytest.mark.parametrize(
    ("queue", "words"),
    [
        ({}, None),
        ({"unconfirmed": "not-found"}, None),
        ({"unconfirmed_at": EARLIER}, None),
        ({"unconfirmed": "not-found", "unconfirmed_at": EARLIER}, "12 May 2026, 07:15 UTC that the record is unknown:"),
        ({"unconfirmed": "deprecated", "unconfirmed_at": EARLIER}, "that the record was merged into another one:"),
        (
            {"unconfirmed": "deactivated", "unconfirmed_at": EARLIER, "due_at": LATER},
            "is deactivated: readers do not see",
        ),
        ({"unconfirmed": "deactivated", "unconfirmed_at": EARLIER, "due_at": LATER}, "corrects this, in 60 minutes."),
    ],
)
def test_a_state_that_was_told_once(queue: dict[str, Any], words: str | None) -> None:
    assert fits(said(but(queue=queue), "unconfirmed"), words)


@pytest.mark.parametrize(
    ("connection", "complaint", "words"),
    [
        (
            {"access_state": "revoked", "ended_at": EARLIER},
            "permission-revoked",
            "was revoked on 12 May 2026, 07:15 U",
        ),
        ({"access_state": "expired"}, "permission-expired", "The holder's permission expired: "),
        ({"access_state": "granted", "ended_at": EARLIER}, "permission-revoked", None),
        (
            {"access_state": "suspect", "suspect_since": EARLIER, "refusals": 2},
            "permission-suspect",
            "07:15 UTC (2 times)",
        ),
        ({"access_state": "suspect"}, "permission-suspect", None),
        ({"access_state": "granted", "suspect_since": EARLIER}, "permission-suspect", None),
    ],
)
def test_a_permission_that_is_over_or_in_doubt(connection: dict[str, Any], complaint: str, words: str | None) -> None:
    sentence = said(but(connection=connection), complaint)
    assert fits(sentence, words)


FAILED = {"outcome": "failed", "error": "busy: 503"}


@pytest.mark.parametrize(
    ("queue", "reads", "words"),
    [
        ({"attempts": 0}, [found(1, **FAILED)], None),
        ({"attempts": 1}, [found(1, **FAILED)], "1 read failed; the last said: busy: 503."),
        ({"attempts": 2}, [found(1, **FAILED)], "2 reads in a row failed, the first on 12 May 2026, 07:15 UTC; the"),
        ({"attempts": 2}, [found(1), found(2, **FAILED)], "the first on 12 May 2026, 06:15 UTC; the last said"),
        ({"attempts": 2}, [found(1)], "2 reads in a row failed; the last said"),
    ],
)
def test_reads_that_fail(queue: dict[str, Any], reads: list[Read], words: str | None) -> None:
    facts = but(queue={"last_error": "busy: 503"} | queue, reads=reads)
    assert fits(said(facts, "failing"), words)


def test_somebody_who_was_never_connected_may_still_be_in_the_mirror() -> None:
    unknown, loaded = but(connection=None, record=None), but(connection=None)
    assert "the service has never read it" in (said(unknown, "never-connected") or "")
    assert "the service has never read it" not in (said(loaded, "never-connected") or "the service has never read it")
