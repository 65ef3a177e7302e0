"""Parses a file's bytes into what would be written of it: pure, and the slow part of a load."""

import re
from collections.abc import Iterator
from datetime import datetime

import msgspec
from msgspec import Raw, Struct

from orcid_sync.bulk.file_names import Name
from orcid_sync.bulk.xml import documents
from orcid_sync.bulk.xml.documents import Element, Unreadable, local_names, parse_document
from orcid_sync.bulk.xml.summaries import HEAD, LAYOUTS, Layout
from orcid_sync.model.record import diff
from orcid_sync.model.record.diff import Change, RecordContent
from orcid_sync.model.record.extract import Entry, moment
from orcid_sync.model.record.found import Found
from orcid_sync.model.record.parse_record import Record, parse_record
from orcid_sync.model.record.rows import Record as RecordRow
from orcid_sync.model.record.sections import SECTIONS, Item, Section
from orcid_sync.model.record.set_aside import SetAside
from orcid_sync.model.sync.schedule import READ_PUBLIC
from orcid_sync.model.wire.malformed import MalformedRecord
from orcid_sync.model.wire.orcid_json import Timestamp

PROBLEMS = (Unreadable, MalformedRecord)
"""What can be wrong with a file; the message says it without quoting."""


BLOCKS = frozenset(section.block for section in SECTIONS.values())
"""The halves of a record."""

_STAMP = re.compile(
    rb"<history:history>(?:(?!</history:history>).)*?<common:last-modified-date>([0-9TZ:.+-]{10,35})<", re.DOTALL
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
    set_aside: list[SetAside]
    """What could not be understood."""

    @property
    def modified_at(self) -> datetime | None:
        """history.last-modified-date as a moment."""
        return moment(Timestamp(self.modified_ms))


class New(Struct, frozen=True):
    """A record of which the mirror holds nothing, as rows and as lines of the change feed."""

    parsed: Parsed
    record: RecordRow
    entries: list[tuple[Section, Entry]]
    changes: list[Change]


def parse_unit(unit: Unit) -> Parsed:
    """A file as a record. Raises Closed, Unreadable, MalformedRecord."""
    if unit.content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        record = parse_record(unit.content)
        answered = record.answered()
    else:
        root = _record_of(unit.content)
        record, answered = _head(root), _answered(root)
    if unit.name is not None and unit.name.orcid != record.orcid:
        raise Unreadable("it is the record of another iD")
    sections = [found.all() for found in answered]
    return Parsed(
        unit.file,
        record.orcid,
        RecordContent("active", READ_PUBLIC, None, record.doc),
        record.modified_ms,
        [found.section.name for found in sections],
        # Files of what is public hold nothing else; one that does was not made for this.
        [item for found in sections for item in found.items if item.visibility == "public"],
        [one for found in sections for one in found.set_aside],
    )


def peek_modified_at(unit: Unit) -> datetime | None:
    """history.last-modified-date, without parsing all of it; None if it is not where ORCID writes it."""
    found = _STAMP.search(unit.content, 0, _BEGINNING)
    try:
        return None if found is None else documents.moment(found[1].decode())
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


def _record_of(xml: bytes) -> Element:
    name, root = parse_document(xml)
    if name == "error":
        raise Closed
    if name != "record":
        raise Unreadable(f"it is not a record but {f'a {name}' if name else 'something that is not of ORCID'}")
    return root


def _head(root: Element) -> Record:
    """What the record says of itself, by way of its JSON without the items. Raises MalformedRecord."""
    head = documents.encode(root, HEAD)
    blocks = {name: Raw(b"{}") for block in root if (name := local_names[block.tag]) in BLOCKS}
    return parse_record(msgspec.json.encode(msgspec.json.decode(head, type=dict[str, Raw]) | blocks))


def _answered(root: Element) -> Iterator[Found]:
    """As `Record.answered`; what is absent is null in the JSON."""
    blocks = {local_names[block.tag]: {local_names[one.tag]: one for one in block} for block in root}
    for section in SECTIONS.values():
        container, layout = blocks.get(section.block, {}).get(section.container), LAYOUTS[section.name]
        if container is not None and len(container) == 0 and layout.path:
            yield Found(section, ())  # as most sections of most records are
        elif container is not None:
            yield Found(section, _groups(container, layout))
        elif section.key_column is None and section.block in blocks:
            yield Found(section, ())  # a name or biography that is not there is not visible


def _groups(container: Element, layout: Layout) -> Iterator[list[bytes]]:
    """The groups of a section's items, as JSON."""
    if not layout.path:
        yield [documents.encode(container, layout.item)]
        return
    *outer, item = layout.path
    parents = [container]
    for name in outer:
        parents = [child for parent in parents for child in parent if local_names[child.tag] == name]
    for parent in parents:
        group = [documents.encode(child, layout.item) for child in parent if local_names[child.tag] == item]
        if outer:
            yield group
        else:
            yield from ([doc] for doc in group)
