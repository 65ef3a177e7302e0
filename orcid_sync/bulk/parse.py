"""Parses a file's bytes into what would be written of it: pure, and the slow part of a load."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from orcid_sync.bulk import versions
from orcid_sync.bulk.file_names import Name
from orcid_sync.bulk.tally import Tally
from orcid_sync.bulk.versions import OtherVersion
from orcid_sync.bulk.xml import values
from orcid_sync.bulk.xml.documents import BLANK, Unreadable, parse_document
from orcid_sync.bulk.xml.record import UNKNOWN_LAYOUT, RecordXml
from orcid_sync.model.record import diff, unknown_members
from orcid_sync.model.record.diff import Change, RecordContent
from orcid_sync.model.record.extract import Entry, moment
from orcid_sync.model.record.found import Found
from orcid_sync.model.record.parse_record import Record, parse_record
from orcid_sync.model.record.rows import Record as RecordRow
from orcid_sync.model.record.sections import SECTIONS, Item, Section
from orcid_sync.model.record.unknown_members import Unknown
from orcid_sync.model.sync.schedule import READ_PUBLIC
from orcid_sync.model.wire.malformed import MalformedRecord
from orcid_sync.model.wire.orcid_json import Timestamp
from orcid_sync.model.wire.set_aside import SetAside

T = TypeVar("T", "Unit", "Parsed")
R = TypeVar("R")

_STAMP = re.compile(
    rb"<history:history>(?:(?!</history:history>).)*?<common:last-modified-date>\s*+([0-9TZ:.+-]{10,35}+)\s*+<",
    re.DOTALL,
)
_BEGINNING = 8 << 10  # bytes: what a record says of itself comes first


class Closed(Exception):
    """In place of a record there is an error: the record was locked or merged (contract section 7.2)."""


class Unit(Struct, frozen=True):
    """A file that is to be loaded."""

    file: str
    """Its name, for people."""
    name: Name | None
    """None: it was chosen by hand, and need not say whose it is."""
    content: bytes


class Parsed(Struct, frozen=True):
    """A record taken apart."""

    file: str
    orcid: str
    content: RecordContent
    modified_ms: int | None
    """history.last-modified-date."""
    answered: list[str]
    """The sections that it speaks of."""
    items: list[Item]
    """What in them is public."""
    set_aside: list[SetAside]
    """What could not be understood: it may be anything, so nothing is missing where it is."""
    not_public: int
    """Items that were left out."""
    unknown: list[Unknown]
    """What no column is made of."""

    @property
    def modified_at(self) -> datetime | None:
        """history.last-modified-date as a moment."""
        return moment(Timestamp(self.modified_ms))

    def tell(self, tally: Tally) -> None:
        """Count what of the file is not loaded with it."""
        tally.tell(self.file, self.set_aside, self.not_public, self.unknown)


class New(Struct, frozen=True):
    """A record of which the mirror holds nothing, as rows and as lines of the change feed."""

    parsed: Parsed
    record: RecordRow
    entries: list[tuple[Section, Entry]]
    changes: list[Change]


def read_each(things: Iterable[T], read: Callable[[T], R], tally: Tally) -> Iterator[tuple[T, R]]:
    """What is made of each file. One of which nothing can be made is counted and named, and never ends a load."""
    for thing in things:
        try:
            yield thing, read(thing)
        except Closed:
            tally.count("closed")
        except OtherVersion as refusal:
            tally.refuse(thing.file, refusal)
        except (Unreadable, MalformedRecord) as problem:
            tally.complain(thing.file, problem)
        except Exception as error:  # noqa: BLE001 - of twenty million files one may be as nobody has thought of
            tally.complain(thing.file, f"it cannot be understood ({type(error).__name__})")


def parse_unit(unit: Unit) -> Parsed:
    """A file as a record. Raises Closed, OtherVersion, Unreadable, MalformedRecord."""
    body = unit.content.lstrip(BLANK)
    taken = _of_json(body) if body.startswith(b"{") else _of_xml(body)
    record, sections = taken.record, taken.sections
    if unit.name is not None and unit.name.orcid != record.orcid:
        raise Unreadable("it is the record of another iD")
    items = [item for found in sections for item in found.items]
    # Files of what is public hold nothing else; one that does was not made for this.
    public = [item for item in items if item.visibility == "public"]
    return Parsed(
        unit.file,
        record.orcid,
        RecordContent("active", READ_PUBLIC, None, record.doc),
        record.modified_ms,
        [found.section.name for found in sections],
        public,
        [*(one for found in sections for one in found.set_aside), *taken.strange],
        len(items) - len(public),
        [*taken.unknown, *dict.fromkeys([*taken.around, *unknown_members.in_record(record.doc)])],
    )


def peek_modified_at(unit: Unit) -> datetime | None:
    """history.last-modified-date, without parsing all of it; None if it is not where ORCID's data file has it."""
    found = _STAMP.search(unit.content, 0, _BEGINNING) if versions.looks_understood(unit.content) else None
    try:
        return None if found is None else values.moment(found[1].decode())
    except ValueError:
        return None


def make_new(parsed: Parsed) -> New:
    """All of it as rows. Raises MalformedRecord."""
    orcid, at = parsed.orcid, parsed.modified_at
    record = msgspec.structs.replace(parsed.content.row(orcid), registry_modified_at=at)
    entries = [
        (section, section.entry(orcid, item.content, item.digest))
        for section, item in ((SECTIONS[item.section], item) for item in parsed.items)
    ]
    own = diff.record_change(orcid, None, parsed.content, at)
    changes = [own] if own else []
    changes += [diff.addition(item, item.content) for item in parsed.items]
    return New(parsed, record, entries, changes)


class _Taken(Struct, frozen=True):
    """A record taken apart."""

    record: Record
    """Its own part."""
    sections: list[Found]
    strange: list[SetAside]
    """What stands around the items."""
    unknown: list[Unknown]
    """What is unknown in the items."""
    around: list[Unknown]
    """What is unknown around them."""


def _of_json(body: bytes) -> _Taken:
    members = _members(body)
    if "error-code" in members and "orcid-identifier" not in members:
        raise Closed
    versions.refuse_json(members, body)
    record = parse_record(body)
    sections = [found.all() for found in record.answered()]
    inside = [one for found in sections for item in found.items for one in _unknown_in(item)]
    # A member that is unknown may hold items, too.
    around = [one for one in record.unknown if one.section in SECTIONS and one.kind != "null"]
    strange = [SetAside(one.section, msgspec.json.encode(one.path), UNKNOWN_LAYOUT) for one in around]
    return _Taken(record, sections, strange, inside, record.unknown)


def _of_xml(xml: bytes) -> _Taken:
    name, root = parse_document(xml)
    if name == "error":
        raise Closed
    certain = versions.refuse_document(name, root)
    if name != "record":
        raise Unreadable(f"it is not a record but {f'a {name}' if name else 'something that is not of ORCID'}")
    whole = RecordXml(root)
    if not certain:
        versions.refuse_layout(whole)
    head, around = whole.head()
    blocks = {block: Raw(b"{}") for block in whole.blocks}
    record = parse_record(msgspec.json.encode(msgspec.json.decode(head, type=dict[str, Raw]) | blocks))
    sections: list[Found] = []
    unknown: list[Unknown] = []
    for section in SECTIONS.values():
        if (part := whole.part(section)) is not None:
            sections.append(Found(section, part.groups, part.strange).all())
            unknown += part.unknown
    return _Taken(record, sections, [], unknown, around)


def _unknown_in(item: Item) -> list[Unknown]:
    return unknown_members.in_summary(item.section, item.content.doc)


def _members(body: bytes) -> dict[str, Raw]:
    """The members of an object; none if it cannot be read before it is cleaned."""
    try:
        return msgspec.json.decode(body, type=dict[str, Raw])
    except (UnicodeDecodeError, msgspec.DecodeError):
        return {}
