"""The small parts of sentences: times, spans, numbers, names of items. English, and in UTC."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def day(at: datetime) -> str:
    """3 May 2026."""
    at = at.astimezone(UTC)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


def moment(at: datetime) -> str:
    """3 May 2026, 14:02 UTC."""
    return f"{day(at)}, {at.astimezone(UTC):%H:%M} UTC"


def span(time: timedelta | float) -> str:
    """How long, roughly, of seconds or a difference: "15 minutes"."""
    seconds = abs(time.total_seconds() if isinstance(time, timedelta) else time)
    for unit, size, enough in (("day", 86_400, 2), ("hour", 3_600, 2), ("minute", 60, 1)):
        if seconds >= size * enough:
            return number(round(seconds / size), unit)
    return number(round(seconds), "second")


def until(at: datetime, now: datetime) -> str:
    """When something comes: "in 15 minutes", "at once"."""
    return f"in {span(at - now)}" if round((at - now).total_seconds()) > 0 else "at once"


def number(count: int, noun: str, many: str = "") -> str:
    """So many of something."""
    return f"{count} {noun if count == 1 else many or noun + 's'}"


def failed(times: int, noun: str, many: str = "") -> str:
    """So many failures one after the other: "1 read failed", "3 reads in a row failed"."""
    return f"{number(times, noun, many)} {'in a row ' if times > 1 else ''}failed"


def series(words: Iterable[str], last: str = "and") -> str:
    """One, two and three."""
    *most, end = list(words) or ["nothing"]
    return f"{', '.join(most)} {last} {end}" if most else end


def kind(section: str) -> str:
    """What an item of a section is called: "work", "peer review", "e-mail"."""
    return {"email": "e-mail"}.get(section, section.replace("-", " "))


def kinds(section: str, count: int) -> str:
    """So many items of a section: "2 works", "1 biography"."""
    noun = kind(section)
    many = noun[:-1] + "ies" if noun.endswith("y") else noun + ("es" if noun.endswith("s") else "s")
    return number(count, noun, many)


def tally(counts: Mapping[str, int]) -> str:
    """Numbers by section in words."""
    return series(kinds(section, count) for section, count in counts.items())


def named(section: str, title: str, key: str) -> str:
    """An item as a sentence speaks of it: The work "Title"; without a title: The work 123."""
    name = f'"{_short(title)}"' if title else key
    return f"The {kind(section)} {name}".rstrip()


def _short(title: str) -> str:
    return title if len(title) <= 80 else title[:79] + "…"
