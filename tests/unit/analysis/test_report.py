"""Periods of reports, and what is summed up in them."""

from datetime import UTC, date, datetime

import pytest

from orcid_sync.model.analysis.report_figures import Changes, InvalidPeriod, Period, period

TODAY = date(2026, 3, 31)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (None, None, (date(2025, 3, 29), TODAY)),
        (date(2026, 1, 1), None, (date(2026, 1, 1), TODAY)),
        (None, date(2024, 2, 29), (date(2023, 3, 1), date(2024, 2, 29))),
        (date(2026, 3, 31), date(2027, 1, 1), (TODAY, TODAY)),
    ],
)
def test_a_period_ends_today_at_the_latest(first: date | None, last: date | None, expected: tuple[date, date]) -> None:
    found = period(first, last, TODAY)

    assert (found.first, found.last) == expected


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (date(2026, 3, 2), date(2026, 3, 1), "the period has no day"),
        (date(2027, 1, 1), None, "the period has no day"),
        (date(2010, 1, 1), None, "at most 10 years"),
    ],
)
def test_what_is_no_period_is_refused(first: date, last: date | None, said: str) -> None:
    with pytest.raises(InvalidPeriod, match=said):
        period(first, last, TODAY)


def test_both_days_are_in_it() -> None:
    days = Period(date(2026, 2, 28), date(2026, 2, 28))

    assert days.since == datetime(2026, 2, 28, tzinfo=UTC)
    assert days.until == datetime(2026, 3, 1, tzinfo=UTC)


def test_changes_add_up() -> None:
    assert Changes(TODAY, "work", 1, 2, 3).total == 6
