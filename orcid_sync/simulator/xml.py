"""The XML form, which the Registry gives to everybody who does not ask for JSON (contract section 3.2).

Faithful in the root element, its namespace, the nesting and the attributes; the children carry no prefixes.
"""

from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape, quoteattr

Json = dict[str, Any]

_ATTRIBUTES = frozenset({"put-code", "visibility", "display-index", "path", "verified", "primary", "transient"})
_UNWRAPPED = frozenset({"summaries", "bulk"})
_WRAPPED = frozenset({"resource-item"})
_NAMESPACES = {
    "record": "record",
    "error": "error",
    "bulk": "bulk",
    "person": "person",
    "personal-details": "personal-details",
    "biography": "personal-details",
}


def to_xml(root: str, document: Json) -> bytes:
    """A document under this root element."""
    prefix = _NAMESPACES.get(root, "activities" if "group" in document or "affiliation-group" in document else root)
    name = f"{prefix}:{root}"
    declaration = f' xmlns:{prefix}="http://www.orcid.org/ns/{prefix}"'
    text = _element(name, document, declaration)
    return f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n{text}\n'.encode("utf-8", "replace")


def _element(name: str, value: Any, declaration: str = "") -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return _list(name, value)
    if isinstance(value, dict):
        attributes = "".join(f" {key}={quoteattr(_text(value[key]))}" for key in value if _is_attribute(key, value))
        if isinstance(value.get("value"), (str, int)):
            return f"<{name}{declaration}{attributes}>{escape(_wrapped_text(value['value']))}</{name}>"
        inner = "".join(_element(key, one) for key, one in value.items() if not _is_attribute(key, value))
        return f"<{name}{declaration}{attributes}>{inner}</{name}>"
    return f"<{name}>{escape(_text(value))}</{name}>"


def _list(name: str, items: list[Any]) -> str:
    if name in _UNWRAPPED:  # JSON has a list of one-member objects here, XML only their elements
        return "".join(_element(key, one) for item in items for key, one in item.items())
    inner = "".join(_element(name, one) for one in items)
    return f"<{name}s>{inner}</{name}s>" if name in _WRAPPED else inner


def _is_attribute(key: str, holder: Json) -> bool:
    if key == "path" and "uri" in holder:  # the path of an iD is an element, that of an item an attribute
        return False
    return key in _ATTRIBUTES and not isinstance(holder[key], (dict, list)) and holder[key] is not None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _wrapped_text(value: str | int) -> str:
    """The text of a `{"value": …}`: numbers there are always milliseconds since 1970."""
    if isinstance(value, str):
        return value
    return datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
