"""The sections of a record and the exact form of their items: members, their order, their wrappers.

Contract sections 3.6 and 3.7. `complete` turns what an edit says into the full wire form: every member present, `null`
where nothing was said.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from orcid_sync.simulator.identifiers import external_id

Json = dict[str, Any]


class Section(msgspec.Struct, frozen=True):
    """One section of a record."""

    name: str
    """ORCID's singular: work, employment, other-name."""
    key: str
    """The member of person or activities-summary."""
    list_path: str
    item_path: str
    member: str
    """The member that holds one item in a list."""
    family: str
    """Sections of one family share a sequence of put-codes."""
    summary: tuple[str, ...]
    """Members of the summary, in order."""
    full: tuple[str, ...]
    """Members of the full item, in order."""
    personal: bool = False


_HEAD = ("created-date", "last-modified-date", "source")
_TAIL = ("visibility", "path", "put-code", "display-index")
_AFFILIATION = (
    *(*_HEAD, "put-code", "department-name", "role-title", "start-date", "end-date", "organization"),
    *("url", "external-ids", "display-index", "visibility", "path"),
)
_WORK_SUMMARY = (
    *("put-code", *_HEAD, "title", "external-ids", "url", "type", "publication-date", "journal-title"),
    *("visibility", "path", "display-index"),
)
_WORK = (
    *(*_HEAD, "put-code", "path", "title", "journal-title", "short-description", "citation", "type"),
    *("publication-date", "external-ids", "url", "contributors", "language-code", "country", "visibility"),
)
_FUNDING_SUMMARY = (
    *(*_HEAD, "title", "external-ids", "url", "type", "start-date", "end-date", "organization"),
    *("visibility", "put-code", "path", "display-index"),
)
_FUNDING = (
    *(*_HEAD, "put-code", "path", "type", "organization-defined-type", "title", "short-description", "amount"),
    *("url", "start-date", "end-date", "external-ids", "contributors", "organization", "visibility"),
)
_REVIEW_SUMMARY = (
    *(*_HEAD, "reviewer-role", "external-ids", "review-url", "review-type", "completion-date", "review-group-id"),
    *("convening-organization", "visibility", "put-code", "path", "display-index"),
)
_REVIEW = (
    *(*_HEAD, "put-code", "path", "reviewer-role", "review-identifiers", "review-url", "review-type"),
    *("review-completion-date", "review-group-id", "subject-external-identifier", "subject-container-name"),
    *("subject-type", "subject-name", "subject-url", "convening-organization", "visibility"),
)
_RESOURCE_SUMMARY = (*_HEAD, "proposal", "visibility", "put-code", "path", "display-index")
_RESOURCE = (*_HEAD, "put-code", "path", "proposal", "resource-item", "visibility")

RENAMED = {"external-ids": "review-identifiers", "completion-date": "review-completion-date"}
"""Members of a peer review's summary and their names in the full item (contract section 3.7)."""

AFFILIATIONS = (
    *("distinction", "education", "employment", "invited-position", "membership", "qualification", "service"),
)


def _personal(name: str, key: str, path: str, *members: str) -> Section:
    layout = (*_HEAD, *members, *_TAIL)
    return Section(name, key, path, path, name, name, layout, layout, personal=True)


def _activity(name: str, family: str, summary: tuple[str, ...], full: tuple[str, ...]) -> Section:
    return Section(name, f"{name}s", f"{name}s", name, f"{name}-summary", family, summary, full)


_EMAIL = (*_HEAD, "email", "path", "visibility", "verified", "primary", "put-code")
_NAME = (*_HEAD[:2], "given-names", "family-name", "credit-name", "source", "visibility", "path")
_BIOGRAPHY = (*_HEAD[:2], "content", "visibility", "path")
_EXTERNAL = ("external-id-type", "external-id-value", "external-id-url", "external-id-relationship")

SECTIONS: dict[str, Section] = {
    section.name: section
    for section in (
        Section("name", "name", "", "", "name", "name", _NAME, _NAME, personal=True),
        _personal("other-name", "other-names", "other-names", "content"),
        Section("biography", "biography", "biography", "", "", "biography", _BIOGRAPHY, _BIOGRAPHY, personal=True),
        _personal("researcher-url", "researcher-urls", "researcher-urls", "url-name", "url"),
        Section("email", "emails", "email", "", "email", "email", _EMAIL, _EMAIL, personal=True),
        _personal("address", "addresses", "address", "country"),
        _personal("keyword", "keywords", "keywords", "content"),
        _personal("external-identifier", "external-identifiers", "external-identifiers", *_EXTERNAL),
        *(_activity(name, "affiliation", _AFFILIATION, _AFFILIATION) for name in AFFILIATIONS),
        _activity("funding", "funding", _FUNDING_SUMMARY, _FUNDING),
        _activity("peer-review", "peer-review", _REVIEW_SUMMARY, _REVIEW),
        _activity("research-resource", "research-resource", _RESOURCE_SUMMARY, _RESOURCE),
        _activity("work", "work", _WORK_SUMMARY, _WORK),
    )
}

ACTIVITY_ORDER = (
    *("distinction", "education", "employment", "funding", "invited-position", "membership", "peer-review"),
    *("qualification", "research-resource", "service", "work"),
)
PERSON_LISTS = ("other-name", "researcher-url", "email", "address", "keyword", "external-identifier")

_OWN = frozenset((*_HEAD, "put-code", "path", "visibility", "display-index"))
"""Members that the Registry keeps beside the content of an item."""


def wrapped(given: Any) -> Any:
    """`{"value": text}`; null stays null, and what is wrapped already stays as it is."""
    return {"value": given} if isinstance(given, str) else given


def fuzzy_date(given: Any) -> Any:
    """Year, month and day as wrapped strings, from "2012-10-01", "2012" or the wire form."""
    if not isinstance(given, str):
        return given
    year, month, day = (*given.split("-"), None, None)[:3]
    return {"year": wrapped(year), "month": wrapped(month), "day": wrapped(day)}


def _title(given: Any, members: tuple[str, ...]) -> Any:
    if given is None:
        return None
    title = {"title": given} if isinstance(given, str) else given
    return {key: wrapped(title.get(key)) for key in members}


def work_title(given: Any) -> Any:
    """Title, subtitle and translated title."""
    return _title(given, ("title", "subtitle", "translated-title"))


def plain_title(given: Any) -> Any:
    """Title and translated title: fundings and research resources have no subtitle."""
    return _title(given, ("title", "translated-title"))


def external_ids(given: Any, *, with_normal_form: bool = True) -> Any:
    """A list of external identifiers in wire form, from a list of short or wire forms."""
    if given is None:
        return None
    listed = given["external-id"] if isinstance(given, dict) else given
    return {"external-id": [external_id(one, with_normal_form=with_normal_form) for one in listed]}


def organization(given: Any) -> Any:
    """An organisation in wire form, from (name, city, region, country, id, id source) or from a partial wire form."""
    if given is None or isinstance(given, dict):
        return given
    name, city, region, country, identifier, scheme = (*given, *(None,) * 6)[:6]
    known = {"disambiguated-organization-identifier": identifier, "disambiguation-source": scheme}
    return {
        "name": name,
        "address": {"city": city, "region": region, "country": country},
        "disambiguated-organization": known if identifier else None,
    }


def contributors(given: Any) -> Any:
    """Contributors in wire form, from a list of credit names and wire forms."""
    if given is None:
        return None
    listed = given["contributor"] if isinstance(given, dict) else given
    return {"contributor": [_contributor(one) for one in listed]}


def _contributor(given: Any) -> Json:
    said = {"credit-name": given} if isinstance(given, str) else given
    plain = ("contributor-orcid", "contributor-email", "contributor-attributes")
    orcid, email, attributes = (said.get(key) for key in plain)
    return {
        "contributor-orcid": {"uri": f"https://orcid.org/{orcid}", "path": orcid, "host": None}  # corpus section 3.3
        if isinstance(orcid, str)
        else orcid,
        "credit-name": wrapped(said.get("credit-name")),
        "contributor-email": wrapped(email),
        "contributor-attributes": attributes,
    }


def _work_contributors(given: Any) -> Any:
    return contributors(given or [])


def _hosts(given: Any) -> Any:
    listed = given["organization"] if isinstance(given, dict) else given or []
    return {"organization": [organization(one) for one in listed]}


def _formed(given: Json, layout: tuple[str, ...], forms: dict[str, Callable[[Any], Any]]) -> Json:
    return {key: forms[key](given.get(key)) if key in forms else given.get(key) for key in layout}


def _proposal(given: Any) -> Any:
    layout = ("title", "hosts", "external-ids", "start-date", "end-date", "url")
    return given and _formed(given, layout, {**_FORMS, "title": plain_title})


def _resource_items(given: Any) -> Any:
    layout = ("resource-name", "resource-type", "hosts", "external-ids", "url")
    return [_formed(one, layout, _FORMS) for one in given or []]


def _review_subject(given: Any) -> Any:
    return None if given is None else external_id(given)


_FORMS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("url", "journal-title", "organization-defined-type", "review-url", "subject-url"), wrapped),
    **dict.fromkeys(("subject-container-name", "external-id-url", "country", "given-names", "family-name"), wrapped),
    "credit-name": wrapped,
    **dict.fromkeys(("start-date", "end-date", "publication-date", "review-completion-date"), fuzzy_date),
    **dict.fromkeys(("external-ids", "review-identifiers"), external_ids),
    **dict.fromkeys(("organization", "convening-organization"), organization),
    **dict.fromkeys(("title", "subject-name"), work_title),
    "hosts": _hosts,
    "proposal": _proposal,
    "resource-item": _resource_items,
    "subject-external-identifier": _review_subject,
}
_WORK_FORMS = {**_FORMS, "contributors": _work_contributors}  # corpus: an empty list, not null
_FUNDING_FORMS = {
    **_FORMS,
    "contributors": contributors,
    "title": plain_title,
    "external-ids": lambda given: external_ids(given, with_normal_form=False),  # corpus: null for every funding
}


def complete(section: Section, given: Json) -> Json:
    """The content of an item with every member that the section's full form has.

    Raises KeyError for a member that the section does not know, so that a misspelt edit fails where it is written.
    """
    layout = tuple(key for key in section.full if key not in _OWN)
    if unknown := given.keys() - set(layout):
        raise KeyError(f"{section.name} has no member {', '.join(sorted(unknown))}")
    return _formed(given, layout, {"funding": _FUNDING_FORMS, "work": _WORK_FORMS}.get(section.name, _FORMS))
