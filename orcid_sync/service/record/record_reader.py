"""Reading one record from the Registry: the record itself, and the full form of what is new or moved.

All of it happens outside of any transaction. Large records are taken in small bites, so that the event loop, and with
it the acknowledgement of notifications, never waits long for one of them (fault F28).
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing
from hashlib import blake2b
from typing import TypeVar

from msgspec import Struct

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.diff import Known, belongs_to, wants_detail
from orcid_sync.model.record.parse_record import parse_record
from orcid_sync.model.record.sections import Item, ItemKey
from orcid_sync.model.record.set_aside import SetAside
from orcid_sync.model.record.unknown_members import Unknown
from orcid_sync.model.wire.cleaning import clean
from orcid_sync.registry.client import Registry

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
    """What could not be understood."""


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


async def read_details(
    registry: Registry, orcid: Orcid, token: str | None, items: Iterable[Item], known: Mapping[ItemKey, Known]
) -> tuple[dict[ItemKey, bytes], bool]:
    """The full forms of the items that are new or moved (contract section 10), and whether that is all of them.

    Works are read 100 at a time, the others one by one (contract section 3.1). One that is not answered is unknown, not
    gone (F40); one of another edit than its summary is taken for now. Raises RegistryError: then nothing of this record
    is applied (F39).
    """
    wanted = [item async for item in yielding_to_event_loop(items) if wants_detail(known.get(item.id), item)]
    details: dict[ItemKey, bytes] = {}
    works = {item.put_code: item for item in wanted if item.section == "work" and item.put_code is not None}
    async with aclosing(registry.works(orcid, works, token)) as pages:
        async for page in pages:
            details |= {works[code].id: clean(full) for code, full in page.items() if code in works}
    for item in wanted:
        if item.section != "work" and item.put_code is not None:
            full = await registry.fetch_item(orcid, item.section, item.put_code, token)
            if full is not None:
                details[item.id] = clean(full)
    complete = True
    async for item in yielding_to_event_loop(wanted):
        complete = complete and item.id in details and belongs_to(details[item.id], item)
    return details, complete
