"""What a change that was found says about its webhook."""

from datetime import UTC, datetime, timedelta

import pytest

from orcid_sync.model.record.diff import Change
from orcid_sync.model.webhooks.evidence import SKEW, Verdict, Witness, announced_dates, first_unannounced, judge

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
GRACE = timedelta(hours=6)
SECOND = timedelta(seconds=1)


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def change(hours: float, **differs: object) -> Change:
    return Change(*("work", "1", "updated"), source_modified_at=ago(hours), **differs)  # type: ignore[arg-type]


def test_how_far_clocks_may_be_apart() -> None:
    assert timedelta(minutes=2) == SKEW


@pytest.mark.fault("F99")
@pytest.mark.parametrize(
    ("changes", "dates"),
    [
        pytest.param([change(3)], [ago(3)], id="an edit"),
        pytest.param([change(30)], [], id="older than what was known"),
        pytest.param([change(3, fields=("display_index",))], [], id="the display order is never announced"),
        pytest.param([change(3, fields=("display_index", "title"))], [ago(3)], id="more than the order"),
        pytest.param([change(3, reason="removed")], [ago(3)], id="deleted"),
        pytest.param([change(3, reason="access-lost")], [], id="what our access takes away is no edit"),
        pytest.param([Change("name", "", "updated")], [], id="without a date"),
        pytest.param([change(3), change(5)], [ago(3), ago(5)], id="several"),
    ],
)
def test_what_is_announced(changes: list[Change], dates: list[datetime]) -> None:
    assert announced_dates(changes, after=ago(24)) == dates
    assert announced_dates(changes, after=None) == []  # a first load


@pytest.mark.parametrize(
    ("notified", "first"),
    [
        pytest.param(None, ago(5), id="never notified"),
        pytest.param(ago(6), ago(5), id="before both"),
        pytest.param(ago(4), ago(3), id="between them"),
        pytest.param(ago(3.02), None, id="as far as clocks agree"),
        pytest.param(ago(3) - SKEW, None, id="and no further"),
        pytest.param(ago(3) - SKEW - SECOND, ago(3), id="than two minutes"),
        pytest.param(ago(1), None, id="after both"),
    ],
)
def test_which_changes_no_notification_told_of(notified: datetime | None, first: datetime | None) -> None:
    assert first_unannounced([ago(3), ago(5)], notified) == first


@pytest.mark.parametrize(
    ("changed", "registered", "up_since", "verdict"),
    [
        pytest.param(7, 99, None, Verdict.MISSED, id="older than the grace"),
        pytest.param(5, 99, None, Verdict.WITHIN_GRACE, id="it may still come"),
        pytest.param(6, 99, None, Verdict.WITHIN_GRACE, id="until the grace is over"),
        pytest.param(6.001, 99, None, Verdict.MISSED, id="and no longer"),
        pytest.param(7, 7 + 1 / 30, None, Verdict.MISSED, id="as soon as the webhook surely stood"),
        pytest.param(7, 7 + 1 / 31, None, None, id="while it may not have stood"),
        pytest.param(7, 6.9, None, None, id="before the webhook stood"),
        pytest.param(50, 99, 1, Verdict.WITHIN_GRACE, id="we are back only now: ORCID tries again"),
        pytest.param(50, 99, 7, Verdict.MISSED, id="we have been back for long"),
        pytest.param(5, 99, 80, Verdict.WITHIN_GRACE, id="back long before"),
    ],
)
def test_the_verdict(changed: float, registered: float, up_since: float | None, verdict: Verdict | None) -> None:
    witness = Witness(registered_at=ago(registered), up_since=None if up_since is None else ago(up_since))

    assert judge(ago(changed), witness, now=NOW, grace=GRACE) is verdict
