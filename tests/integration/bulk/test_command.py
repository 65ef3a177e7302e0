"""bootstrap as it is typed: what it prints, and how it ends."""

from collections.abc import Callable
from pathlib import Path

import asyncpg
import msgspec
import pytest

from integration.bulk.archives import LOCKED, Files, archive, person, work, work_file, xml_of
from orcid_sync.bulk.load import Progress
from orcid_sync.bulk.tally import Tally
from orcid_sync.cli.analysis.bootstrap import Lines
from orcid_sync.model.ids import Orcid
from rig.service.command_line import Cli


@pytest.fixture
def ids(sample_orcids: Callable[[int], list[Orcid]]) -> list[Orcid]:
    return sample_orcids(30)


@pytest.fixture
async def files(dsn: str, connection: asyncpg.Connection, ids: list[Orcid]) -> Files:
    """Half of the thirty are connected."""
    files = Files(dsn, connection)
    await files.connect(*ids[:15])
    return files


async def test_loads_summaries_and_activities_with_processes_of_its_own(
    cli: Cli, files: Files, ids: list[Orcid], tmp_path: Path
) -> None:
    summaries = archive(tmp_path / "s.tar.gz", {**{orcid: person(orcid, work(1)) for orcid in ids}, ids[3]: LOCKED})
    activities = archive(tmp_path / "a.tar.gz", dict(work_file(orcid, work(1)) for orcid in ids))

    result = await cli.apart("bootstrap", "s.tar.gz", "a.tar.gz", "--processes", "2")

    assert result.exit_code == 0, result.stderr
    assert [line.strip().split(None, 1) for line in result.stdout.splitlines() if line.strip()] == [
        ["14", "loaded: not in the mirror before"],
        ["14", "full activities added"],
        ["1", "skipped: read with the holder's permission, not in the mirror, closed, or disconnected"],
        ["1", "without a record: locked or merged"],
        ["28", "items written"],
    ]
    assert await files.connection.fetchval("select count(*) from orcid.works where detail is not null") == 14
    assert summaries.exists()
    assert activities.exists()


async def test_json_tells_everything(cli: Cli, files: Files, ids: list[Orcid], tmp_path: Path) -> None:
    archive(
        tmp_path / "s.tar.gz", {ids[0]: person(ids[0]), ids[1]: xml_of(person(ids[1]))[:-50], ids[20]: person(ids[20])}
    )

    result = await cli.apart("bootstrap", "--json", "--all", "s.tar.gz", "--processes", "1")

    assert result.exit_code == 1, "a broken record among others ends in 1, after all is done"
    said = msgspec.json.decode(result.stdout)
    (problem,) = said.pop("problems")
    assert problem["file"].endswith(f"{ids[1]}.xml")
    assert problem["what"].startswith("it is not well-formed XML")
    none = dict.fromkeys(("updated", "detailed", "current", "left", "busy", "closed", "set_aside"), 0)
    counts = {"loaded": 2, **none, "bad": 1}
    assert said == {"dry_run": False, "sources": [{"source": "s.tar.gz", **counts, "items": 2}]}


async def test_bad_records_are_named(cli: Cli, files: Files, ids: list[Orcid], tmp_path: Path) -> None:
    archive(tmp_path / "s.tar.gz", dict.fromkeys(ids, b"<a/>"))

    result = await cli.apart("bootstrap", "s.tar.gz", "--all", "--processes", "1")

    assert result.exit_code == 1
    assert result.stdout.split() == ["30", "bad"]
    named = [
        line for line in result.stderr.splitlines() if "it is not a record but something that is not of ORCID" in line
    ]
    assert len(named) == 20
    assert result.stderr.endswith("… and 10 more; --json shows 30 of them\n")


async def test_a_dry_run_says_what_would_be(cli: Cli, files: Files, ids: list[Orcid], tmp_path: Path) -> None:
    archive(tmp_path / "s.tar.gz", {orcid: person(orcid) for orcid in ids})

    result = await cli.apart("bootstrap", "--dry-run", "s.tar.gz")

    assert (result.exit_code, result.stdout.split()[:4]) == (0, ["Would", "be", "15", "loaded:"])
    assert await files.connection.fetchval("select count(*) from orcid.records") == 0


async def test_says_where_it_goes_on(cli: Cli, files: Files, ids: list[Orcid], tmp_path: Path) -> None:
    archive(tmp_path / "s.tar.gz", {orcid: person(orcid) for orcid in ids})
    await cli.apart("bootstrap", "s.tar.gz")
    await files.connection.execute(
        "update orcid_sync.runs set finished_at = null, outcome = outcome || '{\"files\": 20}'"
    )

    result = await cli.apart("bootstrap", "s.tar.gz")

    assert result.exit_code == 0
    assert "s.tar.gz: goes on after 20 files of an earlier run" in result.stderr


def test_progress_is_a_line_for_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    report = Lines("s.tar.gz", 1_000)
    for position in (0, 99, 100, 150, 420, 999, 1_000):
        tally = Tally()
        tally.count("loaded", position // 2)
        report(Progress(10 * position, position, tally))

    assert capsys.readouterr().err.splitlines() == [
        "s.tar.gz: 10 %, 1,000 files, 50 written",
        "s.tar.gz: 40 %, 4,200 files, 210 written",
        "s.tar.gz: 90 %, 9,990 files, 499 written",
    ]


async def test_a_single_record_needs_no_other_process(cli: Cli, files: Files, ids: list[Orcid], tmp_path: Path) -> None:
    (tmp_path / "me.xml").write_bytes(xml_of(person(ids[0])))

    result = await cli.apart("bootstrap", "me.xml")

    assert (result.exit_code, result.stdout.split()[0], result.stderr) == (0, "1", "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x1f\x8b\x08\x00", "ends in the middle of its contents: the copy is incomplete. Download it again."),
        (b"PK\x03\x04", "is neither an archive (.tar.gz), nor a folder, nor a record in XML or JSON."),
        (None, "has no files of records (.xml or .json) in it."),
    ],
)
async def test_what_cannot_be_used_is_one_sentence(
    cli: Cli, files: Files, tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "given"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)

    result = await cli.apart("bootstrap", "given", "--processes", "1")

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"given {said}\n")


def test_a_file_that_is_not_there_is_wrong_usage(cli: Cli) -> None:
    assert cli("bootstrap", "nowhere.tar.gz").exit_code == 2
    assert cli("bootstrap").exit_code == 2
