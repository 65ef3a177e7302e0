"""Sending once more: messages that could not be delivered (dead), and parts of the feed that are sent again."""

from datetime import datetime

import msgspec

from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """A part of the feed that is dead, or is being sent once more."""

    name: str
    """Of the subscription."""
    number: int
    state: str
    """dead or replaying."""
    from_seq: int
    to_seq: int
    reached: int
    error: str | None
    at: datetime


async def ranges(connection: AnyConnection, name: str | None = None) -> list[Range]:
    """What is dead, or being sent once more, of one subscription or of all."""
    return [Range(**row) async for row in load_queries(__file__).ranges(connection, name=name)]


async def replay_dead(connection: AnyConnection, name: str, number: int | None = None) -> list[int]:
    """Have dead messages sent again, one or all; their numbers."""
    queries = load_queries(__file__)
    async with connection.transaction():
        await queries.hurry(connection, name=name)
        return [row["number"] async for row in queries.replay_dead(connection, name=name, number=number)]


async def discard_dead(connection: AnyConnection, name: str, number: int | None = None) -> list[int]:
    """Give up dead messages for good, one or all; their numbers."""
    rows = load_queries(__file__).discard_dead(connection, name=name, number=number)
    return [row["number"] async for row in rows]


async def replay_range(connection: AnyConnection, name: str, first: int, last: int) -> tuple[int, int] | None:
    """Have a part of the feed sent again, as far as the subscription has come; its ends, None if nothing is in it."""
    queries = load_queries(__file__)
    async with connection.transaction():
        await queries.hurry(connection, name=name)
        row = await queries.replay_range(connection, name=name, from_seq=first, to_seq=last)
        return None if row is None else (row["from_seq"], row["to_seq"])
