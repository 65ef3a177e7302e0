"""Files that are wanted, gathered into batches of a size that suits a transaction."""

from collections.abc import Callable, Iterator

from msgspec import Struct, field

from orcid_sync.bulk.file_names import Name, parse_name
from orcid_sync.bulk.parse import Unit
from orcid_sync.bulk.sources import File, Source, SourceBroken
from orcid_sync.bulk.tally import Problem

UNITS = 200
"""Files in a batch: some 8,000 rows, written in a quarter of a second."""

BYTES = 4 << 20
"""Bytes from which on a batch is full; one large record makes a batch of its own."""

PASSED = 20_000
"""Files from which on a batch is given out though it is not full: so that it can be seen to go on."""

Choice = Callable[[Name], bool]
"""Whether a file is wanted, by what its name says."""


class Batch(Struct):
    """Some files that follow each other."""

    units: list[Unit] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    """Wanted files that could not be read."""
    size: int = 0
    """Bytes."""
    files: int = 0
    """Files of the source up to the end of this batch, wanted or not."""
    position: int = 0
    """Where in the source that is."""

    def takes(self, unit: Unit) -> bool:
        """Whether the unit should be in this batch.

        Full activities of one iD stay together, since two batches may be under way at the same time.
        """
        if len(self.units) < UNITS and self.size < BYTES:
            return True
        return self.unfinished is not None and unit.name is not None and unit.name.orcid == self.unfinished

    @property
    def unfinished(self) -> str | None:
        """The iD of which more activities may follow."""
        last = self.units[-1].name if self.units else None
        return last.orcid if last is not None and last.activity is not None else None

    def add(self, unit: Unit) -> None:
        """Take one more."""
        self.units.append(unit)
        self.size += len(unit.content)


def read_batches(source: Source, choose: Choice, *, skip: int = 0) -> Iterator[Batch]:
    """Batches of the chosen files, in their order and without the first `skip`. Raises SourceBroken.

    What was whole before the source broke is given out before that is told.
    """
    passing = _Passing(source, choose, skip)
    batch, broken = Batch(), None
    try:
        for file in source.files(passing.wants):
            if file.content is not None:
                unit = Unit(file.name, passing.name_of(file), file.content)
                if not batch.takes(unit):
                    yield passing.close(batch, files=passing.files - 1)
                    batch = Batch()
                batch.add(unit)
            elif file.problem is not None:
                batch.problems.append(Problem(file.name, file.problem))
            elif passing.files - passing.given_out >= PASSED and batch.unfinished is None:
                yield passing.close(batch, files=passing.files)
                batch = Batch()
    except SourceBroken as error:
        broken = error
    yield passing.close(batch, files=passing.files)
    if broken:
        raise broken


class _Passing:
    """Looks at the names of all files that come by, and counts them."""

    def __init__(self, source: Source, choose: Choice, skip: int) -> None:
        self._source = source
        self._choose = choose
        self._skip = skip
        self._name: Name | None = None
        self.files = 0
        """How many came by."""
        self.given_out = 0
        """How many had come by when the last batch was closed."""

    def wants(self, name: str) -> bool:
        """Whether a file is to be read."""
        self.files += 1
        self._name = parse_name(name)
        return self.files > self._skip and self._name is not None and self._choose(self._name)

    def name_of(self, file: File) -> Name | None:
        """What the name of the file that is just here says; of one that somebody chose nobody has asked yet."""
        if self._source.chosen:
            self.wants(file.name)
        return self._name

    def close(self, batch: Batch, *, files: int) -> Batch:
        """Note how far the source is read."""
        batch.files, batch.position, self.given_out = files, self._source.position, files
        return batch
