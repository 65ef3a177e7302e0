"""The XML form of records: for requests that do not ask for JSON, and for bulk files (contract sections 3.2, 7.1).

It is the JSON with the names of the XML schemas: elements carry the prefix of the schema that defines them, some
members are attributes, some lists have another nesting. Names and prefixes are those of real data-file documents.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from orcid_sync.simulator.records.sections import ACTIVITY_ORDER, PERSON_LISTS, SECTIONS

Json = dict[str, Any]

PREFIXES = (
    *("address", "email", "history", "employment", "education", "other-name", "deprecated", "funding"),
    *("research-resource", "service", "researcher-url", "distinction", "internal", "membership", "person"),
    *("personal-details", "bulk", "common", "record", "keyword", "activities", "qualification", "external-identifier"),
    *("error", "preferences", "invited-position", "work", "peer-review"),
)
"""Every document declares them all; search has one of its own."""

_COMMON = frozenset(
    (
        *("created-date", "last-modified-date", "source", "source-orcid", "source-client-id", "source-name"),
        *("assertion-origin-orcid", "assertion-origin-client-id", "assertion-origin-name", "contributor-orcid"),
        *("orcid-identifier", "uri", "path", "host", "external-ids", "external-id", "external-id-type"),
        *("external-id-value", "external-id-normalized", "external-id-normalized-error", "external-id-url"),
        *("external-id-relationship", "url", "country", "start-date", "end-date", "publication-date", "year", "month"),
        *("day", "organization", "department-name", "role-title", "language-code"),
    )
)
"""Elements of the common schema, wherever they stand …"""
_OWN = frozenset({("address", "country"), ("researcher-url", "url")})
"""… except under these."""

_SCHEMAS = {
    **{name: name for name in ("preferences", "history", "person", "error", "bulk", "search", "expanded-search")},
    **dict.fromkeys(("activities-summary", *(SECTIONS[one].key for one in ACTIVITY_ORDER)), "activities"),
    **{SECTIONS[name].key: name for name in PERSON_LISTS},
    **{section.name: section.name for section in SECTIONS.values() if section.name not in ("name", "biography")},
    **{SECTIONS[name].member: name for name in ACTIVITY_ORDER},
    "personal-details": "personal-details",
    "record": "record",
}
"""Elements that begin a schema: they and what is in them have its prefix."""
_PARTS = {
    **dict.fromkeys(("name", "biography"), "personal-details"),
    **dict.fromkeys(("title", "subject-name", "organization", "convening-organization"), "common"),
    **dict.fromkeys(("external-id", "external-id-normalized-error"), "common"),
}
"""Elements whose content has another prefix than they have themselves."""

_ATTRIBUTES = frozenset(
    (
        *("put-code", "visibility", "display-index", "path", "verified", "primary", "transient"),
        *("currency-code", "num-found"),
    )
)
_UNWRAPPED = frozenset({"summaries", "bulk"})
_WRAPPED = frozenset({"resource-item"})
_CREATION_METHODS = {"DIRECT": "Direct", "MEMBER_REFERRED": "Member-referred", "WEBSITE": "website"}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_xml(root: str, document: Json, *, indented: bool = False) -> bytes:
    """A document under this root element; `indented` as in the bulk files, on one line as the API sends it."""
    prefix = _SCHEMAS.get(root, "personal-details" if root == "biography" else "common")
    namespaces = PREFIXES if prefix in PREFIXES else ("common", prefix)
    declarations = "".join(f' xmlns:{one}="http://www.orcid.org/ns/{one}"' for one in namespaces)
    writer = _Writer(indented=indented)
    writer.element(root, document, prefix, 0, declarations)
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    return f"{head}{''.join(writer.pieces)}\n".encode()


class _Writer:
    """Collects the text of one document."""

    def __init__(self, *, indented: bool) -> None:
        self.pieces: list[str] = []
        self._indented = indented

    def element(self, name: str, value: Any, schema: str, depth: int, declarations: str = "") -> None:
        """One member, in the schema of what it stands in: null is nothing, a list is as many elements."""
        if value is None:
            return
        if isinstance(value, list):
            self._list(name, value, schema, depth)
            return
        own = _prefix(name, schema)
        tag, inner = f"{own}:{name}", "common" if own == "common" else _PARTS.get(name, _SCHEMAS.get(name, own))
        if not isinstance(value, dict):
            self._line(depth, f"<{tag}>{_text(_CREATION_METHODS.get(value, value))}</{tag}>")
            return
        attributes = declarations + "".join(f" {key}={_attribute(one)}" for key, one in _attributes(value))
        if isinstance(value.get("value"), (str, int)):
            self._line(depth, f"<{tag}{attributes}>{_wrapped_text(value['value'])}</{tag}>")
            return
        members = [(key, one) for key, one in value.items() if one is not None and not _is_attribute(key, value)]
        if not any(one != [] or key in _WRAPPED for key, one in members):
            self._line(depth, f"<{tag}{attributes}/>")
            return
        self._line(depth, f"<{tag}{attributes}>")
        for key, one in members:
            self.element(key, one, inner, depth + 1)
        self._line(depth, f"</{tag}>")

    def _list(self, name: str, items: list[Any], schema: str, depth: int) -> None:
        if name in _UNWRAPPED:  # JSON has a list of one-member objects here, XML only their elements
            for item in items:
                for key, one in item.items():
                    self.element(key, one, schema, depth)
            return
        if name not in _WRAPPED:
            for item in items:
                self.element(name, item, schema, depth)
            return
        self._line(depth, f"<{schema}:{name}s>")
        for item in items:
            self.element(name, item, schema, depth + 1)
        self._line(depth, f"</{schema}:{name}s>")

    def _line(self, depth: int, text: str) -> None:
        if self._indented and self.pieces:
            self.pieces.append("\n" + "    " * depth)
        self.pieces.append(text)


def _prefix(name: str, schema: str) -> str:
    if name in _COMMON and (schema, name) not in _OWN:
        return "common"
    if schema == "common":  # in organisations and titles: name, address, title
        return "common"
    return _SCHEMAS.get(name, schema)


def _attributes(holder: Json) -> Iterator[tuple[str, Any]]:
    return ((key, one) for key, one in holder.items() if _is_attribute(key, holder) and one is not None)


def _is_attribute(key: str, holder: Json) -> bool:
    if key == "path" and "uri" in holder:  # the path of an iD is an element, that of an item an attribute
        return False
    if key == "language-code":  # of a translated title; that of a work is an element
        return "value" in holder
    return key in _ATTRIBUTES and not isinstance(holder[key], (dict, list))


def _plain(value: object) -> str:
    return _NOT_XML.sub("", str(value).lower() if isinstance(value, bool) else str(value))


def _text(value: object) -> str:
    return escape(_plain(value), {"\r": "&#13;"})


def _attribute(value: object) -> str:
    return quoteattr(_plain(value))


def _wrapped_text(value: str | int) -> str:
    """The text of a `{"value": …}`: numbers there are always milliseconds since 1970."""
    if isinstance(value, str):
        return _text(value)
    return datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
