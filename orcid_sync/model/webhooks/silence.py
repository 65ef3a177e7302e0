"""When missing notifications are suspicious: for all webhooks together, by the usual rate of their notifications.

ORCID says nothing when it stops calling (contract sections 1.2 and 1.6), so that silence is the only sign. People edit
by day and on weekdays, and ORCID calls in runs that may come only at night: the rate is that of each hour of the day,
weekends apart.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from msgspec import Struct

HISTORY = timedelta(days=14)
"""Over how long the usual rate is taken."""

ENOUGH = timedelta(days=1)
"""With less of a history nothing is usual."""

SHORTEST = timedelta(hours=2)
"""Shorter silences are ORCID's to have: nothing says when it calls."""

FALSE_ALARM_EVERY = timedelta(days=3650)
"""How seldom a silence may be taken for one that means something, and be chance."""

_HOUR = timedelta(hours=1)


class Hour(Struct, frozen=True):
    """One hour of the public listeners, all processes together."""

    began: datetime
    alive: timedelta
    """Of it: how long somebody could take notifications."""
    notifications: int


class Silence(Struct, frozen=True):
    """Nothing was heard for so long that it is hardly chance."""

    since: datetime
    """The last notification."""
    expected: float
    """How many would have been usual."""


def silence(hours: Iterable[Hour], *, heard_at: datetime | None, now: datetime) -> Silence | None:
    """The present silence, if it is suspicious; `heard_at` is when the last notification came."""
    if heard_at is None or now - heard_at < SHORTEST:
        return None
    known = list(hours)
    history = [hour for hour in known if heard_at - HISTORY <= hour.began <= heard_at]
    alive = sum((hour.alive for hour in history), timedelta())
    number = sum(hour.notifications for hour in history)
    if alive < ENOUGH or not number:
        return None
    usual = _Rhythm(history)
    expected = sum(usual.rate(hour.began) * (_silent(hour, heard_at) / _HOUR) for hour in known)
    # Poisson, but for the rate, of which no more is known than what these few notifications tell.
    probability = (1 + expected / number) ** -number
    # Every gap between two notifications is a chance to be wrong.
    gaps = number * (FALSE_ALARM_EVERY / alive)
    return Silence(heard_at, expected) if probability * gaps < 1 else None


class _Rhythm:
    """The usual rates: notifications in an hour, by the hour of the day, on weekdays and at weekends."""

    def __init__(self, history: Iterable[Hour]) -> None:
        self._sums: dict[tuple[bool, int] | None, tuple[timedelta, int]] = defaultdict(lambda: (timedelta(), 0))
        for hour in history:
            for kind in (None, _kind(hour.began)):
                alive, number = self._sums[kind]
                self._sums[kind] = alive + hour.alive, number + hour.notifications

    def rate(self, at: datetime) -> float:
        """Notifications in an hour like this one; where none like it is known, in any."""
        alive, number = self._sums.get(_kind(at)) or self._sums[None]
        return number / (alive / _HOUR) if alive else 0.0


def _kind(at: datetime) -> tuple[bool, int]:
    moment = at.astimezone(UTC)
    return moment.weekday() >= 5, moment.hour


def _silent(hour: Hour, heard_at: datetime) -> timedelta:
    """How much of an hour lies in the silence and was listened to."""
    return max(timedelta(), min(hour.alive, hour.began + _HOUR - heard_at))
