"""From ORCID's wire form to the columns of the mirror (contract section 10): one function per shape of item.

Each takes the columns that all items share, the item's summary and, where the section has one, its full form (None as
long as it could not be read), and gives an Entry. Nothing here raises: a date without sense becomes None, and its text
stays in `doc`.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct, field

from orcid_sync.model import rows, wire

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Common = dict[str, Any]
"""Columns by name."""


class Entry(Struct, frozen=True):
    """An item as rows: its own and those of its lists."""

    row: rows.ItemRow
    external_ids: list[rows.ExternalId] = field(default_factory=list)
    contributors: list[rows.Contributor] = field(default_factory=list)
    hosts: list[rows.Host] = field(default_factory=list)
    items: list[rows.ResourceItem] = field(default_factory=list)


def moment(stamp: wire.Timestamp | None) -> datetime | None:
    """A timestamp in milliseconds as a time; None if it is null or beyond the calendar."""
    if stamp is None or stamp.value is None:
        return None
    try:
        return _EPOCH + timedelta(milliseconds=stamp.value)
    except OverflowError:
        return None


def number(text: str | int | None, *, limit: int) -> int | None:
    """A whole number between -limit and limit, or None for anything else that may stand there."""
    try:
        value = int(text) if text is not None and len(str(text)) < 20 else None
    except ValueError:
        return None
    return value if value is not None and -limit <= value <= limit else None


def text(wrapped: wire.Text | None) -> str | None:
    """The text inside `{"value": …}`."""
    return None if wrapped is None else wrapped.value


def path(identity: wire.Identity | None) -> str | None:
    """The path of an iD or client id."""
    return None if identity is None else identity.path


def common(orcid: str, item: wire.Item, *, digest: bytes, doc: bytes) -> Common:
    """The columns that every item has."""
    source = item.source or wire.Source()
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


def _date(prefix: str, date: wire.FuzzyDate | None) -> Common:
    parts = (None, None, None) if date is None else (date.year, date.month, date.day)
    return {
        f"{prefix}_{name}": None if part is None else number(part.value, limit=9999)
        for name, part in zip(("year", "month", "day"), parts, strict=True)
    }


def _period(item: wire.Affiliation | wire.FundingSummary | wire.Proposal) -> Common:
    return _date("start", item.start_date) | _date("end", item.end_date)


def _organization(organization: wire.Organization | None) -> Common:
    organization = organization or wire.Organization()
    address = organization.address or wire.OrganizationAddress()
    disambiguated = organization.disambiguated_organization or wire.DisambiguatedOrganization()
    return {
        "org_name": organization.name,
        "org_city": address.city,
        "org_region": address.region,
        "org_country": address.country,
        "org_disambiguated_id": disambiguated.disambiguated_organization_identifier,
        "org_disambiguation_source": disambiguated.disambiguation_source,
    }


def _titles(title: wire.Title | None, prefix: str = "") -> Common:
    title = title or wire.Title()
    translated = title.translated_title or wire.TranslatedTitle()
    return {
        f"{prefix}title": text(title.title),
        f"{prefix}translated_title": translated.value,
        f"{prefix}translated_title_language": translated.language_code,
    }


def _subtitle(title: wire.Title | None) -> str | None:
    return None if title is None else text(title.subtitle)


def _external_ids(ids: wire.ExternalIds | None, resource_item: int = 0) -> list[rows.ExternalId]:
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


def _error_code(error: wire.NormalizedError | None) -> str | None:
    return None if error is None or error.error_code is None else str(error.error_code)


def _contributors(contributors: wire.Contributors | None) -> list[rows.Contributor]:
    nobody = wire.ContributorAttributes()
    return [
        rows.Contributor(
            position,
            path(one.contributor_orcid),
            text(one.credit_name),
            text(one.contributor_email),
            (one.contributor_attributes or nobody).contributor_sequence,
            (one.contributor_attributes or nobody).contributor_role,
        )
        for position, one in enumerate((contributors and contributors.contributor) or [], 1)
    ]


def _hosts(hosts: wire.Hosts | None, resource_item: int = 0) -> list[rows.Host]:
    organizations: Iterable[wire.Organization] = (hosts and hosts.organization) or []
    return [rows.Host(resource_item, position, **_organization(one)) for position, one in enumerate(organizations, 1)]


def name(columns: Common, item: wire.Name, _detail: None) -> Entry:
    """`person.name`."""
    row = rows.Name(
        **columns,
        given_names=text(item.given_names),
        family_name=text(item.family_name),
        credit_name=text(item.credit_name),
    )
    return Entry(row)


def biography(columns: Common, item: wire.Content, _detail: None) -> Entry:
    """`person.biography`."""
    return Entry(rows.Biography(**columns, content=item.content))


def email(columns: Common, item: wire.Email, _detail: None) -> Entry:
    """An e-mail address; the address in lower case is the key (contract section 10)."""
    row = rows.Email(
        **columns,
        email=(item.email or "").lower(),
        verified=item.verified,
        verified_at=moment(item.verification_date),
        is_primary=item.primary,
    )
    return Entry(row)


def other_name(columns: Common, item: wire.Content, _detail: None) -> Entry:
    """Another name of the person."""
    return Entry(rows.OtherName(**columns, content=item.content))


def keyword(columns: Common, item: wire.Content, _detail: None) -> Entry:
    """A keyword."""
    return Entry(rows.Keyword(**columns, content=item.content))


def address(columns: Common, item: wire.Address, _detail: None) -> Entry:
    """A country of the person."""
    return Entry(rows.Address(**columns, country=text(item.country)))


def researcher_url(columns: Common, item: wire.ResearcherUrl, _detail: None) -> Entry:
    """A web link of the person."""
    return Entry(rows.ResearcherUrl(**columns, name=item.url_name, url=text(item.url)))


def person_identifier(columns: Common, item: wire.PersonIdentifier, _detail: None) -> Entry:
    """An identifier of the person in another system."""
    row = rows.PersonIdentifier(
        **columns,
        type=item.external_id_type,
        value=item.external_id_value,
        url=text(item.external_id_url),
        relationship=item.external_id_relationship,
    )
    return Entry(row)


def affiliation(columns: Common, item: wire.Affiliation, _detail: None) -> Entry:
    """Any kind of affiliation; the caller's columns name the section."""
    row = rows.Affiliation(
        **columns,
        department_name=item.department_name,
        role_title=item.role_title,
        url=text(item.url),
        **_organization(item.organization),
        **_period(item),
    )
    return Entry(row, external_ids=_external_ids(item.external_ids))


def work(columns: Common, item: wire.WorkSummary, detail: wire.WorkDetail | None) -> Entry:
    """A work; description, citation and contributors come with the full form only."""
    full = detail or wire.WorkDetail()
    citation = full.citation or wire.Citation()
    row = rows.Work(
        **columns,
        type=item.type,
        subtitle=_subtitle(item.title),
        journal_title=text(item.journal_title),
        url=text(item.url),
        short_description=full.short_description,
        citation_type=citation.citation_type,
        citation_value=citation.citation_value,
        language_code=full.language_code,
        country=text(full.country),
        detail_modified_at=moment(full.last_modified_date),
        **_titles(item.title),
        **_date("publication", item.publication_date),
    )
    return Entry(row, external_ids=_external_ids(item.external_ids), contributors=_contributors(full.contributors))


def funding(columns: Common, item: wire.FundingSummary, detail: wire.FundingDetail | None) -> Entry:
    """A funding; amount, description and contributors come with the full form only."""
    full = detail or wire.FundingDetail()
    amount = full.amount or wire.Amount()
    row = rows.Funding(
        **columns,
        type=item.type,
        url=text(item.url),
        organization_defined_type=text(full.organization_defined_type),
        short_description=full.short_description,
        amount_value=amount.value,
        amount_currency=amount.currency_code,
        detail_modified_at=moment(full.last_modified_date),
        **_titles(item.title),
        **_organization(item.organization),
        **_period(item),
    )
    return Entry(row, external_ids=_external_ids(item.external_ids), contributors=_contributors(full.contributors))


def peer_review(columns: Common, item: wire.PeerReviewSummary, detail: wire.PeerReviewDetail | None) -> Entry:
    """A peer review; what was reviewed comes with the full form only."""
    full = detail or wire.PeerReviewDetail()
    subject = full.subject_external_identifier or wire.ExternalId()
    row = rows.PeerReview(
        **columns,
        reviewer_role=item.reviewer_role,
        review_type=item.review_type,
        review_url=text(item.review_url),
        review_group_id=item.review_group_id,
        subject_container_name=text(full.subject_container_name),
        subject_type=full.subject_type,
        subject_subtitle=_subtitle(full.subject_name),
        subject_url=text(full.subject_url),
        subject_external_id_type=subject.external_id_type,
        subject_external_id_value=subject.external_id_value,
        subject_external_id_url=text(subject.external_id_url),
        subject_external_id_relationship=subject.external_id_relationship,
        detail_modified_at=moment(full.last_modified_date),
        **_date("completion", item.completion_date),
        **_organization(item.convening_organization),
        **_titles(full.subject_name, "subject_"),
    )
    return Entry(row, external_ids=_external_ids(item.external_ids))


def research_resource(
    columns: Common, item: wire.ResearchResourceSummary, detail: wire.ResearchResourceDetail | None
) -> Entry:
    """A research resource; the single resources come with the full form only."""
    proposal = item.proposal or wire.Proposal()
    full = detail or wire.ResearchResourceDetail()
    wrapped = full.resource_items.resource_item if full.resource_items else None
    resources = full.resource_item or wrapped or []
    row = rows.ResearchResource(
        **columns,
        url=text(proposal.url),
        detail_modified_at=moment(full.last_modified_date),
        **_titles(proposal.title),
        **_period(proposal),
    )
    external_ids, hosts = _external_ids(proposal.external_ids), _hosts(proposal.hosts)
    for number_, one in enumerate(resources, 1):
        external_ids += _external_ids(one.external_ids, number_)
        hosts += _hosts(one.hosts, number_)
    items = [
        rows.ResourceItem(position, one.resource_name, one.resource_type, text(one.url))
        for position, one in enumerate(resources, 1)
    ]
    return Entry(row, external_ids=external_ids, hosts=hosts, items=items)


def record(
    orcid: str, head: wire.RecordHead, *, state: str, access: str, primary_orcid: str | None, doc: bytes
) -> rows.Record:
    """The record's own row: its state, our access, the history block."""
    history = head.history or wire.History()
    source = history.source or wire.Source()
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
