"""The yearly public data file: archives of XML documents (contract section 7.1)."""

import gzip
import io
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from orcid_sync.simulator.answers.bulk_documents import BulkDocuments
from orcid_sync.simulator.records.profiles import RecordState

LAST_CHARACTERS = "0123456789X"


def write_archive(path: Path, documents: Iterable[tuple[str, bytes]], *, compression: int = 6) -> int:
    """A `.tar.gz` of these documents by their paths; how many there were. The same documents give the same bytes."""
    count = 0
    with (
        path.open("wb") as file,
        gzip.GzipFile("", "wb", compression, file, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w|", format=tarfile.GNU_FORMAT) as archive,
    ):
        for name, body in documents:
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
            count += 1
    return count


def write_summaries(
    path: Path, states: Iterable[RecordState], documents: BulkDocuments, *, year: int, compression: int = 6
) -> int:
    """`ORCID_YYYY_10_summaries.tar.gz`; how many documents are in it."""
    return write_archive(path, _summaries(states, documents, year), compression=compression)


def write_activities(folder: Path, states: Iterable[RecordState], documents: BulkDocuments, *, year: int) -> list[Path]:
    """The eleven archives of full activities, one for each last character of an iD, empty ones included."""
    ordered, paths = _ordered(states), []
    for last in LAST_CHARACTERS:
        name = f"ORCID_{year}_10_activities_{last}"
        mine = (state for state in ordered if state.orcid[-1] == last)
        found = ((f"{name}/{path}", body) for state in mine for path, body in documents.activities(state))
        paths.append(folder / f"{name}.tar.gz")
        write_archive(paths[-1], found)
    return paths


def _summaries(states: Iterable[RecordState], documents: BulkDocuments, year: int) -> Iterator[tuple[str, bytes]]:
    for state in _ordered(states):
        body = documents.summary(state)
        if body is not None:
            yield f"ORCID_{year}_10_summaries/{state.orcid[-3:]}/{state.orcid}.xml", body


def _ordered(states: Iterable[RecordState]) -> list[RecordState]:
    """By folder, then by iD, as the real archives are."""
    return sorted(states, key=lambda state: (state.orcid[-3:], state.orcid))
