"""Whether ORCID may have given a webhook up: how often its calls may have failed (contract section 1.6).

ORCID counts the failures of each webhook and never tells them. It stops calling after the 25th in a row, for ever, and
says nothing. What we do know is when nobody could have answered it; the rest follows from how it spaces its tries: the
n-th failure is followed by n times a delay. A webhook fails only while its record has something to announce, so what is
computed here is the worst case, that of a record edited just as the outage began.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

WARN_SHARE = 0.8
"""Share of the tries from which on a webhook is taken for lost, before it really is."""

_SECOND = timedelta(seconds=1)


class Sender(Struct, frozen=True):
    """The numbers of ORCID's sender; its production values are not published (contract section 1.6)."""

    tries: int = 25
    """Failures in a row after which a webhook is never called again."""
    delay: timedelta = timedelta(minutes=10)
    """Wait after the first failure; twice as long after the second, and so on."""


class Outage(Struct, frozen=True, order=True):
    """A time in which no call was answered with success."""

    began: datetime
    ended: datetime
    """Its end, or now."""


class FailedTries(Struct, frozen=True):
    """What a series of outages may have done to a webhook whose record was edited as the first of them began."""

    began: datetime
    failures: int
    """In a row, at most."""
    dead_at: datetime | None
    """When the last try failed; None: ORCID still calls."""


def failed_tries(outages: Iterable[Outage], sender: Sender) -> list[FailedTries]:
    """The strain that begins with each outage, in their order: short outages in a row can add up."""
    known = sorted(outages)
    return [_failed_tries(known[place:], sender) for place in range(len(known))]


def lost_before(outages: Iterable[Outage], sender: Sender, *, share: float = WARN_SHARE) -> datetime | None:
    """Webhooks that were not seen alive since this moment may be lost; None: all live.

    `share` 1: those that may be dead; less: those that are near it too. The moment lies within an outage, for whatever
    was registered during it may be lost as well; to within a second, rather too late.
    """
    known = sorted(outages)
    enough = sender.tries * share
    for place in reversed(range(len(known))):
        if _failed_tries(known[place:], sender).failures >= enough:
            return _latest(known[place:], sender, enough)
    return None


def _latest(outages: Sequence[Outage], sender: Sender, enough: float) -> datetime:
    """Until when during the first of these outages an edit led to so many failures: the later, the fewer."""
    first, *later = outages
    low, high = first.began, first.ended
    while high - low > _SECOND:
        middle = low + (high - low) / 2
        if _failed_tries([Outage(middle, first.ended), *later], sender).failures >= enough:
            low = middle
        else:
            high = middle
    return high


def _failed_tries(outages: Sequence[Outage], sender: Sender) -> FailedTries:
    """Follow the tries from the first outage's beginning until one must have been answered, or no more are made.

    When exactly a try falls between two outages depends on when the record was edited: it is taken to meet the next one
    if it can. So this is an upper bound, and a longer outage never looks milder.
    """
    failures, ended = 0, outages[0].began
    for outage in outages:
        if outage.began > ended + failures * sender.delay:
            break
        at, ended = outage.began, outage.ended
        while at < outage.ended:
            failures += 1
            if failures == sender.tries:
                return FailedTries(outages[0].began, failures, at)
            at += failures * sender.delay
    return FailedTries(outages[0].began, failures, None)
