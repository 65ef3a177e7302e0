"""Finding the items of a section in an answer: what each of them is called, and what cannot be understood."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Self

import msgspec
from msgspec import Raw, Struct

from orcid_sync.model.record import person
from orcid_sync.model.record.extract import moment
from orcid_sync.model.record.sections import Content, Item, Section
from orcid_sync.model.wire import lenient, orcid_json
from orcid_sync.model.wire.cleaning import clean
from orcid_sync.model.wire.groups import Strange
from orcid_sync.model.wire.malformed import MalformedRecord, shape_of
from orcid_sync.model.wire.set_aside import DOUBLE, NO_EMAIL, NO_PUT_CODE, NOT_AN_OBJECT, SetAside

_SEEN_BY = {"public": 2, "limited": 1}
"""The more, the more people; whatever we do not know counts as private (fault F49)."""


_PATH = re.compile("/[0-9X-]+/[a-z-]+/([0-9]{1,18})", re.ASCII)


class _Head(Struct, rename="kebab"):
    """The little of an item that is needed to know which it is."""

    put_code: int | None = None
    last_modified_date: orcid_json.Timestamp | None = None
    visibility: str | None = None
    email: str | None = None
    path: str | None = None


class Found:
    """One section of an answer. It is taken apart in steps, so that nothing waits long for a large one (fault F28)."""

    def __init__(self, section: Section, groups: Iterable[list[bytes]], strange: Iterable[Strange] = ()) -> None:
        """`groups`: documents that are fit to be stored."""
        self.section = section
        self._groups = groups
        self._items: dict[str, Item] = {}
        self._set_aside: dict[bytes, SetAside] = {}
        self._copies: Counter[bytes] = Counter()
        for raw, reason in strange:
            self._put_aside(clean(bytes(raw)), reason)

    @property
    def items(self) -> list[Item]:
        """The items in ORCID's order; all of them after the last step."""
        return list(self._items.values())

    @property
    def set_aside(self) -> list[SetAside]:
        """What could not be understood; all of it after the last step. Two of one wording may be two items."""
        return list(self._set_aside.values())

    def all(self) -> Self:
        """Take all of it apart at once."""
        for _ in self.steps():
            pass
        return self

    def steps(self) -> Iterator[None]:
        """Take it apart, one item after the other."""
        for docs in self._groups:
            heads = [self._identified(doc) for doc in docs]
            # A group has no name of its own (contract section 3.6): the smallest put-code is.
            first = min((head.put_code or 0 for _, head in filter(None, heads)), default=0)
            for position, (doc, identified) in enumerate(zip(docs, heads, strict=True)):
                if identified is not None:
                    key, head = identified
                    place = (first, position) if self.section.grouped else ()
                    self._take(_item(self.section, key, head, Content(doc, None, *place)))
                yield

    def _identified(self, doc: bytes) -> tuple[str, _Head] | None:
        """The key of an item and what tells it; None if it has none."""
        try:
            head = lenient.decode(doc, _Head)
        except (msgspec.ValidationError, RecursionError):
            self._put_aside(doc, NOT_AN_OBJECT)
            return None
        key = _key(self.section, head)
        if key is None:
            named = _PATH.fullmatch(head.path or "")
            reason = NO_EMAIL if self.section.key_column == "email" else NO_PUT_CODE
            self._put_aside(doc, reason, named=named and named[1])
            return None
        return key, head

    def _take(self, item: Item) -> None:
        """Keep an item. Of several with one key the best is kept, in whatever order they come (fault F50)."""
        other = self._items.setdefault(item.key, item)
        if other is item:
            return
        best, rest = sorted((other, item), key=_rank)
        self._items[item.key] = best
        if best.content.doc != rest.content.doc:
            self._put_aside(rest.content.doc, DOUBLE, rest.key)

    def _put_aside(self, doc: bytes, reason: str, key: str | None = None, *, named: str | None = None) -> None:
        copy = 0 if key is not None else self._copies[doc]
        self._copies[doc] += 1
        one = SetAside(self.section.name, doc, reason, key, named, copy)
        self._set_aside.setdefault(one.digest, one)


def find(section: Section, container: Raw) -> Found | None:
    """The items of a section; None if its container does not speak of them: that is not an empty one (fault F54)."""
    if section.key_column is None and bytes(container) == b"null":
        return Found(section, ())  # a name or biography that is null is not visible to us; of a list, null says nothing
    taken = section.groups.take(container) if lenient.is_object(container) else None
    if taken is None:
        return None
    return Found(section, ([clean(bytes(raw)) for raw in group] for group in taken.groups), taken.strange)


def item_of(section: Section, doc: bytes) -> Item:
    """A document alone as an item. Raises MalformedRecord if it has no key."""
    with shape_of(section.container):
        head = lenient.decode(doc, _Head)
    key = _key(section, head)
    if key is None:
        raise MalformedRecord(f"{section.container}: an item without {section.key_column}")
    return _item(section, key, head, Content(doc, None, *((head.put_code, 0) if section.grouped else ())))


def _key(section: Section, head: _Head) -> str | None:
    match section.key_column:
        case None:
            return ""
        case "email" if head.email:
            return person.email_key(head.email)
        case "put_code" if head.put_code is not None and abs(head.put_code) < 2**63:
            return str(head.put_code)
    return None


def _item(section: Section, key: str, head: _Head, content: Content) -> Item:
    modified = head.last_modified_date
    modified_ms = modified.value if modified and moment(modified) else None
    return Item(section.name, key, head.put_code, modified_ms, head.visibility, content, content.digest())


def _rank(item: Item) -> tuple[object, ...]:
    """The best first: the newest, then the one that fewer may see; the rest only makes it certain."""
    content = item.content
    place = (content.group_put_code or 0, content.group_position or 0)
    return -(item.modified_ms or 0), _SEEN_BY.get(item.visibility or "", 0), content.doc, place
