"""What ORCID's search index knows of a record: its public content, field by field (contract section 6)."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from orcid_sync.simulator.records.grouping import identifiers_of
from orcid_sync.simulator.records.profiles import Item, RecordState
from orcid_sync.simulator.records.sections import AFFILIATIONS, SECTIONS
from orcid_sync.simulator.records.visibility import PUBLIC, visible_items
from orcid_sync.simulator.search.solr_match import Document, date

Fields = defaultdict[str, list[str]]

_PERSONAL = {"other-name": "other-names", "keyword": "keyword", "biography": "biography"}
_NAMES = {"given-names": "given-names", "family-name": "family-name", "credit-name": "credit-name"}
_ORGANIZATIONS = {
    **dict.fromkeys(AFFILIATIONS, "affiliation"),
    "funding": "funding",
    "peer-review": "peer-review",
}
_TITLES = {"work": "work-titles", "funding": "funding-titles", "research-resource": "research-resource-titles"}
_RELATIONS = ("self", "part-of", "version-of", "funded-by")


def document_of(state: RecordState) -> Document | None:
    """The document of a record; None where the index has none.

    Records that are locked, merged, deactivated or unclaimed are taken from the index [inferred: contract section 6
    says only that public data are indexed].
    """
    if state.locked or state.primary_orcid or state.deactivated_ms is not None or not state.claimed:
        return None
    fields: Fields = defaultdict(list)
    fields["orcid"].append(state.orcid)
    fields["profile-submission-date"].append(date(state.submitted_ms))
    fields["profile-last-modified-date"].append(date(state.modified_ms))
    for section in SECTIONS:
        for item in visible_items(PUBLIC, state, section):
            _person(fields, item)
            _activity(fields, item)
    fields["given-and-family-names"].append(" ".join(fields["given-names"] + fields["family-name"]))
    texts = [value for name, values in fields.items() if not name.endswith("-date") for value in values]
    return {**fields, "text": texts}


def _person(fields: Fields, item: Item) -> None:
    content = item.content
    if item.section == "name":
        for member, name in _NAMES.items():
            _add(fields, name, _value(content[member]))
    elif item.section == "email":
        _add(fields, "email", content["email"])
    elif item.section in _PERSONAL:
        _add(fields, _PERSONAL[item.section], content["content"])
    elif item.section == "external-identifier":
        _add(fields, "external-id-type", content["external-id-type"])
        _add(fields, "external-id-reference", content["external-id-value"])
        _add(fields, "external-id-type-and-value", f"{content['external-id-type']}={content['external-id-value']}")


def _activity(fields: Fields, item: Item) -> None:
    content = item.content.get("proposal") or item.content
    if item.section in _TITLES:
        _add(fields, _TITLES[item.section], _value((content["title"] or {}).get("title")))
    if kind := _ORGANIZATIONS.get(item.section):
        _organization(fields, kind, item)
    if item.section == "peer-review":
        _add(fields, "peer-review-group-id", content["review-group-id"])
    if not SECTIONS[item.section].personal:
        _identifiers(fields, item, identifiers_of(item))


def _organization(fields: Fields, kind: str, item: Item) -> None:
    organization = item.content.get("organization") or item.content.get("convening-organization")
    if organization is None:
        return
    _add(fields, f"{kind}-org-name", organization["name"])
    if kind == "affiliation":
        when = "past" if item.content["end-date"] else "current"
        _add(fields, f"{when}-institution-affiliation-name", organization["name"])
    known = organization.get("disambiguated-organization") or {}
    if scheme := known.get("disambiguation-source"):
        _add(fields, f"{scheme.lower()}-org-id", known.get("disambiguated-organization-identifier"))


def _identifiers(fields: Fields, item: Item, identifiers: Iterable[dict[str, Any]]) -> None:
    for identifier in identifiers:
        kind, value = identifier["external-id-type"], identifier["external-id-value"]
        relation = identifier.get("external-id-relationship") or "self"
        if relation in _RELATIONS:
            _add(fields, f"{kind}-{relation}", value)
        if kind == "doi":
            _add(fields, "digital-object-ids", value)
        if item.section == "funding":
            _add(fields, "grant-numbers", value)


def _value(wrapped: Any) -> str | None:
    value = wrapped["value"] if isinstance(wrapped, dict) else wrapped
    return value if isinstance(value, str) else None


def _add(fields: Fields, name: str, value: str | None) -> None:
    if value and value not in fields[name]:
        fields[name].append(value)
