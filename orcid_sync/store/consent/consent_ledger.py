"""The consent ledger: what the holders of records allowed, and when and how it ended; proof for later.

Entries are only added (a trigger refuses the rest) and form a chain of hashes (`model.consent.hash_chain`). An entry
belongs to the transaction of what it tells, so that neither is ever without the other. It holds the end of the chain
until the commit: record it as late as possible, but before the change feed, whose head is the very last lock.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from orcid_sync.model.consent.hash_chain import Head, Link, Value, agree, extend, follow
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

PAGE = 1_000
"""Entries read or written at a time."""

_queries = load_queries(__file__)


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written into the ledger."""

    event: str
    """granted, denied, narrowed, widened, revoked, expired, disconnected or erased."""
    orcid: str | None
    by: str
    """holder, operator or registry."""
    learnt: str
    """How we learnt of it: connect-page, token-file, refused-token, command, …"""
    scopes: Sequence[str] = ()
    """The scopes that are allowed from then on."""
    facts: Mapping[str, Value] = {}
    """Numbers and short words; never a name, an address or a token."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in the ledger."""

    number: int
    orcid: str | None
    event: str
    by: str
    learnt: str
    scopes: list[str]
    facts: dict[str, Value]
    at: datetime
    hash: str
    """Hexadecimal digits."""


async def record(
    connection: AnyConnection,
    event: str,
    *,
    orcid: str | None,
    by: str,
    learnt: str,
    scopes: Sequence[str] = (),
    facts: Mapping[str, Value] = {},
) -> None:
    """Write one entry, inside the caller's transaction."""
    await record_all(connection, [Note(event=event, orcid=orcid, by=by, learnt=learnt, scopes=scopes, facts=facts)])


async def record_all(connection: AnyConnection, notes: Sequence[Note]) -> Head:
    """Write entries in this order, inside the caller's transaction; returns the new end of the chain."""
    if not notes:
        return await noted_head(connection, "consents")
    head = await lock_head(connection, "consents")
    end = head.end
    for start in range(0, len(notes), PAGE):
        # Not all at once: hashing 100,000 takes seconds, in which the transaction would lie idle.
        end = await _append(connection, end, head.at, notes[start : start + PAGE])
    return end


async def _append(connection: AnyConnection, end: Head, at: datetime, notes: Sequence[Note]) -> Head:
    links = list(_chained(end, at, notes))
    await _queries.append(
        connection,
        at=at,
        numbers=[link.number for link in links],
        hashes=[link.hash for link in links],
        orcids=[note.orcid for note in notes],
        events=[note.event for note in notes],
        bys=[note.by for note in notes],
        learnts=[note.learnt for note in notes],
        scopes=[" ".join(note.scopes) for note in notes],
        facts=[msgspec.json.encode(note.facts) for note in notes],
    )
    return Head(links[-1].number, links[-1].hash)


class LockedHead(msgspec.Struct, frozen=True):
    """The end of a chain while nobody else can extend it, and the time of the entry that will."""

    end: Head
    at: datetime


async def lock_head(connection: AnyConnection, ledger: str) -> LockedHead:
    """The end of the chain `consents` or `erasures`, locked until the transaction ends."""
    row = await _queries.lock_head(connection, ledger=ledger)
    return LockedHead(Head(row["number"], row["hash"]), row["at"])


async def noted_head(connection: AnyConnection, ledger: str) -> Head:
    """The end of a chain as it was noted beside it."""
    heads = {row["ledger"]: Head(row["number"], row["hash"]) async for row in _queries.heads(connection)}
    return heads[ledger]


async def hashes(connection: AnyConnection, ledger: str, numbers: Sequence[int]) -> dict[int, str]:
    """The hashes of these entries of a chain, as hexadecimal digits; those that are not there are left out."""
    rows = _queries.hashes(connection, ledger=ledger, numbers=list(numbers))
    return {row["number"]: row["hash"].hex() async for row in rows}


async def read(connection: AnyConnection, *, orcid: str | None = None) -> AsyncIterator[Entry]:
    """The entries in their order, of one iD or of all."""
    after = 0
    while rows := [row async for row in _queries.list_entries(connection, after=after, orcid=orcid, limit=PAGE)]:
        for row in rows:
            yield _entry(row)
        after = rows[-1]["number"]


async def verify(connection: AnyConnection) -> Head:
    """Compute the chain anew; returns its end. Raises ChainBroken at the first entry that is not what was written."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        head = Head()
        async for entry in read(connection):
            head = follow([Link(entry.number, content_of(entry), bytes.fromhex(entry.hash))], head)
        agree(head, await noted_head(connection, "consents"))
    return head


def content_of(entry: Entry) -> dict[str, Value]:
    """What the hash of an entry covers: all of it."""
    return {name: value for name, value in msgspec.structs.asdict(entry).items() if name != "hash"}


def _chained(end: Head, at: datetime, notes: Sequence[Note]) -> Iterator[Link]:
    for note in notes:
        content = {**msgspec.structs.asdict(note), "number": end.number + 1, "at": at}
        link = extend(end, content)
        yield link
        end = Head(link.number, link.hash)


def _entry(row: Any) -> Entry:
    return Entry(**{**row, "facts": msgspec.json.decode(row["facts"]), "hash": row["hash"].hex()})
