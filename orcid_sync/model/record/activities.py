"""The sections of `activities-summary`: ORCID's wire form and the rows made of it (contract sections 3.6, 3.7 and 10).

Each has a summary, as the record shows it, and (but for affiliations) a full form that says more and is read by itself.
"""

from msgspec import Struct

from orcid_sync.model.record import extract, rows
from orcid_sync.model.record.extract import Entry
from orcid_sync.model.wire import orcid_json


class Affiliation(orcid_json.Item, rename="kebab"):
    """Any of the seven kinds; summary and full form are the same."""

    department_name: str | None = None
    role_title: str | None = None
    start_date: orcid_json.FuzzyDate | None = None
    end_date: orcid_json.FuzzyDate | None = None
    organization: orcid_json.Organization | None = None
    url: orcid_json.Wrapped = None
    external_ids: orcid_json.ExternalIds | None = None


class WorkSummary(orcid_json.Item, rename="kebab"):
    """A work as the record shows it."""

    type: str | None = None
    title: orcid_json.Title | None = None
    journal_title: orcid_json.Wrapped = None
    publication_date: orcid_json.FuzzyDate | None = None
    url: orcid_json.Wrapped = None
    external_ids: orcid_json.ExternalIds | None = None


class Citation(Struct, rename="kebab"):
    """A citation and its format."""

    citation_type: str | None = None
    citation_value: str | None = None


class WorkDetail(Struct, rename="kebab"):
    """What the full work adds; it has no display-index (contract section 3.7)."""

    last_modified_date: orcid_json.Timestamp | None = None
    title: orcid_json.Title | None = None
    short_description: str | None = None
    citation: Citation | None = None
    language_code: str | None = None
    country: orcid_json.Wrapped = None
    contributors: orcid_json.Contributors | None = None


class FundingSummary(orcid_json.Item, rename="kebab"):
    """A funding as the record shows it."""

    type: str | None = None
    title: orcid_json.Title | None = None
    start_date: orcid_json.FuzzyDate | None = None
    end_date: orcid_json.FuzzyDate | None = None
    organization: orcid_json.Organization | None = None
    url: orcid_json.Wrapped = None
    external_ids: orcid_json.ExternalIds | None = None


class Amount(Struct, rename="kebab"):
    """An amount as typed, and its currency."""

    value: str | None = None
    currency_code: str | None = None


class FundingDetail(Struct, rename="kebab"):
    """What the full funding adds."""

    last_modified_date: orcid_json.Timestamp | None = None
    organization_defined_type: orcid_json.Wrapped = None
    short_description: str | None = None
    amount: Amount | None = None
    contributors: orcid_json.Contributors | None = None


class PeerReviewSummary(orcid_json.Item, rename="kebab"):
    """A peer review as the record shows it."""

    reviewer_role: str | None = None
    review_type: str | None = None
    review_url: orcid_json.Wrapped = None
    completion_date: orcid_json.FuzzyDate | None = None
    review_group_id: str | None = None
    convening_organization: orcid_json.Organization | None = None
    external_ids: orcid_json.ExternalIds | None = None


class PeerReviewDetail(Struct, rename="kebab"):
    """What the full peer review adds; several members have other names than in the summary (contract section 3.7)."""

    last_modified_date: orcid_json.Timestamp | None = None
    subject_external_identifier: orcid_json.ExternalId | None = None
    subject_container_name: orcid_json.Wrapped = None
    subject_type: str | None = None
    subject_name: orcid_json.Title | None = None
    subject_url: orcid_json.Wrapped = None


class Proposal(Struct, rename="kebab"):
    """The proposal by which a research resource was granted."""

    title: orcid_json.Title | None = None
    hosts: orcid_json.Hosts | None = None
    external_ids: orcid_json.ExternalIds | None = None
    start_date: orcid_json.FuzzyDate | None = None
    end_date: orcid_json.FuzzyDate | None = None
    url: orcid_json.Wrapped = None


class ResearchResourceSummary(orcid_json.Item):
    """A research resource as the record shows it."""

    proposal: Proposal | None = None


class ResourceItem(Struct, rename="kebab"):
    """One resource of a research resource."""

    resource_name: str | None = None
    resource_type: str | None = None
    hosts: orcid_json.Hosts | None = None
    external_ids: orcid_json.ExternalIds | None = None
    url: orcid_json.Wrapped = None


class ResourceItems(Struct, rename="kebab"):
    """The wrapper that only XML should have, but that is accepted in JSON too (contract section 3.7)."""

    resource_item: list[ResourceItem] | None = None


class ResearchResourceDetail(Struct, rename="kebab"):
    """What the full research resource adds."""

    last_modified_date: orcid_json.Timestamp | None = None
    resource_item: list[ResourceItem] | None = None
    resource_items: ResourceItems | None = None


def affiliation(columns: extract.Common, item: Affiliation, _detail: None) -> Entry:
    """Any kind of affiliation; the caller's columns name the section."""
    row = rows.Affiliation(
        **columns,
        department_name=item.department_name,
        role_title=item.role_title,
        url=extract.text(item.url),
        **extract.organization(item.organization),
        **extract.period(item.start_date, item.end_date),
    )
    return Entry(row, external_ids=extract.external_ids(item.external_ids))


def work(columns: extract.Common, item: WorkSummary, detail: WorkDetail | None) -> Entry:
    """A work; subtitle, description, citation and contributors come with the full form only."""
    full = detail or WorkDetail()
    citation = full.citation or Citation()
    row = rows.Work(
        **columns,
        type=item.type,
        subtitle=extract.subtitle(full.title or item.title),  # a summary never has one (contract section 3.6)
        journal_title=extract.text(item.journal_title),
        url=extract.text(item.url),
        short_description=full.short_description,
        citation_type=citation.citation_type,
        citation_value=citation.citation_value,
        language_code=full.language_code,
        country=extract.text(full.country),
        detail_modified_at=extract.moment(full.last_modified_date),
        **extract.titles(item.title or full.title),
        **extract.date("publication", item.publication_date),
    )
    return Entry(
        row, external_ids=extract.external_ids(item.external_ids), contributors=extract.contributors(full.contributors)
    )


def funding(columns: extract.Common, item: FundingSummary, detail: FundingDetail | None) -> Entry:
    """A funding; amount, description and contributors come with the full form only."""
    full = detail or FundingDetail()
    amount = full.amount or Amount()
    row = rows.Funding(
        **columns,
        type=item.type,
        url=extract.text(item.url),
        organization_defined_type=extract.text(full.organization_defined_type),
        short_description=full.short_description,
        amount_value=amount.value,
        amount_currency=amount.currency_code,
        detail_modified_at=extract.moment(full.last_modified_date),
        **extract.titles(item.title),
        **extract.organization(item.organization),
        **extract.period(item.start_date, item.end_date),
    )
    return Entry(
        row, external_ids=extract.external_ids(item.external_ids), contributors=extract.contributors(full.contributors)
    )


def peer_review(columns: extract.Common, item: PeerReviewSummary, detail: PeerReviewDetail | None) -> Entry:
    """A peer review; what was reviewed comes with the full form only."""
    full = detail or PeerReviewDetail()
    subject = full.subject_external_identifier or orcid_json.ExternalId()
    row = rows.PeerReview(
        **columns,
        reviewer_role=item.reviewer_role,
        review_type=item.review_type,
        review_url=extract.text(item.review_url),
        review_group_id=item.review_group_id,
        subject_container_name=extract.text(full.subject_container_name),
        subject_type=full.subject_type,
        subject_subtitle=extract.subtitle(full.subject_name),
        subject_url=extract.text(full.subject_url),
        subject_external_id_type=subject.external_id_type,
        subject_external_id_value=subject.external_id_value,
        subject_external_id_url=extract.text(subject.external_id_url),
        subject_external_id_relationship=subject.external_id_relationship,
        detail_modified_at=extract.moment(full.last_modified_date),
        **extract.date("completion", item.completion_date),
        **extract.organization(item.convening_organization),
        **extract.titles(full.subject_name, "subject_"),
    )
    return Entry(row, external_ids=extract.external_ids(item.external_ids))


def research_resource(
    columns: extract.Common, item: ResearchResourceSummary, detail: ResearchResourceDetail | None
) -> Entry:
    """A research resource; the single resources come with the full form only."""
    proposal = item.proposal or Proposal()
    full = detail or ResearchResourceDetail()
    wrapped = full.resource_items.resource_item if full.resource_items else None
    resources = full.resource_item or wrapped or []
    row = rows.ResearchResource(
        **columns,
        url=extract.text(proposal.url),
        detail_modified_at=extract.moment(full.last_modified_date),
        **extract.titles(proposal.title),
        **extract.period(proposal.start_date, proposal.end_date),
    )
    external_ids, hosts = extract.external_ids(proposal.external_ids), extract.hosts(proposal.hosts)
    for number_, one in enumerate(resources, 1):
        external_ids += extract.external_ids(one.external_ids, number_)
        hosts += extract.hosts(one.hosts, number_)
    items = [
        rows.ResourceItem(position, one.resource_name, one.resource_type, extract.text(one.url))
        for position, one in enumerate(resources, 1)
    ]
    return Entry(row, external_ids=external_ids, hosts=hosts, items=items)
