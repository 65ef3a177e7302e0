"""What a file says in words that are not known: nothing is removed by it, and it is counted and named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from integration.bulk.archives import MODIFIED, Files, archive, body, counts_of, person, work, work_file, xml_of
from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.sections import SECTIONS
from orcid_sync.simulator.answers.xml import to_xml
from orcid_sync.store.mirror import unknown_members
from rig.records.other_versions import FORMS, VERSIONS, with_schema
from rig.records.sample_record import ORCID, rich_record

Json = dict[str, Any]
LATER = MODIFIED + 86_400_000
RICH = Orcid(ORCID)


@pytest.fixture
async def files(dsn: str, connection: asyncpg.Connection) -> Files:
    """One person is followed."""
    files = Files(dsn, connection)
    await files.connect(RICH)
    return files


@pytest.fixture
def ids(sample_orcids: Callable[[int], list[Orcid]]) -> list[Orcid]:
    return sample_orcids(6)


def rich(*, modified: int = MODIFIED) -> Json:
    """A record in which every section says something, as everybody sees it."""
    text = msgspec.json.encode(rich_record())
    record: Json = msgspec.json.decode(text.replace(b'"limited"', b'"public"').replace(b'"private"', b'"public"'))
    record["history"]["last-modified-date"] = {"value": modified}
    return record


async def what_is_mirrored(files: Files) -> list[tuple[Any, ...]]:
    """The items of the mirror, and how many removals were told."""
    rows = await files.connection.fetch("select section, key, doc::text from orcid.items order by section, key")
    removed = await files.connection.fetchval("select count(*) from orcid.changes where op = 'removed'")
    return [*map(tuple, rows), (removed,)]


@pytest.mark.fault("F54")
@pytest.mark.parametrize("form", FORMS)
async def test_no_other_version_removes_anything(files: Files, tmp_path: Path, form: str) -> None:
    """One after the other, each newer than what the mirror has; in an archive, and as single files."""
    assert (await files.load(archive(tmp_path / "a", {RICH: rich()})))["loaded"] == 1
    before, versions = await what_is_mirrored(files), await files.versions()
    newer = {version: FORMS[form](version, rich(modified=LATER)) for version in VERSIONS}
    suffix = ".json" if "JSON" in form else ".xml"

    packed = await files.tally(archive(tmp_path / "b", {f"{one}/{RICH}{suffix}": newer[one] for one in VERSIONS}))
    assert packed.counts == {"refused": len(VERSIONS)}
    assert packed.versions == dict.fromkeys(VERSIONS, 1)
    assert [one.what.split()[5].rstrip(";") for one in packed.problems] == list(VERSIONS)
    for version, content in newer.items():
        single = tmp_path / f"{version}{suffix}"
        single.write_bytes(content)
        assert await files.load(single) == {"refused": 1}

    assert await what_is_mirrored(files) == before
    assert await files.versions() == versions


@pytest.mark.parametrize("form", FORMS)
async def test_nothing_is_loaded_of_another_version(files: Files, tmp_path: Path, form: str) -> None:
    for version in VERSIONS:
        path = tmp_path / f"{version}{'.json' if 'JSON' in form else '.xml'}"
        path.write_bytes(FORMS[form](version, rich()))
        assert await files.load(path) == {"refused": 1}
    assert await what_is_mirrored(files) == [(0,)]


def other_layout(record: Json, section: str) -> Json:
    """The record with a section whose lists have another name."""
    container = record[SECTIONS[section].block][SECTIONS[section].container]
    (member,) = [name for name, value in container.items() if isinstance(value, list)]
    container[f"all-{member}"] = container.pop(member)
    return record


LISTS = [name for name, section in SECTIONS.items() if section.key_column is not None]


@pytest.mark.fault("F54")
@pytest.mark.parametrize("form", ["XML", "JSON"])
async def test_a_section_of_an_unknown_layout_loses_nothing(files: Files, tmp_path: Path, form: str) -> None:
    """All at once, so that nothing depends on the section; what else the file says is applied."""
    await files.load(archive(tmp_path / "a", {RICH: rich()}))
    before = await what_is_mirrored(files)
    record = rich(modified=LATER)
    for section in LISTS:
        other_layout(record, section)
    record["person"]["biography"]["content"] = "Has moved."
    path = tmp_path / f"b.{form.lower()}"
    path.write_bytes(to_xml("record", record) if form == "XML" else body(record))

    tally = await files.tally(path)

    assert tally.counts["updated"] == 1
    assert tally.counts["set_aside"] >= len(LISTS)
    assert {one.what.split(":")[0] for one in tally.remarks} == set(LISTS)
    assert {one.section for one in tally.unknown} == set(LISTS)
    after = await what_is_mirrored(files)
    assert [row[:2] for row in after] == [row[:2] for row in before]
    assert [(old, new) for old, new in zip(before, after, strict=True) if old != new and old[0] != "biography"] == []
    assert "Has moved." in next(row for row in after if row[0] == "biography")[2]


@pytest.mark.fault("F49", "F54")
async def test_an_item_without_a_number_keeps_the_others_where_they_are(
    files: Files, ids: list[Orcid], tmp_path: Path
) -> None:
    """It may be any of those that are missing; the section next to it loses what is gone."""
    await files.connect(ids[0])
    old = person(ids[0], work(1), work(2))
    old["person"]["keywords"]["keyword"] = [keyword(7), keyword(8), keyword(9), keyword(10)]
    await files.load(archive(tmp_path / "a", {ids[0]: old}))
    new = person(ids[0], work(1, "New", modified=LATER), {**work(2), "put-code": "two"}, modified=LATER)
    new["person"]["keywords"]["keyword"] = [keyword(7), keyword(8), keyword(9)]

    assert await files.load(archive(tmp_path / "b", {ids[0]: new})) == {"updated": 1, "set_aside": 1}

    assert await files.titles() == {1: "New", 2: "A work"}
    kept = await files.connection.fetch("select put_code from orcid.keywords order by put_code")
    assert [row["put_code"] for row in kept] == [7, 8, 9]


def keyword(put_code: int) -> Json:
    stamp = {"value": MODIFIED}
    return {"put-code": put_code, "last-modified-date": stamp, "content": "a word", "visibility": "public"}


async def test_what_is_not_public_is_left_out_and_counted(files: Files, ids: list[Orcid], tmp_path: Path) -> None:
    await files.connect(ids[0])
    record = person(ids[0], work(1), work(2, visibility="limited"), work(3, visibility="registered-only"))
    assert await files.load(archive(tmp_path / "a", {ids[0]: record})) == {"loaded": 1, "not_public": 2}
    assert set(await files.titles()) == {1}


@pytest.mark.parametrize("form", ["xml", "json"])
async def test_unknown_members_are_noted_where_those_of_answers_are(
    files: Files, ids: list[Orcid], tmp_path: Path, form: str
) -> None:
    await files.connect(*ids[:2])
    works = [{**work(number), "new-field": {"deep": "er"}} for number in (1, 2)]
    folder = tmp_path / "folder"
    folder.mkdir()
    for orcid in ids[:2]:
        record = {**person(orcid, *works), "since-when": "v4"}
        (folder / f"{orcid}.{form}").write_bytes(to_xml("record", record) if form == "xml" else body(record))

    dry = await files.tally(folder, dry=True)
    assert await unknown_members.list_members(files.connection) == []
    tally = await files.tally(folder)
    assert await files.load(folder) == {"current": 2}

    noted = await unknown_members.list_members(files.connection)
    assert [(one.name, one.kind, one.times) for one in noted] == [
        ("record.since-when", "string", 2),
        ("work.new-field", "object", 4),
    ]
    assert dry.unknown == tally.unknown


async def test_full_forms_are_refused_and_told_in_the_same_way(files: Files, ids: list[Orcid], tmp_path: Path) -> None:
    await files.connect(ids[0])
    await files.load(archive(tmp_path / "a", {ids[0]: person(ids[0], *(work(number) for number in range(1, 5)))}))
    full = [{**work(number), "short-description": "Says it all."} for number in range(1, 5)]
    given = dict(work_file(ids[0], one) for one in full)
    first, second, third, fourth = given
    for one in full:
        del one["display-index"]  # which full forms do not have
    named = with_schema("v2.1", xml_of(given[second]), "work:work")
    whole = {
        first: {**given[first], "new-field": "x"},
        second: named,
        third: b'<orcid-message xmlns="http://www.orcid.org/ns/orcid"><message-version>1.2</message-version></orcid-message>',
        fourth: {**given[fourth], "visibility": "limited"},
    }

    tally = await files.tally(archive(tmp_path / "b", whole))

    assert dict(tally.counts) == {"detailed": 1, "refused": 2, "not_public": 1}
    assert tally.versions == {"v2.1": 1, "v1.2": 1}
    assert [one.name for one in await unknown_members.list_members(files.connection)] == ["work.new-field"]


async def test_an_odd_record_never_ends_a_load(files: Files, ids: list[Orcid], tmp_path: Path) -> None:
    """Between two that are as they should be; each is odd in a way of its own."""
    good = {f"a/{RICH}.xml": xml_of(rich()), f"z/{ids[5]}.xml": xml_of(person(ids[5]))}
    plain = xml_of(person(ids[0], work(1))).decode()
    odd = {
        "empty": b"",
        "binary": bytes(range(256)),
        "deep": b'{"person": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        "number": b"7",
        "list": b"[]",
        "no record": b"{}",
        "half": plain[: len(plain) // 2].encode(),
        "other": with_schema("v9.9", plain.encode()),
        "dates": plain.replace("2023-", "99999-").encode(),
        "numbers": plain.replace('put-code="1"', 'put-code="99999999999999999999"').encode(),
        "indexes": plain.replace('display-index="0"', 'display-index="99999999999999999999"').encode(),
        "nul": body(person(ids[0], work(1, "a\x00b"))),
        "surrogate": body(person(ids[0])).replace(b"Sample", b"\\ud800"),
        "types": body(person(ids[0])).replace(b'"person":{', b'"person":[],"human":{'),
    }
    named = {
        f"m{number}/{ids[0]}.{'json' if content[:1] in b'{[7' else 'xml'}": content
        for number, content in enumerate(odd.values())
    }

    tally = await files.tally(archive(tmp_path / "a", {**good, **named}), everything=True)

    assert tally.counts["loaded"] >= 2
    assert tally.counts["refused"] == 1
    assert sum(counts_of(tally)[one] for one in ("loaded", "current", "bad", "refused")) == len(good) + len(odd)
    mirrored = await files.connection.fetch("select orcid from orcid.records")
    assert {RICH, ids[5]} <= {row["orcid"] for row in mirrored}
