"""What a record said at a moment, and what changed between two: from the command line, in SQL, for each reader."""

import asyncio
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.scopes import View
from orcid_sync.store.database.pools import Database, transaction
from orcid_sync.store.database.roles import viewing
from orcid_sync.store.feed import forgetting
from orcid_sync.store.mirror import history
from rig.records import planted_mirror
from rig.records.mirror import apply_record, skeleton
from rig.records.sample_record import encode
from rig.service.command_line import Cli

ANALYSTS = (Path(__file__).parents[3] / "deploy" / "docs" / "analysts.md").read_text("utf-8")
A = Orcid("0000-0002-1825-0097")
B = Orcid("0000-0002-1694-233X")
DAYS = {"first": 20, "second": 10, "third": 2}
"""How many days ago A was in each of its states."""

NASTY = "Evil \x1b]0;owned\x07 [bold]title[/bold]"


def body(*works: tuple[int, str, str], keyword: str = "physics", order: int = 0) -> bytes:
    """A record with a name, a keyword and works: put-code, title and visibility."""
    record = skeleton(A)
    record["person"]["name"] = {"given-names": {"value": "Ada"}, "family-name": None, "visibility": "public"}
    record["person"]["keywords"]["keyword"] = [
        {"put-code": 1, "content": keyword, "visibility": "public", "display-index": order}
    ]
    record["activities-summary"]["works"]["group"] = [
        {"work-summary": [{"put-code": code, "title": {"title": {"value": title}}, "visibility": visibility}]}
        for code, title, visibility in works
    ]
    return encode(record)


STATES = [
    body((1, "First", "public"), (2, NASTY, "public"), (3, "Confidential", "limited")),
    body((1, "First, revised", "public"), (2, NASTY, "public"), (4, "New", "public"), order=1),
    body((1, "First, revised", "public"), (4, "New", "public"), keyword="chemistry", order=1),
]


@pytest.fixture
async def past(cli: Cli, database: Database, connection: asyncpg.Connection) -> Cli:
    """A was mirrored three times."""
    for state, days in zip(STATES, DAYS.values(), strict=True):
        before = await connection.fetchval("select coalesce(max(seq), 0) from orcid.changes")
        await apply_record(database.worker, state, access="read-limited")
        await connection.execute(
            "update orcid.changes set at = now() - make_interval(days => $2) where seq > $1", before, days
        )
    return cli


def titles(document: dict[str, Any]) -> list[str]:
    """The works of `show --as-of --json`."""
    return [one["doc"]["title"]["title"]["value"] for one in document["sections"]["work"]]


async def told(cli: Cli, *arguments: str) -> str:
    result = await cli.apart(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


async def refused(cli: Cli, *arguments: str) -> tuple[int, str]:
    result = await cli.apart(*arguments)
    assert result.stdout == ""
    return result.exit_code, " ".join(result.stderr.replace("│", " ").split())


async def test_a_record_is_shown_as_it_was(past: Cli) -> None:
    then = [await asyncio.to_thread(past.json, "show", A, "--as-of", f"{days - 1}d") for days in DAYS.values()]

    assert [titles(one) for one in then] == [
        ["Confidential", NASTY, "First"],
        [NASTY, "First, revised", "New"],
        ["First, revised", "New"],
    ]
    assert [one["sections"]["keyword"][0]["doc"]["content"] for one in then] == ["physics", "physics", "chemistry"]
    assert {one["record"]["state"] for one in then} == {"active"}
    text = await told(past, "show", A, "--as-of", "15d")
    assert text.startswith(f"{A} as of ")
    assert "[bold]title[/bold]" in text
    assert "\x1b" not in text
    assert "Confidential" in text
    assert "New" not in text
    only = await told(past, "show", A, "--as-of", "15d", "--section", "keyword")
    assert "physics" in only
    assert "First" not in only


async def test_two_moments_are_compared_field_by_field(past: Cli) -> None:
    text = await told(past, "diff", A, "--from", "15d", "--to", "5d")

    assert "\x1b" not in text, "no colours where there is no terminal"
    lines = [line.rstrip() for line in text.splitlines()]
    assert lines[0].startswith(f"{A} from ")
    assert lines[2:9] == [
        "work: 1 added, 1 removed, 1 updated",
        '  + "New"  (4)',
        '  - "Confidential"  (3)',
        '  ~ "First, revised"  (1)',
        "      title",
        "        - First",
        "        + First, revised",
    ]
    assert lines[9:] == ["1 more differ only in dates, order or names of sources: --minor"]
    minor = await told(past, "diff", A, "--from", "15d", "--to", "5d", "--minor")
    assert "      display_index\n        - 0\n        + 1\n" in minor


async def test_the_end_of_a_comparison_is_now_unless_it_is_said(past: Cli) -> None:
    document = await asyncio.to_thread(past.json, "diff", A, "--from", "5d", "--section", "keyword")

    [found] = document["differences"]
    assert (found["op"], found["key"], found["title"]) == ("updated", "1", "chemistry")
    assert {"name": "content", "before": "physics", "after": "chemistry"} in found["fields"]
    assert "No differences." in await told(past, "diff", A, "--from", "1h")


async def test_colours_are_for_terminals(past: Cli) -> None:
    coloured = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    assert "\x1b[32m" in (await past.apart("diff", A, "--from", "15d", env=coloured)).stdout
    assert "\x1b[32m" not in (await past.apart("diff", A, "--from", "15d", env={**coloured, "NO_COLOR": "1"})).stdout


REFUSED = [
    (("show", A, "--as-of", "gibberish"), 2, "'gibberish' is not a time: expected a date (2026-06-01), a moment"),
    (("show", A, "--as-of", "2999-01-01"), 2, "is in the future: now is"),
    (
        ("show", A, "--as-of", "1999-01-01"),
        1,
        "and has nothing of 1999-01-01 00:00:00Z. For its first state: --as-of",
    ),
    (("show", B, "--as-of", "1d"), 1, f"has never held {B}. To see why: orcid-sync explain {B}"),
    (("show", A, "--as-of", "1d", "--section", "wrok"), 2, "there is no section wrok; there are: record, name"),
    (("diff", A, "--from", "30d"), 1, "--from: the mirror has held"),
    (("diff", A, "--from", "2d", "--to", "5d"), 2, "is before --from"),
    (("diff", A, "--from", "5d", "--to", "tomorrow"), 2, "'tomorrow' is not a time"),
    (("diff", A), 2, "Missing option '--from'"),
]


async def test_what_cannot_be_asked_is_refused_in_words(past: Cli) -> None:
    answers = [(await refused(past, *arguments), code, words) for arguments, code, words in REFUSED]

    assert [answer for answer, code, words in answers if answer[0] != code or words not in answer[1]] == []


async def test_the_moment_that_an_error_offers_works(past: Cli) -> None:
    _, complaint = await refused(past, "show", A, "--as-of", "1999-01-01")

    document = await asyncio.to_thread(past.json, "show", A, *complaint.rpartition(": ")[2].split())

    assert titles(document) == ["Confidential", NASTY, "First"]


@pytest.mark.invariant("S11")
async def test_what_is_forgotten_is_said_and_not_left_out(past: Cli, database: Database) -> None:
    async with transaction(database.worker) as connection:
        await connection.execute(
            "update orcid.changes set op = 'withdrawn', reason = 'access-lost' where section = 'work' and key = '3'"
            " and op = 'removed'"
        )
        await forgetting.forget_limited(connection, A)

    text = await told(past, "show", A, "--as-of", "15d")
    document = await asyncio.to_thread(past.json, "show", A, "--as-of", "15d")
    difference = await told(past, "diff", A, "--from", "15d")

    assert "work: 1 more, whose contents are not kept: the permission to see it ended" in text
    assert "Confidential" not in text
    assert document["forgotten"] == [
        {"section": "work", "key": "2", "reason": "removed"},
        {"section": "work", "key": "3", "reason": "access-lost"},
    ]
    assert "  - 2  (its contents are not kept: its holder has removed or hidden it)\n" in difference
    assert "  - 3  (its contents are not kept: the permission to see it ended)\n" in difference


async def rows(connection: asyncpg.Connection, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await connection.fetch(query, *arguments)]


async def test_analysts_have_functions(past: Cli, connection: asyncpg.Connection) -> None:
    now = await connection.fetchval("select now()")

    def ago(days: int) -> datetime:
        return now - timedelta(days=days)

    title = "content #>> '{doc,title,title,value}'"
    works = f"select key, {title} from orcid.items_as_of('work', $1) where orcid = $2 order by key"
    assert await rows(connection, works, ago(15), A) == [("1", "First"), ("2", NASTY), ("3", "Confidential")]
    assert await rows(connection, works, ago(5), A) == [("1", "First, revised"), ("2", NASTY), ("4", "New")]
    assert await rows(connection, works, ago(30), A) == []

    between = "select section, key, op, reason, fields, minor, lines, forgotten from orcid.changes_between($1, $2, $3)"
    found = await rows(connection, f"{between} order by section, key", A, ago(15), ago(0))
    assert found == [
        ("keyword", "1", "updated", None, ["content", "display_index"], False, 2, False),
        ("work", "1", "updated", None, ["title"], False, 1, False),
        ("work", "2", "removed", "removed", [], False, 1, False),
        ("work", "3", "removed", "removed", [], False, 1, False),
        ("work", "4", "added", None, [], False, 1, False),
    ]
    assert await rows(connection, f"{between} order by section, key", A, ago(0), ago(15)) == found
    assert await rows(connection, between, A, ago(1), ago(0)) == []

    life = f"select op, until is null, {title} from orcid.item_history($1, 'work', '2') order by since"
    assert await rows(connection, life, A) == [("added", False, NASTY), ("removed", True, None)]


async def test_what_came_and_went_in_between_is_no_change(database: Database, connection: asyncpg.Connection) -> None:
    await apply_record(database.worker, STATES[0])
    start = await connection.fetchval("select clock_timestamp()")
    for state in (STATES[1], STATES[0]):
        await apply_record(database.worker, state)

    between = await rows(connection, "select key from orcid.changes_between($1, $2, now())", A, start)

    assert between == []


@pytest.mark.invariant("S13")
async def test_the_functions_and_the_module_agree_with_record_as_of_for_every_reader(
    database: Database, sample_orcids: Callable[[int], list[Orcid]]
) -> None:
    world = await planted_mirror.build(database, sample_orcids(len(planted_mirror.LIVES)))
    by_record = "select $1::text, section, key, content::text from orcid.record_as_of($1, $2) where section <> 'record'"
    by_section = (
        "select orcid, section, key, content::text from orcid.items_as_of($1, $2), (values ($1)) as s (section)"
    )
    sections = ("work", "email", "employment", "keyword", "name")
    for view, audience in ((View.PUBLIC, ["public"]), (View.LIMITED, ["public", "limited"])):
        async with viewing(database.reader, view) as connection:
            for at in world.moments[::6]:
                states = {orcid: set(await rows(connection, by_record, orcid, at)) for orcid in world.orcids.values()}
                together = {row for state in states.values() for row in state if row[1] in sections}
                found = [await rows(connection, by_section, section, at) for section in sections]
                assert {row for some in found for row in some} == together
                for orcid, state in states.items():
                    pasts = await history.as_of(connection, orcid, at)
                    known = {key for key, past in pasts.items() if past.content and key[0] != "record"}
                    assert known == {(section, key) for _, section, key, _ in state}
                    assert set(planted_mirror.PLANTED.findall(str(pasts))) <= world.planted(*audience)
            last, first = world.moments[-1], world.moments[0] - timedelta(days=1)
            for orcid in world.orcids.values():
                said = str(
                    await rows(connection, "select * from orcid.changes_between($1, $2, $3)", orcid, first, last)
                )
                assert set(planted_mirror.PLANTED.findall(said)) <= world.planted(*audience)


async def test_what_came_lately_is_found_without_reading_the_whole_history(connection: asyncpg.Connection) -> None:
    """A history of 20,000 changes over a year: who asks about yesterday reads its end."""
    await connection.execute(
        """
        insert into orcid.changes (seq, orcid, section, key, op, cause, at, visibility)
        select n, '0009-9990-0000-0013', 'work', n::text, 'added', 'check',
               now() - make_interval(mins => 27 * (20000 - n)), 'public'
          from generate_series(1, 20000) as n
        """
    )
    await connection.execute("select brin_summarize_new_values('orcid.changes_at')")
    await connection.execute("analyze orcid.changes")

    async def plan(query: str, *arguments: Any) -> tuple[str, int]:
        [[text]] = await connection.fetch(f"explain (analyze, buffers, format json) {query}", *arguments)
        top = msgspec.json.decode(text)[0]["Plan"]
        return msgspec.json.encode(top).decode(), top["Shared Hit Blocks"] + top["Shared Read Blocks"]

    whole = await connection.fetchval("select pg_relation_size('orcid.changes') / 8192")
    yesterday = datetime.now(UTC) - timedelta(days=1)
    steps, blocks = await plan("select * from orcid.items_as_of('work', $1)", yesterday)

    assert "changes_at" in steps, steps
    assert blocks < whole / 3


async def test_the_examples_for_analysts_find_something(past: Cli, connection: asyncpg.Connection) -> None:
    section = ANALYSTS.partition("## The past\n")[2].partition("\n## ")[0]
    examples = re.findall(r"```sql\n(.*?)```", section, re.DOTALL)
    await connection.execute(
        "update orcid.changes set at = at - interval '1 month' where at < now() - interval '15 days'"
    )

    found = [await connection.fetch(sql.replace("1 day", "5 days")) for sql in examples]

    assert len(found) == 3
    assert all(found)
