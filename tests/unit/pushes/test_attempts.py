"""What answers mean, when a message is tried again, when an endpoint is left alone."""

from datetime import timedelta
from itertools import pairwise

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

MEANINGS = {
    "delivered": [200, 201, 202, 204, 299],
    "refused": [100, 301, 302, 307, 308, 400, 401, 403, 404, 405, 413, 422],
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
    [("120", 120), ("0", 0), (None, None), ("-1", None), ("Sat, 28 Nov 2026 00:00:00 GMT", None), ("9" * 30, None)],
)
def test_what_retry_after_says(header: str | None, seconds: int | None) -> None:
    assert retry_after(header) == (None if seconds is None else timedelta(seconds=seconds))


def test_an_endpoint_is_left_alone_for_longer_and_longer() -> None:
    assert [pause_after(number).total_seconds() for number in (1, CIRCUIT - 1)] == [0, 0]
    pauses = [pause_after(CIRCUIT + number).total_seconds() for number in range(8)]
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]
    assert pause_after(100_000) == pause_after(CIRCUIT + 8)
