"""The lane in which a request to the Registry is sent: that of the work which needs it, down to its last request.

A reconciliation asks many times, through modules that have nothing to do with turns (webhooks, tokens, pages of works).
What they all share is the task they run in; so the lane belongs to the task's context, and is no argument of theirs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from orcid_sync.model.sync.schedule import Lane

_present: ContextVar[Lane] = ContextVar("lane", default=Lane.OPERATOR)
"""Outside of reconciliations and sweeps a person is waiting: at a command, or on the way back from ORCID's consent."""


@contextmanager
def in_lane(lane: Lane) -> Iterator[None]:
    """Whatever is asked of the Registry inside, and in tasks begun inside, is asked in this lane."""
    before = _present.set(lane)
    try:
        yield
    finally:
        _present.reset(before)


def present_lane() -> Lane:
    """The lane in which the present task asks."""
    return _present.get()
