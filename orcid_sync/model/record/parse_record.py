"""A record as ORCID answers it, taken apart as far as is needed to compare it: items stay undecoded."""

import re
from collections.abc import Iterator, Mapping

import msgspec
from msgspec import Raw, Struct

from orcid_sync.model.record import unknown_members
from orcid_sync.model.record.extract import moment
from orcid_sync.model.record.found import Found, find
from orcid_sync.model.record.sections import SECTIONS, Item
from orcid_sync.model.record.unknown_members import Unknown
from orcid_sync.model.wire import lenient, orcid_json
from orcid_sync.model.wire.cleaning import clean
from orcid_sync.model.wire.malformed import MalformedRecord, shape_of
from orcid_sync.model.wire.set_aside import SetAside

_KNOWN = {
    block: {section.container for section in SECTIONS.values() if section.block == block}
    | {"last-modified-date", "path"}
    for block in ("person", "activities-summary")
}

_NOT_PUBLIC = re.compile(rb'"visibility"\s*+:\s*+(?!"public")')


class Record(Struct, frozen=True):
    """One answer to GET /v3.0/{orcid}/record."""

    orcid: str
    head: orcid_json.RecordHead
    doc: bytes
    """The record's own part: everything but the items and history.last-modified-date."""
    blocks: dict[str, dict[str, Raw]]
    """The two halves, or the one that the answer has."""
    unknown: list[Unknown]
    """Members around the items of which nothing is known; what is in `doc` and in the items is not looked at."""

    @property
    def modified_ms(self) -> int | None:
        """history.last-modified-date, if a calendar has it: moves for invisible reasons too (contract section 3.9)."""
        stamp = self.head.history.last_modified_date if self.head.history else None
        return stamp.value if stamp and moment(stamp) else None

    def answered(self) -> Iterator[Found]:
        """The sections that the answer speaks of; what it leaves out is not known to be empty."""
        for section in SECTIONS.values():
            container = self.blocks.get(section.block, {}).get(section.container)
            if container is not None and (found := find(section, container)) is not None:
                yield found

    def items(self) -> Iterator[Item]:
        """All items that can be understood."""
        for found in self.answered():
            yield from found.all().items

    def set_aside(self) -> list[SetAside]:
        """All that cannot."""
        return [one for found in self.answered() for one in found.all().set_aside]


def parse_record(body: bytes) -> Record:
    """Take a record's JSON apart. Raises MalformedRecord if it is not JSON, names no iD or has neither of its halves.

    A half that is missing says nothing of its sections (fault F54); nothing else in it refuses a record (fault F49).
    """
    with shape_of("record"):
        members = lenient.decode_dirty(body, dict[str, Raw])
        own = clean(msgspec.json.encode({name: raw for name, raw in members.items() if name not in _KNOWN}))
        head = lenient.decode(own, orcid_json.RecordHead)
        halves = {name: lenient.members(raw) for name, raw in members.items() if name in _KNOWN}
        blocks = {name: half for name, half in halves.items() if half is not None}
    if head.orcid_identifier is None or not head.orcid_identifier.path or not blocks:
        raise MalformedRecord("record: orcid-identifier, or both of person and activities-summary, are missing")
    return Record(head.orcid_identifier.path, head, _own_part(own, blocks), blocks, _around_items(blocks))


def _around_items(blocks: Mapping[str, Mapping[str, Raw]]) -> list[Unknown]:
    """What is unknown in the two halves of the record, down to the items, which are not looked into."""
    found = [
        unknown_members.outside(block, name, bytes(raw))
        for block, members in blocks.items()
        for name, raw in members.items()
        if name not in _KNOWN[block]
    ]
    for section in SECTIONS.values():
        container = blocks.get(section.block, {}).get(section.container)
        if section.key_column is not None and container is not None:
            found += unknown_members.in_container(section, container)
    return found


def _own_part(head: bytes, blocks: dict[str, dict[str, Raw]]) -> bytes:
    """What belongs to no item: identifier, preferences, history, and members that this version does not know."""
    members = _public(msgspec.json.decode(head, type=dict[str, Raw]))
    own: dict[str, object] = dict(members)
    history = lenient.members(members["history"]) if "history" in members else None
    if history:
        own["history"] = {name: raw for name, raw in history.items() if name != "last-modified-date"}
    for block, inside in blocks.items():
        unknown = _public({name: raw for name, raw in inside.items() if name not in _KNOWN[block]})
        if unknown:
            own[block] = unknown
    return clean(msgspec.json.encode(own))


def _public(members: Mapping[str, Raw]) -> dict[str, Raw]:
    """Those in which nothing is marked as other than public: a section that ORCID adds one day has limited items, too.

    The record's own part is for every reader, and what we do not know has no column that could hide it (fault F49).
    """
    return {name: raw for name, raw in members.items() if not _NOT_PUBLIC.search(bytes(raw))}
