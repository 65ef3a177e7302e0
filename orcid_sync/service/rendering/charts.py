"""Small charts as numbers for SVG: no I/O. Each has a table, for people who cannot see it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from orcid_sync.model.text.wording import moment

HEIGHT = 100.0
"""Of a chart of bars, in units of its own; each bar is one unit wide."""

LEAST = 2.0
"""Height of the smallest bar that stands for anything at all."""


class Bar(Struct, frozen=True):
    """One hour."""

    x: int
    y: float
    height: float
    label: str
    """When the hour began."""
    number: int


class Bars(Struct, frozen=True):
    """A chart of bars."""

    bars: list[Bar]
    most: int
    total: int


class Part(Struct, frozen=True):
    """A part of a whole."""

    name: str
    number: int
    share: float
    """From 0 to 1."""
    x: float
    width: float
    """Place in a strip that is 100 wide."""
    kind: str
    """What it looks like."""


def bars(hours: Sequence[tuple[datetime, int]]) -> Bars:
    """A chart of so much an hour."""
    most = max((number for _, number in hours), default=0)
    heights = [max(number / most * HEIGHT, LEAST) if number else 0.0 for _, number in hours]
    return Bars(
        [
            Bar(x, round(HEIGHT - height, 2), round(height, 2), moment(began)[:16] + " UTC", number)
            for x, ((began, number), height) in enumerate(zip(hours, heights, strict=True))
        ],
        most,
        sum(number for _, number in hours),
    )


def parts(numbers: Mapping[str, int], kinds: Mapping[str, str]) -> list[Part]:
    """A whole in its parts, in the order of the kinds, then the others; what there is nothing of is left out."""
    total = sum(numbers.values())
    names = [name for name in (*kinds, *(name for name in numbers if name not in kinds)) if numbers.get(name)]
    found, before = [], 0
    for name in names:
        number = numbers[name]
        x, width = 100 * before / total, 100 * number / total
        found.append(Part(name, number, number / total, round(x, 3), round(width, 3), kinds.get(name, "note")))
        before += number
    return found
