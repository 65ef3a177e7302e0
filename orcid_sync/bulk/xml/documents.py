"""XML documents: parsing them safely, and making of them the JSON that ORCID's API gives, by the table of `shapes`.

A file may come from anywhere, so the parser (libxml2) is kept short: no document type and hence no entities but the
five of XML, nothing fetched, bounds to size, number of elements, depth and length of a text.

lxml, because it was measured: made into JSON, real records of 26 kB take 435 µs with it, 610 with ElementTree and more
with handlers of expat. Of that, 150 are the parsing itself (expat without any handler: 135).
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias

import msgspec
from lxml import etree

from orcid_sync.bulk.xml.shapes import Content, Leaf, Many, Object, Shape
from orcid_sync.bulk.xml.values import FORMS, Form

Element: TypeAlias = Any
"""lxml's; it comes without types."""

Strays: TypeAlias = list[Element | tuple[Element, str]]
"""Elements without an entry in the table, and attributes as their element and name; `strays` says what they are."""

NAMESPACE = "{http://www.orcid.org/ns/"
"""What the names of all of ORCID's elements begin with; the rest of their namespaces says nothing."""

BLANK = b"\xef\xbb\xbf \t\r\n"
"""What may stand before a document: the mark of UTF-8, and white space."""

LARGEST = 64 << 20
"""Bytes of a document: 10,000 works, more than a record can have, are some 40 MB (contract section 3.9)."""

_MANY = 1 << 20  # bytes from which on elements are counted
MOST_MARKUP = 4_000_000
"""Beginnings and ends of elements: six times what those 10,000 works have; each costs some 100 bytes of memory."""


class Unreadable(ValueError):
    """It is not a document of ORCID's, or not a whole one; the message says why and never quotes it."""


def parse_document(xml: bytes) -> tuple[str, Element]:
    """The outermost element with its name: record, error, work, …; empty if it is not ORCID's. Raises Unreadable."""
    if len(xml) > LARGEST or (len(xml) > _MANY and xml.count(b"<") > MOST_MARKUP):
        raise Unreadable("it is larger than any record")
    if b"<!DOCTYPE" in xml:
        raise Unreadable("it declares a document type, which ORCID's documents never do")
    parser = etree.XMLParser(  # a new one for each, for they keep what went wrong; it costs a microsecond
        encoding="utf-8",  # whatever it claims to be: what was looked for above must be what is parsed
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_blank_text=True,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    try:
        root = etree.fromstring(xml.lstrip(BLANK), parser)
    except etree.XMLSyntaxError as error:
        raise Unreadable(f"it is not well-formed XML (line {error.position[0]})") from None
    return local_names[root.tag], root


def encode(element: Element, shape: Object, strays: Strays) -> bytes:
    """The JSON of an element. What the table does not know is added to the strays."""
    return msgspec.json.encode(_maker(shape)(element, strays))


class _LocalNames(dict[str, str]):
    """Tags without their namespace; empty if it is not one of ORCID's."""

    def __missing__(self, tag: str) -> str:
        name = tag.rpartition("/")[2].partition("}")[2] if tag.startswith(NAMESPACE) else ""
        if len(self) < 1_000:  # in files that are none of ORCID's there may be any number
            self[tag] = name
        return name


local_names = _LocalNames()
"""Local names by tag; as fast as a dictionary."""

_Make: TypeAlias = Callable[[Element, Strays], Any]

_Place: TypeAlias = tuple[str, Form | None, _Make | None, bool]
"""Where an element goes: the member; of a leaf its form, unless it is a plain text; of an element with members what
makes the value, and whether it is one of many. A tuple, because each element of each record looks at one."""


class _Places(dict[str, _Place | None]):
    """The places of an object's elements by their tags."""

    def __init__(self, places: Mapping[str, _Place]) -> None:
        super().__init__()
        self._by_name = places

    def __missing__(self, tag: str) -> _Place | None:
        place = self._by_name.get(local_names[tag])
        if place is not None:  # of those without a place there may be any number
            self[tag] = place
        return place


class _Maker:
    """Makes the JSON value of one kind of element."""

    def __init__(self, shape: Object) -> None:
        self._blank: dict[str, Any] = dict.fromkeys(shape.members)
        self._lists = [member for member, kind in shape.members.items() if isinstance(kind, Many)]
        self._content = next((member for member, kind in shape.members.items() if isinstance(kind, Content)), None)
        self._attributes = {
            member: FORMS.get(kind.form)
            for member, kind in shape.members.items()
            if isinstance(kind, Leaf) and kind.attribute
        }
        self._places = _Places(dict(_places(shape.members)))

    def __call__(self, element: Element, strays: Strays) -> dict[str, Any]:
        made = self._blank.copy()
        for member in self._lists:
            made[member] = []
        if self._attributes:
            self._take_attributes(element, made, strays)
        if self._content:
            made[self._content] = element.text or ""
        places = self._places
        for child in element:
            place = places[child.tag]
            if place is None:
                strays.append(child)
                continue
            member, form, make, many = place
            if make is None:
                text = child.text or ""
                made[member] = form(text) if form else text
                if len(child):
                    strays += child
            elif many:
                made[member].append(make(child, strays))
            else:
                made[member] = make(child, strays)
        return made

    def _take_attributes(self, element: Element, made: dict[str, Any], strays: Strays) -> None:
        for name, text in element.items():
            if name in self._attributes:
                form = self._attributes[name]
                made[name] = form(text) if form else text
            elif not name.startswith("{"):  # xsi:schemaLocation and its like are of XML, not of ORCID
                strays.append((element, name))


def _places(members: Mapping[str, Shape]) -> Iterator[tuple[str, _Place]]:
    """The elements of an object by name, each with its place."""
    for member, kind in members.items():
        match kind:
            case Leaf(form, attribute=False):
                yield member, (member, FORMS.get(form), None, False)
            case Object():
                yield member, (member, None, _maker(kind), False)
            case Many(item, inside=outer) if outer:
                yield outer, (member, None, _all(_maker(item)), False)
            case Many(item):
                yield member, (member, None, _maker(item), True)


def _all(make: _Make) -> _Make:
    return lambda element, strays: [make(child, strays) for child in element]


@cache
def _maker(shape: Object) -> _Maker:
    return _Maker(shape)
