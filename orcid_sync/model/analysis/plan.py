"""What following so many iDs costs, and how fresh they stay: computed beforehand, from the settings alone.

Three things decide: how often records change, how soon each way of noticing tells, and how many requests ORCID allows
(contract section 5). Changes come at random; a notification comes minutes later (contract section 1.6) or, rarely,
never; each net finds what is left at its next turn, which is equally likely to be near or far. So the staleness of a
change is the least of some uniform waits, and all figures here follow from that.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, structs

from orcid_sync.model.sync.check_interval import JITTER, QUIET_SHARE

HOUR = 1 / 24
"""In days, the unit of this module."""
MINUTE = HOUR / 60


class Population(Struct, frozen=True, kw_only=True):
    """The records that are followed."""

    connected: int
    limited_share: float = 0.0
    """Share that is read with the holder's permission; the public index does not see all of their changes."""
    changes: float = 0.03
    """Visible changes of one record in a day: about one a month."""
    notices_per_change: float = 2.0
    """Notifications for each visible change; many changes cannot be seen by us (contract section 1.7)."""
    details: float = 6.0
    """Requests for full forms that a first load needs beside the record itself: works come 100 at a time, other items
    one by one (contract section 3.1)."""


class Means(Struct, frozen=True, kw_only=True):
    """What notices changes, and the limits it keeps to. Times in days."""

    per_second: float
    per_day: float | None = None
    """The daily quota of a public client (contract section 5); None: there is none."""
    webhooks: bool = True
    lost: float = 0.005
    """Share of the changes that no notification announces."""
    delivery: tuple[float, float] = (1 * MINUTE, 11 * MINUTE)
    """Shortest and longest time from an edit to its notification: indexer, then sender (contract section 1.6)."""
    second_look: float = 15 * MINUTE
    """How long after a notified read the record is read once more; 0: it is not."""
    search_every: float | None = None
    search_size: int = 250
    """iDs that one search asks for with a common date."""
    search_each_size: int = 60
    """iDs that one search asks for with a date of their own."""
    search_lag: float = 10 * MINUTE
    """How far ORCID's index is behind (contract section 6)."""
    search_overlap: float = 2 * HOUR
    file_every: float | None = None
    file_lag: float = 1.0
    """How old the daily file may be when it is read (contract section 7.2)."""
    shortest: float = 1.0
    longest: float = 7.0


class Staleness(Struct, frozen=True):
    """How long a change goes unnoticed, in days."""

    median: float
    p99: float
    worst: float


class Plan(Struct, frozen=True, kw_only=True):
    """What is to be expected."""

    requests: Mapping[str, float]
    """Requests in a day, by what makes them."""
    capacity: float
    """Requests that may be made in a day."""
    with_webhooks: Staleness | None
    without_webhooks: Staleness
    first_load: float
    """Days until every record was read once."""
    first_load_again: float
    """The same if ORCID has the webhooks already, of a database that is lost: what a PUT finds there is removed and
    registered again, for it may be dead (contract section 1.3, row 8)."""
    quota_lasts: float | None
    """Share of the day after which the daily quota is used up; None: it suffices."""

    @property
    def used(self) -> float:
        """Share of the capacity that is used; above 1 the promise cannot be kept."""
        return sum(self.requests.values()) / self.capacity


class _Wait(Struct, frozen=True):
    """A wait that is equally likely to be anything between two bounds."""

    least: float
    most: float

    def longer_than(self, time: float) -> float:
        """Probability that it is longer."""
        if self.most <= self.least:
            return 1.0 if time < self.least else 0.0
        return min(1.0, max(0.0, (self.most - time) / (self.most - self.least)))


def make_plan(population: Population, means: Means) -> Plan:
    """All figures for these records under these means."""
    requests = {name: number for name, number in _requests(population, means) if number}
    capacity = min(means.per_second * 86_400, means.per_day or math.inf)
    total = sum(requests.values())
    first = population.connected * (1 + population.details + means.webhooks)
    again = first + population.connected * 2 * means.webhooks
    return Plan(
        requests=requests,
        capacity=capacity,
        with_webhooks=_staleness(population, means, webhooks=True) if means.webhooks else None,
        without_webhooks=_staleness(population, means, webhooks=False),
        first_load=first / capacity,
        first_load_again=again / capacity,
        quota_lasts=means.per_day / total if means.per_day and total > means.per_day else None,
    )


def _requests(population: Population, means: Means) -> Iterator[tuple[str, float]]:
    """Requests in a day, by what makes them."""
    changes = population.connected * population.changes
    notices = changes * population.notices_per_change * (1 - means.lost) if means.webhooks else 0.0
    routine = _routine_reads(population, means)

    def left_after(wait: float) -> float:
        """Share of the records that nothing else leads to a read of meanwhile: neither a notification nor routine."""
        return math.exp(-(notices * (wait + means.second_look) + routine * wait) / population.connected)

    yield "notifications", notices
    yield "second looks", notices if means.second_look else 0.0
    yield "full forms", changes
    yield "routine reads", routine
    unnoticed = changes * population.notices_per_change * (means.lost if means.webhooks else 1.0)
    if means.search_every:
        # One search tells whether the index is alive; each change is found by every sweep whose window still reaches
        # back to it, and asked for again with its own date.
        found = changes * population.notices_per_change * (means.search_every + means.search_overlap)
        sweep = 1 + math.ceil(population.connected / means.search_size) + _questions(found, means.search_each_size)
        yield "searches", sweep / means.search_every
        yield "reads after searches", unnoticed * left_after(means.search_lag + means.search_every / 2)
    elif means.file_every:
        yield "reads after the file", unnoticed * left_after((means.file_lag + means.file_every) / 2)


def _routine_reads(population: Population, means: Means) -> float:
    """Every other read of a record puts its routine read off: only what stays quiet for an interval is read.

    After a notification the interval counts from the second look.
    """
    heard = population.changes * population.notices_per_change * (1 - _unheard(population, means))
    again = math.exp(-heard * means.second_look) if means.webhooks else 1.0
    reads = 0.0
    for share, interval in _intervals(population, means):
        mean = interval * (1 - JITTER / 2)
        reads += share * (again * heard / math.expm1(heard * mean) if heard else 1 / mean)
    return population.connected * reads


def _unheard(population: Population, means: Means) -> float:
    """Share of what happens to records that leads to no read: not announced, and not found by a net either."""
    netted = 1 - population.limited_share if means.search_every or means.file_every else 0.0
    return (means.lost if means.webhooks else 1.0) * (1 - netted)


def _questions(number: float, size: int) -> float:
    """How many questions it takes to ask about so many iDs on average, so many at a time: the last is seldom full."""
    return -math.expm1(-number) * max(1.0, number / size + 0.5)


def _intervals(population: Population, means: Means) -> Iterator[tuple[float, float]]:
    """Shares of the records and their routine interval (model/sync/check_interval.py)."""
    if means.webhooks or means.file_every:
        yield 1.0, means.longest
        return
    swept = 1 - population.limited_share if means.search_every else 0.0
    if swept:
        yield swept, means.longest
    steps = 50
    for step in range(steps):
        # The time since the last change is exponentially distributed: its quantiles stand for all records.
        quiet = -math.log(1 - (step + 0.5) / steps) / population.changes if population.changes else math.inf
        yield (1 - swept) / steps, min(means.longest, max(means.shortest, QUIET_SHARE * quiet))


def _staleness(population: Population, means: Means, *, webhooks: bool) -> Staleness:
    """Over all changes: announced ones by their notification, the others by whichever net comes first."""
    cases: list[tuple[float, Sequence[_Wait]]] = []
    worst = 0.0
    announced = (1 - means.lost) if webhooks else 0.0
    if announced:
        cases.append((announced, [_Wait(*means.delivery)]))
    without = structs.replace(means, webhooks=webhooks)
    for limited, share in ((True, population.limited_share), (False, 1 - population.limited_share)):
        nets = list(_nets(means, limited=limited))
        for part, interval in _intervals(population, without):
            cases.append(((1 - announced) * share * part, [_Wait(0, interval * (1 - JITTER / 2)), *nets]))
            if share:
                worst = max(worst, min([interval, *(net.most for net in nets)]))
    return Staleness(median=_quantile(cases, 0.5), p99=_quantile(cases, 0.99), worst=worst)


def _nets(means: Means, *, limited: bool) -> Iterator[_Wait]:
    if means.search_every and not limited:
        yield _Wait(means.search_lag, means.search_lag + means.search_every)
    if means.file_every and not limited:
        yield _Wait(0, means.file_lag + means.file_every)


def _quantile(cases: Sequence[tuple[float, Sequence[_Wait]]], share: float) -> float:
    """The time within which this share of the changes is noticed, by bisection."""
    least, most = 0.0, max(min(wait.most for wait in waits) for _, waits in cases)
    for _ in range(60):
        middle = (least + most) / 2
        unnoticed = sum(part * math.prod(wait.longer_than(middle) for wait in waits) for part, waits in cases)
        least, most = (middle, most) if unnoticed > 1 - share else (least, middle)
    return most
