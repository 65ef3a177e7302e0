"""Feeds that were written before contents had a visibility of their own."""

import shutil
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from orcid_sync.store.database.migrate import FOLDER, migrate
from orcid_sync.store.database.pools import connect

ORCID = "0009-9990-0000-0013"
Line = tuple[str, str, str, str | None, str | None]
"""Section, key, op, and the visibility of the old and the new content ('' where it was missing from the content)."""

LINES: list[Line] = [
    ("record", "", "added", None, "public"),
    ("work", "1", "added", None, "public"),
    ("work", "2", "added", None, "public"),
    ("work", "3", "added", None, "limited"),
    ("keyword", "4", "added", None, ""),
    ("record", "", "updated", "public", "public"),
    ("work", "1", "updated", "public", "public"),
    ("work", "2", "updated", "public", "limited"),
    ("work", "3", "removed", "limited", None),
    ("email", "a@example.org", "added", None, "public"),
    ("email", "a@example.org", "updated", "public", "limited"),
]
EXPECTED = [
    (1, None, "public", [("new", "public")]),
    (2, None, "public", [("new", "public")]),
    (3, None, "public", [("new", "limited")]),  # limited since line 8
    (4, None, "limited", [("new", "limited")]),
    (5, None, None, [("new", None)]),
    (6, "public", "public", [("new", "public"), ("old", "public")]),
    (7, "public", "public", [("new", "public"), ("old", "public")]),
    (8, "public", "limited", [("new", "limited"), ("old", "limited")]),
    (9, "limited", "limited", [("old", "limited")]),
    (10, None, "limited", [("new", "limited")]),  # the line itself names the address
    (11, "limited", "limited", [("new", "limited"), ("old", "limited")]),
]
"""Position, visibility before and after, and that of each side."""


def content(section: str, visibility: str | None) -> bytes | None:
    """A content as it stood in the feed."""
    if visibility is None:
        return None
    doc: dict[str, Any] = {"visibility": visibility} if visibility and section != "record" else {}
    return msgspec.json.encode({"doc": doc})


async def write_old_feed(connection: asyncpg.Connection) -> None:
    """Lines and contents, one row with two columns each."""
    for seq, (section, key, op, before, after) in enumerate(LINES, 1):
        visibility = before if after is None else after
        await connection.execute(
            "insert into orcid.changes (seq, orcid, section, key, op, visibility, cause, at)"
            " values ($1, $2, $3, $4, $5, $6, 'check', now())",
            *(seq, ORCID, section, key, op, visibility or None),
        )
        await connection.execute(
            "insert into orcid.change_contents (seq, orcid, old, new) values ($1, $2, $3, $4)",
            *(seq, ORCID, content(section, before), content(section, after)),
        )


@pytest.mark.fault("F61", "F83")
async def test_an_old_feed_is_taken_apart(empty_dsn: str, tmp_path: Path) -> None:
    """Each side gets the visibility that it had, or that its item has now if that is less."""
    for path in sorted(FOLDER.glob("000[1-6]_*.sql")):
        shutil.copy(path, tmp_path)
    await migrate(empty_dsn, folder=tmp_path)
    async with connect(empty_dsn) as connection:
        await write_old_feed(connection)
        before = await connection.fetch("select seq, op, old, new from orcid.change_feed order by seq")
        await migrate(empty_dsn)
        assert await connection.fetch("select seq, op, old, new from orcid.change_feed order by seq") == before
        lines = await connection.fetch("select seq, visibility_before, visibility from orcid.changes order by seq")
        sides = await connection.fetch("select seq, side, visibility from orcid.change_contents order by seq, side")
    assert [
        (*line, [(side["side"], side["visibility"]) for side in sides if side["seq"] == line["seq"]]) for line in lines
    ] == EXPECTED
