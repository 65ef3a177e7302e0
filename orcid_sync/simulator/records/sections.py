"""The sections of a record and the exact form of their items: members, their order, their wrappers.

Contract sections 3.6 and 3.7, real data where they are silent.
"""

import msgspec


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

OWN = frozenset((*_HEAD, "put-code", "path", "visibility", "display-index"))
"""Members that the Registry keeps beside the content of an item."""
