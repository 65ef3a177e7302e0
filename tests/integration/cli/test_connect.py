"""connect, disconnect, sync on a real database."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.settings.settings import Settings
from orcid_sync.store.database.encryption import Vault
from rig.service.command_line import KEY, Cli

A, B, C = Orcid("0000-0002-1825-0097"), Orcid("0000-0002-1694-233X"), Orcid("0000-0001-5000-0007")
BAD = "0000-0002-1825-0098"


async def states(connection: asyncpg.Connection) -> dict[str, str]:
    """State of each connection."""
    return dict(await connection.fetch("select orcid, state from orcid_sync.connections"))


def lines(stdout: str) -> list[dict[str, Any]]:
    """NDJSON, decoded."""
    return [msgspec.json.decode(line) for line in stdout.splitlines()]


async def test_connects_arguments_in_any_form(cli: Cli, connection: asyncpg.Connection) -> None:
    result = await cli.apart("connect", f"https://sandbox.orcid.org/{A}", B.lower().replace("-", ""))

    assert (result.exit_code, result.stdout) == (0, f"{A}  connected\n{B}  connected\n")
    assert result.stderr == "2 connected\n"
    assert await states(connection) == {A: "connected", B: "connected"}
    assert await connection.fetchval("select count(*) from orcid_sync.queue where lane = 2 and due_at <= now()") == 2


async def test_reports_each_line_and_connects_the_good_ones(
    cli: Cli, connection: asyncpg.Connection, tmp_path: Path
) -> None:
    (tmp_path / "people.csv").write_text(f"name;orcid\nx;{A}\ny;{BAD}\n;\nz;{A}\nw;{B}\n")

    result = await cli.apart("connect", "--file", "people.csv")

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"line 2  {A}  connected",
        f"line 3  {BAD} has a wrong check digit: it ends in 8, but 7 belongs there; was it mistyped?",
        f"line 5  {A} is already in the file in line 2; this line is skipped",
        f"line 6  {B}  connected",
    ]
    assert result.stderr == "2 connected, 1 bad, 1 repeated\n"
    assert await states(connection) == {A: "connected", B: "connected"}


async def test_takes_the_file_from_stdin_and_reports_as_json(cli: Cli, connection: asyncpg.Connection) -> None:
    result = await cli.apart("connect", "--file", "-", "--json", input=f"\ufefforcid\n{A}\n{BAD}\n".encode())

    assert result.exit_code == 1
    assert lines(result.stdout) == [
        {"line": 2, "orcid": A, "outcome": "connected", "problem": None, "warning": None},
        {
            "line": 3,
            "orcid": None,
            "outcome": "bad",
            "problem": f"{BAD} has a wrong check digit: it ends in 8, but 7 belongs there; was it mistyped?",
            "warning": None,
        },
    ]
    assert await states(connection) == {A: "connected"}


async def test_a_dry_run_foresees_and_changes_nothing(cli: Cli, connection: asyncpg.Connection) -> None:
    await cli.apart("connect", A, B)
    await cli.apart("disconnect", B)
    before = await connection.fetch("select * from orcid_sync.queue order by orcid")

    text = f"orcid,access_token,scope\n{A},,\n{B},,\n{C},kestrel-token,/read-limited\n"
    result = await cli.apart("connect", "--file", "-", "--dry-run", input=text)

    assert result.exit_code == 0
    assert [line.partition("  ")[2] for line in result.stdout.splitlines()] == [
        f"{A}  already connected",
        f"{B}  would reconnect",
        f"{C}  would connect",
    ]
    assert before == await connection.fetch("select * from orcid_sync.queue order by orcid")


@pytest.mark.fault("F90")
async def test_tokens_are_sealed_for_their_place(cli: Cli, connection: asyncpg.Connection) -> None:
    """What is stored opens as the service opens it, and nowhere else."""
    text = f"orcid,access_token,refresh_token,scope,expires_in\n{A},kestrel-a,kestrel-r,/read-limited,3600\n"

    result = await cli.apart("connect", "--file", "-", input=text, env={"ORCID_SYNC_ENCRYPTION_KEY": KEY})

    assert result.exit_code == 0
    row = await connection.fetchrow("select *, expires_at - now() as lasts from orcid_sync.tokens")
    vault = Vault(Settings(encryption_key=KEY).key_ring)  # type: ignore[arg-type]
    assert row is not None
    assert vault.open(row["access_token"], orcid=A, column="access_token") == "kestrel-a"
    assert vault.open(row["refresh_token"], orcid=A, column="refresh_token") == "kestrel-r"
    assert row["scopes"] == ["/read-limited"]
    assert 3_500 < row["lasts"].total_seconds() <= 3_600


async def test_an_institutions_file_of_tokens_is_stored_as_orcid_writes_scopes(
    cli: Cli, connection: asyncpg.Connection
) -> None:
    """Other orders, repeated, in capitals, encoded, without any, with words that are none: all are connected."""
    text = (
        "ORCID iD;Access Token;Scope\n"
        f"{A};kestrel-a;/activities/update /READ-LIMITED openid /read-limited\n"
        f"{B};kestrel-b;\n"
        f"{C};kestrel-c;%2Fperson%2Fread-limited%20/read-limitid\n"
    )

    result = await cli.apart("connect", "--file", "-", input=text, env={"ORCID_SYNC_ENCRYPTION_KEY": KEY})

    assert result.exit_code == 0
    first, second, third = result.stdout.splitlines()
    assert first == f"line 2  {A}  connected"
    assert second.startswith(f"line 3  {B}  connected  the token comes without scopes")
    assert third.startswith(f"line 4  {C}  connected  /read-limitid: no scope of ORCID's, which are /read-limited, ")
    assert result.stderr.splitlines() == [
        "3 connected",
        "2 with a warning: tokens without scopes, or with words that are none",
    ]
    assert dict(await connection.fetch("select orcid, scopes from orcid_sync.tokens")) == {
        A: ["/activities/update", "/read-limited", "openid"],
        B: [],
        C: ["/person/read-limited"],
    }


FOREIGN = f"https://orcid.org/{A}"


@pytest.mark.fault("F45")
@pytest.mark.parametrize(
    "command",
    [
        ["connect", FOREIGN],
        ["connect", "--file", "people.csv"],
        ["disconnect", FOREIGN],
        ["disconnect", "--file", "people.csv"],
        ["disconnect", "--erase", "--yes", FOREIGN],
        ["invite", "--file", "people.csv"],
        ["sync", FOREIGN],
        ["show", FOREIGN],
        ["explain", FOREIGN],
        ["changes", "--orcid", FOREIGN],
        ["discover", "--dismiss", FOREIGN],
        ["consents", FOREIGN],
        ["holds", "release", FOREIGN],
        ["webhooks", "recover", "--file", "people.csv"],
    ],
    ids=" ".join,
)
async def test_an_address_in_another_environment_is_refused_with_the_reason(
    cli: Cli, connection: asyncpg.Connection, tmp_path: Path, command: list[str]
) -> None:
    """The commands run in ORCID's sandbox here; the other way round it is the same."""
    (tmp_path / "people.csv").write_text(f"person_id,orcid\n1,{FOREIGN}\n")
    pages = dict.fromkeys(("INSTITUTION", "PURPOSE", "CONTACT"), "x@example.edu")
    pages |= {"PUBLIC_URL": "https://orcid.example.edu", "PRIVACY_URL": "https://example.edu/privacy"}
    given = {f"ORCID_SYNC_{name}": value for name, value in pages.items()}

    result = await cli.apart(*command, env={**given, "ORCID_SYNC_ENCRYPTION_KEY": KEY})

    assert result.exit_code != 0, result.stdout
    said = " ".join((result.stdout + result.stderr).replace("│", " ").split())
    assert "is an iD of ORCID's production, but this is its sandbox" in said
    assert await states(connection) == {}


async def test_tokens_need_a_key(cli: Cli, connection: asyncpg.Connection) -> None:
    result = await cli.apart("connect", "--file", "-", input=f"orcid,access_token\n{A},kestrel\n")

    assert result.exit_code == 1
    assert result.stderr.startswith("encryption_key: is missing; set it as ORCID_SYNC_ENCRYPTION_KEY")
    assert await states(connection) == {}


async def test_a_file_of_many_batches(cli: Cli, connection: asyncpg.Connection, sample_orcids: Any) -> None:
    people = sample_orcids(2_500)

    result = await cli.apart("connect", "--file", "-", input="orcid\n" + "\n".join(people))

    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == f"line 2501  {people[-1]}  connected"
    assert await connection.fetchval("select count(*) from orcid_sync.queue") == 2_500


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory: people.csv"),
        (b"", "The first line must name the columns, one of them orcid; it has nothing."),
        (f"{A}\n{B}\n".encode(), f"The first line must name the columns, one of them orcid; it has '{A}'."),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(cli: Cli, tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "people.csv").write_bytes(content)

    result = cli("connect", "--file", "people.csv")

    assert (result.exit_code, result.stdout, result.stderr) == (1, "", said + "\n")


async def test_disconnects(cli: Cli, connection: asyncpg.Connection) -> None:
    await cli.apart("connect", A)

    result = await cli.apart("disconnect", A, B, "--json")

    assert result.exit_code == 0
    assert lines(result.stdout) == [
        {"orcid": A, "outcome": "disconnecting"},
        {"orcid": B, "outcome": "was not connected"},
    ]
    assert await states(connection) == {A: "disconnecting"}


async def test_sync_asks_and_returns(cli: Cli, connection: asyncpg.Connection) -> None:
    await cli.apart("connect", A)
    await connection.execute(
        "update orcid_sync.queue set leased_gen = gen, done_gen = gen, due_at = now() + '1 h', lane = 3"
    )

    result = await cli.apart("sync", A)

    assert (result.exit_code, result.stdout) == (0, f"{A}  requested\n")
    assert await connection.fetchval("select due_at <= now() and lane = 1 and gen > done_gen from orcid_sync.queue")


async def test_sync_waits_until_it_is_done(cli: Cli, connection: asyncpg.Connection, wait_until: Any) -> None:
    await cli.apart("connect", A)
    await connection.execute(
        "update orcid_sync.queue set leased_gen = gen, done_gen = gen, due_at = now() + '1 h', lane = 3"
    )

    waiting = asyncio.create_task(cli.apart("sync", A, "--wait", "--timeout", "20"))
    await wait_until(lambda: connection.fetchval("select gen > done_gen from orcid_sync.queue"))
    assert not waiting.done()
    await connection.execute("update orcid_sync.queue set leased_gen = gen, done_gen = gen")

    result = await waiting
    assert (result.exit_code, result.stdout) == (0, f"{A}  done\n")


async def test_sync_gives_up_in_time_and_says_why(cli: Cli, connection: asyncpg.Connection) -> None:
    await cli.apart("connect", A, B)
    await connection.execute("update orcid_sync.queue set attempts = 3, last_error = 'locked' where orcid = $1", A)

    result = await cli.apart("sync", A, B, C, "--wait", "--timeout", "0")

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [f"{A}  not done: locked", f"{B}  not done", f"{C}  not connected"]
    assert result.stderr == "3 not done within 0 s. Find the cause: orcid-sync status\n"


def test_sync_of_strangers_says_what_to_do(cli: Cli) -> None:
    result = cli("sync", A)

    assert (result.exit_code, result.stdout) == (1, f"{A}  not connected\n")
    assert result.stderr == "Connect them first with: orcid-sync connect\n"
