"""One row per work across people: what is the same, what contradicts, and what a reader who sees less makes of it."""

from typing import Any

import asyncpg

from orcid_sync.store.database.pools import Database
from rig.reader_sessions import logins
from rig.records.mirror import apply_record, skeleton
from rig.records.sample_record import encode, full_forms, rich_record

ADA, BOB, EVE = "0009-9990-0000-0013", "0009-9990-0000-0021", "0009-9990-0000-003X"
Json = dict[str, Any]


def work(title: str, *ids: str, year: str | None = "2021", visibility: str = "public", **more: Any) -> Json:
    """A version of a work; ids as type:value, or type:value@relationship."""
    named = [(*one.partition("@")[0].partition(":")[::2], one.partition("@")[2] or "self") for one in ids]
    return {
        "title": {"title": {"value": title}},
        "type": "journal-article",
        "publication-date": year and {"year": {"value": year}},
        "visibility": visibility,
        "external-ids": {
            "external-id": [
                {"external-id-type": kind, "external-id-value": value, "external-id-relationship": relationship}
                for kind, value, relationship in named
            ]
        },
        **more,
    }


def record(orcid: str, *groups: list[Json]) -> bytes:
    """A record with these groups of versions; put-codes count up."""
    whole, code = skeleton(orcid), 0
    for versions in groups:
        for version in versions:
            code += 1
            version["put-code"] = code
        whole["activities-summary"]["works"]["group"].append({"work-summary": versions})
    return encode(whole)


async def mirror(database: Database, *records: bytes) -> None:
    for body in records:
        await apply_record(database.worker, body, access="read-limited")


async def read(database: Database, query: str) -> list[tuple[Any, ...]]:
    async with database.reader.acquire() as connection:
        return [tuple(row) for row in await connection.fetch(query)]


async def named(database: Database) -> dict[str, tuple[str, ...]]:
    """What publications there are, as type:identifier, and whose."""
    rows = await read(database, "select identifier_type || ':' || identifier, claimants from orcid.publications")
    return {name: tuple(claimants) for name, claimants in rows}


async def test_an_identifier_in_any_spelling_makes_one_publication(database: Database) -> None:
    await mirror(
        database,
        record(
            ADA,
            [work("Paper", "doi:10.5555/A")],
            [work("Preprint", "arxiv:arXiv:2601.00001v2")],
            [work("Book", "isbn:0-306-40615-2")],
            [work("Note", "pmid:0077")],
        ),
        record(
            BOB,
            [work("Paper", "doi:https://doi.org/10.5555/a")],
            [work("Preprint", "doi:10.48550/arXiv.2601.00001")],
            [work("Book", "isbn:978-0-306-40615-7", type="book")],
            [work("Note", "pmid:PMID: 77")],
        ),
    )
    both = (ADA, BOB)
    assert await named(database) == {
        "doi:10.5555/a": both,
        "arxiv:2601.00001": both,
        "isbn:9780306406157": both,
        "pmid:77": both,
    }


async def test_works_are_one_through_somebody_who_knows_both_identifiers(database: Database) -> None:
    await mirror(
        database,
        record(ADA, [work("Paper", "pmid:77")], [work("Other", "doi:10.5555/other")]),
        record(BOB, [work("Paper", "doi:10.5555/z", "pmid:77")]),
        # The holder has put preprint and article into one group.
        record(EVE, [work("Paper", "doi:10.5555/z"), work("Paper", "doi:10.5555/preprint")]),
    )
    assert await named(database) == {"doi:10.5555/preprint": (ADA, BOB, EVE), "doi:10.5555/other": (ADA,)}
    assert await read(database, "select people, versions, identifiers from orcid.publications where people = 3") == [
        (3, 4, ["doi:10.5555/preprint", "doi:10.5555/z", "pmid:77"])
    ]
    assert await read(database, "select orcid, co_author, publications from orcid.co_authors order by 1, 2") == [
        (one, other, 1) for one in (ADA, BOB, EVE) for other in (ADA, BOB, EVE) if one != other
    ]


async def test_what_only_belongs_together_is_not_the_same(database: Database) -> None:
    await mirror(
        database,
        record(
            ADA,
            [work("Chapter 1", "isbn:9780306406157", type="book-chapter")],
            [work("Article", "doi:10.5555/whole@part-of", "issn:1234-5678")],
            [work("Unknown", "doi:nonsense")],
        ),
        record(
            BOB,
            [work("Chapter 2", "isbn:9780306406157", type="book-chapter")],
            [work("The volume", "isbn:9780306406157", "doi:10.5555/whole", type="edited-book")],
            [work("Unknown", "doi:nonsense")],
        ),
    )
    assert sorted(await named(database)) == [
        "doi:10.5555/whole",
        *(f"put-code:{ADA}/{code}" for code in (1, 2, 3)),
        *(f"put-code:{BOB}/{code}" for code in (1, 3)),
    ]


async def test_contradictions_are_named(database: Database) -> None:
    await mirror(
        database,
        record(
            ADA,
            [work("<i>On</i> samples", "doi:10.5555/same")],
            [work("On tides", "doi:10.5555/year", year="2020")],
            [work("One", "doi:10.5555/title")],
            [work("Data", "doi:10.5555/all", year=None)],
        ),
        record(
            BOB,
            [work("On Samples.", "doi:10.5555/same")],
            [work("On tides", "doi:10.5555/year")],
            [work("Another", "doi:10.5555/title")],
            [work("Code", "doi:10.5555/all", year="1999", type="software")],
        ),
        record(EVE, [work("Data", "doi:10.5555/all", year="2001")]),
    )
    columns = "identifier, conflicts, titles, years, types, publication_year"
    assert await read(database, f"select {columns} from orcid.publications order by 1") == [
        (
            "10.5555/all",
            ["title", "year", "type"],
            ["Code", "Data"],
            [1999, 2001],
            ["journal-article", "software"],
            1999,
        ),
        ("10.5555/same", [], ["<i>On</i> samples", "On Samples."], [2021], ["journal-article"], 2021),
        ("10.5555/title", ["title"], ["Another", "One"], [2021], ["journal-article"], 2021),
        ("10.5555/year", ["year"], ["On tides"], [2020, 2021], ["journal-article"], 2020),
    ]
    assert await read(database, "select * from orcid.works_by_year order by 1 nulls last, 2") == [
        (1999, "journal-article", 1, 3, 1, 1, 0),
        (2020, "journal-article", 1, 2, 1, 1, 0),
        (2021, "journal-article", 2, 4, 2, 2, 0),
    ]


async def test_whoever_sees_less_gets_publications_of_what_they_see(
    database: Database, connection: asyncpg.Connection, dsn: str
) -> None:
    """A hidden work neither counts nor tells what belongs together."""
    await mirror(
        database,
        record(ADA, [work("Paper", "doi:10.5555/a")], [work("Secret", "doi:10.5555/s", visibility="limited")]),
        record(BOB, [work("Paper", "doi:10.5555/a", visibility="limited")]),
        record(EVE, [work("Link", "doi:10.5555/a", "doi:10.5555/zz", visibility="limited")], []),
    )
    query = "select identifier, people, conflicts from orcid.publications order by 1"
    coverage = "select items, restricted_items, records_with from orcid.coverage where section = 'work'"
    async with logins(dsn, anybody="orcid_reader", insider="orcid_reader_limited") as sessions:
        seen = {
            name: ([tuple(row) for row in await session.fetch(query)], tuple(await session.fetchrow(coverage)))
            for name, session in sessions.items()
        }
    assert seen == {
        "anybody": ([("10.5555/a", 1, [])], (1, 0, 1)),
        "insider": ([("10.5555/a", 3, ["title"]), ("10.5555/s", 1, [])], (4, 3, 3)),
    }


async def test_contributors_of_publications_are_listed_once(database: Database) -> None:
    """Those of all versions on all records, whether they have a record here or not."""
    await apply_record(database.worker, encode(rich_record()), full_forms())
    columns = "identifier, contributor_orcid, credit_name, mirrored"
    query = f"select {columns} from orcid.publication_contributors order by credit_name nulls last, contributor_orcid"
    before = await read(database, query)
    assert {name for name, *_ in before} == {"10.5555/sample.1"}
    assert (BOB, False) in {(who, here) for _, who, _, here in before}
    await mirror(database, record(BOB, [work("On samples", "doi:10.5555/SAMPLE.1")]))
    after = await read(database, query)
    assert [row[:3] for row in after] == [row[:3] for row in before]
    assert (BOB, True) in {(who, here) for _, who, _, here in after}
