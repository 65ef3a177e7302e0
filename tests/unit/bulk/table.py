"""Documents written by the table of ORCID's XML, entry by entry, and read by it."""

from typing import Any

import msgspec

from orcid_sync.bulk.xml import documents
from orcid_sync.bulk.xml.documents import parse_document
from orcid_sync.bulk.xml.full_forms import FULL
from orcid_sync.bulk.xml.shapes import Content, Leaf, Many, Object
from orcid_sync.bulk.xml.summaries import HEAD, LAYOUTS


def public(node: Any) -> Any:
    """The record as everybody sees it, without the one member that XML does not have."""
    if isinstance(node, dict):
        members = ((name, one) for name, one in node.items() if name != "verification-date")
        return {name: "public" if name == "visibility" else public(one) for name, one in members}
    return [public(one) for one in node] if isinstance(node, list) else node


def filled(shape: Object) -> dict[str, Any]:
    """A value in which everything that the table knows says something."""
    return {member: _filled(member, kind) for member, kind in shape.members.items()}


def _filled(member: str, kind: Any) -> Any:
    leaves = {"text": f"a {member}", "token": f"a {member}", "number": 7, "flag": True, "constant": "DIRECT"}
    match kind:
        case Leaf("wrapped" | "wrapped token"):
            return {"value": f"a {member}"}
        case Leaf("moment"):
            return {"value": 1_700_000_000_123}
        case Leaf(form):
            return leaves[form]
        case Content():
            return f"a {member}"
        case Many(item):
            return [filled(item), filled(item)]
        case Object():
            return filled(kind)
    raise TypeError(kind)


def element(name: str, value: dict[str, Any], shape: Object) -> str:
    """The element of a value, written by the table."""
    attributes = {
        member: one
        for member, one in value.items()
        if isinstance(kind := shape.members[member], Leaf) and kind.attribute
    }
    inner = "".join(_inner(member, one, shape.members[member]) for member, one in value.items() if one is not None)
    said = "".join(f' {key}="{str(one).lower()}"' for key, one in attributes.items())
    return f"<c:{name}{said}>{inner}</c:{name}>"


def _inner(member: str, value: Any, kind: Any) -> str:
    match kind:
        case Leaf(attribute=True):
            return ""
        case Leaf(form):
            text = {"moment": "2023-11-14T22:13:20.123Z", "flag": "true"}.get(form)
            return f"<c:{member}>{text or (value['value'] if form.startswith('wrapped') else value)}</c:{member}>"
        case Many(item, inside=outer):
            written = "".join(element(member, one, item) for one in value)
            return f"<c:{outer}>{written}</c:{outer}>" if outer else written
        case Object():
            return element(member, value, kind)
    return str(value)


SHAPES = {
    "head": HEAD,
    **{name: layout.item for name, layout in LAYOUTS.items()},
    **{f"full {name}": shape for name, shape in FULL.items()},
}


def read(xml: str, shape: Object) -> Any:
    declared = xml.replace(">", ' xmlns:c="http://www.orcid.org/ns/common">', 1)
    return msgspec.json.decode(documents.encode(parse_document(declared.encode())[1], shape, []))
