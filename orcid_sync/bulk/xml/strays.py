"""What ORCID's XML has and the tables have not: which members its JSON would have more (contract section 11, no. 45).

The documents of the mirror are made by the tables, so what is not in them is lost; somebody should at least hear of it.
"""

from collections.abc import Iterator

from orcid_sync.bulk.xml.documents import Element, Strays, local_names
from orcid_sync.bulk.xml.shapes import Many, Object, Shape
from orcid_sync.model.record import unknown_members
from orcid_sync.model.record.unknown_members import Unknown


def named(section: str, root: Element, shape: Object, strays: Strays) -> list[Unknown]:
    """The strays below an element, each once, as the members that they would be."""
    found = (_named(section, root, shape, stray) for stray in strays)
    return sorted({one.path: one for one in found}.values()) if strays else []


def outside(section: str, path: str, element: Element) -> Unknown:
    """An element that is no part of any item; `path`: where its parent is."""
    return unknown_members.member(section, path, local_names[element.tag], _kind(element))


def _named(section: str, root: Element, shape: Object, stray: Element | tuple[Element, str]) -> Unknown:
    if isinstance(stray, tuple):
        parent, name = stray
        kind = "string"
    else:
        parent, name, kind = stray.getparent(), local_names[stray.tag], _kind(stray)
    return unknown_members.member(section, ".".join(_path(root, shape, parent)), name, kind)


def _kind(element: Element) -> str:
    """What its value would be in JSON."""
    return "object" if len(element) or any(not name.startswith("{") for name, _ in element.items()) else "string"


def _path(root: Element, shape: Object, element: Element) -> Iterator[str]:
    """The names of the members from an element down to another one in it, as JSON has them."""
    names: list[str] = []
    while element is not root:
        names.append(local_names[element.tag])
        element = element.getparent()
    kind: Shape | None = shape
    while names:
        name = names.pop()
        member, kind = _entry(kind, name)
        if isinstance(kind, Many):
            yield f"{member}[]"
            if kind.inside and names:
                names.pop()
            kind = kind.item
        else:
            yield member


def _entry(kind: Shape | None, name: str) -> tuple[str, Shape | None]:
    """The member that an element becomes, with its shape."""
    for member, inner in kind.members.items() if isinstance(kind, Object) else ():
        if name == (inner.inside if isinstance(inner, Many) and inner.inside else member):
            return member, inner
    return name, None
