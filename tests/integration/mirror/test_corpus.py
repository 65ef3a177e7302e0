"""Real records: everything that ORCID has been seen to answer is taken in, stored, and read back as it was."""

import asyncio
import gzip
import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.mirror.corpus_answers import Answer, answers_in, captured, everything_in, read_answer
from orcid_sync.model.record.parse_record import parse_record
from orcid_sync.model.record.sections import ItemKey
from orcid_sync.store.database.pools import Database, transaction
from rig.records.mirror import apply_record, changeset_of, fetch
from rig.records.sample_record import encode

Json = dict[str, Any]

# No part of a record: the definition of a group of peer reviews.
NOT_OF_A_RECORD = "peer-review-group-id.json"

# An answer of API 2.1, found among those of 3.0: affiliations without groups, one level of groups of peer reviews.
OLD_SHAPE = "orcidSandbox_0000-0002-9227-8514_record__8b9cbd3.json"


def files(corpus: Path) -> list[Path]:
    everything = [*(corpus / "v3_json").iterdir(), *(corpus / "official_samples").glob("*.json")]
    return sorted(path for path in everything if not path.name.endswith(OLD_SHAPE))


def text(node: Any, *path: str) -> Any:
    """A value deep inside, None if anything on the way is missing."""
    for name in path:
        node = None if node is None else node.get(name)
    return node


def part(node: Any, *path: str) -> int | None:
    value = text(node, *path, "value")
    return int(value) if value else None


def date(node: Json, name: str) -> list[int | None]:
    return [part(node, name, unit) for unit in ("year", "month", "day")]


def expected_columns(section: str, item: Json) -> list[Any]:
    """Some columns of an item, found in another way than by the code under test."""
    if section == "work":
        ids = text(item, "external-ids", "external-id") or []
        return [
            *[item.get("type"), text(item, "title", "title", "value"), text(item, "journal-title", "value")],
            *date(item, "publication-date"),
            [one["external-id-value"] for one in ids],
        ]
    if section == "funding":
        return [item.get("type"), text(item, "title", "title", "value"), text(item, "organization", "name")]
    if section == "name":
        return [text(item, name, "value") for name in ("given-names", "family-name", "credit-name")]
    organization = item.get("organization")
    return [
        *[item.get("role-title"), item.get("department-name"), text(organization, "name")],
        *[text(organization, "address", "country"), *date(item, "start-date"), *date(item, "end-date")],
    ]


COLUMNS = {
    "work": """
        select orcid, 'work', put_code::text, type, title, journal_title, publication_year, publication_month,
               publication_day, (select coalesce(array_agg(e.value order by e.position), '{}') from orcid.external_ids e
               where e.orcid = w.orcid and e.section = 'work' and e.put_code = w.put_code) from orcid.works w
        """,
    "funding": "select orcid, 'funding', put_code::text, type, title, org_name from orcid.fundings",
    "name": "select orcid, 'name', '', given_names, family_name, credit_name from orcid.names",
    "affiliation": """
        select orcid, section, put_code::text, role_title, department_name, org_name, org_country,
               start_year, start_month, start_day, end_year, end_month, end_day from orcid.affiliations
        """,
}
AFFILIATIONS = ("distinction", "education", "employment", "invited-position", "membership", "qualification", "service")
SPOT_CHECKED = {"work", "funding", "name", *AFFILIATIONS}


async def assert_mirrored(database: Database, records: Iterable[Json]) -> None:
    """The mirror holds exactly these records: the same JSON, and the right values in the columns."""
    expected: dict[tuple[str, str, str], Json] = {}
    for record in records:
        orcid = record["orcid-identifier"]["path"]
        expected |= {(orcid, *key): item for key, item in everything_in(record).items()}
    missing = dict(expected)
    async with transaction(database.reader) as connection:
        async for row in connection.cursor("select orcid, section, key, doc from orcid.items"):
            assert json.loads(row["doc"]) == missing.pop((row["orcid"], row["section"], row["key"]))
    assert missing == {}
    checked = {key: expected_columns(key[1], item) for key, item in expected.items() if key[1] in SPOT_CHECKED}
    for query in COLUMNS.values():
        for orcid, section, key, *columns in await fetch(database.reader, query):
            assert columns == checked.pop((orcid, section, key))
    assert checked == {}


async def store(database: Database, answers: Iterator[Answer]) -> None:
    """Apply the answers, each once; reading it a second time must change nothing."""
    for answer in answers:
        body = answer.body
        changes = await apply_record(database.worker, body, answer.forms)
        assert len(changes) >= len(everything_in(answer.record))
        _, again = await changeset_of(database.worker, body, answer.forms)
        assert again.changes == []


async def test_every_file_is_part_of_a_record(corpus: Path) -> None:
    left_out = [path.name for path in files(corpus) if not list(answers_in(path))]
    assert all(name.endswith(NOT_OF_A_RECORD) for name in left_out)


@pytest.mark.fault("F49")
async def test_an_answer_of_an_older_api_is_mirrored_as_far_as_it_is_understood(
    database: Database, corpus: Path
) -> None:
    """Sections without the lists that they should contain are not known to be empty."""
    for path in (corpus / "v3_json").glob(f"*{OLD_SHAPE}"):
        (answer,) = answers_in(path)
        record = parse_record(answer.body)
        answered = {found.section.name for found in record.answered()}
        assert {"work", "funding", "name"} <= answered
        assert not {"employment", "education"} & answered
        assert {one.section for one in record.set_aside()} == {"peer-review"}

        changes = await apply_record(database.worker, answer.body)

        assert {change.section for change in changes} <= answered | {"record"}
        assert await apply_record(database.worker, answer.body) == []


async def test_every_stored_answer_is_mirrored(database: Database, corpus: Path) -> None:
    """One at a time, since many are of the same few iDs."""
    number = 0
    for path in files(corpus):
        for answer in answers_in(path):
            await store(database, iter([answer]))
            await assert_mirrored(database, [answer.record])
            async with transaction(database.worker) as connection:
                await connection.execute("delete from orcid.records")
            number += 1
    assert number > 10


async def test_records_of_the_same_id_follow_each_other(database: Database, corpus: Path) -> None:
    """Whatever came before, the mirror is what was answered last."""
    latest: dict[str, Json] = {}
    for path in files(corpus):
        for answer in answers_in(path):
            if "preferences" not in answer.record:
                continue
            await apply_record(database.worker, answer.body, answer.forms)
            latest[answer.record["orcid-identifier"]["path"]] = answer.record
    await assert_mirrored(database, latest.values())


async def test_a_shard_of_the_public_data_file_is_mirrored(database: Database, corpus: Path) -> None:
    """3,888 of all iDs registered by 2019, without selection: what is rare in the Registry is rare here too."""
    (path,) = (corpus / "public_data_file").glob("*.jsonl.gz")
    with gzip.open(path, "rt") as lines:
        answers = (Answer(json.loads(line), {}) for line in lines)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(4):
                tasks.create_task(store(database, answers))
    with gzip.open(path, "rt") as lines:
        records = list(map(json.loads, lines))
    await assert_mirrored(database, records)
    assert await fetch(database.reader, "select count(*) from orcid.records") == [(len(records),)]


def places(record: Json) -> dict[ItemKey, tuple[Any, ...]]:
    """What each item says, with its group's name and its place in it."""
    said = {key: (item,) for key, item in everything_in(record).items()}
    for group in record["activities-summary"]["works"]["group"]:
        codes = [work["put-code"] for work in group["work-summary"]]
        for position, code in enumerate(codes):
            said["work", str(code)] = (*said["work", str(code)], min(codes), position)
    return said


def series(corpus: Path) -> list[Json]:
    """The states of one real record, from April 2025 on, in order of time."""
    return [captured("0000-0001-8019-1035", read_answer(path)).record for path in sorted(corpus.glob("v3_json/202*"))]


@pytest.mark.invariant("S7")
async def test_a_real_series_has_no_phantom_changes(database: Database, corpus: Path) -> None:
    states = series(corpus)
    assert len(states) > 2
    await apply_record(database.worker, encode(states[0]))
    for before, after in itertools.pairwise(states):
        changes = await apply_record(database.worker, encode(after))
        old, new = places(before), places(after)
        told = {(change.section, change.key): change for change in changes if change.section != "record"}
        assert {key for key, change in told.items() if change.op == "added"} == new.keys() - old.keys()
        assert {key for key, change in told.items() if change.op == "removed"} == old.keys() - new.keys()
        updated = {key for key, change in told.items() if change.op == "updated"}
        assert updated == {key for key in old.keys() & new.keys() if old[key] != new[key]}
        for key in updated:
            assert told[key].minor or old[key][0] != new[key][0], "moving between groups is minor"
        await assert_mirrored(database, [after])


@pytest.mark.fault("F52")
async def test_the_order_of_groups_is_never_stored(database: Database, corpus: Path) -> None:
    """From one state of the series to the next, the place of a group moved for 60 % of all items."""
    for state in series(corpus)[1:4]:
        await apply_record(database.worker, encode(state))
        state["activities-summary"]["works"]["group"].reverse()
        _, changeset = await changeset_of(database.worker, encode(state))
        assert changeset.changes == []
        assert changeset.writing.empty
        assert not changeset.writing.updated
