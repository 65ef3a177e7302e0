"""What a public record shows of its holder's belonging to the institution: the evidence for asking them."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

from msgspec import Struct, field

from orcid_sync.model.analysis.institution import Institution
from orcid_sync.model.record import activities, rows
from orcid_sync.model.record.extract import Entry
from orcid_sync.model.record.sections import SECTIONS, Item
from orcid_sync.model.wire.malformed import MalformedRecord

SHOWN: Final = 5
"""Works that are kept as evidence."""


class Affiliation(Struct, frozen=True, order=True):
    """That the record names the institution."""

    section: str
    organization: str
    """As the record calls it."""
    by: str
    """ROR, GRID, RINGGOLD, FUNDREF or name: by what it was recognised."""
    current: bool
    """Whether it has not ended, as far as the record says."""
    since: int | None = None
    until: int | None = None
    """Years."""


class Evidence(Struct, frozen=True):
    """Everything in a record that speaks for the institution; of addresses only their domains."""

    affiliations: list[Affiliation] = field(default_factory=list)
    domains: list[str] = field(default_factory=list)
    works: int = 0
    """Works with a DOI that somebody has whose record is mirrored."""
    dois: list[str] = field(default_factory=list)
    """Some of those."""

    @property
    def current(self) -> bool:
        """Whether somebody seems to belong to the institution now."""
        return bool(self.domains) or any(one.current for one in self.affiliations)

    @property
    def convincing(self) -> bool:
        """Whether there is a reason to ask: a shared work alone is none."""
        return bool(self.affiliations or self.domains)


class Portrait(Struct, frozen=True):
    """What is taken from a record: no more than is needed to ask its holder."""

    name: str | None
    evidence: Evidence
    dois: list[str]
    """Of all public works, to be compared with those that are mirrored."""


def portrait(orcid: str, items: Iterable[Item], institution: Institution, today: date) -> Portrait:
    """What the public items of a record say of its holder and the institution."""
    name, dois = None, set[str]()
    affiliations, domains = set[Affiliation](), set[str]()
    for section, entry in _entries(orcid, items):
        row = entry.row
        match row:
            case rows.Name():
                name = row.credit_name or " ".join(filter(None, (row.given_names, row.family_name))) or None
            case rows.Email():
                domains |= {domain} if (domain := institution.owns(row.email)) else set()
            case rows.Affiliation():
                affiliations |= set(_affiliation(section, row, institution, today))
            case rows.Work():
                dois |= {doi for one in entry.external_ids if (doi := _doi(one))}
    newest_first = sorted(affiliations, key=lambda one: (not one.current, -(one.since or 0), one))
    return Portrait(name, Evidence(newest_first, sorted(domains)), sorted(dois))


def with_shared(portrait: Portrait, shared: Iterable[str]) -> Evidence:
    """The evidence together with the DOIs that are mirrored, too."""
    dois = sorted(shared)
    return Evidence(portrait.evidence.affiliations, portrait.evidence.domains, len(dois), dois[:SHOWN])


_WANTED: Final = frozenset(
    {"name", "email", "work", *(one.name for one in SECTIONS.values() if one.shape is activities.Affiliation)}
)


def _entries(orcid: str, items: Iterable[Item]) -> Iterator[tuple[str, Entry]]:
    """The public items as rows. Our own token is shown our own private items, too (contract section 3.4)."""
    for item in items:
        if item.section in _WANTED and item.visibility == "public":
            try:
                yield item.section, SECTIONS[item.section].entry(orcid, item.content, item.digest)
            except MalformedRecord:
                continue


def _affiliation(section: str, row: rows.Affiliation, institution: Institution, today: date) -> Iterator[Affiliation]:
    by = institution.recognises(row.org_disambiguation_source, row.org_disambiguated_id, row.org_name)
    if by is not None:
        ended = row.end_year is not None and (row.end_year, row.end_month or 12) < (today.year, today.month)
        yield Affiliation(section, row.org_name or "", by, not ended, row.start_year, row.end_year)


def _doi(one: rows.ExternalId) -> str | None:
    """A DOI of the work itself, in lower case and without an address around it."""
    if one.type != "doi" or one.relationship not in {None, "self"}:
        return None
    text = (one.normalized or one.value or "").strip().lower()
    start = text.find("10.")
    return text[start:] if start >= 0 and "/" in text[start:] else None
