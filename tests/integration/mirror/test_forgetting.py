"""What is forgotten is nowhere any more; what is not forgotten is as it was."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from orcid_sync.store.database.pools import Database, transaction
from orcid_sync.store.feed import forgetting
from rig.records.mirror import apply_record, skeleton
from rig.records.sample_record import encode, keyword

ORCID, OTHER = "0009-9990-0000-0013", "0009-9990-0000-0021"


def email(address: str, visibility: str = "public") -> dict[str, Any]:
    return {"email": address, "visibility": visibility, "verified": True}


async def mirror(database: Database, orcid: str, keywords: list[Any], emails: list[Any]) -> None:
    record = skeleton(orcid)
    record["person"]["keywords"]["keyword"] = keywords
    record["person"]["emails"]["email"] = emails
    await apply_record(database.worker, encode(record), access="read-limited")


@pytest.fixture
async def histories(database: Database) -> Database:
    """Two people with the same past."""
    for orcid in (ORCID, OTHER):
        hidden = keyword(3, "hidden", visibility="limited")
        secret = keyword(4, "secret", visibility="private")
        await mirror(
            database,
            orcid,
            [keyword(1, "open"), keyword(2, "was limited", visibility="limited"), hidden, secret],
            [email("open@example.org"), email("left@example.org", "limited"), email("hidden@example.org", "limited")],
        )
        await mirror(
            database,
            orcid,
            [keyword(1, "still open"), keyword(2, "is open"), hidden],
            [email("open@example.org"), email("hidden@example.org", "limited")],
        )
    return database


async def history(connection: asyncpg.Connection, orcid: str) -> tuple[set[str], set[str]]:
    """What the past of an iD says of its keywords, and the addresses that it names."""
    rows = await connection.fetch(
        "select content from orcid.change_contents join orcid.changes using (orcid, seq)"
        " where orcid = $1 and section = 'keyword'",
        orcid,
    )
    keys = await connection.fetch("select key from orcid.changes where orcid = $1 and section = 'email'", orcid)
    return {json.loads(row["content"])["doc"]["content"] for row in rows}, {row["key"] for row in keys}


EVERYTHING = (
    {"open", "still open", "was limited", "is open", "hidden", "secret"},
    {"open@example.org", "left@example.org", "hidden@example.org"},
)

FORGETTING: dict[str, tuple[Callable[[Any, str], Awaitable[int]], str | None, tuple[set[str], set[str]]]] = {
    "all": (forgetting.forget_all, None, (set(), {""})),
    "limited, of which the mirror still holds some": (
        forgetting.forget_limited,
        None,
        ({"open", "still open", "is open", "hidden"}, {"open@example.org", "", "hidden@example.org"}),
    ),
    "limited, of which the mirror holds nothing any more": (
        forgetting.forget_limited,
        "with more as (delete from orcid.keywords where visibility <> 'public')"  # noqa: ISC004 - one statement
        " delete from orcid.emails where visibility <> 'public'",
        ({"open", "still open", "is open"}, {"open@example.org", ""}),
    ),
}


@pytest.mark.invariant("S11")
@pytest.mark.fault("F56", "F60", "F63")
@pytest.mark.parametrize("what", FORGETTING)
async def test_what_is_forgotten(histories: Database, what: str) -> None:
    forget, before, left = FORGETTING[what]
    async with transaction(histories.worker) as connection:
        if before:
            await connection.execute(before)
        lines = await connection.fetch("select seq, op from orcid.changes order by seq")
        contents = await connection.fetchval("select count(*) from orcid.change_contents")
        forgotten = await forget(connection, ORCID)
        assert await history(connection, ORCID) == left
        assert await history(connection, OTHER) == EVERYTHING
        assert contents - await connection.fetchval("select count(*) from orcid.change_contents") == forgotten
        assert await connection.fetch("select seq, op from orcid.changes order by seq") == lines


@pytest.mark.fault("F61")
@pytest.mark.parametrize(
    ("visibility", "expected"),
    [
        ("public", ["public", "public", "public"]),
        ("limited", ["limited", "limited", "limited"]),
        ("private", ["private", "private", "private"]),
        ("ask-me", ["ask-me", "ask-me", "ask-me"]),
        (None, [None, None, None]),
    ],
)
async def test_the_past_is_never_more_visible_than_the_present(
    database: Database, visibility: str | None, expected: list[str | None]
) -> None:
    await mirror(database, ORCID, [keyword(1, "one"), keyword(2, "another")], [])
    await mirror(database, ORCID, [keyword(1, "two", visibility=visibility), keyword(2, "another")], [])
    async with transaction(database.reader) as connection:
        rows = await connection.fetch(
            "select c.key, t.visibility from orcid.change_contents t join orcid.changes c using (orcid, seq)"
            " where c.section = 'keyword' order by key, seq, side"
        )
    assert [row["visibility"] for row in rows if row["key"] == "1"] == expected
    assert [row["visibility"] for row in rows if row["key"] == "2"] == ["public"]
