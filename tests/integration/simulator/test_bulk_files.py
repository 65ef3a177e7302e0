"""The bulk files of the simulated Registry: contract section 7."""

import csv
import gzip
import io
import tarfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.records.sections import AFFILIATIONS
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID
from rig.simulator import DAY, OTHER, UNKNOWN, Asking, O

NS = "{http://www.orcid.org/ns/%s}%s"
LAMBDA = "/orcid-lambda-file/last_modified.csv.tar"


def unpacked(path: Path) -> dict[str, bytes]:
    with tarfile.open(path, "r:gz") as archive:
        return {member.name: file.read() for member in archive if (file := archive.extractfile(member))}


def texts(body: bytes, schema: str, name: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(body).iter(NS % (schema, name))]


def test_summaries_lie_in_folders_by_the_last_three_characters(tmp_path: Path) -> None:
    sim = SimulatedRegistry(start_ms=1_790_000_000_000)
    orcids = [*sim.add_samples(15), numbered_orcid(1_000_100)]
    sim.edit.create_record(orcids[-1])
    path = sim.write_data_file(tmp_path, year=2031)
    assert path.name == "ORCID_2031_10_summaries.tar.gz"
    found = unpacked(path)
    expected = [f"ORCID_2031_10_summaries/{orcid[-3:]}/{orcid}.xml" for orcid in orcids]
    assert list(found) == sorted(expected), "by folder, then by iD"
    for name, body in found.items():
        assert texts(body, "common", "path")[0] == Path(name).stem
    again = sim.write_data_file(tmp_path / ".", year=2031)
    assert again.read_bytes() == path.read_bytes(), "the same records give the same archive"


async def test_summaries_are_the_public_record(ask: Asking, tmp_path: Path) -> None:
    edit = ask.sim.edit
    for visibility, source in (("public", None), ("limited", None), ("private", CLIENT_ID)):
        edit.add_item(O, "work", {"title": visibility}, visibility=visibility, source=source)
        edit.add_item(O, "keyword", {"content": visibility}, visibility=visibility, source=source)
    body = unpacked(ask.sim.write_data_file(tmp_path))[f"ORCID_2026_10_summaries/{O[-3:]}/{O}.xml"]
    assert texts(body, "keyword", "content") == ["public"]
    assert len(texts(body, "work", "work-summary")) == 1
    public = await ask("GET", f"/pub/v3.0/{O}/record", token=None, accept="application/xml")
    assert ET.canonicalize(body.decode(), strip_text=True) == ET.canonicalize(public.body.decode(), strip_text=True)


@pytest.mark.parametrize(
    ("happens", "error", "words"),
    [
        (lambda edit: edit.lock(O), ("409", "9018"), f"ORCID https://orcid.org/{O}"),
        (lambda edit: edit.deprecate(O, OTHER), ("301", "9007"), f"account: https://orcid.org/{OTHER}. ORCID"),
        (lambda edit: edit.deactivate(O), ("409", "9044"), f"ORCID https://orcid.org/{O}"),
    ],
)
async def test_errors_stand_in_the_place_of_records(
    sim: SimulatedRegistry, tmp_path: Path, happens: Any, error: tuple[str, str], words: str
) -> None:
    sim.edit.add_item(O, "work", {"title": "t"})
    happens(sim.edit)
    path = sim.write_data_file(tmp_path, activities=True)
    body = unpacked(path)[f"ORCID_2026_10_summaries/{O[-3:]}/{O}.xml"]
    assert ET.fromstring(body).tag == NS % ("error", "error")
    assert (*texts(body, "error", "response-code"), *texts(body, "error", "error-code")) == error
    assert words in texts(body, "error", "developer-message")[0]
    last = tmp_path / f"ORCID_2026_10_activities_{O[-1]}.tar.gz"
    assert not any(O in name for name in unpacked(last))


async def test_unclaimed_records_are_not_exported_and_deactivated_ones_may_be_empty(
    sim: SimulatedRegistry, tmp_path: Path
) -> None:
    sim.edit.unclaim(O)
    sim.edit.deactivate(OTHER)
    ((name, body),) = unpacked(sim.write_data_file(tmp_path, emptied=True)).items()
    assert OTHER in name
    assert texts(body, "personal-details", "given-names") == ["Given Names Deactivated"]
    assert len(texts(body, "history", "deactivation-date")) == 1
    assert O not in sim.data_sync.last_modified_csv()


def test_activities_lie_in_eleven_archives(tmp_path: Path) -> None:
    sim = SimulatedRegistry(start_ms=1_790_000_000_000)
    orcid = sim.add_samples(1)[0]
    assert sim.profiles.state(orcid).of("research-resource")
    sim.write_data_file(tmp_path, activities=True)
    assert sorted(path.name for path in tmp_path.glob("*_activities_*")) == [
        f"ORCID_2026_10_activities_{last}.tar.gz" for last in "0123456789X"
    ]
    name = f"ORCID_2026_10_activities_{orcid[-1]}"
    found = unpacked(tmp_path / f"{name}.tar.gz")
    kinds = {
        **{f"{kind}s": kind for kind in AFFILIATIONS},
        "works": "work",
        "fundings": "funding",
        "peer-reviews": "peer-review",
        "research-resources": "research-resource",
    }
    seen = set()
    for path, body in found.items():
        top, folder, owner, kind, file = path.split("/")
        root = ET.fromstring(body)
        assert (top, folder, owner) == (name, orcid[-3:], orcid)
        assert file == f"{orcid}_{kind}_{root.get('put-code')}.xml"
        assert root.tag == NS % (kinds[kind], kinds[kind])
        assert root.get("visibility") == "public"
        seen.add(kind)
    assert seen == set(kinds)


# Data sync


@pytest.fixture
async def buckets(ask: Asking) -> Any:
    async def get(path: str, **options: Any) -> Any:
        return await ask("GET", path, token=None, accept=None, **options)

    return get


def listed(packed: bytes) -> list[list[str]]:
    assert packed.startswith(b"\x1f\x8b"), "gzip in spite of its name"
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as archive:
        (member,) = archive.getmembers()
        file = archive.extractfile(member)
        assert (member.name, file is not None) == ("last_modified.csv", True)
        return list(csv.reader(io.TextIOWrapper(file, "utf-8"), skipinitialspace=True))  # type: ignore[arg-type]


async def test_the_file_of_dates_has_the_newest_first(ask: Asking, buckets: Any) -> None:
    ask.sim.clock.advance(10)
    ask.sim.edit.add_item(OTHER, "work", {"title": "t"}, visibility="private")
    ask.sim.edit.create_record(UNKNOWN)
    whole = numbered_orcid(4_000_009)
    ask.sim.clock.advance((1_790_000_020_000 - ask.sim.clock.now_ms() - 1) / 1000)
    ask.sim.edit.create_record(whole)
    answer = await buckets(LAMBDA)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "binary/octet-stream")
    header, *rows = listed(answer.body)
    assert header == ["orcid", "path", "date_created", "last_modified"]
    assert [row[0] for row in rows] == [whole, UNKNOWN, OTHER, O], "invisible changes move the date"
    assert [row[1] for row in rows] == [f"http://orcid.org/{row[0]}" for row in rows]
    assert rows[0][3] == "2026-09-21 14:13:40", "no fraction where there is nothing behind the point"
    assert rows[-1][2:] == ["2026-09-21 14:13:20.001"] * 2


async def test_the_buckets_are_brought_up_to_date_once_a_day(ask: Asking, buckets: Any) -> None:
    async def newest() -> str:
        return listed((await buckets(LAMBDA)).body)[1][0]

    ask.sim.edit.add_item(O, "work", {"title": "t"})
    assert await newest() == O
    ask.sim.edit.add_item(OTHER, "work", {"title": "t"})
    ask.sim.clock.advance(DAY - 60)
    assert await newest() == O
    ask.sim.clock.advance(61)
    assert await newest() == OTHER
    ask.sim.data_sync.settings.data_sync_stalled = True
    ask.sim.edit.add_item(O, "work", {"title": "t"})
    ask.sim.clock.advance(3 * DAY)
    assert await newest() == OTHER


async def test_objects_of_the_buckets(ask: Asking, buckets: Any, tmp_path: Path) -> None:
    code = ask.sim.edit.add_item(O, "work", {"title": "t"})
    letter = {**dict.fromkeys("0123", "a"), **dict.fromkeys("4567", "b")}.get(O[-1], "c")
    summary = await buckets(f"/v3.0-summaries/{O[-3:]}/{O}.xml")
    assert summary.status == 200
    assert summary.body == unpacked(ask.sim.write_data_file(tmp_path))[f"ORCID_2026_10_summaries/{O[-3:]}/{O}.xml"]
    work = await buckets(f"/v3.0-activities-{letter}/{O[-3:]}/{O}/works/{O}_works_{code}.xml")
    assert texts(work.body, "common", "title") == ["t"]
    for missing in (
        f"/v3.0-summaries/{O[-3:]}/{UNKNOWN}.xml",
        f"/v3.0-summaries/000/{O}.xml",
        f"/v3.0-activities-{letter}/{O[-3:]}/{O}/works/{O}_works_0.xml",
        f"/v3.0-activities-{'b' if letter == 'a' else 'a'}/{O[-3:]}/{O}/works/{O}_works_{code}.xml",
        "/orcid-lambda-file/other",
    ):
        answer = await buckets(missing)
        assert (answer.status, b"NoSuchKey" in answer.body) == (404, True), missing
    assert (await ask("PUT", LAMBDA, token=None)).status == 405


async def test_faults_reach_the_buckets(ask: Asking, buckets: Any) -> None:
    ask.sim.faults.add("truncated", "data-sync")
    with pytest.raises((EOFError, OSError)):
        listed((await buckets(LAMBDA)).body)


async def test_another_process_has_the_data_file_written(sim: SimulatedRegistry, http: Any, tmp_path: Path) -> None:
    body = {"folder": str(tmp_path), "year": 2030}
    async with http.post(f"{sim.url}/_sim/data-file", json=body) as answer:
        path = Path((await answer.json())["path"])
    assert len(unpacked(path)) == 2
