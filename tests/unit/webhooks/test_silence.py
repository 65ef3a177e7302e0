"""When it is suspicious that nothing is heard: soon where much is usual, and never for the nights and the weekends."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import msgspec
import pytest

from orcid_sync.model.webhooks.silence import Hour, silence

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)

Usual = Callable[[datetime], float]
"""Notifications in an hour."""


def steady(a_day: float) -> Usual:
    return lambda _: a_day / 24


def office_hours(at: datetime) -> float:
    return 12.0 if 8 <= at.hour < 18 and at.weekday() < 5 else 0.02


def thrice_a_night(at: datetime) -> float:
    """Runs of ORCID's job as its code has them by default (contract section 1.6)."""
    return 40.0 if at.hour < 3 else 0.0


def moments(usual: Usual, days: float, seed: int) -> list[datetime]:
    """When notifications come, by chance."""
    random, at, found = Random(seed), MONDAY, list[datetime]()
    most = max(usual(MONDAY + number * HOUR) for number in range(7 * 24))
    while at < MONDAY + timedelta(days=days):
        at += HOUR * random.expovariate(most)
        if random.random() < usual(at) / most:
            found.append(at)
    return found


def hours(heard: list[datetime], until: datetime, *, alive: timedelta = HOUR) -> list[Hour]:
    counts: dict[datetime, int] = {}
    for at in heard:
        began = at.replace(minute=0, second=0, microsecond=0)
        counts[began] = counts.get(began, 0) + 1
    number = -((MONDAY - until) // HOUR)
    known = [MONDAY + step * HOUR for step in range(number)]
    return [Hour(began, min(alive, until - began), counts.get(began, 0)) for began in known]


def noticed_after(heard: list[datetime], *, limit: timedelta = timedelta(days=40)) -> timedelta:
    """How long after the last notification the silence is noticed, to within a quarter of an hour."""
    last = heard[-1]
    low, high = timedelta(), limit
    while high - low > HOUR / 4:
        middle = (low + high) / 2
        if silence(hours(heard, last + middle), heard_at=last, now=last + middle):
            high = middle
        else:
            low = middle
    return high


@pytest.mark.fault("F99")
@pytest.mark.parametrize(
    ("usual", "most"),
    [
        pytest.param(steady(500), timedelta(hours=2), id="many"),
        pytest.param(steady(100), timedelta(hours=5), id="some"),
        pytest.param(steady(10), timedelta(days=2), id="few"),
        pytest.param(steady(1), timedelta(days=20), id="hardly any"),
        pytest.param(office_hours, timedelta(days=3), id="office hours, over a weekend"),
        pytest.param(thrice_a_night, timedelta(days=1), id="at night only"),
    ],
)
def test_a_silence_is_noticed(usual: Usual, most: timedelta) -> None:
    for seed in range(3):
        assert 2 * HOUR <= noticed_after(moments(usual, 16.3, seed)) <= most + HOUR / 4


@pytest.mark.parametrize("usual", [steady(100), steady(10), steady(1), office_hours, thrice_a_night])
def test_what_is_usual_is_not_suspicious(usual: Usual) -> None:
    """Each gap of two months, looked at in its last moment."""
    heard = moments(usual, 60, seed=9)
    gaps = [(last, following) for last, following in pairwise(heard) if following - last > 2 * HOUR]
    assert gaps
    for last, following in gaps:
        before = [at for at in heard if last - timedelta(days=15) < at <= last]
        known = [hour for hour in hours(before, following) if hour.began > last - timedelta(days=15)]
        found = silence(known, heard_at=last, now=following)
        # The first weekend, and the first night, are not known to be quiet.
        assert found is None or last - MONDAY < timedelta(days=8), (last, following)


def test_nothing_is_usual_within_a_day() -> None:
    heard = moments(steady(1_000), 0.9, seed=1)
    now = heard[-1] + timedelta(days=30)

    assert silence(hours(heard, heard[-1]), heard_at=heard[-1], now=now) is None
    assert silence([], heard_at=None, now=now) is None


@pytest.mark.parametrize("quiet", [24, 35.5])
def test_how_many_would_have_been_usual(quiet: float) -> None:
    """One an hour, for ten days; then none."""
    heard = [MONDAY + number * HOUR for number in range(240)]
    now = heard[-1] + quiet * HOUR

    found = silence(hours(heard, now), heard_at=heard[-1], now=now)

    assert found is not None
    # The hour of the last one counts among those that were heard.
    assert (found.since, found.expected) == (heard[-1], pytest.approx(quiet, abs=0.1))


@pytest.mark.parametrize(("quiet", "asked"), [(timedelta(minutes=119), False), (timedelta(minutes=120), True)])
def test_two_hours_are_orcids_to_have(quiet: timedelta, *, asked: bool) -> None:
    heard = moments(steady(2_000), 10, seed=1)
    now = heard[-1] + quiet

    assert (silence(hours(heard, now), heard_at=heard[-1], now=now) is not None) == asked


@pytest.mark.parametrize(("days", "usual"), [(0.9, False), (1.2, True)])
def test_a_day_is_enough_to_know_what_is_usual(days: float, *, usual: bool) -> None:
    heard = moments(steady(1_000), days, seed=1)
    now = heard[-1] + timedelta(days=3)

    assert (silence(hours(heard, now), heard_at=heard[-1], now=now) is not None) == usual


def test_an_hour_in_which_nobody_ever_listened_is_not_expected_to_be_busy() -> None:
    """Of the hours at which the listeners were always away nothing is known."""
    heard = [MONDAY + number * HOUR for number in range(24 * 10) if number % 24 != 5]
    now = heard[-1] + 30 * HOUR
    known = [
        msgspec.structs.replace(hour, alive=timedelta()) if hour.began.hour == 5 and hour.began < heard[-1] else hour
        for hour in hours(heard, now)
    ]

    found = silence(known, heard_at=heard[-1], now=now)

    assert found is not None
    assert found.expected == pytest.approx(29, abs=0.1), "of the thirty hours one was at five o'clock"


def test_who_does_not_listen_cannot_be_surprised() -> None:
    """The time in which nobody could take notifications is not silent."""
    heard = moments(steady(1_000), 10, seed=1)
    now = heard[-1] + timedelta(days=3)
    away = [hour for hour in hours(heard, now) if hour.began + HOUR < heard[-1]]

    assert silence(away, heard_at=heard[-1], now=now) is None
    assert silence(hours(heard, now), heard_at=heard[-1], now=now) is not None
