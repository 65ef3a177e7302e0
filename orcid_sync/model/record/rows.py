"""The columns of the mirror: one Struct per table, its fields named as the columns (a test compares them).

Structs of msgspec rather than dataclasses: a first load makes thousands of them, and they are made ten times faster.
`first_seen_at` and `changed_at` are not here: they are ours, and the database fills them in.
"""

from datetime import datetime

from msgspec import Struct


class ExternalId(Struct, frozen=True):
    """A row of `external_ids`, without the columns that it shares with its item."""

    resource_item: int
    position: int
    type: str | None
    value: str | None
    normalized: str | None
    normalized_transient: bool | None
    normalized_error: str | None
    url: str | None
    relationship: str | None


class Contributor(Struct, frozen=True):
    """A row of `contributors`, without the columns that it shares with its item."""

    position: int
    contributor_orcid: str | None
    credit_name: str | None
    email: str | None
    sequence: str | None
    role: str | None


class Host(Struct, frozen=True):
    """A row of `research_resource_hosts`, without the columns that it shares with its item."""

    resource_item: int
    position: int
    org_name: str | None
    org_city: str | None
    org_region: str | None
    org_country: str | None
    org_disambiguated_id: str | None
    org_disambiguation_source: str | None


class ResourceItem(Struct, frozen=True):
    """A row of `research_resource_items`, without the columns that it shares with its item."""

    position: int
    name: str | None
    type: str | None
    url: str | None


class ItemRow(Struct, frozen=True, kw_only=True):
    """What every item table has."""

    orcid: str
    visibility: str | None = None
    display_index: int | None = None
    source_client_id: str | None = None
    source_orcid: str | None = None
    source_name: str | None = None
    assertion_origin_client_id: str | None = None
    assertion_origin_orcid: str | None = None
    assertion_origin_name: str | None = None
    created_at: datetime | None = None
    modified_at: datetime | None = None
    digest: bytes
    doc: bytes


class Name(ItemRow, frozen=True, kw_only=True):
    """A row of `names`."""

    given_names: str | None = None
    family_name: str | None = None
    credit_name: str | None = None


class Biography(ItemRow, frozen=True, kw_only=True):
    """A row of `biographies`."""

    content: str | None = None


class Email(ItemRow, frozen=True, kw_only=True):
    """A row of `emails`."""

    email: str
    verified: bool | None = None
    verified_at: datetime | None = None
    is_primary: bool | None = None


class NumberedRow(ItemRow, frozen=True, kw_only=True):
    """What every table of items with a put-code has."""

    put_code: int


class OtherName(NumberedRow, frozen=True, kw_only=True):
    """A row of `other_names`."""

    content: str | None = None


class Keyword(NumberedRow, frozen=True, kw_only=True):
    """A row of `keywords`."""

    content: str | None = None


class Address(NumberedRow, frozen=True, kw_only=True):
    """A row of `addresses`."""

    country: str | None = None


class ResearcherUrl(NumberedRow, frozen=True, kw_only=True):
    """A row of `researcher_urls`."""

    name: str | None = None
    url: str | None = None


class PersonIdentifier(NumberedRow, frozen=True, kw_only=True):
    """A row of `person_identifiers`."""

    type: str | None = None
    value: str | None = None
    url: str | None = None
    relationship: str | None = None


class ActivityRow(NumberedRow, frozen=True, kw_only=True):
    """What every table of activities has: the place in ORCID's grouping."""

    group_put_code: int
    group_position: int


class Affiliation(ActivityRow, frozen=True, kw_only=True):
    """A row of `affiliations`."""

    section: str
    department_name: str | None = None
    role_title: str | None = None
    org_name: str | None = None
    org_city: str | None = None
    org_region: str | None = None
    org_country: str | None = None
    org_disambiguated_id: str | None = None
    org_disambiguation_source: str | None = None
    start_year: int | None = None
    start_month: int | None = None
    start_day: int | None = None
    end_year: int | None = None
    end_month: int | None = None
    end_day: int | None = None
    url: str | None = None


class DetailedRow(ActivityRow, frozen=True, kw_only=True):
    """What every table of activities with a full form has."""

    detail_modified_at: datetime | None = None
    detail: bytes | None = None


class Work(DetailedRow, frozen=True, kw_only=True):
    """A row of `works`."""

    type: str | None = None
    title: str | None = None
    subtitle: str | None = None
    translated_title: str | None = None
    translated_title_language: str | None = None
    journal_title: str | None = None
    publication_year: int | None = None
    publication_month: int | None = None
    publication_day: int | None = None
    url: str | None = None
    short_description: str | None = None
    citation_type: str | None = None
    citation_value: str | None = None
    language_code: str | None = None
    country: str | None = None


class Funding(DetailedRow, frozen=True, kw_only=True):
    """A row of `fundings`."""

    type: str | None = None
    title: str | None = None
    translated_title: str | None = None
    translated_title_language: str | None = None
    org_name: str | None = None
    org_city: str | None = None
    org_region: str | None = None
    org_country: str | None = None
    org_disambiguated_id: str | None = None
    org_disambiguation_source: str | None = None
    start_year: int | None = None
    start_month: int | None = None
    start_day: int | None = None
    end_year: int | None = None
    end_month: int | None = None
    end_day: int | None = None
    url: str | None = None
    organization_defined_type: str | None = None
    short_description: str | None = None
    amount_value: str | None = None
    amount_currency: str | None = None


class PeerReview(DetailedRow, frozen=True, kw_only=True):
    """A row of `peer_reviews`."""

    reviewer_role: str | None = None
    review_type: str | None = None
    review_url: str | None = None
    completion_year: int | None = None
    completion_month: int | None = None
    completion_day: int | None = None
    review_group_id: str | None = None
    org_name: str | None = None
    org_city: str | None = None
    org_region: str | None = None
    org_country: str | None = None
    org_disambiguated_id: str | None = None
    org_disambiguation_source: str | None = None
    subject_container_name: str | None = None
    subject_type: str | None = None
    subject_title: str | None = None
    subject_subtitle: str | None = None
    subject_translated_title: str | None = None
    subject_translated_title_language: str | None = None
    subject_url: str | None = None
    subject_external_id_type: str | None = None
    subject_external_id_value: str | None = None
    subject_external_id_url: str | None = None
    subject_external_id_relationship: str | None = None


class ResearchResource(DetailedRow, frozen=True, kw_only=True):
    """A row of `research_resources`."""

    title: str | None = None
    translated_title: str | None = None
    translated_title_language: str | None = None
    start_year: int | None = None
    start_month: int | None = None
    start_day: int | None = None
    end_year: int | None = None
    end_month: int | None = None
    end_day: int | None = None
    url: str | None = None


class Record(Struct, frozen=True, kw_only=True):
    """A row of `records`."""

    orcid: str
    state: str
    access: str
    withheld: str | None = None
    primary_orcid: str | None = None
    locale: str | None = None
    creation_method: str | None = None
    claimed: bool | None = None
    submitted_at: datetime | None = None
    completed_at: datetime | None = None
    deactivated_at: datetime | None = None
    registry_modified_at: datetime | None = None
    verified_email: bool | None = None
    verified_primary_email: bool | None = None
    source_client_id: str | None = None
    source_orcid: str | None = None
    source_name: str | None = None
    doc: bytes = b"{}"
