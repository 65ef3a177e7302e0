"""How long a record may go unread while nothing is heard of it."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcid_sync.model.sync.check_interval import Interval, Watch, jittered, routine_interval

DAY = timedelta(days=1)
INTERVAL = Interval(shortest=DAY, longest=7 * DAY)
UNWATCHED = Watch()


@pytest.mark.parametrize(
    ("quiet", "watch", "interval"),
    [
        pytest.param(timedelta(), UNWATCHED, DAY, id="changed just now"),
        pytest.param(-DAY, UNWATCHED, DAY, id="changed tomorrow, by ORCID's clock"),
        pytest.param(30 * DAY, UNWATCHED, 3 * DAY, id="a tenth of the time for which it was quiet"),
        pytest.param(1000 * DAY, UNWATCHED, 7 * DAY, id="quiet for years"),
        pytest.param(timedelta(), Watch(announced=True), 7 * DAY, id="a webhook would tell"),
        pytest.param(timedelta(), Watch(swept=True), 7 * DAY, id="a net would find it"),
    ],
)
def test_intervals(quiet: timedelta, watch: Watch, interval: timedelta) -> None:
    assert routine_interval(INTERVAL, quiet, watch) == interval


@given(
    quiet=st.integers(-10, 10_000),
    chance=st.floats(0, 1),
    shortest=st.integers(1, 500),
    longest=st.integers(1, 500),
    announced=st.booleans(),
    swept=st.booleans(),
)
def test_the_longest_interval_is_never_exceeded(
    quiet: int, chance: float, shortest: int, longest: int, *, announced: bool, swept: bool
) -> None:
    interval = Interval(shortest=shortest * DAY, longest=longest * DAY)

    due_in = jittered(routine_interval(interval, quiet * DAY, Watch(announced=announced, swept=swept)), chance)

    assert 0.79 * min(interval.shortest, interval.longest) <= due_in <= interval.longest
