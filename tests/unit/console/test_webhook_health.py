"""What `status` says of notifications, and what Prometheus is told."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.webhooks.dead_webhooks import Outage
from orcid_sync.model.webhooks.evidence import Verdict
from orcid_sync.model.webhooks.health import AlarmKind, WebhookHealth, Webhooks
from orcid_sync.model.webhooks.silence import Silence
from orcid_sync.service.explain.status_health import facts, troubles
from orcid_sync.service.http.metrics import Metrics

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANNOUNCED, WITHIN_GRACE, MISSED = Verdict
CANARY = Orcid("0000-0002-1825-0097")

CALM = WebhookHealth(
    at=NOW,
    switched_on=True,
    alive_at=NOW,
    heard_at=NOW - HOUR,
    outage=None,
    failures=0,
    tries=25,
    alive_since=None,
    webhooks=Webhooks(lost=0, reviving=0, suspect=0, awaited=0),
    silence=None,
    verdicts={ANNOUNCED: 90, WITHIN_GRACE: 8, MISSED: 2},
)


def hearing(**differs: Any) -> WebhookHealth:
    return msgspec.structs.replace(CALM, **differs)


def in_doubt(**numbers: int) -> Webhooks:
    return msgspec.structs.replace(CALM.webhooks, **numbers)


AWAY = Outage(NOW - 40 * HOUR, NOW)


@pytest.mark.fault("F13", "F99")
@pytest.mark.parametrize(
    ("seen", "severities", "words"),
    [
        pytest.param(hearing(), [], [], id="calm"),
        pytest.param(hearing(switched_on=False, alive_at=None, silence=Silence(NOW, 9)), [], [], id="switched off"),
        pytest.param(hearing(alive_at=None, heard_at=None), ["fail"], ["no public listener has run"], id="not started"),
        pytest.param(
            hearing(outage=AWAY, failures=22, alive_since=NOW - HOUR, webhooks=in_doubt(lost=7)),
            ["fail", "warn"],
            ["since 2026-02-28", "22 of ORCID's 25 tries", "7 webhooks may be dead"],
            id="away",
        ),
        pytest.param(
            hearing(alive_since=NOW - HOUR, webhooks=in_doubt(lost=7, reviving=3)),
            ["warn"],
            ["7 webhooks may be dead", "the service revives what is dead"],
            id="back again",
        ),
        pytest.param(
            hearing(silence=Silence(NOW - 9 * HOUR, 41.6)),
            ["fail"],
            ["since 2026-03-02", "about 42 were"],
            id="silence",
        ),
        pytest.param(
            hearing(verdicts={ANNOUNCED: 40, WITHIN_GRACE: 0, MISSED: 40}),
            ["warn"],
            ["50% (39% to 61%) of the 80 changes"],
            id="deaf",
        ),
        pytest.param(hearing(verdicts={ANNOUNCED: 0, WITHIN_GRACE: 0, MISSED: 2}), [], [], id="two are not many"),
        pytest.param(
            hearing(verdicts={ANNOUNCED: 0, WITHIN_GRACE: 0, MISSED: 3}), ["warn"], ["of the 3"], id="three are"
        ),
        pytest.param(hearing(verdicts={ANNOUNCED: 90, WITHIN_GRACE: 0, MISSED: 9}), [], [], id="here and there"),
        pytest.param(hearing(canary=CANARY), ["warn"], ["is not connected"], id="the canary is not there"),
        pytest.param(
            hearing(canary=CANARY, canary_heard_at=NOW - 50 * HOUR, canary_silent=True),
            ["fail"],
            ["No notification about the canary"],
            id="the canary is silent",
        ),
    ],
)
def test_what_needs_somebody(seen: WebhookHealth, severities: list[str], words: list[str]) -> None:
    found = troubles(seen)

    assert [finding.severity for finding in found] == severities
    text = "\n".join(finding.sentence for finding in found)
    assert [word for word in words if word not in text] == []


@pytest.mark.parametrize(
    ("seen", "alarms"),
    [
        (hearing(), {}),
        (hearing(webhooks=in_doubt(lost=7)), {}),  # since when is not known: none may be lost
        (hearing(alive_since=NOW - HOUR), {}),  # all were seen alive since
        (hearing(webhooks=in_doubt(lost=7), alive_since=NOW - HOUR), {AlarmKind.OUTAGE: NOW - HOUR}),
        (hearing(webhooks=in_doubt(lost=7), alive_since=NOW - HOUR, outage=AWAY), {AlarmKind.OUTAGE: AWAY.began}),
        (hearing(silence=Silence(NOW - 9 * HOUR, 41.6)), {AlarmKind.SILENCE: NOW - 9 * HOUR}),
        (hearing(canary_silent=True), {}),  # it is not connected
        (hearing(canary_heard_at=NOW - HOUR), {}),
        (hearing(canary_silent=True, canary_heard_at=NOW - 50 * HOUR), {AlarmKind.CANARY: NOW - 50 * HOUR}),
        (hearing(switched_on=False, silence=Silence(NOW, 9)), {}),
    ],
)
def test_what_is_alarming_and_since_when(seen: WebhookHealth, alarms: dict[AlarmKind, datetime]) -> None:
    assert seen.alarms == alarms


def test_the_facts() -> None:
    assert dict(facts(hearing(webhooks=in_doubt(suspect=2, awaited=1)))) == {
        "last notification": "1 h ago",
        "changes not announced": "2% (1% to 7%) of 100 within 7 days",
        "webhooks in doubt": "2 suspect, 1 awaited",
    }
    assert dict(facts(hearing(switched_on=False))) == {"notifications": "switched off"}


def test_what_prometheus_is_told() -> None:
    metrics = Metrics()
    metrics.show_webhook_health(hearing(failures=3, outage=AWAY, silence=Silence(NOW, 9), webhooks=in_doubt(suspect=2)))
    shown = metrics.render().decode()
    for line in (
        'orcid_sync_alarm{kind="silence"} 1.0',
        'orcid_sync_alarm{kind="canary"} 0.0',
        'orcid_sync_webhooks_in_doubt{kind="suspect"} 2.0',
        'orcid_sync_changes_found{kind="missed"} 2.0',
        "orcid_sync_silent_seconds 3600.0",
        "orcid_sync_failed_tries 3.0",
    ):
        assert line in shown

    metrics.forget_database()

    assert "orcid_sync_alarm{" not in metrics.render().decode()


def test_prometheus_hears_of_no_failed_tries_while_webhooks_are_off() -> None:
    metrics = Metrics()

    metrics.show_webhook_health(hearing(failures=25, outage=AWAY, switched_on=False))

    assert "orcid_sync_failed_tries 0.0" in metrics.render().decode()
