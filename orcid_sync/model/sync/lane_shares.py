"""How lanes share what does not suffice for all: requests, places in a worker, and a day's budget.

Each lane has a share that nothing takes from it, so that none starves: a storm of notifications leaves the checks their
tenth, and a first load of 50,000 iDs leaves notifications all they want (fault F25, invariant L2). What a lane does not
use goes to the others, the better lanes first. Nothing of this makes more of what is divided.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from orcid_sync.model.sync.schedule import Lane


class Share(Struct, frozen=True):
    """What is a lane's own."""

    weight: float
    """Part of the requests, and of the places in a worker, that it gets however much the others want."""
    horizon: float
    """How far ahead it may book moments beyond its share, seconds. The better lanes ask earlier, and are served first;
    also by how much they can be late, at worst, because worse lanes have booked before them."""
    budget: float
    """Part of a day's budget after which its requests wait for the next day: the worst lanes stop first."""


SHARES: Mapping[Lane, Share] = {
    Lane.NOTIFICATION: Share(0.50, 0.5, 1.00),
    Lane.OPERATOR: Share(0.20, 0.4, 0.98),
    Lane.FIRST_LOAD: Share(0.15, 0.3, 0.95),
    Lane.CHECK: Share(0.10, 0.2, 0.92),
    Lane.SWEEP: Share(0.05, 0.1, 0.90),
}

URGENT = frozenset({Lane.NOTIFICATION, Lane.OPERATOR})
"""Somebody waits for these."""

PLACES_PER_KEPT = 8
"""One place in so many is kept for what is urgent: records with thousands of works must not fill them all."""


def allowance(daily: int | None, lane: Lane) -> int | None:
    """How many of a day's requests may have been sent when the lane sends another one; None: any number."""
    return None if daily is None else math.floor(daily * SHARES[lane].budget)


def is_shed(daily: int | None, lane: Lane, used: int) -> bool:
    """Whether the lane waits for the next day, when so many of a day's requests are used."""
    allowed = allowance(daily, lane)
    return allowed is not None and used >= allowed


class Admission(Struct, frozen=True):
    """What may be leased at present."""

    seconds: float = 0.0
    """Nothing for so long."""
    lanes: frozenset[Lane] = frozenset(Lane)
    places: int = 1_000_000
    """At most so many at a time: more would only wait for their requests' turn while they are leased."""
    alone: bool = False
    """Only one, and only if nothing runs: it is to find out whether the Registry is back."""


class Choice(Struct, frozen=True):
    """What to lease next."""

    lanes: tuple[Lane, ...]
    """In this order."""
    limit: int


class Turns(Struct, frozen=True):
    """Whose turn it is to get a worker's place: start-time fair queueing, of which each lease is one packet.

    Each lane has a clock that a lease moves on by 1 / weight; the lane whose clock is earliest is next. A lane that had
    nothing to do gets no credit for it: its clock is never behind that of the last one served.
    """

    served: float = 0.0
    clocks: tuple[float, ...] = (0.0,) * len(Lane)

    def order(self) -> tuple[Lane, ...]:
        """The lanes, the next one first; of equals, the better one."""
        return tuple(sorted(Lane, key=lambda lane: (self._start(lane), lane)))

    def after(self, leased: Iterable[Lane]) -> "Turns":
        """When these got places in one go. Whoever got many at once, because many were free, pays for all of them."""
        counts = Counter(leased)
        clocks = [self._start(lane) + counts[lane] / SHARES[lane].weight for lane in Lane]
        return Turns(max(map(self._start, counts), default=self.served), tuple(clocks))

    def _start(self, lane: Lane) -> float:
        return max(self.clocks[lane], self.served)


def kept(capacity: int) -> int:
    """How many of a worker's places only what is urgent may take."""
    return capacity // PLACES_PER_KEPT


def choose(turns: Turns, admission: Admission, *, capacity: int, running: int) -> Choice:
    """What to lease into the places that are free; the last ones are kept for what is urgent."""
    capacity = 1 if admission.alone else capacity
    free = capacity - running - kept(capacity)
    lanes: Collection[Lane] = admission.lanes
    if free <= 0:
        free, lanes = max(0, capacity - running), admission.lanes & URGENT
    return Choice(tuple(lane for lane in turns.order() if lane in lanes), min(free, admission.places))
