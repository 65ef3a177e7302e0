"""The sections of `person`: ORCID's wire form and the rows that are made of it (contract sections 3.6 and 10)."""

from orcid_sync.model.record import extract, rows
from orcid_sync.model.record.extract import Entry
from orcid_sync.model.wire import orcid_json

LONGEST_EMAIL = 350
"""Characters that ORCID's schema allows."""


class Name(orcid_json.Item, rename="kebab"):
    """`person.name`."""

    given_names: orcid_json.Wrapped = None
    family_name: orcid_json.Wrapped = None
    credit_name: orcid_json.Wrapped = None


class Content(orcid_json.Item):
    """A biography, keyword or other name."""

    content: str | None = None


class Email(orcid_json.Item, rename="kebab"):
    """An e-mail address; its put-code is always null."""

    email: str | None = None
    verified: bool | None = None
    verification_date: orcid_json.Timestamp | None = None
    primary: bool | None = None


class Address(orcid_json.Item):
    """A country of the person."""

    country: orcid_json.Wrapped = None


class ResearcherUrl(orcid_json.Item, rename="kebab"):
    """A web link of the person."""

    url_name: str | None = None
    url: orcid_json.Wrapped = None


class PersonIdentifier(orcid_json.Item, rename="kebab"):
    """An identifier of the person in another system."""

    external_id_type: str | None = None
    external_id_value: str | None = None
    external_id_url: orcid_json.Wrapped = None
    external_id_relationship: str | None = None


def name(columns: extract.Common, item: Name, _detail: None) -> Entry:
    """`person.name`."""
    row = rows.Name(
        **columns,
        given_names=extract.text(item.given_names),
        family_name=extract.text(item.family_name),
        credit_name=extract.text(item.credit_name),
    )
    return Entry(row)


def biography(columns: extract.Common, item: Content, _detail: None) -> Entry:
    """`person.biography`."""
    return Entry(rows.Biography(**columns, content=item.content))


def email_key(address: str) -> str:
    """The address as a key: in lower case (contract section 10), no longer than ORCID allows and an index takes."""
    return address.lower()[:LONGEST_EMAIL]


def email(columns: extract.Common, item: Email, _detail: None) -> Entry:
    """An e-mail address; the address in lower case is the key (contract section 10)."""
    row = rows.Email(
        **columns,
        email=email_key(item.email or ""),
        verified=item.verified,
        verified_at=extract.moment(item.verification_date),
        is_primary=item.primary,
    )
    return Entry(row)


def other_name(columns: extract.Common, item: Content, _detail: None) -> Entry:
    """Another name of the person."""
    return Entry(rows.OtherName(**columns, content=item.content))


def keyword(columns: extract.Common, item: Content, _detail: None) -> Entry:
    """A keyword."""
    return Entry(rows.Keyword(**columns, content=item.content))


def address(columns: extract.Common, item: Address, _detail: None) -> Entry:
    """A country of the person."""
    return Entry(rows.Address(**columns, country=extract.text(item.country)))


def researcher_url(columns: extract.Common, item: ResearcherUrl, _detail: None) -> Entry:
    """A web link of the person."""
    return Entry(rows.ResearcherUrl(**columns, name=item.url_name, url=extract.text(item.url)))


def person_identifier(columns: extract.Common, item: PersonIdentifier, _detail: None) -> Entry:
    """An identifier of the person in another system."""
    row = rows.PersonIdentifier(
        **columns,
        type=item.external_id_type,
        value=item.external_id_value,
        url=extract.text(item.external_id_url),
        relationship=item.external_id_relationship,
    )
    return Entry(row)
