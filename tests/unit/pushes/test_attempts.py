"""What answers mean, when a message is tried again, when an endpoint is left alone."""

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from orcid_sync.model.pushes.delivery import (
    CIRCUIT,
    DELAYS,
    TRIES,
    Outcome,
    judge,
    pause_after,
    retry_after,
    wait_before,
)

CONSUMERS = (Path(__file__).parents[3] / "deploy" / "docs" / "consumers.md").read_text("utf-8")

MEANINGS = {
    "delivered": [200, 201, 202, 204, 299],
    "refused": [100, 199, 300, 301, 302, 307, 308, 400, 401, 403, 404, 405, 409, 411, 413, 422, 428, 430, 499],
    "gone": [410],
    "failed": [429, 500, 502, 503, 504],
}


@pytest.mark.parametrize(
    ("status", "outcome"), [(status, name) for name, statuses in MEANINGS.items() for status in statuses]
)
def test_what_a_status_means(status: int, outcome: str) -> None:
    assert judge(status) == outcome


def test_only_what_tells_of_an_outage_counts_against_the_endpoint() -> None:
    assert {outcome for outcome in Outcome if not outcome.is_alive} == {"failed", "unreachable"}


def test_the_tries_are_spread_over_three_days() -> None:
    waits = [wait_before(attempts, 0.5) for attempts in range(1, TRIES)]
    assert waits == list(DELAYS)
    assert timedelta(days=3) < sum(DELAYS, timedelta()) < timedelta(days=4)
    assert all(shorter < longer for shorter, longer in pairwise(DELAYS))
    assert wait_before(TRIES, 0.5) is None


def test_the_tries_come_when_receivers_were_told_that_they_come() -> None:
    seconds, minutes, hours = (5, 30), (2, 10, 30), (2, 5, 10, 14, 20, 24)
    assert [delay.total_seconds() for delay in DELAYS] == [
        *seconds,
        *(60 * number for number in minutes),
        *(3_600 * number for number in hours),
    ]
    told = [f"{number} s" for number in seconds] + [f"{number} min" for number in minutes] + list(map(str, hours))
    assert f"It is tried again after {', '.join(told[:-1])} and {told[-1]} h" in CONSUMERS
    assert f"a host that fails {['', 'once', 'twice', 'three', 'four', 'five'][CIRCUIT]} times in a row" in CONSUMERS


def test_no_two_receivers_are_asked_together() -> None:
    earliest, latest = wait_before(3, 0.0), wait_before(3, 1.0)
    assert earliest is not None
    assert latest is not None
    assert earliest == DELAYS[2] * 0.8
    assert latest == DELAYS[2] * 1.2


def test_a_receiver_may_ask_for_more_time_but_not_for_ever() -> None:
    hour, year = timedelta(hours=1), timedelta(days=365)
    assert wait_before(1, 0.5, hour) == hour
    assert wait_before(1, 0.5, timedelta(seconds=1)) == DELAYS[0]
    assert wait_before(1, 0.5, year) == timedelta(days=1)
    assert wait_before(TRIES, 0.5, hour) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        (None, None),
        ("-1", None),
        ("Sat, 28 Nov 2026 00:00:00 GMT", None),
        ("9" * 30, None),
        ("9" * 9, 999_999_999),
        ("9" * 10, None),
        ("²", None),
    ],
)
def test_what_retry_after_says(header: str | None, seconds: int | None) -> None:
    assert retry_after(header) == (None if seconds is None else timedelta(seconds=seconds))


def test_an_endpoint_is_left_alone_for_longer_and_longer() -> None:
    assert [pause_after(number).total_seconds() for number in (1, CIRCUIT - 1)] == [0, 0]
    pauses = [pause_after(CIRCUIT + number).total_seconds() for number in range(8)]
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]
    assert pause_after(100_000) == pause_after(CIRCUIT + 8)
