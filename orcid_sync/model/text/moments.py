"""Moments as people type them: 2026-06-01, 2026-06-01T12:00, 3d (three days ago)."""

import re
from datetime import UTC, datetime, timedelta

FORMS = "a date (2026-06-01), a moment (2026-06-01T12:00Z), or a time before now (30min, 12h, 3d, 2w)"

_AGO = re.compile(r"(\d{1,6})\s*(min|h|d|w)", re.ASCII)
_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


class NotAMoment(ValueError):
    """What was typed is no moment that can be asked about; the message says what would be."""


def parse_moment(text: str, now: datetime) -> datetime:
    """The moment that is meant; a date alone is its beginning, and without an offset it is UTC. Raises NotAMoment."""
    typed = text.strip()
    if typed.lower() == "now":
        return now
    moment = _before(typed, now) or _absolute(typed)
    if moment is None:
        raise NotAMoment(f"{text!r} is not a time: expected {FORMS}.")
    if moment > now:
        raise NotAMoment(f"{_shown(moment)} is in the future: now is {_shown(now)}.")
    return moment


def _before(typed: str, now: datetime) -> datetime | None:
    if (found := _AGO.fullmatch(typed)) is None:
        return None
    try:
        return now - int(found[1]) * _UNITS[found[2]]
    except OverflowError:
        return None


def _absolute(typed: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(typed)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
