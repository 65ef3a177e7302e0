"""The counters of a bulk load: files, records and items by outcome, problems by file, and what was not understood."""

from collections import Counter
from collections.abc import Iterable, Sequence

from msgspec import Struct, field

from orcid_sync.bulk.versions import OtherVersion
from orcid_sync.model.record.unknown_members import Unknown
from orcid_sync.model.wire.set_aside import SetAside

SHOWN = 1_000
"""Problems that are kept with the name of the file; further ones are only counted."""


class Problem(Struct, frozen=True):
    """A file that could not be loaded, or not all of it."""

    file: str
    what: str


class Tally(Struct):
    """Counts, and what went wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    """The verdicts; closed: an error stands in place of the record; detailed: full forms that were stored; refused: of
    another version; bad; and in what was loaded: set_aside (parts that were not understood), not_public (items that
    were left out)."""
    items: int = 0
    """Items that were written."""
    problems: list[Problem] = field(default_factory=list)
    """Files of which nothing was loaded."""
    remarks: list[Problem] = field(default_factory=list)
    """Files of which not all was understood."""
    versions: Counter[str] = field(default_factory=Counter)
    """The files that were refused, by their version."""
    unknown: Counter[Unknown] = field(default_factory=Counter)
    """Members that no column is made of, in what was loaded."""

    def count(self, what: str, number: int = 1) -> None:
        """One more, or several."""
        if number:
            self.counts[str(what)] += number

    def complain(self, file: str, what: object) -> None:
        """A file that could not be loaded."""
        self.count("bad")
        self._name(self.problems, file, what)

    def refuse(self, file: str, refusal: OtherVersion) -> None:
        """A file of another version."""
        self.count("refused")
        self.versions[refusal.version] += 1
        self._name(self.problems, file, refusal)

    def tell(self, file: str, set_aside: Sequence[SetAside], not_public: int, unknown: Iterable[Unknown]) -> None:
        """What of a file that is loaded is not."""
        self.count("set_aside", len(set_aside))
        self.count("not_public", not_public)
        self.unknown.update(unknown)
        for (section, reason), number in Counter((one.section, one.reason) for one in set_aside).items():
            self._name(self.remarks, file, f"{section}: {number} not understood: {reason}")

    def add(self, other: "Tally") -> None:
        """Take over what another one counted."""
        self.counts.update(other.counts)
        self.items += other.items
        self.versions.update(other.versions)
        self.unknown.update(other.unknown)
        for mine, others in ((self.problems, other.problems), (self.remarks, other.remarks)):
            mine.extend(others[: max(SHOWN - len(mine), 0)])

    @staticmethod
    def _name(named: list[Problem], file: str, what: object) -> None:
        if len(named) < SHOWN:
            named.append(Problem(file, str(what)))


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    return whole
