"""Chains of hashes: changing, removing or inserting an earlier entry breaks every entry after it.

An entry's hash covers its content and the hash of the entry before, so the last hash speaks for all of them. What a
chain cannot show is that its end was cut off together with the note of its last hash, or that somebody computed all of
it anew: for that the last hash must also be known elsewhere (the erasure log, a printed certificate).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

Value = None | bool | int | str | datetime | bytes | Sequence["Value"] | Mapping[str, "Value"]
"""What entries consist of. No fractions: PostgreSQL and Python write them in different ways."""

GENESIS = bytes(32)
"""Stands in place of the hash before the first entry."""


class Head(Struct, frozen=True):
    """The end of a chain: how many entries it has, and the hash of the last one."""

    number: int = 0
    hash: bytes = GENESIS


class Link(Struct, frozen=True):
    """An entry in its chain."""

    number: int
    """1, 2, 3, …"""
    content: Mapping[str, Value]
    """Everything that the entry says, its number included."""
    hash: bytes


class ChainBroken(Exception):
    """The chain is not what was written; the message says where and how it shows."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(f"entry {number}: {what}")
        self.number = number
        """The first entry that does not fit."""


def canonical(content: Mapping[str, Value]) -> bytes:
    """The one JSON text of an entry: members in order, moments in UTC to the microsecond, bytes in hexadecimal digits.

    Raises TypeError for anything that is not a Value.
    """
    return msgspec.json.encode(_plain(content), order="sorted")


def hash_of(previous: bytes, content: Mapping[str, Value]) -> bytes:
    """SHA-256 of the hash before (always 32 bytes, so nothing can move across the border) and the canonical text."""
    return hashlib.sha256(previous + canonical(content)).digest()


def extend(head: Head, content: Mapping[str, Value]) -> Link:
    """The entry that follows `head`, with its hash."""
    return Link(head.number + 1, content, hash_of(head.hash, content))


def follow(links: Iterable[Link], head: Head = Head()) -> Head:  # noqa: B008 - cannot be changed
    """The end of the chain after these entries, which begin after `head`. Raises ChainBroken at the first misfit."""
    for link in links:
        if link.number != head.number + 1:
            raise ChainBroken(head.number + 1, f"is missing, the next one there is {link.number}")
        if link.hash != hash_of(head.hash, link.content):
            raise ChainBroken(link.number, "does not fit its hash, or the entry before it was exchanged")
        head = Head(link.number, link.hash)
    return head


def agree(found: Head, noted: Head) -> None:
    """Compare the end that was found with the end that was noted. Raises ChainBroken if they differ."""
    if found.number != noted.number:
        first = min(found.number, noted.number) + 1
        raise ChainBroken(first, f"there are {found.number} entries, and {noted.number} were noted")
    if found.hash != noted.hash:
        raise ChainBroken(found.number, "the last entry is not the one that was noted")


def _plain(value: object) -> object:
    match value:
        case None | bool() | int() | str():
            return value
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        case bytes():
            return value.hex()
        case Mapping():
            return {_name(name): _plain(member) for name, member in value.items()}
        case Sequence():
            return [_plain(member) for member in value]
    raise TypeError(f"an entry of a chain cannot hold a {type(value).__name__}")


def _name(name: object) -> str:
    if isinstance(name, str):
        return name
    raise TypeError("the members of an entry have names")
