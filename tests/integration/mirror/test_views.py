"""Every view answers, and says what it promises."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from orcid_sync.model.record.sections import SECTIONS
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.database.pools import Database, transaction
from rig.reader_sessions import logins
from rig.records.mirror import apply_record, fetch, skeleton
from rig.records.sample_record import ORCID, encode, full_forms, keyword, rich_record

OTHER = "0009-9990-0000-0021"
Json = dict[str, Any]


def identifier(kind: str, value: str, *, normalized: str | None = None, relationship: str = "self") -> Json:
    return {
        "external-id-type": kind,
        "external-id-value": value,
        "external-id-normalized": normalized and {"value": normalized, "transient": True},
        "external-id-relationship": relationship,
    }


def work(put_code: int, title: str, *identifiers: Json, year: str = "2021") -> Json:
    return {
        "put-code": put_code,
        "title": {"title": {"value": title}},
        "type": "journal-article",
        "publication-date": {"year": {"value": year}},
        "external-ids": {"external-id": list(identifiers)},
        "visibility": "public",
    }


def group(*works: Json) -> Json:
    return {"work-summary": list(works)}


DOI = identifier("doi", "https://doi.org/10.5555/SAMPLE.1", normalized="10.5555/sample.1")


def co_author() -> Json:
    """Somebody who claims the first work of the rich record as well, and works of their own."""
    record = skeleton(OTHER)
    record["person"]["name"] = {"given-names": {"value": "Bob"}, "family-name": None, "credit-name": None}
    record["activities-summary"]["works"]["group"] = [
        group(work(1, "On samples, again", DOI, year="2018")),
        group(
            work(2, "Preferred", identifier("issn", "0000-0019"), identifier("pmid", "77")),
            work(3, "Version with DOI", identifier("doi", "10.5555/TWO")),
        ),
        group(work(4, "Without identifiers")),
        group(work(5, "A chapter", identifier("isbn", "978", relationship="part-of"))),
    ]
    return record


@pytest.fixture
async def seeded(database: Database) -> Database:
    """A mirror of two people."""
    await apply_record(database.worker, encode(rich_record()), full_forms())
    await apply_record(database.worker, encode(co_author()))
    return database


async def read(database: Database, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
    return await fetch(database.reader, query, *arguments)


async def test_every_view_answers(seeded: Database) -> None:
    views = await read(seeded, "select table_name from information_schema.views where table_schema = 'orcid'")
    assert len(views) > 10
    for (view,) in views:
        await read(seeded, f"select * from orcid.{view}")


async def test_views_show_no_more_than_the_tables_under_them(seeded: Database) -> None:
    """A plain view runs with its owner's rights, also against row security."""
    query = "select relname from pg_class where relkind = 'v' and relnamespace = 'orcid'::regnamespace "
    plain = await read(seeded, query + "and not coalesce(reloptions @> '{security_invoker=true}', false) order by 1")
    assert plain == []


async def test_people(seeded: Database) -> None:
    columns = "orcid, name, given_names, family_name, state, access, employer, works, registry_modified_at"
    assert await read(seeded, f"select {columns} from orcid.people order by orcid") == [
        (
            *(ORCID, "A. Sample", "Ada", "Sample", "active", "read-public", "Sample University", 2),
            datetime(2023, 11, 14, 22, 13, 20, 999_000, tzinfo=UTC),
        ),
        (
            *(OTHER, "Bob", "Bob", None, "active", "read-public", None, 4),
            datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
        ),
    ]


async def test_people_can_be_read_with_a_grant_of_ones_own(
    seeded: Database, connection: asyncpg.Connection, dsn: str
) -> None:
    """Without the rights of readers in orcid_sync, as long as the connection is not asked for."""
    async with logins(dsn, stranger=None) as sessions:
        stranger = await sessions["stranger"].fetchval("select current_user")
        await connection.execute(
            f"grant usage on schema orcid to {stranger}; grant select on all tables in schema orcid to {stranger}"
        )
        rows = await sessions["stranger"].fetch("select name, employer_ror from orcid.people order by orcid")
        assert [row["name"] for row in rows] == ["A. Sample", None]  # the other name has no visibility
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await sessions["stranger"].fetch("select connection from orcid.people")
    assert await read(seeded, "select distinct connection from orcid.people") == [(None,)]


async def test_somebody_without_a_visible_name_is_a_person(database: Database) -> None:
    await apply_record(database.worker, encode(skeleton(OTHER)))
    assert await read(database, "select name, employer, works from orcid.people") == [(None, None, 0)]


@pytest.mark.parametrize(
    ("jobs", "employer"),
    [
        ([("Old", "1999", None), ("New", "2015", None)], "New"),
        ([("Past", "2020", "2022"), ("Present", "2001", None)], "Present"),
        ([("Past", "2020", "2022")], None),
        ([("Undated", None, None), ("Dated", "1980", None)], "Dated"),
        ([("Odd", "0", None), ("Dated", "1980", None)], "Dated"),
    ],
)
async def test_the_employer(
    database: Database, jobs: list[tuple[str, str | None, str | None]], employer: str | None
) -> None:
    record = skeleton(OTHER)
    for number, (name, start, end) in enumerate(jobs, 1):
        dates = {name: year and {"year": {"value": year}} for name, year in (("start-date", start), ("end-date", end))}
        summary = {"put-code": number, "organization": {"name": name}, "visibility": "public", **dates}
        groups = record["activities-summary"]["employments"]["affiliation-group"]
        groups.append({"summaries": [{"employment-summary": summary}]})
    await apply_record(database.worker, encode(record))
    assert await read(database, "select employer from orcid.people") == [(employer,)]


async def test_work_groups(seeded: Database) -> None:
    columns = "orcid, group_put_code, put_code, title, type, publication_year, publication_date::text, versions, doi"
    assert await read(seeded, f"select {columns} from orcid.work_groups order by orcid, put_code") == [
        (ORCID, 201, 201, "On samples", "journal-article", 2020, "2020-05-17", 2, "10.5555/sample.1"),
        (ORCID, 203, 203, None, "hologram", None, None, 1, None),
        (OTHER, 1, 1, "On samples, again", "journal-article", 2018, "2018-01-01", 1, "10.5555/sample.1"),
        # The preferred version has no DOI of its own, but the group has one.
        (OTHER, 2, 2, "Preferred", "journal-article", 2021, "2021-01-01", 2, "10.5555/two"),
        (OTHER, 4, 4, "Without identifiers", "journal-article", 2021, "2021-01-01", 1, None),
        (OTHER, 5, 5, "A chapter", "journal-article", 2021, "2021-01-01", 1, None),
    ]


async def test_publications_are_one_row_per_work_across_people(seeded: Database) -> None:
    columns = "identifier_type, identifier, title, publication_date::text, claimants"
    found = await read(seeded, f"select {columns} from orcid.publications order by identifier_type, identifier")
    shared, *others = found
    # Its earliest date is the co-author's. The preprint has the same DOI, and is the same work.
    assert shared == ("doi", "10.5555/sample.1", "On samples", "2018-01-01", [ORCID, OTHER])
    # A version with only a PMID goes with the DOI of its group; an identifier of the whole says nothing of the part.
    assert [(kind, name, title, claimants) for kind, name, title, _, claimants in others] == [
        ("doi", "10.5555/two", "Preferred", [OTHER]),
        ("put-code", f"{ORCID}/203", None, [ORCID]),
        ("put-code", f"{OTHER}/4", "Without identifiers", [OTHER]),
        ("put-code", f"{OTHER}/5", "A chapter", [OTHER]),
    ]


AFFILIATIONS = {
    "employments": [101, 102],
    "educations": [103],
    "qualifications": [104],
    "distinctions": [105],
    "invited_positions": [106],
    "memberships": [107, 109],
    "services": [108],
}


async def test_each_kind_of_affiliation_has_its_view(seeded: Database) -> None:
    for view, codes in AFFILIATIONS.items():
        assert await read(seeded, f"select put_code from orcid.{view} order by 1") == [(code,) for code in codes]
    assert len(AFFILIATIONS) == sum(section.shared_table for section in SECTIONS.values())


async def test_items_has_everything(seeded: Database) -> None:
    query = "select section, count(*) from orcid.items where orcid = $1 group by 1"
    counts = dict(await read(seeded, query, ORCID))
    assert counts == {
        **dict.fromkeys(SECTIONS, 1),
        "keyword": 2,
        "employment": 2,
        "membership": 2,
        "work": 3,
        "peer-review": 3,
    }
    assert await read(seeded, "select key from orcid.items where section = 'email'") == [("ada.sample@example.org",)]
    full = "select key, detail->>'short-description', group_put_code, group_position from orcid.items "
    assert await read(seeded, full + "where section = 'work' and orcid = $1 order by key limit 2", ORCID) == [
        ("201", "Nothing was found, which was expected.", 201, 0),
        ("202", None, 201, 1),
    ]


async def test_the_feed_tells_contents(seeded: Database) -> None:
    query = "select section, key, op, old, new->'doc'->>'content' from orcid.change_feed where section = 'keyword'"
    assert await read(seeded, query + " order by seq") == [
        ("keyword", "13", "added", None, "made-up results"),
        ("keyword", "14", "added", None, ""),
    ]
    assert await read(seeded, "select count(distinct epoch), count(*), max(seq) from orcid.change_feed") == [
        (1, 34, 34)
    ]


async def test_freshness(database: Database) -> None:
    async with transaction(database.worker) as connection:
        await connect_orcids(connection, [Entry(orcid=ORCID), Entry(orcid=OTHER)])
        await connection.execute(
            "update orcid_sync.queue set verified_at = now() - interval '1 hour', attempts = 2, last_error = 'busy'"
            " where orcid = $1",
            ORCID,
        )
    columns = "orcid, state, attempts, last_error, verified_at is null, date_trunc('minute', age)"
    assert await read(database, f"select {columns} from orcid.freshness order by orcid") == [
        (ORCID, "connected", 2, "busy", False, timedelta(hours=1)),
        (OTHER, "connected", 0, None, True, None),
    ]


async def test_the_past_of_a_record(database: Database) -> None:
    """tests/integration/feed/test_changes.py compares it with what was there; here is how it is asked."""
    record = rich_record()
    moments = []
    for content in ("one", "two", "three"):
        record["person"]["keywords"]["keyword"] = [keyword(1, content)] if content != "three" else []
        await apply_record(database.worker, encode(record))
        moments += await read(database, "select max(at) from orcid.changes")
    query = "select content->'doc'->>'content' from orcid.record_as_of($1, $2) where section = 'keyword'"
    told = [await read(database, query, ORCID, moment) for (moment,) in moments]
    assert told == [[("one",)], [("two",)], []]
    before = moments[0][0] - timedelta(seconds=1)
    assert await read(database, "select * from orcid.record_as_of($1, $2)", ORCID, before) == []
    assert await read(database, "select * from orcid.record_as_of($1, now())", OTHER) == []
