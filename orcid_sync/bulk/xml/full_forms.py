"""ORCID's XML as JSON, part three: the full forms of activities (contract section 3.7), without display-index."""

from collections.abc import Mapping

from orcid_sync.bulk.xml.shapes import (
    ASSERTED,
    EXTERNAL_ID,
    EXTERNAL_IDS,
    FUZZY_DATE,
    HOSTS,
    ORGANIZATION,
    PATH,
    PROPOSAL,
    PUT_CODE,
    TEXT,
    TITLE,
    TOKEN,
    TOKEN_ATTRIBUTE,
    VISIBILITY,
    WORK_TITLE,
    WRAPPED,
    WRAPPED_TOKEN,
    Content,
    Many,
    Object,
    contributors,
)

WORK = Object(
    {
        **ASSERTED,
        "put-code": PUT_CODE,
        "path": PATH,
        "title": WORK_TITLE,
        "journal-title": WRAPPED,
        "short-description": TEXT,
        "citation": Object({"citation-type": TOKEN, "citation-value": TEXT}),
        "type": TOKEN,
        "publication-date": FUZZY_DATE,
        "external-ids": EXTERNAL_IDS,
        "url": WRAPPED,
        "contributors": contributors("contributor-sequence", "contributor-role"),
        "language-code": TOKEN,
        "country": WRAPPED_TOKEN,
        "visibility": VISIBILITY,
    }
)
FUNDING = Object(
    {
        **ASSERTED,
        "put-code": PUT_CODE,
        "path": PATH,
        "type": TOKEN,
        "organization-defined-type": WRAPPED,
        "title": TITLE,
        "short-description": TEXT,
        "amount": Object({"value": Content(), "currency-code": TOKEN_ATTRIBUTE}),
        "url": WRAPPED,
        "start-date": FUZZY_DATE,
        "end-date": FUZZY_DATE,
        "external-ids": EXTERNAL_IDS,
        "contributors": contributors("contributor-role"),
        "organization": ORGANIZATION,
        "visibility": VISIBILITY,
    }
)
PEER_REVIEW = Object(
    {
        **ASSERTED,
        "put-code": PUT_CODE,
        "path": PATH,
        "reviewer-role": TOKEN,
        "review-identifiers": EXTERNAL_IDS,
        "review-url": WRAPPED,
        "review-type": TOKEN,
        "review-completion-date": FUZZY_DATE,
        "review-group-id": TEXT,
        "subject-external-identifier": EXTERNAL_ID,
        "subject-container-name": WRAPPED,
        "subject-type": TOKEN,
        "subject-name": WORK_TITLE,
        "subject-url": WRAPPED,
        "convening-organization": ORGANIZATION,
        "visibility": VISIBILITY,
    }
)
RESOURCE = Object(
    {
        "resource-name": TEXT,
        "resource-type": TOKEN,
        "hosts": HOSTS,
        "external-ids": EXTERNAL_IDS,
        "url": WRAPPED,
    }
)
RESEARCH_RESOURCE = Object(
    {
        **ASSERTED,
        "put-code": PUT_CODE,
        "path": PATH,
        "proposal": PROPOSAL,
        "resource-item": Many(RESOURCE, inside="resource-items"),
        "visibility": VISIBILITY,
    }
)

FULL: Mapping[str, Object] = {
    "work": WORK,
    "funding": FUNDING,
    "peer-review": PEER_REVIEW,
    "research-resource": RESEARCH_RESOURCE,
}
"""The sections of which there are full forms."""
