"""Where bars and points stand."""

from itertools import pairwise

import pytest

from orcid_sync.model.analysis import charts


@pytest.mark.parametrize(
    ("value", "top"),
    [(0, 4), (1, 4), (4, 4), (5, 5), (9, 10), (11, 20), (37, 40), (41, 50), (51, 80), (99_999, 100_000)],
)
def test_an_axis_ends_at_a_round_number_above_everything(value: int, top: int) -> None:
    assert charts.ceiling(value) == top
    lines = charts.ticks(top)
    assert (lines[0].value, lines[0].y, lines[-1].value, lines[-1].y) == (0, 100, top, 0)
    assert len({b.value - a.value for a, b in pairwise(lines)}) == 1, "even steps"


def test_columns_are_stacked_from_the_ground() -> None:
    chart = charts.columns([(1, 3), (0, 0), (2, 0)])

    assert [(bar.kind, bar.y, bar.height) for bar in chart.bars] == [(0, 75, 25), (1, 0, 75), (0, 50, 50)]
    assert all(0 <= bar.x < bar.x + bar.width <= 100 for bar in chart.bars)
    assert chart.middles == [16.667, 50, 83.333]


def test_a_line_goes_through_the_middles() -> None:
    chart = charts.line([0, 2, 4])

    assert chart.points == [(16.667, 100), (50, 50), (83.333, 0)]
    assert chart.area == "16.667,100 16.667,100 50,50 83.333,0 83.333,100"


@pytest.mark.parametrize("draw", [charts.line, charts.columns])
def test_nothing_is_drawn_of_nothing(draw: object) -> None:
    assert draw([]).ticks[-1].value == 4  # type: ignore[operator]


def test_shares_and_names() -> None:
    assert (charts.share(1, 3), charts.share(0, 0)) == (33.333, 0)
    assert charts.thinned(list("abcde"), 2) == ["", "b", "", "", "e"]
    assert charts.thinned(list("abc")) == list("abc")
    assert charts.thinned([]) == []
