"""The counters of a bulk load: files, records and items by outcome, and problems by file."""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct, field

SHOWN = 1_000
"""Problems that are kept with the name of the file; further ones are only counted."""


class Problem(Struct, frozen=True):
    """A file that could not be loaded."""

    file: str
    what: str


class Tally(Struct):
    """Counts, and what went wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    """The verdicts; closed: an error stands in place of the record; set_aside: items that were not understood;
    detailed: full forms that were stored; bad."""
    items: int = 0
    """Items that were written."""
    problems: list[Problem] = field(default_factory=list)

    def count(self, what: str, number: int = 1) -> None:
        """One more, or several."""
        if number:
            self.counts[str(what)] += number

    def complain(self, file: str, what: object) -> None:
        """A file that could not be loaded."""
        self.counts["bad"] += 1
        if len(self.problems) < SHOWN:
            self.problems.append(Problem(file, str(what)))

    def add(self, other: "Tally") -> None:
        """Take over what another one counted."""
        self.counts.update(other.counts)
        self.items += other.items
        self.problems.extend(other.problems[: max(SHOWN - len(self.problems), 0)])


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them together."""
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    return whole
