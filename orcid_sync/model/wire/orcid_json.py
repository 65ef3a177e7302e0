"""ORCID's JSON as typed values, with ORCID's names (contract sections 3.6 and 3.7).

Every member may be null or absent and members unknown to us are passed over here: they stay in the item's `doc`.
Enumerations are plain text, because ORCID's lists grow (contract section 11, no. 45).
"""

from typing import TypeAlias

from msgspec import Struct, field


class Text(Struct):
    """`{"value": "…"}`."""

    value: str | None = None


Wrapped: TypeAlias = Text | str | None
"""A text in its wrapper, or bare as in ORCID's samples of what to send; null."""


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
    source_name: Wrapped = None
    assertion_origin_orcid: Identity | None = None
    assertion_origin_client_id: Identity | None = None
    assertion_origin_name: Wrapped = None


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
    external_id_url: Wrapped = None
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

    title: Wrapped = None
    subtitle: Wrapped = None
    translated_title: TranslatedTitle | None = None


class Item(Struct, rename="kebab"):
    """What every item has; display-index is a number in person items and text in activities."""

    put_code: int | None = None
    created_date: Timestamp | None = None
    last_modified_date: Timestamp | None = None
    source: Source | None = None
    visibility: str | None = None
    display_index: int | str | None = None


class ContributorAttributes(Struct, rename="kebab"):
    """A contributor's place and role."""

    contributor_sequence: str | None = None
    contributor_role: str | None = None


class Contributor(Struct, rename="kebab"):
    """A contributor of a work or funding."""

    contributor_orcid: Identity | None = None
    credit_name: Wrapped = None
    contributor_email: Wrapped = None
    contributor_attributes: ContributorAttributes | None = None


class Contributors(Struct):
    """The list of them."""

    contributor: list[Contributor] | None = None


class Hosts(Struct):
    """Organisations that host a research resource."""

    organization: list[Organization] | None = None


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
