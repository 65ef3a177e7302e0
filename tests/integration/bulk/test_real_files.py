"""Real files: ORCID's own samples, and a piece of the public data file, which say the same in XML and in JSON."""

import gzip
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import msgspec

from integration.bulk.archives import Files
from orcid_sync.bulk.parse import Parsed, Unit, make_new, parse_unit, read_each
from orcid_sync.bulk.tally import Tally
from orcid_sync.bulk.xml import strays
from orcid_sync.bulk.xml.documents import Strays, encode, parse_document
from orcid_sync.bulk.xml.full_forms import FULL


def read(units: list[Unit]) -> tuple[dict[str, Parsed], Tally]:
    tally, found = Tally(), {}
    for unit, parsed in read_each(units, parse_unit, tally):
        parsed.tell(tally)
        found[unit.file] = parsed
    return found, tally


def data_file(corpus: Path) -> Path:
    (path,) = (corpus / "public_data_file").glob("*.tar.gz")
    return path


def units_of(path: Path) -> Iterator[Unit]:
    with tarfile.open(path) as archive:
        for member in archive:
            if (content := archive.extractfile(member)) is not None:
                yield Unit(member.name, None, content.read())


def test_orcids_own_samples_are_understood(corpus: Path) -> None:
    """They have white space around dates, numbers and constants, and say that almost nothing of theirs is public."""
    paths = sorted((corpus / "official_samples").glob("*__record__*.xml"))
    found, tally = read([Unit(path.name, None, path.read_bytes()) for path in paths])

    assert len(found) == len(paths) - 1
    assert tally.versions == {"v3.0_rc1": 1}
    assert dict(tally.counts) == {"refused": 1, "not_public": 20}
    assert tally.unknown == {}
    for name, parsed in found.items():
        assert parsed.modified_at is not None, name
        assert len(parsed.answered) == 19, name
        assert len(make_new(parsed).entries) == len(parsed.items) > 0


def test_full_forms_in_orcids_samples_hold_nothing_unknown(corpus: Path) -> None:
    seen = Counter[str]()
    for path in sorted((corpus / "official_samples").glob("*.xml")):
        name, root = parse_document(path.read_bytes())
        if name in FULL:
            found: Strays = []
            doc = encode(root, FULL[name], found)
            assert (path.name, strays.named(name, root, FULL[name], found)) == (path.name, [])
            seen[name] += msgspec.json.decode(doc)["put-code"] is not None
    assert set(seen) == set(FULL)


def test_records_that_others_keep_are_understood(corpus: Path) -> None:
    paths = [*(corpus / "v3_xml").glob("*__record__*"), *(corpus / "v3_json").glob("*__record__*")]
    units = [
        Unit(path.name, None, gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())
        for path in sorted(paths)
    ]
    found, tally = read(units)

    assert tally.versions == {"v2.0": 1}, "an answer of API 2.0 is among those of 3.0"
    assert (tally.counts["refused"], tally.counts["bad"]) == (1, 0)
    assert len(found) == len(units) - 1
    assert [one.file for one in tally.remarks if not one.file.endswith("record1.xml")] == [], "that one was shortened"


def test_the_data_file_says_the_same_as_its_json(corpus: Path) -> None:
    found, tally = read(list(units_of(data_file(corpus))))
    assert dict(tally.counts) == {"closed": 62}
    assert tally.unknown == {}

    (lines,) = (corpus / "public_data_file").glob("*.jsonl.gz")
    with gzip.open(lines) as stream:
        from_json, counted = read([Unit(f"line {number}", None, line) for number, line in enumerate(stream)])
    assert dict(counted.counts) == {}
    by_orcid = {parsed.orcid: parsed for parsed in from_json.values()}
    assert len(by_orcid) == len(found) == 3888
    differences = Counter(
        item.section
        for parsed in found.values()
        for item, other in zip(parsed.items, by_orcid[parsed.orcid].items, strict=True)
        if item.id != other.id or msgspec.json.decode(item.content.doc) != msgspec.json.decode(other.content.doc)
    )
    assert differences == {}


async def test_the_data_file_loads(corpus: Path, dsn: str, connection: asyncpg.Connection) -> None:
    counts = await Files(dsn, connection).load(data_file(corpus), everything=True)
    assert counts == {"loaded": 3888, "closed": 62}
