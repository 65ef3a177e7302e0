"""Taking a record apart as far as is needed to compare it with the mirror, outside of any transaction.

Large records are taken in small bites, so that the event loop, and with it the acknowledgement of notifications, never
waits long for one of them (fault F28).
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from hashlib import blake2b
from typing import TypeVar

from msgspec import Struct

from orcid_sync.model.record.parse_record import parse_record
from orcid_sync.model.record.sections import Item
from orcid_sync.model.record.unknown_members import Unknown
from orcid_sync.model.wire.set_aside import SetAside

T = TypeVar("T")

BITE = 50
"""Items dealt with between two turns of the event loop: less than a millisecond."""

LARGE = 1 << 20
"""Bytes from which on hashing and parsing are worth a thread: both let the event loop take turns."""


async def yielding_to_event_loop(things: Iterable[T], *, bite: int = BITE) -> AsyncIterator[T]:
    """The same things, with a turn of the event loop after every few."""
    for number, thing in enumerate(things, 1):
        yield thing
        if number % bite == 0:
            await asyncio.sleep(0)


async def digest_of(body: bytes) -> bytes:
    """Hash of an answer's body: equal bodies are equal records, and are not even parsed."""
    return _digest(body) if len(body) < LARGE else await asyncio.to_thread(_digest, body)


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=16).digest()


class Reading(Struct, frozen=True):
    """A record taken apart; nothing of it refers to the answer's body any more, which may weigh tens of megabytes."""

    doc: bytes
    """The record's own part."""
    modified_ms: int | None
    """history.last-modified-date."""
    answered: list[str]
    """The sections that the answer speaks of."""
    items: list[Item]
    unknown: list[Unknown] = []
    """Members around the items of which nothing is known."""
    set_aside: list[SetAside] = []
    """Parts that cannot be understood."""


async def parse_in_steps(body: bytes) -> Reading:
    """Parse a record as far as is needed to compare it; its items stay undecoded. Raises MalformedRecord."""
    record = parse_record(body) if len(body) < LARGE else await asyncio.to_thread(parse_record, body)
    reading = Reading(record.doc, record.modified_ms, [], [], record.unknown, [])
    for found in record.answered():
        async for _ in yielding_to_event_loop(found.steps()):
            pass
        reading.answered.append(found.section.name)
        reading.items.extend(found.items)
        reading.set_aside.extend(found.set_aside)
    return reading
