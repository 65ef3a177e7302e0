"""SECTIONS: the one table of ORCID's sections (contract sections 3.6 and 10).

A new kind of affiliation is one line here. A new shape is a Struct and a function in `person` or `activities`, a Struct
in `rows`, a line here and a CREATE TABLE.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Raw, Struct

from orcid_sync.model.record import activities, extract, person, rows
from orcid_sync.model.record.extract import Entry
from orcid_sync.model.wire import lenient, orcid_json
from orcid_sync.model.wire.groups import Groups, affiliations, grouped, listed, peer_reviews, single
from orcid_sync.model.wire.malformed import shape_of

ItemKey = tuple[str, str]
"""(section, key): what an item is called inside its record."""


class Content(Struct, frozen=True):
    """What an item says: all that its rows are made of."""

    doc: bytes
    """The item as ORCID gave it in the record (the summary of an activity)."""
    detail: bytes | None = None
    """The full item as ORCID gave it, where the section has one and it could be read."""
    group_put_code: int | None = None
    group_position: int | None = None

    def encode(self) -> bytes:
        """As it stands in `change_contents`."""
        said = {"group_put_code": self.group_put_code, "group_position": self.group_position}
        return msgspec.json.encode(
            {**said, "doc": Raw(self.doc), "detail": None if self.detail is None else Raw(self.detail)}
        )

    def digest(self) -> bytes:
        """Hash of the summary and its place in the group; the full form follows the summary's last-modified date."""
        place = b"%d/%d" % (self.group_put_code or 0, self.group_position or 0)
        return blake2b(self.doc, digest_size=16, key=place).digest()


class Item(Struct, frozen=True):
    """One item of a record, not yet taken apart."""

    section: str
    key: str
    put_code: int | None
    modified_ms: int | None
    visibility: str | None
    content: Content
    digest: bytes

    @property
    def id(self) -> ItemKey:
        """What the item is called inside its record."""
        return self.section, self.key


Build = Callable[[extract.Common, Any, Any], Entry]


class Section(Struct, frozen=True):
    """One section of a record."""

    name: str
    """ORCID's singular name; the word for the section everywhere."""
    table: str
    block: str
    """Which half of the record it is in: person or activities-summary."""
    container: str
    """Its member there."""
    groups: Groups
    """Where the items are in the container."""
    row: type[rows.ItemRow]
    shape: type[orcid_json.Item]
    build: Build
    key_column: str | None = "put_code"
    """Column that tells the section's items apart; None if there is only one."""
    detail: type[Struct] | None = None
    """Shape of the full form, if the section has one that says more (contract section 3.7)."""
    grouped: bool = False
    shared_table: bool = False
    """Whether the table holds other sections too, told apart by its column `section`."""
    children: tuple[str, ...] = ()
    """Tables of the lists that belong to an item."""

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The columns that, with orcid, make the table's key."""
        key = (self.key_column,) if self.key_column else ()
        return ("section", *key) if self.shared_table else key

    def entry(self, orcid: str, content: Content, digest: bytes | None = None) -> Entry:
        """An item's content as rows; `digest`: if it is known already.

        What makes no sense in it is null (fault F49). Raises MalformedRecord if it is no object.
        """
        with shape_of(self.name):
            item = lenient.decode(content.doc, self.shape)
            detail = self.detail and content.detail and lenient.decode(content.detail, self.detail)
        columns = extract.common(orcid, item, digest=digest or content.digest(), doc=content.doc)
        if self.key_column == "put_code":
            columns["put_code"] = item.put_code
        if self.shared_table:
            columns["section"] = self.name
        if self.grouped:
            columns |= {"group_put_code": content.group_put_code or 0, "group_position": content.group_position or 0}
        if self.detail:
            columns["detail"] = content.detail
        return self.build(columns, item, detail or None)


def _person(
    name: str, table: str, container: str, row: type[rows.ItemRow], shape: type[orcid_json.Item], build: Build
) -> Section:
    return Section(name, table, "person", container, listed(name), row, shape, build)


def _affiliation(name: str) -> Section:
    return Section(
        name,
        "affiliations",
        "activities-summary",
        f"{name}s",
        affiliations(name),
        rows.Affiliation,
        activities.Affiliation,
        activities.affiliation,
        grouped=True,
        shared_table=True,
        children=("external_ids",),
    )


def _activity(
    name: str, groups: Groups, row: type[rows.ItemRow], shape: type[orcid_json.Item], build: Build, **more: Any
) -> Section:
    table = f"{name}s".replace("-", "_")
    return Section(name, table, "activities-summary", f"{name}s", groups, row, shape, build, grouped=True, **more)


_ALL = [
    Section("name", "names", "person", "name", single(), rows.Name, person.Name, person.name, key_column=None),
    Section(
        "biography",
        "biographies",
        "person",
        "biography",
        single(),
        rows.Biography,
        person.Content,
        person.biography,
        key_column=None,
    ),
    Section(
        "email",
        "emails",
        "person",
        "emails",
        listed("email"),
        rows.Email,
        person.Email,
        person.email,
        key_column="email",
    ),
    _person("other-name", "other_names", "other-names", rows.OtherName, person.Content, person.other_name),
    _person("keyword", "keywords", "keywords", rows.Keyword, person.Content, person.keyword),
    _person("address", "addresses", "addresses", rows.Address, person.Address, person.address),
    _person(
        "researcher-url",
        "researcher_urls",
        "researcher-urls",
        rows.ResearcherUrl,
        person.ResearcherUrl,
        person.researcher_url,
    ),
    _person(
        "external-identifier",
        "person_identifiers",
        "external-identifiers",
        rows.PersonIdentifier,
        person.PersonIdentifier,
        person.person_identifier,
    ),
    _affiliation("employment"),
    _affiliation("education"),
    _affiliation("qualification"),
    _affiliation("distinction"),
    _affiliation("invited-position"),
    _affiliation("membership"),
    _affiliation("service"),
    _activity(
        "work",
        grouped("work-summary"),
        rows.Work,
        activities.WorkSummary,
        activities.work,
        detail=activities.WorkDetail,
        children=("external_ids", "contributors"),
    ),
    _activity(
        "funding",
        grouped("funding-summary"),
        rows.Funding,
        activities.FundingSummary,
        activities.funding,
        detail=activities.FundingDetail,
        children=("external_ids", "contributors"),
    ),
    _activity(
        "peer-review",
        peer_reviews(),
        rows.PeerReview,
        activities.PeerReviewSummary,
        activities.peer_review,
        detail=activities.PeerReviewDetail,
        children=("external_ids",),
    ),
    _activity(
        "research-resource",
        grouped("research-resource-summary"),
        rows.ResearchResource,
        activities.ResearchResourceSummary,
        activities.research_resource,
        detail=activities.ResearchResourceDetail,
        children=("external_ids", "research_resource_hosts", "research_resource_items"),
    ),
]

SECTIONS: dict[str, Section] = {section.name: section for section in _ALL}
"""Every section by its name, in the order in which they are written."""
