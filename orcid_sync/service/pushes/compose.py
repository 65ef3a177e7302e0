"""Composing messages from the feed, each with only what the view of its subscription shows.

Subscriptions that have come equally far share one look at the feed: a change that a thousand of them are waiting for is
read once. The reading transaction takes on the role of a reader, so that PostgreSQL itself gives no limited item for a
public subscription, nothing that is withheld, and nothing that was restricted or forgotten meanwhile (invariant S13).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import asyncpg
import msgspec

from orcid_sync.model.pushes.delivery import MOST_BYTES, MOST_CHANGES
from orcid_sync.model.scopes import View
from orcid_sync.service.pushes.signed_messages import NOTHING, Message, changes_message, encode_change
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.roles import viewing
from orcid_sync.store.pushes import outbox
from orcid_sync.store.pushes.outbox import Contents, Line, PushLease

PAGE = 250
"""Lines of the feed that are looked at at once."""

CHUNKS = (25, 75)
"""Changes whose contents are read at once, first and then: the largest are megabytes, and a few of these fill a
message, so that the second step is taken only where the first was small."""


class Rewound(Exception):
    """The feed has got another epoch in this moment: the next lease tells."""


@dataclass
class _Page:
    """A part of the feed as one view shows it, with the contents that were needed so far."""

    lines: list[Line]
    ends: int
    """Position up to which the lines go."""
    _contents: dict[int, Contents] = field(default_factory=dict)
    _encoded: dict[tuple[int, bool], msgspec.Raw] = field(default_factory=dict)

    async def read(self, connection: AnyConnection, lines: Iterable[Line]) -> None:
        """Have the contents of these lines."""
        if missing := [line.seq for line in lines if line.seq not in self._contents]:
            self._contents |= dict.fromkeys(missing, NOTHING) | await outbox.contents(connection, missing)

    def contents(self, line: Line) -> Contents:
        """What was read of it."""
        return self._contents[line.seq]

    def encoded(self, line: Line, *, full: bool) -> msgspec.Raw:
        """The change as it is sent, with its contents or without."""
        if (known := self._encoded.get((line.seq, full))) is None:
            known = encode_change(line, self._contents[line.seq] if full else None)
            self._encoded[line.seq, full] = known
        return known


Composed = tuple[PushLease, Message | int]
"""A lease with its message, or with the position up to which nothing is wanted."""


async def compose(pool: asyncpg.Pool, view: View, leases: Iterable[PushLease]) -> list[Composed]:
    """The next message of each of these leases, which all have this view. Raises ReadersMissing, Rewound."""
    alike: dict[tuple[int, int], list[PushLease]] = defaultdict(list)
    for lease in leases:
        ends = lease.ends if lease.sending_to is None else min(lease.sending_to, lease.ends)
        alike[lease.reached, ends].append(lease)
    composed: list[Composed] = []
    async with viewing(pool, view) as connection:
        for (after, ends), group in alike.items():
            page = await _read_page(connection, group[0], after=after, ends=ends)
            composed += [(lease, await _message(connection, page, lease)) for lease in group]
    return composed


async def _read_page(connection: AnyConnection, lease: PushLease, *, after: int, ends: int) -> _Page:
    lines = await outbox.lines(connection, after=after, ends=ends, limit=PAGE)
    if lines and lines[-1].epoch != lease.feed_epoch:
        raise Rewound
    return _Page(lines, lines[-1].seq if len(lines) == PAGE else ends)


async def _message(connection: AnyConnection, page: _Page, lease: PushLease) -> Message | int:
    """What of the page the subscription wants, as far as it fits into one message."""
    chosen: list[tuple[Line, msgspec.Raw]] = []
    size, wish = 0, lease.filter
    for some in _chunks([line for line in page.lines if wish.wants(line)]):
        if lease.contents or wish.needs_contents:
            await page.read(connection, some)
        for line in some:
            if wish.needs_contents and not wish.wants_contents(line, *page.contents(line)):
                continue
            change = page.encoded(line, full=lease.contents)
            size += len(bytes(change))
            if chosen and (size > MOST_BYTES or len(chosen) == MOST_CHANGES):
                return _finish(lease, chosen, chosen[-1][0].seq)
            chosen.append((line, change))
    return _finish(lease, chosen, page.ends)


def _finish(lease: PushLease, chosen: list[tuple[Line, msgspec.Raw]], ends: int) -> Message | int:
    if not chosen:
        return ends
    return changes_message(lease, [change for _, change in chosen], ends, chosen[-1][0].at)


def _chunks(lines: list[Line]) -> Iterator[list[Line]]:
    first, further = CHUNKS
    yield lines[:first]
    yield from (lines[begin : begin + further] for begin in range(first, len(lines), further))
