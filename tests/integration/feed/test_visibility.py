"""The change feed and the past as each reader sees them: what leaves sight is withdrawn, what enters it added."""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from orcid_sync.store.database.pools import Database, transaction
from rig.reader_sessions import Sessions, logins
from rig.records.mirror import apply_record, skeleton
from rig.records.sample_record import encode, keyword

pytestmark = [pytest.mark.invariant("S13"), pytest.mark.fault("F61")]

ORCID = "0009-9990-0000-0013"
READERS = ("owner", "insider", "anybody")
Line = tuple[Any, ...]

P, L, X = "public", "limited", "private"

FEEDS: dict[str, tuple[list[str | None], dict[str, list[Line]]]] = {
    "always public": (
        [P, P],
        {reader: [("added", None, P, None, "0"), ("updated", None, P, "0", "1")] for reader in READERS},
    ),
    "always limited": (
        [L, L],
        {
            "owner": [("added", None, L, None, "0"), ("updated", None, L, "0", "1")],
            "insider": [("added", None, L, None, "0"), ("updated", None, L, "0", "1")],
            "anybody": [],
        },
    ),
    "always private": (
        [X, X],
        {
            "owner": [("added", None, X, None, "0"), ("updated", None, X, "0", "1")],
            "insider": [],
            "anybody": [],
        },
    ),
    "restricted": (
        [P, L, L],
        {
            "owner": [("added", None, P, None, "0"), ("updated", None, L, "0", "1"), ("updated", None, L, "1", "2")],
            "insider": [("added", None, P, None, "0"), ("updated", None, L, "0", "1"), ("updated", None, L, "1", "2")],
            # The content of the past is gone with it.
            "anybody": [("added", None, P, None, None), ("withdrawn", "visibility", P, None, None)],
        },
    ),
    "restricted to nobody": (
        [L, X],
        {
            "owner": [("added", None, L, None, "0"), ("updated", None, X, "0", "1")],
            "insider": [("added", None, L, None, None), ("withdrawn", "visibility", L, None, None)],
            "anybody": [],
        },
    ),
    "opened": (
        [X, L, P, P],
        {
            "owner": [
                ("added", None, X, None, "0"),
                ("updated", None, L, "0", "1"),
                ("updated", None, P, "1", "2"),
                ("updated", None, P, "2", "3"),
            ],
            "insider": [
                ("added", None, L, None, "1"),
                ("updated", None, P, "1", "2"),
                ("updated", None, P, "2", "3"),
            ],
            "anybody": [("added", None, P, None, "2"), ("updated", None, P, "2", "3")],
        },
    ),
    "removed": (
        [P, P, None],
        {
            "owner": [
                ("added", None, P, None, "0"),
                ("updated", None, P, "0", "1"),
                ("removed", "removed", P, "1", None),
            ],
            "insider": [
                ("added", None, P, None, "0"),
                ("updated", None, P, "0", "1"),
                ("removed", "removed", P, "1", None),
            ],
            # What it said is nobody's business any more: deleted and hidden cannot be told apart.
            "anybody": [
                ("added", None, P, None, None),
                ("updated", None, P, None, None),
                ("removed", "removed", P, None, None),
            ],
        },
    ),
    "removed and shown again": (
        [P, None, P],
        {
            "owner": [
                ("added", None, P, None, "0"),
                ("removed", "removed", P, "0", None),
                ("added", None, P, None, "2"),
            ],
            "insider": [
                ("added", None, P, None, "0"),
                ("removed", "removed", P, "0", None),
                ("added", None, P, None, "2"),
            ],
            "anybody": [
                ("added", None, P, None, None),
                ("removed", "removed", P, None, None),
                ("added", None, P, None, "2"),
            ],
        },
    ),
    "restricted, opened, removed": (
        [P, L, P, None],
        {
            "owner": [
                ("added", None, P, None, "0"),
                ("updated", None, L, "0", "1"),
                ("updated", None, P, "1", "2"),
                ("removed", "removed", P, "2", None),
            ],
            "insider": [
                ("added", None, P, None, "0"),
                ("updated", None, L, "0", "1"),
                ("updated", None, P, "1", "2"),
                ("removed", "removed", P, "2", None),
            ],
            "anybody": [
                ("added", None, P, None, None),
                ("withdrawn", "visibility", P, None, None),
                ("added", None, P, None, None),
                ("removed", "removed", P, None, None),
            ],
        },
    ),
    "removed while limited": (
        [L, None],
        {
            "owner": [("added", None, L, None, "0"), ("removed", "removed", L, "0", None)],
            "insider": [("added", None, L, None, "0"), ("removed", "removed", L, "0", None)],
            "anybody": [],
        },
    ),
}
"""Visibility of a keyword in each version of a record (None: it is not there; its content is the number of the
version), and what each reader finds in the feed: op, reason, visibility, old and new content."""


@pytest.fixture
async def sessions(dsn: str, connection: asyncpg.Connection) -> AsyncIterator[Sessions]:
    """The owner, and members of the roles for readers."""
    async with logins(dsn, anybody="orcid_reader", insider="orcid_reader_limited") as opened:
        yield {"owner": connection, **opened}


async def mirror(database: Database, number: int, visibility: str | None) -> None:
    """One version of the record."""
    record = skeleton(ORCID)
    if visibility:
        record["person"]["keywords"]["keyword"] = [keyword(1, str(number), visibility=visibility)]
    await apply_record(database.worker, encode(record), access="read-limited")


def said(content: bytes | str | None) -> str | None:
    """What the keyword said."""
    found: str | None = content and json.loads(content)["doc"]["content"]
    return found


async def feed(reader: asyncpg.Connection) -> list[Line]:
    """The lines about keywords."""
    rows = await reader.fetch(
        "select op, reason, visibility, old, new, fields from orcid.change_feed where section = 'keyword' order by seq"
    )
    assert all(bool(row["fields"]) == (row["op"] == "updated") for row in rows)
    return [(row["op"], row["reason"], row["visibility"], said(row["old"]), said(row["new"])) for row in rows]


@pytest.mark.parametrize("life", FEEDS)
async def test_what_each_reader_finds_in_the_feed(database: Database, sessions: Sessions, life: str) -> None:
    versions, expected = FEEDS[life]
    for number, visibility in enumerate(versions):
        await mirror(database, number, visibility)
    assert {reader: await feed(sessions[reader]) for reader in READERS} == expected


PASTS: dict[str, dict[str, list[str | None]]] = {
    "always public": {reader: ["0", "1"] for reader in READERS},
    "always limited": {"owner": ["0", "1"], "insider": ["0", "1"], "anybody": [None, None]},
    "always private": {"owner": ["0", "1"], "insider": [None, None], "anybody": [None, None]},
    "restricted": {"owner": ["0", "1", "2"], "insider": ["0", "1", "2"], "anybody": [None, None, None]},
    "restricted to nobody": {"owner": ["0", "1"], "insider": [None, None], "anybody": [None, None]},
    "opened": {
        "owner": ["0", "1", "2", "3"],
        "insider": [None, "1", "2", "3"],
        "anybody": [None, None, "2", "3"],
    },
    "restricted, opened, removed": {
        "owner": ["0", "1", "2", None],
        "insider": ["0", "1", "2", None],
        "anybody": [None, None, None, None],
    },
    "removed": {"owner": ["0", "1", None], "insider": ["0", "1", None], "anybody": [None, None, None]},
    "removed and shown again": {"owner": ["0", None, "2"], "insider": ["0", None, "2"], "anybody": [None, None, "2"]},
    "removed while limited": {"owner": ["0", None], "insider": ["0", None], "anybody": [None, None]},
}
"""What record_as_of says to each reader of the keyword after each version."""


@pytest.mark.parametrize("life", FEEDS)
async def test_what_each_reader_finds_in_the_past(database: Database, sessions: Sessions, life: str) -> None:
    moments = []
    for number, visibility in enumerate(FEEDS[life][0]):
        await mirror(database, number, visibility)
        moments.append(await sessions["owner"].fetchval("select max(at) from orcid.changes"))
    query = "select (select content from orcid.record_as_of($1, $2) where section = 'keyword')"
    found = {
        reader: [said(await sessions[reader].fetchval(query, ORCID, moment)) for moment in moments]
        for reader in READERS
    }
    assert found == PASTS[life]


async def test_no_line_names_an_address_to_those_from_whom_it_was_restricted(
    database: Database, sessions: Sessions
) -> None:
    """An e-mail's key is its address. So the others go with it, and come back at once."""
    record = skeleton(ORCID)
    emails = [{"email": f"{name}@example.org", "visibility": "public"} for name in ("a", "b")]
    record["person"]["emails"]["email"] = emails
    await apply_record(database.worker, encode(record), access="read-limited")
    before = await sessions["owner"].fetchval("select max(at) from orcid.changes")
    past = await sessions["owner"].fetch("select * from orcid.record_as_of($1, $2) order by 1, 2", ORCID, before)
    emails[0]["visibility"] = "limited"
    await apply_record(database.worker, encode(record), access="read-limited")

    query = (
        "select op, reason, key, old is null, new is null from orcid.change_feed where section = 'email' order by seq"
    )
    feeds = {reader: [tuple(row) for row in await sessions[reader].fetch(query)] for reader in READERS}
    first = [("added", None, "a@example.org", True, False), ("added", None, "b@example.org", True, False)]
    again = [("withdrawn", "visibility", "", True, True), first[1]]
    assert feeds == {
        "owner": [*first, *again, first[0]],
        "insider": [*first, *again, first[0]],
        "anybody": [first[1], *again],
    }
    assert (
        await sessions["owner"].fetch("select * from orcid.record_as_of($1, $2) order by 1, 2", ORCID, before) == past
    )


async def test_no_line_names_an_address_that_was_removed(database: Database, sessions: Sessions) -> None:
    """To those who knew it all e-mails go, and those that stay come back; the others are told which one went."""
    record = skeleton(ORCID)
    emails = [{"email": f"{name}@example.org", "visibility": "public"} for name in ("a", "b")]
    record["person"]["emails"]["email"] = emails
    await apply_record(database.worker, encode(record), access="read-limited")
    before = await sessions["owner"].fetchval("select max(at) from orcid.changes")
    past = await sessions["owner"].fetch("select * from orcid.record_as_of($1, $2) order by 1, 2", ORCID, before)
    del emails[0]
    await apply_record(database.worker, encode(record), access="read-limited")

    query = (
        "select op, reason, key, old is null, new is null from orcid.change_feed where section = 'email' order by seq"
    )
    feeds = {reader: [tuple(row) for row in await sessions[reader].fetch(query)] for reader in READERS}
    first = [("added", None, "a@example.org", True, False), ("added", None, "b@example.org", True, False)]
    all_went = ("removed", "removed", "", True, True)
    assert feeds == {
        "owner": [*first, ("removed", "removed", "a@example.org", False, True), all_went, first[1]],
        "insider": [*first, ("removed", "removed", "a@example.org", False, True), all_went, first[1]],
        "anybody": [first[1], all_went, first[1]],
    }
    assert (
        await sessions["owner"].fetch("select * from orcid.record_as_of($1, $2) order by 1, 2", ORCID, before) == past
    )


WITHHELD: dict[str | None, dict[str, tuple[int, set[str]]]] = {
    None: {"owner": (3, {"0", "1"}), "insider": (3, {"0", "1"}), "anybody": (2, {"0"})},
    "limited": {"owner": (3, {"0", "1"}), "insider": (2, {"0"}), "anybody": (2, {"0"})},
    "all": {"owner": (3, {"0", "1"}), "insider": (1, set()), "anybody": (1, set())},
}
"""With so much withheld each reader finds so many lines in the feed, and these keywords in the mirror."""


@pytest.mark.fault("F56", "F63")
@pytest.mark.parametrize("withheld", WITHHELD)
async def test_what_is_withheld_is_hidden_at_once_and_comes_back(
    database: Database, sessions: Sessions, withheld: str | None
) -> None:
    """Only that something is withheld remains to be seen, with the state that tells why."""
    record = skeleton(ORCID)
    record["person"]["keywords"]["keyword"] = [keyword(1, "0"), keyword(2, "1", visibility="limited")]
    await apply_record(database.worker, encode(record), access="read-limited")
    found: dict[str, list[tuple[int, set[str]]]] = {}
    for now in (withheld, None):
        await sessions["owner"].execute("update orcid.records set withheld = $1", now)
        for reader in READERS:
            lines = await sessions[reader].fetch("select section, new from orcid.change_feed")
            assert [json.loads(line["new"])["state"] for line in lines if line["section"] == "record"] == ["active"]
            items = await sessions[reader].fetch("select doc->>'content' as said from orcid.items")
            found.setdefault(reader, []).append((len(lines), {row["said"] for row in items}))
    assert found == {reader: [WITHHELD[withheld][reader], WITHHELD[None][reader]] for reader in READERS}


async def test_the_best_version_that_a_reader_may_see_stands_for_its_group(
    database: Database, sessions: Sessions
) -> None:
    versions = [
        {"put-code": code, "title": {"title": {"value": f"version {code}"}}, "visibility": visibility}
        for code, visibility in ((1, "private"), (2, "limited"), (3, "public"), (4, "public"))
    ]
    record = skeleton(ORCID)
    record["activities-summary"]["works"]["group"] = [{"work-summary": versions}]
    await apply_record(database.worker, encode(record), access="read-limited")
    query = "select title, versions, works from orcid.work_groups join orcid.people using (orcid)"
    assert {reader: [tuple(row) for row in await sessions[reader].fetch(query)] for reader in READERS} == {
        "owner": [("version 1", 4, 1)],
        "insider": [("version 2", 3, 1)],
        "anybody": [("version 3", 2, 1)],
    }


async def test_the_feed_is_read_in_pages_by_its_index(database: Database, sessions: Sessions) -> None:
    """Whatever the reader, a page costs as much as the page, not as much as the feed; also of a first load."""
    async with transaction(database.worker) as connection:
        await connection.execute(
            "insert into orcid.changes (seq, orcid, section, key, op, visibility, cause, at)"
            " select n, $1, 'keyword', n::text, 'added', 'public', 'check', now() from generate_series(1, 20000) n",
            ORCID,
        )
        await connection.execute(
            "insert into orcid.change_contents (orcid, seq, side, visibility, content)"
            " select orcid, seq, 'new', visibility, '{}' from orcid.changes"
        )
    await sessions["owner"].execute("analyze")
    for reader in READERS:
        page = "select * from orcid.change_feed where seq > 10000 order by seq limit 50"
        plan = await sessions[reader].fetch(f"explain (analyze, timing off, summary off) {page}")
        text = "\n".join(row[0] for row in plan)
        assert "Index Scan using changes_seq" in text
        scanned = [int(number) for number in re.findall(r"actual rows=(\d+)", text)]
        assert "Seq Scan on change" not in text
        assert max(scanned) <= 50
        assert "Rows Removed by Filter" not in text
