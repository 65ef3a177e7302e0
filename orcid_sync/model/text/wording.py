"""Moments and durations in words, the same wherever people read them."""

from datetime import UTC, datetime


def moment(when: datetime) -> str:
    """A moment in UTC, to the second."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def duration(seconds: float) -> str:
    """A duration in its two largest units: 3 d 4 h."""
    rest = max(round(seconds), 0)
    parts = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        amount, rest = divmod(rest, size)
        if amount:
            parts.append(f"{amount} {unit}")
    return " ".join(parts[:2]) or "0 s"


def ago(when: datetime | None, now: datetime) -> str:
    """How long ago a moment was, or how long it is until then."""
    if when is None:
        return "never"
    seconds = (now - when).total_seconds()
    return f"{duration(seconds)} ago" if seconds >= 0 else f"in {duration(-seconds)}"
