"""Steps at ORCID beside the reading of a record: its webhook, and the tokens that are to be revoked.

Each of them fails for itself: it is tried again by a back-off of its own, kept on its own row, and the record is read
meanwhile. What becomes of an iD's turn is that it comes again in time for the first of them.
"""

from collections.abc import Iterable
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from orcid_sync.model.sync.schedule import Settlement, backoff


class Failure(Struct, frozen=True, kw_only=True):
    """What is written down of a step that failed."""

    attempts: int
    """Failures in a row, this one included."""
    again_in: timedelta
    """Time until the next try."""
    error: str
    """In words, for operators."""


def failure(kind: str, error: str, *, attempts: int, chance: float) -> Failure:
    """A step has failed once more, after so many failures in a row; `kind` spaces the tries (schedule.BACKOFFS)."""
    return Failure(attempts=attempts + 1, again_in=backoff(kind, attempts + 1, chance), error=error)


def is_waiting(again_in: timedelta | None) -> bool:
    """Whether the time of a step's next try has not come; None: it did not fail."""
    return again_in is not None and again_in > timedelta()


def soonest(waits: Iterable[timedelta | None]) -> timedelta | None:
    """Time until the first of some steps is tried again; None: nothing is left to be done."""
    return min((wait for wait in waits if wait is not None), default=None)


def no_later(settlement: Settlement, again_in: timedelta | None) -> Settlement:
    """The same, but the iD is due in time for a step that is tried again."""
    if again_in is None or again_in >= settlement.due_in:
        return settlement
    return replace(settlement, due_in=again_in)
