"""Whose turn it is: shares that add up, and turns that starve nobody."""

from collections import Counter
from collections.abc import Collection
from itertools import combinations

import pytest

from orcid_sync.model.sync.lane_shares import SHARES, URGENT, Admission, Turns, choose, kept
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


def test_few_places_are_kept_and_none_of_a_few() -> None:
    assert [kept(capacity) for capacity in (1, 7, 8, 15, 16, 256)] == [0, 0, 1, 1, 2, 32]
