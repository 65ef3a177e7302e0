"""What changed: the mirror against an answer of the Registry. Contents are compared, never dates (contract 3.9).

Three steps, so that what did not change is not even loaded: `compare` finds candidates by their digests, the store
loads their old content, `update` compares the rows on both sides and names the fields.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import MAX_PREC, Context
from typing import Any

import msgspec
from msgspec import Raw, Struct

from orcid_sync.model.record import extract, rows
from orcid_sync.model.record.extract import Entry
from orcid_sync.model.record.sections import SECTIONS, Content, Item, ItemKey, Section
from orcid_sync.model.wire import lenient, orcid_json
from orcid_sync.model.wire.malformed import shape_of

RECORD = "record"
"""The section under which a change of the record itself is filed; its key is empty."""

MINOR = frozenset(
    {
        "assertion_origin_name",
        "contributors.credit_name",
        "created_at",
        "detail_modified_at",
        "display_index",
        "doc",
        "external_ids.normalized",
        "group_position",
        "group_put_code",
        "modified_at",
        "source_name",
    }
)
"""Fields that move without the holder having said anything new (contract sections 3.9 and 10)."""

# PostgreSQL keeps numbers exactly and writes them in its own way: 1e400 comes back as 401 digits (F48).
# What it could not store differs from all that it has stored: nothing is trapped here, the database refuses it.
_exact = Context(prec=MAX_PREC, traps=[])
_decode_exactly = msgspec.json.Decoder(float_hook=_exact.create_decimal).decode

_NORMALIZED = ("normalized", "normalized_transient", "normalized_error")
_NOT_COMPARED = frozenset({"orcid", "put_code", "section", "digest", "doc", "detail", "registry_modified_at"})


class Known(Struct, frozen=True):
    """What the mirror holds of an item, as far as is needed to see whether it moved."""

    digest: bytes
    visibility: str | None = None
    detail_modified_at: datetime | None = None
    modified_at: datetime | None = None


class RecordContent(Struct, frozen=True):
    """What the record itself says, without its items."""

    state: str
    access: str
    primary_orcid: str | None = None
    doc: bytes = b"{}"
    withheld: str | None = None
    """What readers are not shown for the time being: None, limited or all."""

    def row(self, orcid: str) -> rows.Record:
        """The row of `records`, but for registry_modified_at, which is not content."""
        head = lenient.decode(self.doc, orcid_json.RecordHead)
        row = extract.record(
            orcid, head, state=self.state, access=self.access, primary_orcid=self.primary_orcid, doc=self.doc
        )
        return msgspec.structs.replace(row, withheld=self.withheld)

    def encode(self) -> bytes:
        """As it stands in `change_contents`."""
        said: dict[str, object] = {"state": self.state, "access": self.access, "primary_orcid": self.primary_orcid}
        if self.withheld:
            said["withheld"] = self.withheld
        return msgspec.json.encode({**said, "doc": Raw(self.doc)})


class Change(Struct, frozen=True):
    """One line of the change feed, but for its position and time."""

    section: str
    key: str
    op: str
    visibility: str | None = None
    """Of the item after the change, of a removed one before it."""
    reason: str | None = None
    fields: tuple[str, ...] = ()
    source_modified_at: datetime | None = None
    old: Content | RecordContent | None = None
    new: Content | RecordContent | None = None
    visibility_before: str | None = None
    """None of an addition."""

    @property
    def minor(self) -> bool:
        """Whether only dates, display order, grouping, names of sources or normalised identifiers moved."""
        return bool(self.fields) and MINOR.issuperset(self.fields)


class Held(Struct, frozen=True):
    """What the mirror holds of one iD, as far as is needed to compare it with an answer."""

    record: RecordContent | None = None
    items: dict[ItemKey, Known] = {}
    modified_at: datetime | None = None
    """history.last-modified-date of the last answer that was a record."""


class Update(Struct, frozen=True):
    """An item to be rewritten."""

    section: Section
    entry: Entry
    fields: tuple[str, ...]
    """What differs, so that unchanged lists are left alone; empty if only the digest does."""


class Writing(Struct, frozen=True):
    """What one reconciliation writes to the mirror."""

    registry_modified_at: datetime | None
    record: RecordContent | None = None
    """The record's own content, if it changed."""
    new_record: bool = False
    added: Sequence[tuple[Section, Content]] = ()
    updated: Sequence[Update] = ()
    removed: Sequence[ItemKey] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing but the record-wide date and digests could have moved."""
        return not (self.record or self.added or self.removed or any(update.fields for update in self.updated))


class Comparison(Struct, frozen=True):
    """What digests can tell."""

    added: list[Item]
    moved: list[Item]
    """Known items whose digest differs or whose full form was read again."""
    gone: list[ItemKey]


def wants_detail(known: Known | None, item: Item) -> bool:
    """Whether the full form must be read: it is new or its date moved (contract section 10, full fetch rule)."""
    if SECTIONS[item.section].detail is None or item.put_code is None:
        return False
    if known is None or known.detail_modified_at is None:
        return True
    return known.detail_modified_at != extract.moment(orcid_json.Timestamp(item.modified_ms))


class _Dated(Struct, rename="kebab"):
    last_modified_date: orcid_json.Timestamp | None = None


def edit_of(detail: bytes, section: str) -> int | None:
    """Of which edit a full form is: its last-modified date in milliseconds. Raises MalformedRecord.

    Older than the summary's if it comes from a replica that lags (F37), and newer if somebody edits between the two
    reads (F38).
    """
    with shape_of(section):
        stamp = lenient.decode(detail, _Dated).last_modified_date
    return stamp.value if stamp and extract.moment(stamp) else None


def compare(
    known: Mapping[ItemKey, Known], answered: Iterable[str], items: Iterable[Item], details: Mapping[ItemKey, bytes]
) -> Comparison:
    """Sort the items of an answer into added, moved and (by leaving them out) gone.

    Only sections that the answer speaks of can lose items: a section that is missing is not an empty one (F54).
    """
    comparison = Comparison([], [], [])
    seen = set()
    for item in items:
        seen.add(item.id)
        before = known.get(item.id)
        if before is None:
            comparison.added.append(item)
        elif before.digest != item.digest or item.id in details:
            comparison.moved.append(item)
    spoken_of = frozenset(answered)
    comparison.gone.extend(key for key in known if key[0] in spoken_of and key not in seen)
    return comparison


def shrinking(known: Iterable[ItemKey], removed: Collection[ItemKey]) -> list[ItemKey]:
    """What would go of sections that lose more than half and more than five of their items (design section 8)."""
    held, lost = _sizes(known), _sizes(removed)
    return [key for key in removed if lost[key[0]] > 5 and 2 * lost[key[0]] > held[key[0]]]


def _sizes(keys: Iterable[ItemKey]) -> Counter[str]:
    return Counter(section for section, _ in keys)


def fields_of(old: Entry, new: Entry) -> tuple[str, ...]:
    """The columns and lists in which two versions of an item differ."""
    fields = _columns(old.row, new.row)
    fields += _list("external_ids", old.external_ids, new.external_ids, _NORMALIZED, "normalized")
    # ORCID recomputes the names of a funding's contributors from their own records (contract section 3.7).
    volatile = ("credit_name",) if isinstance(new.row, rows.Funding) else ()
    fields += _list("contributors", old.contributors, new.contributors, volatile, "credit_name")
    fields += _list("hosts", old.hosts, new.hosts)
    fields += _list("items", old.items, new.items)
    return tuple(fields)


def _columns(old: Struct, new: Struct) -> list[str]:
    names = (name for name in new.__struct_fields__ if name not in _NOT_COMPARED)
    return [name for name in names if getattr(old, name) != getattr(new, name)]


def _list(name: str, old: list[Any], new: list[Any], volatile: tuple[str, ...] = (), part: str = "") -> list[str]:
    if old == new:
        return []
    blank = dict.fromkeys(volatile)
    if volatile and [_replace(one, blank) for one in old] == [_replace(one, blank) for one in new]:
        return [f"{name}.{part}"]
    return [name]


def _replace(row: Struct, values: dict[str, None]) -> Struct:
    return msgspec.structs.replace(row, **values)


def with_detail(content: Content, detail: bytes | None) -> Content:
    """A summary together with its full form."""
    return msgspec.structs.replace(content, detail=detail)


def addition(item: Item, content: Content) -> Change:
    """The change of a new item."""
    at = extract.moment(orcid_json.Timestamp(item.modified_ms))
    return Change(item.section, item.key, "added", item.visibility, source_modified_at=at, new=content)


def update(orcid: str, item: Item, old: Content, detail: bytes | None) -> tuple[Update, Change | None]:
    """What to write for an item that moved, and its change: None if both sides say the same, only written differently.

    `detail` is the full form if it was read again. Raises MalformedRecord.
    """
    section = SECTIONS[item.section]
    new = with_detail(item.content, detail or old.detail)
    before, after = section.entry(orcid, old), section.entry(orcid, new)
    fields = fields_of(before, after)
    if not fields and not (same_json(old.doc, new.doc) and same_json(old.detail, new.detail)):
        fields = ("doc",)
    row = after.row
    change = Change(
        *(item.section, item.key, "updated", row.visibility, None, fields, row.modified_at, old, new),
        visibility_before=before.row.visibility,
    )
    return Update(section, after, fields), change if fields else None


def same_json(old: bytes | None, new: bytes | None) -> bool:
    """Whether two documents say the same, however they are written; numbers are compared exactly."""
    if old is None or new is None:
        return old is new
    try:
        return bool(_decode_exactly(old) == _decode_exactly(new))
    except (msgspec.ValidationError, RecursionError):
        return False  # integers of thousands of digits, nesting at the limit: better one change too many than none


def record_change(orcid: str, old: RecordContent | None, new: RecordContent, at: datetime | None) -> Change | None:
    """The change of the record itself, if any: its state, our access, its history block, members unknown to us."""
    if old is None:
        return Change(RECORD, "", "added", "public", source_modified_at=at, new=new)
    fields = tuple(_columns(old.row(orcid), new.row(orcid)))
    if not fields:
        if same_json(old.doc, new.doc):
            return None
        fields = ("doc",)
    return Change(RECORD, "", "updated", "public", None, fields, at, old, new, visibility_before="public")
