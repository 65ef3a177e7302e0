"""From ORCID's wire form to the columns of the mirror (contract section 10): what the sections have in common.

`person` and `activities` have one function per shape of item. It takes the columns that all items share, the item's
summary and, where the section has one, its full form (None as long as it could not be read), and gives an Entry.
Nothing raises: a date without sense becomes None, and its text stays in `doc`.
"""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from msgspec import Struct, field

from orcid_sync.model.record import rows
from orcid_sync.model.wire import orcid_json

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_YEARS: Final = range(1900, 9999)
"""In which something of a record can be said to have happened. PostgreSQL's driver takes the ends of the calendar for
infinity, and what begins with the last of its years leaves no room to wait for it."""
Common = dict[str, Any]
"""Columns by name."""


class Entry(Struct, frozen=True):
    """An item as rows: its own and those of its lists."""

    row: rows.ItemRow
    external_ids: list[rows.ExternalId] = field(default_factory=list)
    contributors: list[rows.Contributor] = field(default_factory=list)
    hosts: list[rows.Host] = field(default_factory=list)
    items: list[rows.ResourceItem] = field(default_factory=list)


def moment(stamp: orcid_json.Timestamp | None) -> datetime | None:
    """A timestamp in milliseconds as a time; None if it is null or of a year that makes no sense."""
    if stamp is None or stamp.value is None:
        return None
    try:
        time = _EPOCH + timedelta(milliseconds=stamp.value)
    except OverflowError:
        return None
    return time if time.year in _YEARS else None


def number(text: str | int | None, *, limit: int) -> int | None:
    """A whole number between -limit and limit, or None for anything else that may stand there."""
    try:
        value = int(text) if text is not None and len(str(text)) < 20 else None
    except ValueError:
        return None
    return value if value is not None and -limit <= value <= limit else None


def text(wrapped: orcid_json.Wrapped) -> str | None:
    """The text inside `{"value": …}`."""
    return wrapped.value if isinstance(wrapped, orcid_json.Text) else wrapped


def path(identity: orcid_json.Identity | None) -> str | None:
    """The path of an iD or client id."""
    return None if identity is None else identity.path


def common(orcid: str, item: orcid_json.Item, *, digest: bytes, doc: bytes) -> Common:
    """The columns that every item has."""
    source = item.source or orcid_json.Source()
    return {
        "orcid": orcid,
        "visibility": item.visibility,
        "display_index": number(item.display_index, limit=2**31 - 1),
        "source_client_id": path(source.source_client_id),
        "source_orcid": path(source.source_orcid),
        "source_name": text(source.source_name),
        "assertion_origin_client_id": path(source.assertion_origin_client_id),
        "assertion_origin_orcid": path(source.assertion_origin_orcid),
        "assertion_origin_name": text(source.assertion_origin_name),
        "created_at": moment(item.created_date),
        "modified_at": moment(item.last_modified_date),
        "digest": digest,
        "doc": doc,
    }


def date(prefix: str, given: orcid_json.FuzzyDate | None) -> Common:
    """The three columns of a fuzzy date; a part without sense is None."""
    year, month, day = _date_columns(prefix)
    if given is None:
        return {year: None, month: None, day: None}
    return {year: _part(given.year), month: _part(given.month), day: _part(given.day)}


@cache
def _date_columns(prefix: str) -> tuple[str, str, str]:
    return f"{prefix}_year", f"{prefix}_month", f"{prefix}_day"


def _part(part: orcid_json.Part | None) -> int | None:
    return None if part is None else number(part.value, limit=9999)


def period(start: orcid_json.FuzzyDate | None, end: orcid_json.FuzzyDate | None) -> Common:
    """The columns of a start and an end."""
    return date("start", start) | date("end", end)


def organization(given: orcid_json.Organization | None) -> Common:
    """The columns of an organisation; all None if there is none."""
    organization = given or orcid_json.Organization()
    address = organization.address or orcid_json.OrganizationAddress()
    disambiguated = organization.disambiguated_organization or orcid_json.DisambiguatedOrganization()
    return {
        "org_name": organization.name,
        "org_city": address.city,
        "org_region": address.region,
        "org_country": address.country,
        "org_disambiguated_id": disambiguated.disambiguated_organization_identifier,
        "org_disambiguation_source": disambiguated.disambiguation_source,
    }


def titles(given: orcid_json.Title | None, prefix: str = "") -> Common:
    """The columns of a title and its translation."""
    title = given or orcid_json.Title()
    translated = title.translated_title or orcid_json.TranslatedTitle()
    return {
        f"{prefix}title": text(title.title),
        f"{prefix}translated_title": translated.value,
        f"{prefix}translated_title_language": translated.language_code,
    }


def subtitle(title: orcid_json.Title | None) -> str | None:
    """The subtitle inside a title."""
    return None if title is None else text(title.subtitle)


def external_ids(ids: orcid_json.ExternalIds | None, resource_item: int = 0) -> list[rows.ExternalId]:
    """The rows of a list of identifiers."""
    return [
        rows.ExternalId(
            resource_item,
            position,
            one.external_id_type,
            one.external_id_value,
            one.external_id_normalized.value if one.external_id_normalized else None,
            one.external_id_normalized.transient if one.external_id_normalized else None,
            _error_code(one.external_id_normalized_error),
            text(one.external_id_url),
            one.external_id_relationship,
        )
        for position, one in enumerate((ids and ids.external_id) or [], 1)
    ]


def _error_code(error: orcid_json.NormalizedError | None) -> str | None:
    return None if error is None or error.error_code is None else str(error.error_code)


def contributors(given: orcid_json.Contributors | None) -> list[rows.Contributor]:
    """The rows of a list of contributors."""
    nobody = orcid_json.ContributorAttributes()
    return [
        rows.Contributor(
            position,
            path(one.contributor_orcid),
            text(one.credit_name),
            text(one.contributor_email),
            (one.contributor_attributes or nobody).contributor_sequence,
            (one.contributor_attributes or nobody).contributor_role,
        )
        for position, one in enumerate((given and given.contributor) or [], 1)
    ]


def hosts(given: orcid_json.Hosts | None, resource_item: int = 0) -> list[rows.Host]:
    """The rows of a list of hosting organisations."""
    organizations = (given and given.organization) or []
    return [rows.Host(resource_item, position, **organization(one)) for position, one in enumerate(organizations, 1)]


def record(
    orcid: str, head: orcid_json.RecordHead, *, state: str, access: str, primary_orcid: str | None, doc: bytes
) -> rows.Record:
    """The record's own row: its state, our access, the history block."""
    history = head.history or orcid_json.History()
    source = history.source or orcid_json.Source()
    return rows.Record(
        orcid=orcid,
        state=state,
        access=access,
        primary_orcid=primary_orcid,
        locale=head.preferences.locale if head.preferences else None,
        creation_method=history.creation_method,
        claimed=history.claimed,
        submitted_at=moment(history.submission_date),
        completed_at=moment(history.completion_date),
        deactivated_at=moment(history.deactivation_date),
        registry_modified_at=moment(history.last_modified_date),
        verified_email=history.verified_email,
        verified_primary_email=history.verified_primary_email,
        source_client_id=path(source.source_client_id),
        source_orcid=path(source.source_orcid),
        source_name=text(source.source_name),
        doc=doc,
    )
