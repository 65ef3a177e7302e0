"""The interval of regular reads: how long a record may stay unread if no notification about it arrives.

What has not changed for long is unlikely to change tomorrow: a record is read again after a tenth of the time for which
it has been quiet, the rule by which web caches guess (RFC 9111 section 4.2.2). Where something else would tell of a
change, a working webhook or a net that sees all that we may see, the longest interval is enough.
"""

from datetime import timedelta

from msgspec import Struct

QUIET_SHARE = 0.1
"""Share of the time without a change after which a record is read again."""

JITTER = 0.2
"""Share of the interval over which reads are spread, always to the earlier side: the longest interval is a promise."""


class Interval(Struct, frozen=True):
    """The bounds that operators set."""

    shortest: timedelta
    """Of a record that has just changed and that nothing else watches."""
    longest: timedelta
    """The greatest age that any record reaches, as long as the budget suffices."""


class Watch(Struct, frozen=True):
    """What would tell of a change before the next routine read."""

    announced: bool = False
    """A webhook that is not suspected of being dead."""
    swept: bool = False
    """A net that covers all that we may see of the record."""


def routine_interval(interval: Interval, quiet: timedelta, watch: Watch) -> timedelta:
    """Time until the next routine read of a record that has not changed for so long, before jitter."""
    if watch.announced or watch.swept:
        return interval.longest
    return min(interval.longest, max(interval.shortest, QUIET_SHARE * quiet))


def jittered(interval: timedelta, chance: float) -> timedelta:
    """The interval, shortened by up to a fifth; `chance` from 0 to 1."""
    return interval * (1 - JITTER * chance)
