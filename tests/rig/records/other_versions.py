"""Records as ORCID's other versions have them: made of v3.0 records by what is known to differ."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from orcid_sync.simulator.answers.xml import to_xml

Json = dict[str, Any]

_V2 = ("last-modified-date", "educations", "employments", "fundings", "peer-reviews", "works", "path")
_SCHEMA = '<{} xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="{}"'
VERSIONS = ("v1.2", "v2.0", "v2.1", "v3.0_rc1", "v3.0_rc2")


def in_version(version: str, record: Json, *, capitals: bool = True) -> Json:
    """The JSON of a record; `capitals`: as JSON has its constants, XML never did."""
    if version == "v1.2":
        return {"message-version": "1.2", "orcid-profile": {"orcid-identifier": record["orcid-identifier"]}}
    changed: Json = msgspec.json.decode(msgspec.json.encode(record))
    activities = changed["activities-summary"]
    if version != "v3.0_rc2":
        _flatten(activities)
    if version.startswith("v2"):
        changed["activities-summary"] = {name: activities[name] for name in _V2 if name in activities}
    if version == "v2.0":
        changed["orcid-identifier"]["uri"] = changed["orcid-identifier"]["uri"].replace("https:", "http:")
    return _in_capitals(changed) if capitals else changed  # type: ignore[no-any-return]


def with_schema(version: str, xml: bytes, root: str = "record:record") -> bytes:
    """An XML that names its schema, as ORCID's samples do."""
    name = root.partition(":")[0]
    place = f"http://www.orcid.org/ns/{name} ../{name}-{version.removeprefix('v')}.xsd "
    return xml.replace(f"<{root}".encode(), _SCHEMA.format(root, place).encode(), 1)


def _xml(version: str, record: Json, *, indented: bool) -> bytes:
    if version == "v1.2":
        space = "\n    " if indented else ""
        said = f"{space}<message-version>{space}1.2{space}</message-version>{space}<orcid-profile/>"
        return f'<orcid-message xmlns="http://www.orcid.org/ns/orcid">{said}</orcid-message>'.encode()
    xml = to_xml("record", in_version(version, record, capitals=False), indented=indented)
    # The layout of the last candidate is that of v3.0.
    return with_schema(version, xml) if version == "v3.0_rc2" else xml


FORMS: Mapping[str, Callable[[str, Json], bytes]] = {
    "XML": lambda version, record: _xml(version, record, indented=False),
    "indented XML": lambda version, record: _xml(version, record, indented=True),
    "JSON": lambda version, record: msgspec.json.encode(in_version(version, record)),
    "indented JSON": lambda version, record: (
        b"\xef\xbb\xbf\n" + msgspec.json.format(msgspec.json.encode(in_version(version, record)), indent=2)
    ),
}
"""How a file may have a record."""


def _flatten(activities: Json) -> None:
    for name, section in activities.items():
        kind = name.removesuffix("s")
        if name == "peer-reviews":
            for group in section["group"]:
                inner = group.pop("peer-review-group")
                group["peer-review-summary"] = [one for part in inner for one in part["peer-review-summary"]]
        elif isinstance(section, dict) and "affiliation-group" in section:
            groups = section.pop("affiliation-group")
            section[f"{kind}-summary"] = [one[f"{kind}-summary"] for group in groups for one in group["summaries"]]


def _in_capitals(node: Any) -> Any:
    if isinstance(node, list):
        return [_in_capitals(one) for one in node]
    if not isinstance(node, dict):
        return node
    return {
        name: one.upper().replace("-", "_") if name in {"visibility", "type"} and one else _in_capitals(one)
        for name, one in node.items()
    }
