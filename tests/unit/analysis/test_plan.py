"""What following so many iDs costs and how fresh they stay, against figures worked out by hand and by chance."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from orcid_sync.model.analysis.plan import HOUR, MINUTE, Means, Population, make_plan

PEOPLE = Population(connected=100_000, changes=0.05, notices_per_change=2, details=4)
MEANS = Means(per_second=24, webhooks=False, shortest=7, longest=7)


@pytest.mark.parametrize(
    ("changed", "requests"),
    [
        pytest.param({}, {"full forms": 5_000, "routine reads": 100_000 / 6.3}, id="only routine reads"),
        pytest.param(
            {"webhooks": True, "lost": 0.0},
            {"notifications": 10_000, "second looks": 10_000, "full forms": 5_000, "routine reads": 11_383},
            id="webhooks: whoever is heard of is not read by routine too",
        ),
        pytest.param(
            {"webhooks": True, "lost": 0.0, "second_look": 0.0},
            {"notifications": 10_000, "full forms": 5_000, "routine reads": 11_395},
            id="without second looks",
        ),
        pytest.param(
            {"search_every": HOUR, "search_overlap": HOUR},
            {
                "full forms": 5_000,
                "routine reads": 11_395,
                "searches": 401 * 24 + 20_000 / 60 + 24 / 2,
                "reads after searches": 10_000 * 0.9968,  # the others are read by routine before
            },
            id="an hourly search of 250 iDs at a time, each change found twice and read once",
        ),
        pytest.param(
            {"file_every": 1.0},
            {"full forms": 5_000, "routine reads": 11_395, "reads after the file": 10_000 * 0.892},
            id="the daily file costs no request, but what it names is read",
        ),
    ],
)
def test_requests_of_a_day(changed: dict[str, float], requests: dict[str, float]) -> None:
    found = make_plan(PEOPLE, structs.replace(MEANS, **changed)).requests
    assert found == pytest.approx(requests, rel=0.001)


def test_a_nightly_poll_of_a_hundred_thousand_takes_seventy_minutes() -> None:
    """As the contract has it (section 5)."""
    plan = make_plan(structs.replace(PEOPLE, details=0), MEANS)
    assert plan.first_load / MINUTE == pytest.approx(70, abs=1)
    assert plan.first_load_again == plan.first_load  # there are no webhooks


@pytest.mark.parametrize("details", [0.0, 6.0])
def test_webhooks_of_an_earlier_database_cost_two_requests_more(details: float) -> None:
    """PUT, which finds it, DELETE, PUT: it may be dead (contract section 1.3, row 8)."""
    plan = make_plan(structs.replace(PEOPLE, details=details), structs.replace(MEANS, webhooks=True))
    requests = (plan.first_load_again - plan.first_load) * plan.capacity
    assert requests == pytest.approx(2 * PEOPLE.connected)


def test_without_any_notice_a_change_waits_half_an_interval() -> None:
    staleness = make_plan(PEOPLE, MEANS).without_webhooks
    assert (staleness.median, staleness.worst) == (pytest.approx(6.3 / 2), 7)


def test_webhooks_make_minutes_of_days_and_keep_the_worst_case() -> None:
    staleness = make_plan(PEOPLE, structs.replace(MEANS, webhooks=True, lost=0.02)).with_webhooks
    assert staleness is not None
    assert staleness.median < 10 * MINUTE
    assert staleness.p99 > 1, "one change in fifty is not announced"
    assert staleness.worst == 7


def test_search_bounds_what_it_sees_and_leaves_limited_records_to_their_turn() -> None:
    hourly = structs.replace(MEANS, search_every=HOUR, search_lag=10 * MINUTE)
    assert make_plan(PEOPLE, hourly).without_webhooks.worst == pytest.approx(70 * MINUTE)
    assert make_plan(structs.replace(PEOPLE, limited_share=0.1), hourly).without_webhooks.worst == 7


def test_a_quota_that_does_not_suffice_is_used_up_before_the_day_ends() -> None:
    plan = make_plan(PEOPLE, structs.replace(MEANS, per_day=10_000))
    assert plan.used == pytest.approx((5_000 + 100_000 / 6.3) / 10_000)
    assert plan.quota_lasts == pytest.approx(1 / plan.used)


def test_the_formulas_agree_with_chance() -> None:
    """A thousand changes by dice: announced or not, then the next search or the next routine read."""
    dice, means = random.Random(5), structs.replace(MEANS, webhooks=True, lost=0.3, search_every=1.0, search_lag=0.0)
    waits = []
    for _ in range(20_000):
        if dice.random() > means.lost:
            waits.append(dice.uniform(*means.delivery))
        else:
            interval = means.longest * dice.uniform(0.8, 1)
            waits.append(min(dice.uniform(0, interval), dice.uniform(0, 1)))
    waits.sort()

    staleness = make_plan(PEOPLE, means).with_webhooks

    assert staleness is not None
    assert staleness.median == pytest.approx(waits[len(waits) // 2], rel=0.05)
    assert staleness.p99 == pytest.approx(waits[len(waits) * 99 // 100], rel=0.05)


@settings(deadline=None)
@given(
    connected=st.integers(1, 10**7),
    changes=st.floats(0, 5),
    limited=st.floats(0, 1),
    webhooks=st.booleans(),
    search=st.none() | st.floats(0.01, 2),
    file=st.none() | st.floats(0.5, 2),
)
def test_more_nets_never_make_it_staler(
    connected: int, changes: float, limited: float, search: float | None, file: float | None, *, webhooks: bool
) -> None:
    people = Population(connected=connected, changes=changes, limited_share=limited)
    means = structs.replace(MEANS, webhooks=webhooks, search_every=search, file_every=file)
    bare = structs.replace(MEANS, webhooks=webhooks)

    caught, alone = make_plan(people, means).without_webhooks, make_plan(people, bare).without_webhooks

    assert 0 <= caught.median <= caught.p99 <= caught.worst <= 7
    assert caught.median <= alone.median * (1 + 1e-9)
    assert caught.p99 <= alone.p99 * (1 + 1e-9)
