"""Dates that the Registry computes at each read, and orders by publication and end dates.

Contract section 3.9: maxima over what the reader sees, hence they go backwards. Orders: corpus section 5.
"""

from collections.abc import Iterable
from typing import Any

from orcid_sync.simulator.records.profiles import Item

Json = dict[str, Any]


def stamp(milliseconds: int | None) -> Json | None:
    """A timestamp in wire form."""
    return None if milliseconds is None else {"value": milliseconds}


def latest(items: Iterable[Item]) -> Json | None:
    """The newest modification among these items, null if there are none."""
    return stamp(max((item.modified_ms for item in items), default=None))


def newest(blocks: Iterable[Json]) -> Json | None:
    """The newest `last-modified-date` among rendered blocks, null if none has one."""
    dates = (block["last-modified-date"] for block in blocks)
    return stamp(max((date["value"] for date in dates if date), default=None))


def _parts(date: Json | None) -> tuple[int, int, int]:
    if date is None:
        return -1, -1, -1
    year, month, day = (int(part["value"]) if part else -1 for part in (date["year"], date["month"], date["day"]))
    return year, month, day


def _descending(date: Json | None) -> tuple[int, int, int]:
    year, month, day = _parts(date)
    return -year, -month, -day


def by_publication(item: Item) -> tuple[tuple[int, int, int], int]:
    """Newest publication first, missing parts last."""
    return _descending(item.content["publication-date"]), item.put_code


def by_end(item: Item) -> tuple[bool, tuple[int, int, int], tuple[int, int, int], int]:
    """What goes on first, then the latest end, then the latest start."""
    content = item.content.get("proposal") or item.content
    end = content["end-date"]
    return end is not None, _descending(end), _descending(content["start-date"]), item.put_code
