"""What needs somebody, and in which order it is said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.doubts import Kind
from orcid_sync.model.sync.record_states import Heard
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.model.text.wording import ago, duration
from orcid_sync.service.explain.status_doubts import doubtful
from orcid_sync.service.explain.status_findings import findings
from orcid_sync.store.console.in_doubt import DoubtCount
from orcid_sync.store.console.overview import FailureCount, FeedHead, Overview, SideStepCount, SuspectCount
from orcid_sync.store.feed.consumers import Consumer
from orcid_sync.store.mirror.unknown_members import Member
from orcid_sync.store.sync.job_runs import Run
from orcid_sync.store.sync.pace_and_circuit import Pace
from orcid_sync.store.sync.queue import LaneDepth

A = Orcid("0000-0002-1825-0097")
NOW = datetime(2026, 1, 1, 3, tzinfo=UTC)


def lane(which: Lane, *, due: int = 0, oldest: float = 0.0) -> LaneDepth:
    return LaneDepth(lane=which, due=due, leased=0, failing=0, oldest_seconds=oldest)


def pace(**differs: Any) -> Pace:
    calm = Pace(
        client_id="APP",
        ceiling=20.0,
        rate=20.0,
        slowed_at=None,
        failures=0,
        failing_since=None,
        doubted=False,
        away=False,
        paused_seconds=0.0,
        silent_seconds=0.0,
        used_up_seconds=0.0,
        used=70,
        daily_requests=None,
        day_ends_seconds=3_600.0,
    )
    return msgspec.structs.replace(calm, **differs)


def run(**differs: Any) -> Run:
    calm = Run(id=1, job="checks", started_at=NOW, finished_at=NOW, outcome={}, error=None)
    return msgspec.structs.replace(calm, **differs)


def member(path: str) -> Member:
    return Member(
        section="work", path=path, kind="string", first_seen_at=NOW, last_seen_at=NOW, times=1, acknowledged_at=None
    )


def counted(kind: Kind, number: int, records: int = 1) -> DoubtCount:
    example = Orcid("0000-0002-1825-0097")
    return DoubtCount(kind=kind, number=number, records=records, since=NOW, oldest_seconds=7_200.0, example=example)


CALM = Overview(
    at=NOW,
    connections={"connected": 3, "disconnected": 1},
    access={"granted": 2, "public": 1},
    records={"active": 3},
    webhooks={"active": 3},
    unconfirmed_webhooks=0,
    queue=[lane(which) for which in Lane],
    failures=[],
    freshness={"within an hour": 3},
    jobs=[run()],
    feed=FeedHead("e", 7, NOW),
    paces=[pace()],
    workers=8,
)


@pytest.mark.parametrize(
    ("differs", "severity", "said"),
    [
        (
            {"workers": 0, "queue": [lane(Lane.CHECK, due=3)]},
            "fail",
            "No worker is connected to the database and 3 iDs",
        ),
        (
            {"unknown": [member(name) for name in "abcde"]},
            "warn",
            "without a column: work.a, work.b, work.c and 2 more.",
        ),
        (
            {"queue": [lane(Lane.NOTIFICATION, due=2, oldest=500)]},
            "fail",
            "lane notification 2 iDs wait, the oldest for 8",
        ),
        ({"queue": [lane(Lane.FIRST_LOAD, due=2, oldest=90_000)]}, "warn", "lane first load 2 iDs wait"),
        (
            {"paces": [pace(away=True, doubted=True, failing_since=NOW, failures=9, paused_seconds=30.0)]},
            "fail",
            "since 2026-01-01 03:00:00Z (9 failures in a row); nothing is lost. The next retry is in 30 s.",
        ),
        ({"paces": [pace(away=True, failing_since=NOW, failures=9)]}, "fail", "The next retry is due now."),
        (
            {
                "failures": [
                    FailureCount(
                        error="unrenderable: ORCID cannot show this record (HTTP 500)",
                        number=3,
                        example=Orcid("0000-0002-1825-0097"),
                    )
                ]
            },
            "warn",
            "3 iDs cannot be read; the cause is the record at ORCID, not the service: ORCID cannot show this record",
        ),
        (
            {"paces": [pace(silent_seconds=90.0)]},
            "warn",
            "ORCID asked the service to wait (Retry-After); requests continue in 1 min 30 s.",
        ),
        (
            {"paces": [pace(rate=7.55, slowed_at=NOW)]},
            "warn",
            "too many requests: it now sends 7.5 requests per second instead of 20",
        ),
        (
            {"paces": [pace(used_up_seconds=1_800.0)]},
            "fail",
            "daily quota is used up; the service asks again in 30 min",
        ),
        (
            {"paces": [pace(used=93, daily_requests=100)]},
            "warn",
            "(93 of 100 requests); these lanes wait until midnight UTC, in 1 h: check, sweep.",
        ),
        ({"paces": [pace(used=100, daily_requests=100)]}, "fail", "in 1 h: notification, operator, first load"),
        (
            {"failures": [FailureCount("locked", 4, Orcid("0000-0002-1825-0097"))]},
            "warn",
            "orcid-sync show 0000-0002-1825",
        ),
        ({"unconfirmed_webhooks": 5}, "warn", "ORCID has not confirmed 5 webhooks"),
        ({"access": {"revoked": 1, "expired": 2}}, "warn", "3 tokens are revoked or expired"),
        ({"suspects": [SuspectCount(Heard.REFUSED, 1, A)]}, "warn", "ORCID has refused 1 token;"),
        ({"suspects": [SuspectCount(Heard.FOREIGN, 2, A)]}, "warn", "2 tokens belong to another iD"),
        (
            {"side_steps": [SideStepCount(step="webhook", error="busy: slow down", number=3, example=A)]},
            "warn",
            "3 webhooks could not be changed at ORCID: busy: slow down",
        ),
        (
            {"side_steps": [SideStepCount(step="revocation", error="vault: lost", number=2, example=A)]},
            "warn",
            "2 tokens no longer used could not be revoked at ORCID: vault: lost",
        ),
        ({"jobs": [run(error="Unavailable")]}, "warn", "The job checks failed at 2026-01-01 03:00:00Z: Unavailable."),
        ({"jobs": [run(started_at=NOW - timedelta(hours=7), finished_at=None)]}, "warn", "has not ended"),
    ],
)
def test_names_what_needs_somebody(differs: dict[str, Any], severity: str, said: str) -> None:
    [finding] = findings(msgspec.structs.replace(CALM, **differs))

    assert finding.severity == severity
    assert said in finding.sentence


def test_an_outage_is_not_the_record_s_fault() -> None:
    failing = FailureCount(error="unrenderable: ORCID cannot show this record", number=3, example=A)
    away = pace(away=True, failing_since=NOW, failures=9)

    sentences = [one.sentence for one in findings(msgspec.structs.replace(CALM, failures=[failing], paces=[away]))]

    assert len(sentences) == 2
    assert not [sentence for sentence in sentences if "the cause is the record" in sentence]


@pytest.mark.parametrize(
    "differs",
    [
        {},
        {"workers": 0},
        {"queue": [lane(Lane.NOTIFICATION, due=5, oldest=60)]},
        {"queue": [lane(Lane.FIRST_LOAD, due=5_000, oldest=3_600)]},
        {"jobs": [run(started_at=NOW - timedelta(hours=1), finished_at=None)]},
        {"paces": []},
        {"paces": [pace(used=89, daily_requests=100)]},
    ],
)
def test_is_silent_when_all_is_well(differs: dict[str, Any]) -> None:
    assert findings(msgspec.structs.replace(CALM, **differs)) == []


DAY = 86_400.0


def consumer(**differs: Any) -> Consumer:
    calm = Consumer(
        name="cris",
        owner="ours",
        cursor="c",
        view="public",
        must_resync=False,
        behind=0,
        behind_seconds=0.0,
        created_at=NOW,
        updated_at=NOW,
    )
    return msgspec.structs.replace(calm, **differs)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (consumer(), None),
        (consumer(behind=10**6, behind_seconds=60.0), None),  # many changes at once, which are young
        (consumer(behind=1, behind_seconds=DAY), None),
        (consumer(behind=1, behind_seconds=DAY + 1), "cris is 1 change behind, the first 1 d 1 s old."),
        (consumer(must_resync=True, behind=5, behind_seconds=9 * DAY), "cris reads a history of the feed that no"),
    ],
)
def test_a_consumer_that_does_not_run_is_known_by_the_age_of_what_it_has_not_seen(
    one: Consumer, said: str | None
) -> None:
    sentences = [finding.sentence for finding in findings(msgspec.structs.replace(CALM, consumers=[one]))]

    assert len(sentences) == (said is not None)
    assert said is None or said in sentences[0]


def test_the_most_urgent_comes_first() -> None:
    seen = msgspec.structs.replace(
        CALM, paces=[pace(silent_seconds=9.0)], queue=[lane(Lane.OPERATOR, due=1, oldest=999.0)]
    )

    assert [finding.severity for finding in findings(seen)] == ["fail", "warn"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3_600, "1 h"), (90_061, "1 d 1 h"), (-5, "0 s")],
)
def test_durations_have_two_units(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_moments_are_shown_from_now() -> None:
    assert ago(NOW - timedelta(minutes=5), NOW) == "5 min ago"
    assert ago(NOW + timedelta(hours=2), NOW) == "in 2 h"
    assert ago(None, NOW) == "never"


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (
            counted(Kind.SECTION, 1),
            (
                "1 section of 1 record was left out of ORCID's last answer: the mirror keeps what it had, unverified "
                "(for 2 h). The service asks again by itself. For example: orcid-sync explain 0000-0002-1825-0097"
            ),
        ),
        (
            counted(Kind.ITEM, 3, 2),
            (
                "3 parts of 2 records cannot be understood and were set aside; all else is applied (the oldest for 2 "
                "h). What ORCID sent: orcid-sync doubts list --kind item --documents"
            ),
        ),
        (
            counted(Kind.FULL_FORM, 3, 2),
            (
                "The full form of 3 items of 2 records could not be read: the mirror shows what the summary says (the "
                "oldest for 2 h). The service asks again by itself. For example: orcid-sync explain 0000-0002-1825-0097"
            ),
        ),
        (
            counted(Kind.REMOVAL, 1),
            (
                "1 item of 1 record is gone from ORCID's last answer: not removed until a second read agrees (for 2 "
                "h). Whose, and to decide it: orcid-sync holds list"
            ),
        ),
        (counted(Kind.SHOWN, 2), "2 items of 1 record would be shown to more people under an unmoved date: not until"),
        (counted(Kind.OLDER, 2), "2 items of 1 record would go back to an older version under an unmoved date: not"),
    ],
    ids=lambda one: one.kind if isinstance(one, DoubtCount) else "",
)
def test_each_kind_of_doubt_is_told_with_an_example_and_what_to_do(count: DoubtCount, said: str) -> None:
    [finding] = doubtful([count])

    assert finding.severity == "warn"
    assert finding.sentence.startswith(said)
