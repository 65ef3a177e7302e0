"""An organisation as ROR's dump describes it (schema 2.1: https://ror.readme.io/docs/ror-data-structure)."""

from typing import Any

import msgspec
from msgspec import Struct


class NotRor(Exception):
    """This is no organisation in the second version of ROR's schema; the message says what is wrong."""


class OrganisationId(Struct, frozen=True):
    """What else an organisation is called by."""

    scheme: str
    """ror, grid, fundref, isni, wikidata, …"""
    id: str
    """As given."""
    ror: str
    preferred: bool
    origin: str
    """ror or mapping."""


class Organisation(Struct, frozen=True, kw_only=True):
    """An organisation: the columns of `orcid.organisations`."""

    ror: str
    name: str
    status: str
    types: list[str]
    established: int | None
    city: str | None
    country: str | None
    website: str | None
    parents: list[str]
    successors: list[str]


class _Name(Struct):
    value: str
    types: list[str] = []


class _Identifiers(Struct):
    type: str
    all: list[str] = []
    preferred: str | None = None


class _Place(Struct):
    name: str | None = None
    country_code: str | None = None


class _Location(Struct):
    geonames_details: _Place


class _Link(Struct):
    type: str
    value: str


class _Relationship(Struct):
    type: str
    id: str


class _Document(Struct):
    id: str
    names: list[_Name]
    status: str
    types: list[str] = []
    established: int | None = None
    external_ids: list[_Identifiers] = []
    locations: list[_Location] = []
    links: list[_Link] = []
    relationships: list[_Relationship] = []


def parse_organisation(document: Any) -> tuple[Organisation, list[OrganisationId]]:
    """An organisation and its identifiers, its ROR id among them. Raises NotRor."""
    if isinstance(document, dict) and "names" not in document and "name" in document:
        raise NotRor("this is version 1 of ROR's schema; take the file that ends in _schema_v2.json, or a newer dump")
    try:
        said = msgspec.convert(document, _Document)
    except msgspec.ValidationError as error:
        raise NotRor(str(error)) from None
    if not said.names:
        raise NotRor(f"{said.id} has no name")
    place = said.locations[0].geonames_details if said.locations else _Place()
    organisation = Organisation(
        ror=said.id,
        name=_shown(said.names),
        status=said.status,
        types=said.types,
        established=said.established,
        city=place.name,
        country=place.country_code,
        website=next((link.value for link in said.links if link.type == "website"), None),
        parents=_related(said, "parent"),
        successors=_related(said, "successor"),
    )
    own = OrganisationId("ror", said.id, said.id, preferred=True, origin="ror")
    return organisation, [own, *_identifiers(said)]


def _shown(names: list[_Name]) -> str:
    """The one that ROR shows, else the first that is more than an acronym."""
    by_kind = {kind: name.value for name in reversed(names) for kind in name.types}
    return by_kind.get("ror_display") or by_kind.get("label") or names[0].value


def _related(said: _Document, kind: str) -> list[str]:
    return [one.id for one in said.relationships if one.type == kind]


def _identifiers(said: _Document) -> list[OrganisationId]:
    return [
        OrganisationId(one.type.lower(), value, said.id, preferred=value == one.preferred, origin="ror")
        for one in said.external_ids
        for value in dict.fromkeys([*one.all, *filter(None, [one.preferred])])
    ]
