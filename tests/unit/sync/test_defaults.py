"""The numbers that hold where nobody set others."""

from datetime import timedelta

import pytest

from orcid_sync.model.sync.check_interval import Interval
from orcid_sync.model.sync.schedule import BACKOFFS, STALE_TRIES, Policy, backoff
from orcid_sync.model.webhooks.health import Rules
from orcid_sync.settings.settings import Settings

SET = {name: field.default for name, field in Settings.model_fields.items()}
POLICY = Policy()


def test_a_policy_is_by_default_what_the_settings_are() -> None:
    """What the tests and the measurements assume is what installations do."""
    assert POLICY.interval == Interval(
        shortest=timedelta(hours=SET["shortest_interval_hours"]), longest=timedelta(hours=SET["check_interval_hours"])
    )
    assert POLICY.second_look == timedelta(seconds=SET["second_look_seconds"])
    assert POLICY.delivery_grace == timedelta(hours=SET["delivery_grace_hours"]) == Rules().grace
    assert Rules().canary_within == timedelta(hours=SET["canary_hours"])
    assert POLICY.hide_locked == (SET["locked_records"] == "hide")


def test_a_token_in_doubt_is_counted_for_as_long_as_it_takes_to_try_it_again() -> None:
    """Else an outage that lasts would look like the will of the few that were tried last (contract section 2.6)."""
    assert POLICY.outage_window == BACKOFFS["unauthorized"].cap


@pytest.mark.parametrize(
    ("kind", "first", "longest"),
    [
        ("busy", timedelta(seconds=5), timedelta(hours=6)),
        ("unavailable", timedelta(seconds=5), timedelta(hours=6)),
        ("database", timedelta(seconds=5), timedelta(minutes=15)),
        ("stale", timedelta(minutes=5), timedelta(hours=1)),
        ("malformed", timedelta(minutes=15), timedelta(days=1)),
        ("unauthorized", timedelta(hours=1), timedelta(days=1)),
    ],
)
def test_the_first_wait_and_the_longest(kind: str, first: timedelta, longest: timedelta) -> None:
    assert (backoff(kind, 1, 1.0), backoff(kind, 1_000, 1.0)) == (first, longest)


def test_an_older_answer_is_refused_for_some_hours() -> None:
    """Longer than ORCID's caches hold (contract section 3.9), and not for a day: then it is the Registry's word."""
    waits = [backoff("stale", n, 1.0) for n in range(1, STALE_TRIES + 1)]
    assert timedelta(hours=5) < sum(waits, timedelta()) < timedelta(hours=6)
