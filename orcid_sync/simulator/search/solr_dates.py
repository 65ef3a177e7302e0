"""Moments as Solr writes them: `2026-08-01T00:00:00Z`, `NOW`, `NOW-1DAY`, `NOW/DAY+2HOURS` (contract section 6)."""

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta

_MOMENT = re.compile(r"(NOW|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z)(.*)", re.ASCII)
_STEP = re.compile(r"([+-])([0-9]{1,6})([A-Z]+?)S?(?=[+/-]|$)|/([A-Z]+?)S?(?=[+/-]|$)", re.ASCII)

_LENGTHS = {
    "DAY": timedelta(days=1),
    "DATE": timedelta(days=1),
    "HOUR": timedelta(hours=1),
    "MINUTE": timedelta(minutes=1),
    "SECOND": timedelta(seconds=1),
    "MILLI": timedelta(milliseconds=1),
    "MILLISECOND": timedelta(milliseconds=1),
}
_MONTHS = {"MONTH": 1, "YEAR": 12}
_ROUNDED = ("YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND")
_FIRST = {"month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0, "microsecond": 0}


def moment(text: str, *, now_ms: int) -> int:
    """Milliseconds since 1970. Raises ValueError for what is no moment."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError(f"Invalid Date String:'{text}'")
    base, math = found.groups()
    present = datetime.fromtimestamp(now_ms / 1000, UTC)
    value, position = present if base == "NOW" else datetime.fromisoformat(base), 0
    while position < len(math):
        step = _STEP.match(math, position)
        if step is None:
            raise ValueError(f"Invalid Date Math String:'{text}'")
        sign, count, unit, rounded = step.groups()
        value = _floor(value, rounded) if rounded else _shifted(value, int(sign + count), unit)
        position = step.end()
    return round(value.timestamp() * 1000)


def _shifted(value: datetime, count: int, unit: str) -> datetime:
    if unit in _MONTHS:
        years, month = divmod(value.month - 1 + count * _MONTHS[unit], 12)
        year, month = value.year + years, month + 1
        return value.replace(year=year, month=month, day=min(value.day, monthrange(year, month)[1]))
    if unit not in _LENGTHS:
        raise ValueError(f"Unit not recognized: {unit}")
    return value + count * _LENGTHS[unit]


def _floor(value: datetime, unit: str) -> datetime:
    name = "DAY" if unit == "DATE" else unit
    if name not in _ROUNDED:
        raise ValueError(f"Unit not recognized: {unit}")
    finer = {part: first for part, first in _FIRST.items() if part.upper() not in _ROUNDED[: _ROUNDED.index(name) + 1]}
    return value.replace(**finer)  # type: ignore[arg-type]  # the keys are names of integer parts
