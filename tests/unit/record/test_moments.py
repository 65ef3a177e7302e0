"""Moments as people type them."""

from datetime import UTC, datetime, timedelta

import pytest

from orcid_sync.model.text.moments import NotAMoment, parse_moment

NOW = datetime(2026, 6, 15, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-06-01", datetime(2026, 6, 1, tzinfo=UTC)),
        ("2026-06-01T12:00", datetime(2026, 6, 1, 12, tzinfo=UTC)),
        ("2026-06-01 12:00:30Z", datetime(2026, 6, 1, 12, 0, 30, tzinfo=UTC)),
        ("2026-06-01T12:00+02:00", datetime(2026, 6, 1, 10, tzinfo=UTC)),
        (" now ", NOW),
        ("30min", NOW - timedelta(minutes=30)),
        ("12h", NOW - timedelta(hours=12)),
        ("3d", NOW - timedelta(days=3)),
        ("2 w", NOW - timedelta(weeks=2)),
        ("2026-06-15T10:30Z", NOW),
    ],
)
def test_a_moment_is_understood(text: str, expected: datetime) -> None:
    assert parse_moment(text, NOW) == expected
    assert parse_moment(text, NOW).tzinfo is not None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("yesterday-ish", "'yesterday-ish' is not a time: expected a date"),
        ("", "'' is not a time"),
        ("2026-02-30", "is not a time"),
        ("3", "is not a time"),
        ("-3d", "is not a time"),
        ("999999w", "is not a time"),
        ("٣d", "is not a time"),
        ("0001-01-01T00:00+23:59", "is not a time"),
        ("2026-06-15T10:31Z", "2026-06-15 10:31:00Z is in the future: now is 2026-06-15 10:30:00Z."),
        ("2999-01-01", "is in the future"),
    ],
)
def test_what_is_none_is_refused_in_words(text: str, complaint: str) -> None:
    with pytest.raises(NotAMoment) as refused:
        parse_moment(text, NOW)

    assert complaint in str(refused.value)
