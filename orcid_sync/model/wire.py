"""ORCID's JSON as typed values, with ORCID's names (contract sections 3.6 and 3.7).

Every member may be null or absent and members unknown to us are passed over here: they stay in the item's `doc`.
Enumerations are plain text, because ORCID's lists grow (contract section 11, no. 45).
"""

from msgspec import Struct, field


class Text(Struct):
    """`{"value": "…"}`."""

    value: str | None = None


class Timestamp(Struct):
    """`{"value": 1559917016886}`: milliseconds since 1970, UTC."""

    value: int | None = None


class Part(Struct):
    """Year, month or day of a fuzzy date: text, sometimes without sense ("00", "0")."""

    value: str | int | None = None


class FuzzyDate(Struct):
    """A date of which month and day may be missing and which may be impossible."""

    year: Part | None = None
    month: Part | None = None
    day: Part | None = None


class Identity(Struct):
    """The `path` of an iD or client id; uri and host add nothing."""

    path: str | None = None


class Source(Struct, rename="kebab"):
    """Who asserted an item, and on whose behalf."""

    source_orcid: Identity | None = None
    source_client_id: Identity | None = None
    source_name: Text | None = None
    assertion_origin_orcid: Identity | None = None
    assertion_origin_client_id: Identity | None = None
    assertion_origin_name: Text | None = None


class Normalized(Struct):
    """ORCID's normalised form of an identifier."""

    value: str | None = None
    transient: bool | None = None


class NormalizedError(Struct, rename="kebab"):
    """Why an identifier could not be normalised."""

    error_code: str | int | None = None


class ExternalId(Struct, rename="kebab"):
    """An identifier of an activity or a person elsewhere."""

    external_id_type: str | None = None
    external_id_value: str | None = None
    external_id_normalized: Normalized | None = None
    external_id_normalized_error: NormalizedError | None = None
    external_id_url: Text | None = None
    external_id_relationship: str | None = None


class ExternalIds(Struct, rename="kebab"):
    """The list of them; null on many items."""

    external_id: list[ExternalId] | None = None


class OrganizationAddress(Struct):
    """Where an organisation is; any part may be null since 2024."""

    city: str | None = None
    region: str | None = None
    country: str | None = None


class DisambiguatedOrganization(Struct, rename="kebab"):
    """An organisation's identifier in a register (ROR, GRID, FUNDREF, RINGGOLD, LEI)."""

    disambiguated_organization_identifier: str | None = None
    disambiguation_source: str | None = None


class Organization(Struct, rename="kebab"):
    """An organisation."""

    name: str | None = None
    address: OrganizationAddress | None = None
    disambiguated_organization: DisambiguatedOrganization | None = None


class TranslatedTitle(Struct, rename="kebab"):
    """A title in another language."""

    value: str | None = None
    language_code: str | None = None


class Title(Struct, rename="kebab"):
    """A title with its subtitle (works) and translation."""

    title: Text | None = None
    subtitle: Text | None = None
    translated_title: TranslatedTitle | None = None


class Item(Struct, rename="kebab"):
    """What every item has; display-index is a number in person items and text in activities."""

    put_code: int | None = None
    created_date: Timestamp | None = None
    last_modified_date: Timestamp | None = None
    source: Source | None = None
    visibility: str | None = None
    display_index: int | str | None = None


class Name(Item, rename="kebab"):
    """`person.name`."""

    given_names: Text | None = None
    family_name: Text | None = None
    credit_name: Text | None = None


class Content(Item):
    """A biography, keyword or other name."""

    content: str | None = None


class Email(Item, rename="kebab"):
    """An e-mail address; its put-code is always null."""

    email: str | None = None
    verified: bool | None = None
    verification_date: Timestamp | None = None
    primary: bool | None = None


class Address(Item):
    """A country of the person."""

    country: Text | None = None


class ResearcherUrl(Item, rename="kebab"):
    """A web link of the person."""

    url_name: str | None = None
    url: Text | None = None


class PersonIdentifier(Item, rename="kebab"):
    """An identifier of the person in another system."""

    external_id_type: str | None = None
    external_id_value: str | None = None
    external_id_url: Text | None = None
    external_id_relationship: str | None = None


class Affiliation(Item, rename="kebab"):
    """Any of the seven kinds; summary and full form are the same."""

    department_name: str | None = None
    role_title: str | None = None
    start_date: FuzzyDate | None = None
    end_date: FuzzyDate | None = None
    organization: Organization | None = None
    url: Text | None = None
    external_ids: ExternalIds | None = None


class ContributorAttributes(Struct, rename="kebab"):
    """A contributor's place and role."""

    contributor_sequence: str | None = None
    contributor_role: str | None = None


class Contributor(Struct, rename="kebab"):
    """A contributor of a work or funding."""

    contributor_orcid: Identity | None = None
    credit_name: Text | None = None
    contributor_email: Text | None = None
    contributor_attributes: ContributorAttributes | None = None


class Contributors(Struct):
    """The list of them."""

    contributor: list[Contributor] | None = None


class WorkSummary(Item, rename="kebab"):
    """A work as the record shows it."""

    type: str | None = None
    title: Title | None = None
    journal_title: Text | None = None
    publication_date: FuzzyDate | None = None
    url: Text | None = None
    external_ids: ExternalIds | None = None


class Citation(Struct, rename="kebab"):
    """A citation and its format."""

    citation_type: str | None = None
    citation_value: str | None = None


class WorkDetail(Struct, rename="kebab"):
    """What the full work adds; it has no display-index (contract section 3.7)."""

    last_modified_date: Timestamp | None = None
    short_description: str | None = None
    citation: Citation | None = None
    language_code: str | None = None
    country: Text | None = None
    contributors: Contributors | None = None


class FundingSummary(Item, rename="kebab"):
    """A funding as the record shows it."""

    type: str | None = None
    title: Title | None = None
    start_date: FuzzyDate | None = None
    end_date: FuzzyDate | None = None
    organization: Organization | None = None
    url: Text | None = None
    external_ids: ExternalIds | None = None


class Amount(Struct, rename="kebab"):
    """An amount as typed, and its currency."""

    value: str | None = None
    currency_code: str | None = None


class FundingDetail(Struct, rename="kebab"):
    """What the full funding adds."""

    last_modified_date: Timestamp | None = None
    organization_defined_type: Text | None = None
    short_description: str | None = None
    amount: Amount | None = None
    contributors: Contributors | None = None


class PeerReviewSummary(Item, rename="kebab"):
    """A peer review as the record shows it."""

    reviewer_role: str | None = None
    review_type: str | None = None
    review_url: Text | None = None
    completion_date: FuzzyDate | None = None
    review_group_id: str | None = None
    convening_organization: Organization | None = None
    external_ids: ExternalIds | None = None


class PeerReviewDetail(Struct, rename="kebab"):
    """What the full peer review adds; several members have other names than in the summary (contract section 3.7)."""

    last_modified_date: Timestamp | None = None
    subject_external_identifier: ExternalId | None = None
    subject_container_name: Text | None = None
    subject_type: str | None = None
    subject_name: Title | None = None
    subject_url: Text | None = None


class Hosts(Struct):
    """Organisations that host a research resource."""

    organization: list[Organization] | None = None


class Proposal(Struct, rename="kebab"):
    """The proposal by which a research resource was granted."""

    title: Title | None = None
    hosts: Hosts | None = None
    external_ids: ExternalIds | None = None
    start_date: FuzzyDate | None = None
    end_date: FuzzyDate | None = None
    url: Text | None = None


class ResearchResourceSummary(Item):
    """A research resource as the record shows it."""

    proposal: Proposal | None = None


class ResourceItem(Struct, rename="kebab"):
    """One resource of a research resource."""

    resource_name: str | None = None
    resource_type: str | None = None
    hosts: Hosts | None = None
    external_ids: ExternalIds | None = None
    url: Text | None = None


class ResourceItems(Struct, rename="kebab"):
    """The wrapper that only XML should have, but that is accepted in JSON too (contract section 3.7)."""

    resource_item: list[ResourceItem] | None = None


class ResearchResourceDetail(Struct, rename="kebab"):
    """What the full research resource adds."""

    last_modified_date: Timestamp | None = None
    resource_item: list[ResourceItem] | None = None
    resource_items: ResourceItems | None = None


class Preferences(Struct):
    """The account's settings."""

    locale: str | None = None


class History(Struct, rename="kebab"):
    """How the record came to be and when it moved last."""

    creation_method: str | None = None
    claimed: bool | None = None
    submission_date: Timestamp | None = None
    completion_date: Timestamp | None = None
    deactivation_date: Timestamp | None = None
    last_modified_date: Timestamp | None = None
    verified_email: bool | None = None
    verified_primary_email: bool | None = None
    source: Source | None = None


class RecordHead(Struct, rename="kebab"):
    """The record without its items."""

    orcid_identifier: Identity | None = None
    preferences: Preferences | None = None
    history: History | None = field(default=None)
