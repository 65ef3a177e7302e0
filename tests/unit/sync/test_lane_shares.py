"""Whose turn it is: shares that add up, and turns that starve nobody."""

from collections import Counter
from collections.abc import Collection
from itertools import combinations

import pytest

from orcid_sync.model.sync.lane_shares import SHARES, URGENT, Admission, Turns, allowance, choose, is_shed, kept
from orcid_sync.model.sync.schedule import Lane


def served(turns: Turns, due: Collection[Lane], places: int) -> tuple[list[Lane], Turns]:
    """Who gets so many places, one by one, if these lanes always have work."""
    order = []
    for _ in range(places):
        lane = next(lane for lane in turns.order() if lane in due)
        order.append(lane)
        turns = turns.after([lane])
    return order, turns


def test_the_shares_are_of_one_whole_and_worse_lanes_have_less() -> None:
    assert sum(share.weight for share in SHARES.values()) == pytest.approx(1)
    for column in ("weight", "horizon", "budget"):
        values = [getattr(SHARES[lane], column) for lane in Lane]
        assert values == sorted(values, reverse=True)


@pytest.mark.fault("F25")
@pytest.mark.invariant("L2")
@pytest.mark.parametrize("due", [due for number in range(1, 6) for due in combinations(Lane, number)])
def test_lanes_with_work_get_places_by_their_weights(due: tuple[Lane, ...]) -> None:
    counts = Counter(served(Turns(), due, 600)[0])

    together = sum(SHARES[lane].weight for lane in due)
    for lane in due:
        assert counts[lane] / 600 == pytest.approx(SHARES[lane].weight / together, abs=0.01)


@pytest.mark.fault("F25")
def test_a_notification_after_a_long_silence_is_next_and_gets_no_credit_for_the_silence() -> None:
    _, turns = served(Turns(), [Lane.FIRST_LOAD, Lane.SWEEP], 500)

    order, _ = served(turns, Lane, 100)

    assert order[0] is Lane.NOTIFICATION
    assert order.count(Lane.NOTIFICATION) == pytest.approx(50, abs=2)


def test_many_leases_at_once_are_paid_for() -> None:
    turns = Turns().after([Lane.SWEEP] * 8)

    order, _ = served(turns, [Lane.SWEEP, Lane.CHECK], 17)

    assert order == [Lane.CHECK] * 17, "of the next 24 places, eight are the sweep's"


@pytest.mark.parametrize(
    ("capacity", "running", "admission", "lanes", "limit"),
    [
        (8, 0, Admission(), set(Lane), 7),
        (8, 6, Admission(), set(Lane), 1),
        (8, 7, Admission(), URGENT, 1),
        (4, 3, Admission(), set(Lane), 1),
        (1, 0, Admission(), set(Lane), 1),
        (256, 0, Admission(places=20), set(Lane), 20),
        (8, 0, Admission(lanes=frozenset({Lane.OPERATOR})), {Lane.OPERATOR}, 7),
        (8, 7, Admission(lanes=frozenset({Lane.CHECK})), set(), 1),
        (8, 0, Admission(alone=True), set(Lane), 1),
        (8, 1, Admission(alone=True), URGENT, 0),
    ],
)
def test_what_is_leased_next(capacity: int, running: int, admission: Admission, lanes: set[Lane], limit: int) -> None:
    choice = choose(Turns(), admission, capacity=capacity, running=running)

    assert (set(choice.lanes), choice.limit) == (lanes, limit)


def test_who_has_just_begun_owes_nobody_a_place() -> None:
    """Also beside a lane that was served before: a clock that began later would have to wait for it."""
    assert Turns().order() == tuple(Lane)
    once = Turns().after([Lane.NOTIFICATION])
    assert once.order() == (*list(Lane)[1:], Lane.NOTIFICATION)
    assert once == Turns(0.0, (1 / SHARES[Lane.NOTIFICATION].weight, 0.0, 0.0, 0.0, 0.0))
    assert Turns().after([]) == Turns()


def test_nothing_is_leased_where_more_runs_than_there_are_places() -> None:
    """The circuit lets one through while those that were running before it opened still run."""
    assert choose(Turns(), Admission(alone=True), capacity=8, running=3).limit == 0


def test_an_admission_that_says_nothing_holds_nobody_back() -> None:
    assert Admission().seconds == 0


@pytest.mark.fault("F25")
@pytest.mark.parametrize(
    ("lane", "allowed"),
    [
        (Lane.NOTIFICATION, 1_000),
        (Lane.OPERATOR, 980),
        (Lane.FIRST_LOAD, 950),
        (Lane.CHECK, 920),
        (Lane.SWEEP, 900),
    ],
)
def test_the_worst_lanes_wait_for_the_next_day_first(lane: Lane, allowed: int) -> None:
    assert allowance(1_000, lane) == allowed
    assert [is_shed(1_000, lane, used) for used in (0, allowed - 1, allowed, allowed + 1)] == [False, False, True, True]


@pytest.mark.parametrize("lane", Lane)
def test_of_a_small_budget_no_lane_gets_more_than_there_is_and_without_one_any_number(lane: Lane) -> None:
    assert allowance(1, lane) == (lane is Lane.NOTIFICATION), "a part of a request is none"
    assert allowance(None, lane) is None
    assert not is_shed(None, lane, 10**9)


def test_few_places_are_kept_and_none_of_a_few() -> None:
    assert [kept(capacity) for capacity in (1, 7, 8, 15, 16, 256)] == [0, 0, 1, 1, 2, 32]
