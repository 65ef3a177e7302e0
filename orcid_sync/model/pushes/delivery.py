"""Pushes: what an answer means, when the next try is, when a receiver counts as down. Tables, no I/O."""

from datetime import timedelta
from enum import StrEnum

import msgspec

MOST_CHANGES = 100
"""Changes in one message."""

MOST_BYTES = 256 * 1024
"""Of the changes in one message. A change that is larger alone is sent without its contents."""

DELAYS = tuple(
    timedelta(**{unit: number})
    for unit, number in (
        ("seconds", 5),
        ("seconds", 30),
        ("minutes", 2),
        ("minutes", 10),
        ("minutes", 30),
        ("hours", 2),
        ("hours", 5),
        ("hours", 10),
        ("hours", 14),
        ("hours", 20),
        ("hours", 24),
    )
)
"""Time between one try and the next; three days in all, as the Standard Webhooks specification advises."""

TRIES = len(DELAYS) + 1
"""Tries of one message; after the last it is dead."""

JITTER = 0.2
"""By which share a delay is longer or shorter: receivers that went down together must not be asked together."""

LONGEST_WAIT = timedelta(days=1)
"""Of what a receiver asks for by Retry-After."""

CIRCUIT = 5
"""Failures of an endpoint in a row, of whatever subscription, after which only one message at a time tries it."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=15)

PAUSED = {
    "by hand": "paused by hand",
    "dead": "stopped: a message could not be delivered for days",
    "gone": "stopped: the receiver refuses further messages (410)",
}
"""Why nothing is sent to a subscription, in words."""


class Outcome(StrEnum):
    """What became of a try."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    """The receiver is up and does not take the message: a status of 3xx or 4xx."""
    GONE = "gone"
    """410: the receiver wants no more messages, ever."""
    FAILED = "failed"
    """The receiver is overloaded or broken."""
    UNREACHABLE = "unreachable"
    """No answer: no connection, no complete answer in time."""
    FORBIDDEN = "forbidden"
    """Nothing was sent: the address is one that we must not reach."""

    @property
    def is_alive(self) -> bool:
        """Whether it tells that the endpoint answers, as opposed to: is down."""
        return self not in {Outcome.FAILED, Outcome.UNREACHABLE}


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """How a try ended."""

    outcome: Outcome
    error: str | None = None
    """A fixed phrase or the status; nothing that the receiver said."""
    seconds: float = 0.0
    """How long it took."""
    retry_after: timedelta | None = None
    """How long the receiver wants to be left alone."""


def judge(status: int) -> Outcome:
    """What a status means (Standard Webhooks, delivery success and failure). A redirect is a failure, not followed."""
    if 200 <= status < 300:
        return Outcome.DELIVERED
    if status == 410:
        return Outcome.GONE
    return Outcome.FAILED if status == 429 or status >= 500 else Outcome.REFUSED


def wait_before(attempts: int, chance: float, retry_after: timedelta | None = None) -> timedelta | None:
    """Time until the next try after so many failed ones; None if that was the last.

    `chance` is between 0 and 1. What the receiver asks for counts if it is longer.
    """
    if attempts >= TRIES:
        return None
    delay = DELAYS[attempts - 1] * (1 + JITTER * (2 * chance - 1))
    return max(delay, min(retry_after or timedelta(), LONGEST_WAIT))


def pause_after(failures: int) -> timedelta:
    """For how long an endpoint is left alone after so many failures in a row."""
    if failures < CIRCUIT:
        return timedelta()
    return min(_SHORTEST_PAUSE * (1 << min(failures - CIRCUIT, 10)), _LONGEST_PAUSE)


def retry_after(header: str | None) -> timedelta | None:
    """What Retry-After asks for, if it gives seconds; dates are not worth two clocks."""
    if header is None or not (header.isascii() and header.isdigit() and len(header) < 10):
        return None
    return timedelta(seconds=int(header))
