"""The geometry of charts: where bars and points stand in a picture of 100 x 100, and what the axis says."""

from collections.abc import Sequence
from math import floor, log10
from typing import Final

from msgspec import Struct

FULL: Final = 100.0
GAP: Final = 0.3
"""Share of a place that stays empty between two bars."""


class Bar(Struct, frozen=True):
    """One part of a column; y grows downwards, as in SVG."""

    x: float
    y: float
    width: float
    height: float
    kind: int
    """Which of the values that are stacked."""


class Tick(Struct, frozen=True):
    """A line of the grid."""

    y: float
    value: int


class Columns(Struct, frozen=True):
    """Columns of stacked values."""

    bars: list[Bar]
    ticks: list[Tick]
    middles: list[float]
    """Where the columns' names stand."""


def columns(values: Sequence[Sequence[int]]) -> Columns:
    """A column for each entry, its values on top of each other."""
    top = ceiling(max((sum(stack) for stack in values), default=0))
    place = FULL / max(len(values), 1)
    bars = []
    for number, stack in enumerate(values):
        low = FULL
        for kind, value in enumerate(stack):
            height = FULL * value / top
            low -= height
            if value:
                bars.append(Bar(_at(place * (number + GAP / 2)), _at(low), _at(place * (1 - GAP)), _at(height), kind))
    return Columns(bars, ticks(top), [_at(place * (number + 0.5)) for number in range(len(values))])


class Line(Struct, frozen=True):
    """Points from left to right."""

    points: list[tuple[float, float]]
    ticks: list[Tick]

    @property
    def path(self) -> str:
        """The line, as SVG writes it."""
        return " ".join(f"{x:g},{y:g}" for x, y in self.points)

    @property
    def area(self) -> str:
        """What is under it."""
        return f"{self.points[0][0]:g},{FULL:g} {self.path} {self.points[-1][0]:g},{FULL:g}" if self.points else ""


def line(values: Sequence[int]) -> Line:
    """A point in the middle of each entry's place, as columns stand."""
    top = ceiling(max(values, default=0))
    place = FULL / max(len(values), 1)
    points = [(_at(place * (number + 0.5)), _at(FULL - FULL * value / top)) for number, value in enumerate(values)]
    return Line(points, ticks(top))


def ceiling(value: int) -> int:
    """The round number at which an axis ends: 1, 2, 4 or 5 with zeros, so that quarters or fifths of it are round."""
    if value <= 4:
        return 4
    size: int = 10 ** floor(log10(value))
    return next(step * size for step in (1, 2, 4, 5, 8, 10) if step * size >= value)


def ticks(top: int) -> list[Tick]:
    """Four or five lines, the one at zero included."""
    parts = 4 if top % 4 == 0 else 5
    return [Tick(_at(FULL - FULL * part / parts), top * part // parts) for part in range(parts + 1)]


def share(part: int, whole: int) -> float:
    """A part in per cent; nothing of nothing is nothing."""
    return _at(FULL * part / whole) if whole else 0.0


def thinned(names: Sequence[str], most: int = 12) -> list[str]:
    """The names under columns, so few that they have room; the others are empty. The last one is always there."""
    step = -(-len(names) // most) or 1
    return [name if (len(names) - 1 - place) % step == 0 else "" for place, name in enumerate(names)]


def _at(value: float) -> float:
    return round(value, 3)
