"""The figures of a report, as an institution hands them to its board: numbers of people and items, nobody by name."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from msgspec import Struct

LONGEST_YEARS: Final = 10
"""Of a period: a report has a point for each month."""

LABELS: Final = {
    "employment": "Employment",
    "education": "Education",
    "work": "Works",
    "funding": "Funding",
    "peer-review": "Peer review",
    "keyword": "Keywords",
    "biography": "Biography",
    "external-identifier": "Other identifiers",
    "researcher-url": "Web links",
    "address": "Country",
    "email": "E-mail address",
    "membership": "Memberships",
    "service": "Service",
    "invited-position": "Invited positions",
    "distinction": "Distinctions",
    "qualification": "Qualifications",
    "other-name": "Other names",
    "name": "Name",
    "research-resource": "Research resources",
}
"""What the sections are called where people read of them, in the order of their weight."""

Row = tuple[str | int, ...]
"""What it is about, and its figures."""

COMPLETE: Final = tuple(LABELS)[:11]
"""The sections whose presence says how complete a record is."""


class InvalidPeriod(ValueError):
    """There is no such period; the message says what would be one."""


class Period(Struct, frozen=True):
    """Whole days, UTC; both are in it."""

    first: date
    last: date

    @property
    def since(self) -> datetime:
        """The moment in which it begins."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def until(self) -> datetime:
        """The moment in which it has ended."""
        return datetime.combine(self.last + timedelta(days=1), time(), UTC)


def period(first: date | None, last: date | None, today: date) -> Period:
    """The days asked for; without them, the twelve months up to today. Raises InvalidPeriod."""
    end = min(last or today, today)
    begin = first or (end.replace(year=end.year - 1, day=min(end.day, 28)) + timedelta(days=1))
    if begin > end:
        raise InvalidPeriod(f"the period has no day: it begins on {begin} and ends on {end}")
    if begin < end.replace(year=end.year - LONGEST_YEARS, day=min(end.day, 28)):
        raise InvalidPeriod(f"a report covers at most {LONGEST_YEARS} years")
    return Period(begin, end)


class Month(Struct, frozen=True):
    """How many were followed at the end of a month, and who came and went in it."""

    month: date
    connected: int
    joined: int
    ended: int

    @property
    def label(self) -> str:
        """The month, in a word."""
        return _named(self.month)


class Invitations(Struct, frozen=True):
    """How far those came who were invited in the period."""

    invited: int
    opened: int
    granted: int
    denied: int


class Adoption(Struct, frozen=True):
    """Who lets the institution follow their record."""

    months: list[Month]
    connected: int
    """Now."""
    with_permission: int
    """Those of them who allow more than what is public."""
    invitations: Invitations

    @property
    def rows(self) -> list[Row]:
        """Month by month."""
        return [(one.label, one.connected, one.joined, one.ended) for one in self.months]


class Coverage(Struct, frozen=True):
    """How many records have anything in a section."""

    section: str
    records_with: int
    records_by_organisation: int
    """Those of them in which an organisation vouches for something of it."""
    records: int

    @property
    def label(self) -> str:
        """What the section is called."""
        return LABELS.get(self.section, self.section)


class Works(Struct, frozen=True):
    """Publications of a year, each counted once."""

    year: int | None
    publications: int
    with_doi: int
    by_organisation: int
    """For which an organisation vouches on any record."""
    shared: int
    """Which two or more people claim."""


class Changes(Struct, frozen=True):
    """What changed in a section in a month."""

    month: date
    section: str
    added: int
    updated: int
    removed: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.added + self.updated + self.removed

    @property
    def label(self) -> str:
        """The month, in a word."""
        return _named(self.month)

    @property
    def stack(self) -> tuple[int, int, int]:
        """On top of each other."""
        return self.added, self.updated, self.removed


class Funder(Struct, frozen=True):
    """Who funds how many."""

    name: str
    people: int
    fundings: int


class Freshness(Struct, frozen=True):
    """How lately the mirror was compared with ORCID."""

    followed: int
    within_a_day: int
    within_a_week: int


class Report(Struct, frozen=True, kw_only=True):
    """Everything that a report says."""

    institution: str | None
    period: Period
    made_at: datetime
    limited: bool
    """Whether what holders show to trusted organisations only is counted, too."""
    adoption: Adoption | None
    """None: the reader may not know."""
    records: int
    active: int
    employed: int | None
    """Who say that they are employed by the institution now; None: its ROR id is not set."""
    coverage: list[Coverage]
    works: list[Works]
    changes: list[Changes]
    people_with_changes: int
    funders: list[Funder]
    freshness: Freshness

    @property
    def complete(self) -> list[Coverage]:
        """The sections that say how complete the records are, in their order."""
        known = {one.section: one for one in self.coverage}
        return [known[section] for section in COMPLETE if section in known]

    @property
    def complete_rows(self) -> list[Row]:
        """Section by section."""
        return [(one.label, one.records_with, one.records_by_organisation) for one in self.complete]

    @property
    def works_rows(self) -> list[Row]:
        """Year by year."""
        works = self.recent_works
        return [(str(one.year), one.publications, one.with_doi, one.by_organisation, one.shared) for one in works]

    @property
    def works_stacks(self) -> list[tuple[int, int]]:
        """With and without a DOI, year by year."""
        return [(one.with_doi, one.publications - one.with_doi) for one in self.recent_works]

    @property
    def changes_stacks(self) -> list[tuple[int, int, int]]:
        """Month by month."""
        return [one.stack for one in self.changes_by_month]

    @property
    def month_rows(self) -> list[Row]:
        """Month by month."""
        return [(one.label, *one.stack) for one in self.changes_by_month]

    @property
    def section_rows(self) -> list[Row]:
        """Section by section."""
        return [(LABELS.get(one.section, one.section), *one.stack) for one in self.changes_by_section]

    @property
    def publications(self) -> int:
        """All of them, each once."""
        return sum(one.publications for one in self.works)

    @property
    def with_doi(self) -> int:
        """Those that have a DOI."""
        return sum(one.with_doi for one in self.works)

    @property
    def recent_works(self) -> list[Works]:
        """Those of the last ten years up to that of the report, years without any included."""
        known = {one.year: one for one in self.works}
        last = self.period.last.year
        return [known.get(year, Works(year, 0, 0, 0, 0)) for year in range(last - 9, last + 1)]

    @property
    def changes_by_month(self) -> list[Changes]:
        """Changes of all sections together, months without any included."""
        months = _months(self.period)
        return [_together(month, "", (one for one in self.changes if one.month == month)) for month in months]

    @property
    def changes_by_section(self) -> list[Changes]:
        """Changes of all months together, the section with most of them first."""
        sections = dict.fromkeys(one.section for one in self.changes)
        first = self.period.first
        summed = [_together(first, name, (one for one in self.changes if one.section == name)) for name in sections]
        return sorted(summed, key=lambda one: (-one.total, one.section))


def _named(month: date) -> str:
    return f"{month:%b %Y}"


def _months(period: Period) -> list[date]:
    first, last = period.first.replace(day=1), period.last.replace(day=1)
    number = (last.year - first.year) * 12 + last.month - first.month + 1
    starts = (first.year * 12 + first.month - 1 + step for step in range(number))
    return [date(start // 12, start % 12 + 1, 1) for start in starts]


def _together(month: date, section: str, several: Iterable[Changes]) -> Changes:
    listed = list(several)
    sums = (sum(getattr(one, name) for one in listed) for name in ("added", "updated", "removed"))
    return Changes(month, section, *sums)
