"""In which of ORCID's versions a record is written: only v3.0 is understood, the others are refused by name.

They share their namespaces and most of their names, so a record of another version is easily taken for a v3.0 record
with fewer items. ORCID's answers do not name their version; it shows in the layout:

v1.x       one message around everything, which says its version
v2.0, 2.1  five sections of activities, affiliations directly in their sections; iDs with http in v2.0, https in v2.1
v3.0_rc1   the sections of v3.0, but affiliations and reviews without their inner groups
v3.0_rc2   as v3.0, but for constants in upper case in its JSON; its XML is the same

The samples that ORCID publishes name their schema, record-2.1.xsd.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct

from orcid_sync.bulk.xml.documents import Element, local_names
from orcid_sync.bulk.xml.record import RecordXml
from orcid_sync.model.record.sections import SECTIONS
from orcid_sync.model.wire import lenient

UNDERSTOOD: Final = "v3.0"

_VERSION: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3})+(?:_[a-z]{1,9}[0-9]{0,3})?", re.ASCII)
_SCHEMA: Final = re.compile(rf"-({_VERSION.pattern})\.xsd", re.ASCII)
_SCHEMA_LOCATION: Final = "{http://www.w3.org/2001/XMLSchema-instance}schemaLocation"
_VISIBILITY: Final = re.compile(rb'"visibility"\s*+:\s*+"([A-Za-z_-]{1,20})"')

_AFFILIATIONS: Final = {section.container: name for name, section in SECTIONS.items() if section.shared_table}
_KINDS: Final = [name.encode() for name in _AFFILIATIONS.values()]
_SINCE_V3: Final = (_AFFILIATIONS.keys() - {"educations", "employments"}) | {"research-resources"}
_OF_V2: Final = frozenset({"educations", "employments", "fundings", "peer-reviews", "works"})


class OtherVersion(Exception):
    """It is a document of ORCID's, but of another version."""

    def __init__(self, version: str) -> None:
        super().__init__(f"it is of ORCID's version {version}; only {UNDERSTOOD} is understood")
        self.version = version


class Traits(Struct, frozen=True):
    """What tells the versions apart."""

    sections: frozenset[str]
    """Members of activities-summary."""
    flat: bool = False
    """Affiliations or reviews stand where v3.0 has groups of them."""
    grouped: bool = False
    """There is a group of affiliations."""
    in_capitals: bool = False
    """Constants are in upper case."""
    secure: bool = True
    """The iD is written with https."""


def other_version(traits: Traits) -> str | None:
    """The version by its layout; None: it is v3.0, or as good as that."""
    since_v3 = bool(traits.sections & _SINCE_V3)
    of_v2 = traits.sections >= _OF_V2 and not since_v3 and not traits.grouped
    if traits.flat or of_v2 or traits.in_capitals:
        if since_v3 or traits.grouped:
            return "v3.0_rc1" if traits.flat else "v3.0_rc2"
        return "v2.1" if traits.secure else "v2.0"
    return None


def refuse_document(name: str, root: Element) -> bool:
    """Raises OtherVersion if an element says that it is of another version; True: it says that it is of v3.0."""
    if name == "orcid-message":
        texts = [child.text or "" for child in root if local_names[child.tag] == "message-version"]
        raise OtherVersion(_of_message(texts[0] if texts else ""))
    named = _SCHEMA.search(root.get(_SCHEMA_LOCATION) or "")
    if named and f"v{named[1]}" != UNDERSTOOD:
        raise OtherVersion(f"v{named[1]}")
    return named is not None


def refuse_layout(record: RecordXml) -> None:
    """Raises OtherVersion if a record has the layout of another version."""
    if version := other_version(_traits_of_xml(record)):
        raise OtherVersion(version)


def refuse_json(members: Mapping[str, Raw], body: bytes) -> None:
    """Raises OtherVersion if a JSON is a message or record of another version."""
    if "orcid-profile" in members or "message-version" in members:
        raise OtherVersion(_of_message(_text(members.get("message-version"))))
    if version := other_version(_traits_of_json(members, body)):
        raise OtherVersion(version)


def looks_understood(xml: bytes) -> bool:
    """At a glance, without parsing, whether this is a record as ORCID's data file has it."""
    if b":research-resources" not in xml or b"schemaLocation" in xml:
        return False
    return b":affiliation-group" in xml or not any(b":%b-summary" % kind in xml for kind in _KINDS)


def _of_message(said: str) -> str:
    found = _VERSION.fullmatch(said.strip())
    return f"v{found[0]}" if found else "v1"


def _traits_of_xml(record: RecordXml) -> Traits:
    sections = record.activities
    inside = {name: _names(sections[name]) for name in _AFFILIATIONS.keys() & sections.keys()}
    reviews = {name for one in sections.get("peer-reviews", ()) for name in _names(one)}
    return Traits(
        frozenset(sections),
        flat=_is_flat(inside, reviews),
        grouped=any("affiliation-group" in names for names in inside.values()),
        secure=not record.uri.strip().startswith("http:"),
    )


def _names(parents: Iterable[Element]) -> set[str]:
    return {local_names[child.tag] for parent in parents for child in parent}


def _traits_of_json(members: Mapping[str, Raw], body: bytes) -> Traits:
    sections = _members(members.get("activities-summary"))
    inside = {name: set(_members(sections[name])) for name in _AFFILIATIONS.keys() & sections.keys()}
    groups = _list(_members(sections.get("peer-reviews")).get("group"))
    reviews = {name for group in groups for name in _members(group)}
    seen = _VISIBILITY.findall(body)
    return Traits(
        frozenset(sections),
        flat=_is_flat(inside, reviews),
        grouped=any("affiliation-group" in names for names in inside.values()),
        in_capitals=bool(seen) and all(one.isupper() for one in seen),
        secure=not _text(_members(members.get("orcid-identifier")).get("uri")).startswith("http:"),
    )


def _is_flat(inside: Mapping[str, set[str]], reviews: set[str]) -> bool:
    summaries = {"summary"}
    return not reviews.isdisjoint(summaries | {"peer-review-summary"}) or any(
        not names.isdisjoint(summaries | {f"{_AFFILIATIONS[container]}-summary"}) for container, names in inside.items()
    )


def _members(raw: Raw | None) -> dict[str, Raw]:
    return (lenient.members(raw) if raw else None) or {}


def _list(raw: Raw | None) -> list[Raw]:
    return (lenient.elements(raw) if raw else None) or []


def _text(raw: Raw | None) -> str:
    return str(msgspec.json.decode(raw)) if raw else ""
