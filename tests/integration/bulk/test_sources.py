"""Reading archives, folders and files: whole, broken, and not at all what they should be."""

import gzip
import io
import tarfile
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from orcid_sync.bulk import batches
from orcid_sync.bulk.batches import Batch, read_batches
from orcid_sync.bulk.file_names import Name
from orcid_sync.bulk.sources import File, SourceBroken, open_source
from orcid_sync.model.ids import Orcid

FILES = [(f"s/00{n}/000{n}-0000-0000-0000.xml", b"<a>%d</a>" % n * (n + 1) * 100) for n in range(9)]


def everything(_name: str) -> bool:
    return True


def tar(files: Iterable[tuple[str, bytes]], **how: Any) -> bytes:
    """An archive of these files, with a folder at its beginning."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", **how) as archive:
        folder = tarfile.TarInfo("s")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, body in files:
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    return packed.getvalue()


def write(path: Path, body: bytes) -> Path:
    path.write_bytes(body)
    return path


def files_of(path: Path, wanted: Callable[[str], bool] = everything) -> list[tuple[str, bytes | None]]:
    with open_source(path) as source:
        return [(file.name, file.content) for file in source.files(wanted)]


def until_it_breaks(things: Iterable[Any]) -> tuple[list[Any], str]:
    """What came before the source broke, and what was said then."""
    found = []
    try:
        for thing in things:
            found.append(thing)  # noqa: PERF402 - to have what came before
    except SourceBroken as error:
        return found, str(error)
    pytest.fail("it did not break")


TAR = tar(FILES)
ZIPPED = gzip.compress(TAR)


@pytest.mark.parametrize(
    "body",
    [
        TAR,
        ZIPPED,
        gzip.compress(TAR, 0),
        gzip.compress(TAR[:1000]) + gzip.compress(TAR[1000:]),
        gzip.compress(tar(FILES, format=tarfile.PAX_FORMAT)),
        gzip.compress(tar(FILES, format=tarfile.GNU_FORMAT)),
        ZIPPED + b"\0" * 5000,
    ],
    ids=["tar", "gzip", "stored", "several members", "pax", "gnu", "filled up"],
)
def test_archives(tmp_path: Path, body: bytes) -> None:
    assert files_of(write(tmp_path / "a.tar.gz", body)) == FILES


def test_what_is_not_wanted_is_told_but_not_read(tmp_path: Path) -> None:
    chosen = FILES[4][0]
    found = files_of(write(tmp_path / "a", ZIPPED), lambda name: name == chosen)
    assert found == [(name, body if name == chosen else None) for name, body in FILES]


@pytest.mark.parametrize("missing", [1, 7, 100, len(ZIPPED) // 2, len(ZIPPED) - 30])
def test_an_archive_that_ends_too_early_is_read_as_far_as_it_goes(tmp_path: Path, missing: int) -> None:
    with open_source(write(tmp_path / "a.tar.gz", ZIPPED[:-missing])) as source:
        found, said = until_it_breaks(source.files(everything))
    assert "a.tar.gz ends in the middle of its contents" in said
    assert [(file.name, file.content) for file in found] == FILES[: len(found)]


def test_an_archive_without_compression_ends_too_early(tmp_path: Path) -> None:
    with pytest.raises(SourceBroken, match="ends in the middle"):
        files_of(write(tmp_path / "a.tar", TAR[: TAR.index(b"0005-0000") + 600]))


def flipped(body: bytes, place: int) -> bytes:
    return body[:place] + bytes([body[place] ^ 0xFF]) + body[place + 1 :]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (flipped(ZIPPED, len(ZIPPED) // 2), "damaged|ends in the middle"),
        (flipped(ZIPPED, len(ZIPPED) - 6), "damaged: its contents do not match their checksums"),
        (gzip.compress(flipped(TAR, TAR.index(b"s/003"))), "damaged: member 5 has no valid header"),
        (gzip.compress(b"nothing of the kind" * 100), "is not a tar archive"),
        (gzip.compress(b""), "ends in the middle"),
        (b"PK\x03\x04" + b"\0" * 600, "neither an archive"),
        (b"", "neither an archive"),
        (b"just a text", "neither an archive"),
    ],
    ids=range(8),
)
def test_what_is_no_archive_or_a_damaged_one_is_said_in_a_sentence(tmp_path: Path, body: bytes, said: str) -> None:
    with pytest.raises(SourceBroken, match=said):
        files_of(write(tmp_path / "a.tar.gz", body))


def test_a_file_larger_than_any_record_is_passed_over(tmp_path: Path) -> None:
    files = [("big.xml", bytes((64 << 20) + 1)), *FILES]
    with open_source(write(tmp_path / "a", gzip.compress(tar(files), 1))) as source:
        first, *rest = source.files(everything)
    assert first == File("big.xml", problem="it is larger than any record")
    assert [(file.name, file.content) for file in rest] == FILES


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    peaks = []
    for number in (200, 4_000):
        path = write(tmp_path / f"{number}", gzip.compress(tar((f"{n}.xml", b"x" * 20_000) for n in range(number)), 1))
        tracemalloc.start()
        assert len(files_of(path, lambda name: name.endswith("7.xml"))) == number
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    kept = 4_000 * 300 + 400 * 20_000  # what this very test keeps of the larger one
    assert peaks[1] < peaks[0] + kept


def test_folders_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b/2.xml", "b/1.json", "a/deep/er/3.xml", "b/notes.txt", "0.xml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    names = ["0.xml", "a/deep/er/3.xml", "b/1.json", "b/2.xml"]
    assert files_of(tmp_path) == [(name, name.encode()) for name in names]
    assert files_of(tmp_path, lambda name: "1" in name) == [(n, n.encode() if "1" in n else None) for n in names]


def test_a_folder_with_nothing_in_it_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "README.md").write_text("no records here")
    with pytest.raises(SourceBroken, match="has no files of records"):
        files_of(tmp_path)


def test_a_file_that_cannot_be_read_is_one_problem(tmp_path: Path) -> None:
    (tmp_path / "1.xml").symlink_to(tmp_path / "gone.xml")
    (tmp_path / "2.xml").write_bytes(b"<a/>")
    with open_source(tmp_path) as source:
        broken, whole = source.files(everything)
    assert (broken.problem, whole.content) == ("it cannot be read: No such file or directory", b"<a/>")


@pytest.mark.parametrize("body", [b"<?xml?><a/>", b"\xef\xbb\xbf <a/>", b'{"a": 1}', b" \n{}"])
def test_a_single_file(tmp_path: Path, body: bytes) -> None:
    assert files_of(write(tmp_path / "x", body), lambda _: False) == [("x", body)]


def test_an_archive_is_known_again_and_a_changed_one_is_not(tmp_path: Path) -> None:
    identities = set()
    for body in (ZIPPED, ZIPPED, gzip.compress(tar(FILES[:-1])), ZIPPED + b"\0"):
        with open_source(write(tmp_path / "a", body)) as source:
            identities.add(source.identity)
    assert len(identities) == 3


# Batches


def batches_of(path: Path, choose: Callable[[Name], bool] = lambda _: True, skip: int = 0) -> list[Batch]:
    with open_source(path) as source:
        return list(read_batches(source, choose, skip=skip))


@pytest.fixture
def records(tmp_path: Path) -> Path:
    """An archive of 1,000 records and a file that is none."""
    files = [(f"s/{n:03}/0000-0000-0000-{n:04}.xml", b"x" * 100) for n in range(1_000)]
    return write(tmp_path / "records.tar", tar([("README", b"x"), *files]))


def test_batches_have_a_size_and_say_how_far_they_reach(records: Path) -> None:
    found = batches_of(records)
    assert [len(batch.units) for batch in found] == [batches.UNITS] * 5
    assert [batch.files for batch in found] == [201, 401, 601, 801, 1001]
    assert found[-1].position == records.stat().st_size
    assert found[0].position < found[1].position < found[2].position


def test_a_batch_is_full_by_its_bytes(tmp_path: Path) -> None:
    files = [(f"0000-0000-0000-{n:04}.xml", b"x" * (1 << 20)) for n in range(10)]
    found = batches_of(write(tmp_path / "a", tar(files)))
    assert [len(batch.units) for batch in found] == [4, 4, 2]


def test_what_was_dealt_with_is_passed_over(records: Path) -> None:
    rest = batches_of(records, skip=801)
    assert [unit.file for batch in rest for unit in batch.units] == [
        f"s/{n:03}/0000-0000-0000-{n:04}.xml" for n in range(800, 1_000)
    ]
    assert rest[-1].files == 1001


def test_nothing_wanted_is_progress_nevertheless(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "PASSED", 300)
    wanted = Orcid("0000-0000-0000-0500")
    found = batches_of(records, lambda name: name.orcid == wanted)
    assert [(len(batch.units), batch.files) for batch in found] == [(0, 300), (1, 600), (0, 900), (0, 1001)]


def test_the_activities_of_one_id_stay_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "UNITS", 4)
    monkeypatch.setattr(batches, "PASSED", 3)
    orcids = ["0000-0000-0000-0001", "0000-0000-0000-0002"]
    kinds = ["employments", "works", "educations", "fundings"]
    files = [(f"{o}/{k}/{o}_{k}_{n}.xml", b"<x/>") for o in orcids for k in kinds for n in range(3)]
    found = batches_of(write(tmp_path / "a", tar(files)))
    assert [{unit.name and unit.name.orcid for unit in batch.units} for batch in found if batch.units] == [
        {orcids[0]},
        {orcids[1]},
    ]


def test_what_was_whole_before_the_source_broke_is_given_out(tmp_path: Path) -> None:
    with open_source(write(tmp_path / "a", TAR[: TAR.index(b"0005-0000") + 600])) as source:
        found, said = until_it_breaks(read_batches(source, lambda _: True))
    assert "ends in the middle" in said
    assert [unit.content for batch in found for unit in batch.units] == [body for _, body in FILES[:5]]
