"""ORCID's XML as JSON, part two: a record, with the summaries of its activities (contract section 3.6)."""

from collections.abc import Mapping
from dataclasses import dataclass

from orcid_sync.bulk.xml.shapes import (
    ASSERTED,
    CONSTANT,
    EXTERNAL_IDS,
    FLAG,
    FLAG_ATTRIBUTE,
    FUZZY_DATE,
    IDENTITY,
    MOMENT,
    ORGANIZATION,
    PATH,
    PROPOSAL,
    PUT_CODE,
    SOURCE,
    TEXT,
    TITLE,
    TOKEN,
    TOKEN_ATTRIBUTE,
    VISIBILITY,
    WORK_TITLE,
    WRAPPED,
    WRAPPED_TOKEN,
    Object,
    Shape,
)

# The person: display-index is a number, the place comes last.
_PLACE: Mapping[str, Shape] = {"visibility": VISIBILITY, "path": PATH, "put-code": PUT_CODE, "display-index": PUT_CODE}
CONTENT = Object({**ASSERTED, "content": TEXT, **_PLACE})
NAME = Object(
    {
        "created-date": MOMENT,
        "last-modified-date": MOMENT,
        "given-names": WRAPPED,
        "family-name": WRAPPED,
        "credit-name": WRAPPED,
        "source": SOURCE,
        "visibility": VISIBILITY,
        "path": PATH,
    }
)
BIOGRAPHY = Object(
    {
        "created-date": MOMENT,
        "last-modified-date": MOMENT,
        "content": TEXT,
        "visibility": VISIBILITY,
        "path": PATH,
    }
)
EMAIL = Object(
    {
        **ASSERTED,
        "email": TEXT,
        "path": PATH,
        "visibility": VISIBILITY,
        "verified": FLAG_ATTRIBUTE,
        "primary": FLAG_ATTRIBUTE,
        "put-code": PUT_CODE,
    }
)
RESEARCHER_URL = Object({**ASSERTED, "url-name": TEXT, "url": WRAPPED, **_PLACE})
ADDRESS = Object({**ASSERTED, "country": WRAPPED_TOKEN, **_PLACE})
PERSON_IDENTIFIER = Object(
    {
        **ASSERTED,
        "external-id-type": TEXT,
        "external-id-value": TEXT,
        "external-id-url": WRAPPED,
        "external-id-relationship": TOKEN,
        **_PLACE,
    }
)

# The activities: display-index is a text.
DISPLAY_INDEX = TOKEN_ATTRIBUTE
AFFILIATION = Object(
    {
        **ASSERTED,
        "put-code": PUT_CODE,
        "department-name": TEXT,
        "role-title": TEXT,
        "start-date": FUZZY_DATE,
        "end-date": FUZZY_DATE,
        "organization": ORGANIZATION,
        "url": WRAPPED,
        "external-ids": EXTERNAL_IDS,
        "display-index": DISPLAY_INDEX,
        "visibility": VISIBILITY,
        "path": PATH,
    }
)
WORK_SUMMARY = Object(
    {
        "put-code": PUT_CODE,
        **ASSERTED,
        "title": WORK_TITLE,
        "external-ids": EXTERNAL_IDS,
        "url": WRAPPED,
        "type": TOKEN,
        "publication-date": FUZZY_DATE,
        "journal-title": WRAPPED,
        "visibility": VISIBILITY,
        "path": PATH,
        "display-index": DISPLAY_INDEX,
    }
)
_LAST: Mapping[str, Shape] = {
    "visibility": VISIBILITY,
    "put-code": PUT_CODE,
    "path": PATH,
    "display-index": DISPLAY_INDEX,
}
FUNDING_SUMMARY = Object(
    {
        **ASSERTED,
        "title": TITLE,
        "external-ids": EXTERNAL_IDS,
        "url": WRAPPED,
        "type": TOKEN,
        "start-date": FUZZY_DATE,
        "end-date": FUZZY_DATE,
        "organization": ORGANIZATION,
        **_LAST,
    }
)
PEER_REVIEW_SUMMARY = Object(
    {
        **ASSERTED,
        "reviewer-role": TOKEN,
        "external-ids": EXTERNAL_IDS,
        "review-url": WRAPPED,
        "review-type": TOKEN,
        "completion-date": FUZZY_DATE,
        "review-group-id": TEXT,
        "convening-organization": ORGANIZATION,
        **_LAST,
    }
)
RESEARCH_RESOURCE_SUMMARY = Object({**ASSERTED, "proposal": PROPOSAL, **_LAST})


@dataclass(frozen=True)
class Layout:
    """Where the items of a section are in a record's XML, and what they look like."""

    path: tuple[str, ...]
    """Elements from below the section's own to the item; those in one parent are a group. Empty: there is one item."""
    item: Object


def _affiliation(kind: str) -> Layout:
    return Layout(("affiliation-group", f"{kind}-summary"), AFFILIATION)


LAYOUTS: Mapping[str, Layout] = {
    "name": Layout((), NAME),
    "biography": Layout((), BIOGRAPHY),
    "email": Layout(("email",), EMAIL),
    "other-name": Layout(("other-name",), CONTENT),
    "keyword": Layout(("keyword",), CONTENT),
    "address": Layout(("address",), ADDRESS),
    "researcher-url": Layout(("researcher-url",), RESEARCHER_URL),
    "external-identifier": Layout(("external-identifier",), PERSON_IDENTIFIER),
    "employment": _affiliation("employment"),
    "education": _affiliation("education"),
    "qualification": _affiliation("qualification"),
    "distinction": _affiliation("distinction"),
    "invited-position": _affiliation("invited-position"),
    "membership": _affiliation("membership"),
    "service": _affiliation("service"),
    "work": Layout(("group", "work-summary"), WORK_SUMMARY),
    "funding": Layout(("group", "funding-summary"), FUNDING_SUMMARY),
    "peer-review": Layout(("group", "peer-review-group", "peer-review-summary"), PEER_REVIEW_SUMMARY),
    "research-resource": Layout(("group", "research-resource-summary"), RESEARCH_RESOURCE_SUMMARY),
}
"""The sections by name, as in `model.record`. What a section says of itself and its groups (dates, identifiers) is
computed by ORCID from the items; the mirror does not keep it."""

HEAD = Object(
    {
        "orcid-identifier": IDENTITY,
        "preferences": Object({"locale": TOKEN}),
        "history": Object(
            {
                "creation-method": CONSTANT,
                "completion-date": MOMENT,
                "submission-date": MOMENT,
                "last-modified-date": MOMENT,
                "claimed": FLAG,
                "source": SOURCE,
                "deactivation-date": MOMENT,
                "verified-email": FLAG,
                "verified-primary-email": FLAG,
            }
        ),
        "path": PATH,
    }
)
"""What a record says of itself."""
