"""status, show and changes, on records that were really mirrored."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.registry_health import Heard
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.store.database.pools import Database
from orcid_sync.store.sync import pace_and_circuit
from orcid_sync.store.sync.pace_and_circuit import Terms
from rig.records.mirror import apply_record, skeleton
from rig.service.command_line import Cli, bare_environment
from rig.service.webhook_inventory import present, registered

A, B = Orcid("0000-0002-1825-0097"), Orcid("0000-0002-1694-233X")
NASTY = "Evil \x1b]0;owned\x07 [bold]title[/bold]\nsecond line"
ROOT = Path(__file__).parents[3]


def record(orcid: Orcid, *titles: str, keyword: str = "physics") -> bytes:
    """A record with a name, a keyword and a work for each title."""
    document = skeleton(orcid)
    document["person"]["name"] = {
        "given-names": {"value": "Ada"},
        "family-name": {"value": "Example"},
        "visibility": "public",
    }
    document["person"]["keywords"]["keyword"] = [{"put-code": 1, "content": keyword, "visibility": "public"}]
    document["activities-summary"]["works"]["group"] = [
        {"work-summary": [{"put-code": number, "title": {"title": {"value": title}}, "visibility": "public"}]}
        for number, title in enumerate(titles, 1)
    ]
    return msgspec.json.encode(document)


@pytest.fixture
async def mirrored(cli: Cli, database: Database) -> Cli:
    """Two people: A with two works, one of them nasty; B was changed once."""
    await cli.apart("connect", A, B)
    await apply_record(database.worker, record(A, "First", NASTY), cause="first-load")
    await apply_record(database.worker, record(B, "Other"), cause="first-load")
    await apply_record(database.worker, record(B, "Other, revised"), cause="notification")
    return cli


async def test_status_of_nothing_is_calm(cli: Cli) -> None:
    result = await cli.apart("status")

    assert result.exit_code == 0
    assert result.stdout.startswith("All is well.\n")
    assert result.stderr == ""


async def test_status_says_first_what_needs_somebody(mirrored: Cli, connection: asyncpg.Connection) -> None:
    await connection.execute(
        "insert into orcid_sync.pace (client_id, rate, failures, failing_since, doubted, away, paused_until)"
        " values ('APP-0123456789ABCDEF', 20, 7, now(), true, true, now() + '30 s')"
    )
    await connection.execute("update orcid_sync.queue set attempts = 2, last_error = 'locked' where orcid = $1", A)
    await connection.execute("update orcid_sync.queue set verified_at = now() - '2 d'::interval where orcid = $1", B)
    await connection.execute("insert into orcid_sync.runs (job, error) values ('checks', 'Unavailable')")

    text = (await mirrored.apart("status")).stdout
    seen = await asyncio.to_thread(mirrored.json, "status")

    assert text.startswith("FAIL  ORCID has given no usable answer since ")
    assert [finding["severity"] for finding in seen["attention"]] == ["fail", "warn", "warn"]
    assert seen["overview"]["connections"] == {"connected": 2}
    assert seen["overview"]["freshness"] == {"within 7 days": 1, "never": 1}
    assert seen["overview"]["failures"] == [{"error": "locked", "number": 1, "example": A, "read": True}]
    assert seen["overview"]["feed"]["last"] == await connection.fetchval("select last from orcid_sync.feed_head")


async def test_status_tells_the_pace(mirrored: Cli, connection: asyncpg.Connection) -> None:
    client, terms = "APP-0123456789ABCDEF", Terms(20, 8, daily=10)
    await pace_and_circuit.reserve(connection, client, terms, lane=Lane.NOTIFICATION, wanted=8)
    for _ in range(2):
        await pace_and_circuit.reserve(connection, client, terms, lane=Lane.NOTIFICATION)
    await pace_and_circuit.report(connection, client, Heard(limited=True), rate=20)

    text = (await mirrored.apart("status")).stdout
    seen = await asyncio.to_thread(mirrored.json, "status")

    assert "12.0 requests per second instead of 20" in text
    assert "The daily budget (setting daily_requests) is used up (10 of 10 requests)" in text
    assert "slowed since" in text
    assert [(known["rate"], known["used"]) for known in seen["overview"]["paces"]] == [
        (pytest.approx(12.0, abs=0.1), 10)
    ]


async def test_show_tells_who_what_and_how_it_stands(mirrored: Cli, connection: asyncpg.Connection) -> None:
    await connection.execute("update orcid_sync.queue set verified_at = now() - interval '5 minutes'")
    await registered(connection, A, await present(connection))

    text = (await mirrored.apart("show", A)).stdout

    assert "Ada Example" in text
    assert "active (key 1, https://orcid.example.edu)" in text
    assert "5 min ago" in text
    assert "work: 2" in text
    assert "First" in text


@pytest.mark.fault("F55")
async def test_titles_do_not_act_on_the_terminal(mirrored: Cli) -> None:
    """Escape sequences are spelt out, markup is not interpreted, a line break does not break the line."""
    spelt = "Evil \\x1b]0;owned\\x07 [bold]title[/bold]\\nsecond line"

    shown = (await mirrored.apart("show", A)).stdout
    listed = (await mirrored.apart("changes", "--after", "0")).stdout

    assert spelt in shown
    assert spelt in listed
    assert "\x1b" not in shown + listed


async def test_show_one_section_as_json(mirrored: Cli) -> None:
    shown = await asyncio.to_thread(mirrored.json, "show", A, "--section", "work")

    assert shown["person"]["orcid"] == A
    assert list(shown["sections"]) == ["work"]
    assert {item["doc"]["title"]["title"]["value"] for item in shown["sections"]["work"]} == {"First", NASTY}


async def test_show_of_somebody_not_read_yet(cli: Cli) -> None:
    await cli.apart("connect", A)

    assert "not read yet" in (await cli.apart("show", A)).stdout


def test_show_of_a_stranger_says_what_to_do(cli: Cli) -> None:
    result = cli("show", A)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"{A} is not connected. Connect it with: orcid-sync connect {A}\n"


def changes(stdout: str) -> list[dict[str, Any]]:
    """NDJSON, decoded."""
    return [msgspec.json.decode(line) for line in stdout.splitlines()]


async def test_changes_are_the_whole_feed_in_order(mirrored: Cli, connection: asyncpg.Connection) -> None:
    read = changes((await mirrored.apart("changes", "--after", "0", "--json")).stdout)

    stored = await connection.fetch("select * from orcid.change_feed order by seq")
    assert [change["seq"] for change in read] == list(range(1, len(stored) + 1))
    for change, row in zip(read, stored, strict=True):
        assert change.keys() == dict(row).keys()
        assert (change["orcid"], change["op"], change["fields"]) == (row["orcid"], row["op"], row["fields"])
        assert change["new"] == (row["new"] and msgspec.json.decode(row["new"]))


@pytest.mark.parametrize(
    ("arguments", "condition"),
    [
        (["--after", "3"], "seq > 3"),
        (["--after", "2", "--limit", "2"], "seq in (3, 4)"),
        (["--limit", "2"], "seq > (select last from orcid_sync.feed_head) - 2"),
        (["--orcid", B, "--after", "0"], f"orcid = '{B}'"),
        (
            ["--orcid", f"https://sandbox.orcid.org/{A}", "--limit", "1"],
            f"seq = (select max(seq) from orcid.changes where orcid = '{A}')",
        ),
        (["--section", "work", "--after", "0"], "section in ('work', 'record')"),
        (["--no-minor", "--after", "0"], "not minor"),
    ],
)
async def test_changes_can_be_chosen(
    mirrored: Cli, connection: asyncpg.Connection, arguments: list[str], condition: str
) -> None:
    await connection.execute("update orcid.changes set minor = true where seq = 2")

    read = changes((await mirrored.apart("changes", "--json", *arguments)).stdout)

    stored = await connection.fetch(f"select seq from orcid.changes where {condition} order by seq")
    assert [change["seq"] for change in read] == [row["seq"] for row in stored]
    assert read != []


async def test_changes_for_people_are_a_line_each(mirrored: Cli) -> None:
    lines = (await mirrored.apart("changes", "--limit", "1")).stdout.splitlines()

    assert len(lines) == 1
    assert f'{B}  updated  work  "Other, revised"  title' in lines[0]


async def test_a_position_from_elsewhere_is_told_to_resync(mirrored: Cli) -> None:
    """Never silence: a reader that believes to be ahead, or reads another history, would miss everything."""
    ahead = await mirrored.apart("changes", "--after", "999")
    foreign = await mirrored.apart("changes", "--after", "1", "--epoch", "00000000-0000-0000-0000-000000000000")

    assert (ahead.exit_code, foreign.exit_code) == (1, 1)
    assert ahead.stderr.startswith("Resync: the feed ends at")
    assert foreign.stderr.startswith("Resync: the feed has another history now")


@asynccontextmanager
async def following(dsn: str, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`changes --follow` as a process of its own."""
    given = {name: value for name, value in os.environ.items() if name not in bare_environment()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "orcid_sync", "changes", "--follow", *arguments),
        env={**given, "PYTHONPATH": str(ROOT), "DATABASE_URL": dsn},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def next_change(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """The next line of a process, decoded."""
    assert process.stdout is not None
    decoded: dict[str, Any] = msgspec.json.decode(await asyncio.wait_for(process.stdout.readline(), 20))
    return decoded


async def test_follow_goes_on_and_ends_cleanly(mirrored: Cli, database: Database, dsn: str) -> None:
    async with following(dsn, "--json", "--section", "work", "--orcid", B, "--after", "0") as process:
        told = [await next_change(process) for _ in range(3)]
        assert [(change["section"], change["op"]) for change in told] == [
            *[("record", "added"), ("work", "added"), ("work", "updated")]
        ]

        await apply_record(database.worker, record(B), cause="notification")
        assert (await next_change(process))["op"] == "removed"

        process.send_signal(signal.SIGINT)
        out, err = await asyncio.wait_for(process.communicate(), 20)
        assert (process.returncode, out, err) == (0, b"", b"")


async def test_follow_waits_for_a_database_that_went_away(
    mirrored: Cli, database: Database, connection: asyncpg.Connection, dsn: str
) -> None:
    async with following(dsn, "--json", "--no-minor", "--after", "0", "--orcid", A) as process:
        await next_change(process)

        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'orcid_sync command'"
            " and datname = current_database() and pid <> pg_backend_pid()"
        )
        assert process.stderr is not None
        assert (await asyncio.wait_for(process.stderr.readline(), 20)).startswith(b"Waiting for the database: ")
        assert (await asyncio.wait_for(process.stderr.readline(), 20)) == b"The database answers again.\n"

        await apply_record(database.worker, record(A, keyword="chemistry"), cause="notification")
        seen = [await next_change(process)]
        while seen[-1]["section"] != "work" or seen[-1]["op"] != "removed":
            seen.append(await next_change(process))
        positions = [change["seq"] for change in seen]
        assert positions == sorted(set(positions))


async def test_follow_ends_when_the_history_was_rewound(
    mirrored: Cli, connection: asyncpg.Connection, dsn: str
) -> None:
    async with following(dsn, "--json", "--after", "0") as process:
        await next_change(process)

        await connection.execute("update orcid_sync.feed_head set epoch = gen_random_uuid(), last = 1")
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'orcid_sync command'"
            " and datname = current_database() and pid <> pg_backend_pid()"
        )

        _, err = await asyncio.wait_for(process.communicate(), 20)
        assert process.returncode == 1
        assert b"Resync: the history of the feed was lost or rewound" in err
