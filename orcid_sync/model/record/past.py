"""The past of a record: what it said at a moment, and how two moments differ, field by field."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from orcid_sync.model.record.diff import MINOR, RECORD, RecordContent, fields_of, record_change, same_json
from orcid_sync.model.record.extract import Entry
from orcid_sync.model.record.sections import SECTIONS, Content, ItemKey
from orcid_sync.model.text.labels import Label, label

FORGOTTEN: Mapping[str | None, str] = {
    "access-lost": "the permission to see it ended",
    "record-deactivated": "the record was deactivated",
    "record-deprecated": "the record was merged into another one",
    "erased": "the person was erased",
    "removed": "its holder has removed or hidden it",
    "visibility": "it was restricted to fewer readers",
}
"""Why nobody can say any more what something said, by the reason in the change feed."""


UNKNOWN = "the reason is not known"


class Past(Struct, frozen=True):
    """An item, or the record itself, as it was at a moment."""

    section: str
    key: str
    content: Content | RecordContent | None
    """None: it was there, and what it said is forgotten."""
    reason: str | None = None
    """Why it is forgotten, as in the change feed."""

    @property
    def id(self) -> ItemKey:
        """What it is called inside its record."""
        return self.section, self.key

    @property
    def label(self) -> Label:
        """What to call it on one line; empty if it is forgotten, or the record itself."""
        return label(self.content.doc) if isinstance(self.content, Content) else Label("", "", "")


class FieldChange(Struct, frozen=True):
    """A column, or a member of the document that has no column, with its values."""

    name: str
    before: Any
    after: Any


class Difference(Struct, frozen=True, kw_only=True):
    """An item that is not the same at the later moment."""

    section: str
    key: str
    op: str
    """added, removed, updated; unknown: it is there at both, and what it said at one of them is forgotten."""
    title: str
    """At the later moment if it is there, else at the earlier one."""
    fields: list[FieldChange] = []
    minor: bool = False
    """Whether only dates, order, names of sources or normalised identifiers differ."""
    forgotten: str | None = None
    """Why what it said is forgotten; None: it is not."""


_PLACES = frozenset({"position", "resource_item"})
"""Columns that say where an element stands in its list."""

_DERIVED = frozenset({"normalized", "normalized_transient", "normalized_error"})
"""Columns that ORCID derives from others; of interest only if nothing else differs."""


class _Said(Struct):
    """A content as `change_contents` and the SQL functions have it."""

    doc: Raw = Raw(b"{}")
    detail: Raw = Raw(b"null")
    group_put_code: int | None = None
    group_position: int | None = None
    state: str = ""
    access: str = ""
    primary_orcid: str | None = None
    withheld: str | None = None


def decode_past(section: str, key: str, content: bytes | None, reason: str | None) -> Past:
    """A content out of the history; None: it is forgotten, for this reason."""
    if content is None:
        return Past(section, key, None, reason or "")
    said = msgspec.json.decode(content, type=_Said)
    if section == RECORD:
        own = RecordContent(said.state, said.access, said.primary_orcid, bytes(said.doc), said.withheld)
        return Past(section, key, own)
    detail = None if bytes(said.detail) == b"null" else bytes(said.detail)
    return Past(section, key, Content(bytes(said.doc), detail, said.group_put_code, said.group_position))


def differences(orcid: str, before: Mapping[ItemKey, Past], after: Mapping[ItemKey, Past]) -> list[Difference]:
    """How the later state differs from the earlier: the record first, then section by section, in ORCID's order."""
    found = (_difference(orcid, before.get(key), after.get(key)) for key in before.keys() | after.keys())
    places = {name: place for place, name in enumerate([RECORD, *SECTIONS])}
    ops = ("added", "removed", "updated", "unknown")
    return sorted(
        filter(None, found),
        key=lambda one: (places.get(one.section, len(places)), one.section, ops.index(one.op), one.title, one.key),
    )


def _difference(orcid: str, old: Past | None, new: Past | None) -> Difference | None:
    if old is not None and new is not None:
        return _both(orcid, old, new)
    one = new or old
    if one is None:
        return None
    op = "added" if new else "removed"
    return Difference(section=one.section, key=one.key, op=op, title=one.label.title, forgotten=_forgotten(one))


def _both(orcid: str, old: Past, new: Past) -> Difference | None:
    title = new.label.title or old.label.title
    if old.content is None or new.content is None:
        why = _forgotten(old) or _forgotten(new)
        return Difference(section=new.section, key=new.key, op="unknown", title=title, forgotten=why)
    changes = list(_fields(orcid, old, new))
    if not changes:
        return None
    minor = all(change.name.partition(": ")[0] in MINOR for change in changes)
    return Difference(section=new.section, key=new.key, op="updated", title=title, fields=changes, minor=minor)


def _forgotten(past: Past) -> str | None:
    if past.content is not None:
        return None
    return FORGOTTEN.get(past.reason, UNKNOWN)


def _fields(orcid: str, old: Past, new: Past) -> Iterator[FieldChange]:
    before, after = old.content, new.content
    if before == after:
        return
    if isinstance(before, RecordContent) and isinstance(after, RecordContent):
        yield from _record_fields(orcid, before, after)
    elif isinstance(before, Content) and isinstance(after, Content):
        yield from _item_fields(orcid, new.section, before, after)


def _record_fields(orcid: str, before: RecordContent, after: RecordContent) -> Iterator[FieldChange]:
    change = record_change(orcid, before, after, None)
    for name in change.fields if change else ():
        if name == "doc":
            yield from _members("doc", before.doc, after.doc)
        else:
            yield FieldChange(name, getattr(before.row(orcid), name), getattr(after.row(orcid), name))


def _item_fields(orcid: str, section: str, before: Content, after: Content) -> Iterator[FieldChange]:
    shape = SECTIONS.get(section)
    names: tuple[str, ...] = ()
    if shape is not None:
        old, new = shape.entry(orcid, before), shape.entry(orcid, after)
        names = fields_of(old, new)
        for name in names:
            yield FieldChange(name, _value(old, name), _value(new, name))
    if not names:
        yield from _members("doc", before.doc, after.doc)
        yield from _members("detail", before.detail, after.detail)


def _value(entry: Entry, name: str) -> Any:
    """The value of a column, or the elements of a list without their places."""
    column = name.partition(".")[0]
    if column not in ("external_ids", "contributors", "hosts", "items"):
        return getattr(entry.row, column)
    hidden = _PLACES if column != name else _PLACES | _DERIVED
    elements = (msgspec.to_builtins(one) for one in getattr(entry, column))
    return [{part: said for part, said in one.items() if part not in hidden and said is not None} for one in elements]


def _members(name: str, before: bytes | None, after: bytes | None) -> Iterator[FieldChange]:
    """The members of two documents that differ."""
    if same_json(before, after):
        return
    old, new = (msgspec.json.decode(one or b"{}") for one in (before, after))
    for member in dict.fromkeys([*old, *new]):
        if old.get(member) != new.get(member):
            yield FieldChange(f"{name}: {member}", old.get(member), new.get(member))
