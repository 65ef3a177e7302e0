"""disconnect, erasures, consents: on a real database, with no Registry anywhere."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.store.database.pools import Database, transaction
from rig.records.marked_record import MARKER, marked_forms, marked_record, places
from rig.records.mirror import apply_record
from rig.records.sample_record import ORCID, encode
from rig.service.command_line import KEY, Cli, process_environment

HERE, OTHER, STRANGER = Orcid(ORCID), Orcid("0000-0002-1825-0097"), Orcid("0000-0002-1694-233X")
SEALED = {"ORCID_SYNC_ENCRYPTION_KEY": KEY}


@pytest.fixture
async def people(cli: Cli, database: Database) -> None:
    """Somebody with a token and a rich record, and somebody with neither."""
    text = f"orcid,access_token,scope\n{HERE},kestrel-a,/read-limited\n{OTHER},,\n"
    assert (await cli.apart("connect", "--file", "-", input=text, env=SEALED)).exit_code == 0
    await apply_record(database.worker, encode(marked_record()), marked_forms())


def lines(stdout: str) -> list[dict[str, Any]]:
    """NDJSON, decoded."""
    return [msgspec.json.decode(line) for line in stdout.splitlines()]


@pytest.mark.usefixtures("people")
async def test_lets_go_of_people_in_a_file(cli: Cli, connection: asyncpg.Connection) -> None:
    result = await cli.apart("disconnect", "--file", "-", input=f"orcid\n{HERE}\n\n{HERE}\n{STRANGER}\n")

    assert result.exit_code == 0
    assert result.stdout == f"{HERE}  disconnecting\n{STRANGER}  was not connected\n"
    states = dict(await connection.fetch("select orcid, state from orcid_sync.connections"))
    assert states == {HERE: "disconnecting", OTHER: "connected"}


@pytest.mark.usefixtures("people")
async def test_a_file_with_a_mistake_lets_go_of_nobody(cli: Cli, connection: asyncpg.Connection) -> None:
    result = await cli.apart("disconnect", "--file", "-", input=f"orcid\n{HERE}\n{HERE[:-1]}9\n")

    assert result.exit_code == 1
    assert result.stderr.startswith("line 3: ")
    assert result.stderr.endswith("Nobody was disconnected.\n")
    assert await connection.fetchval("select count(*) from orcid_sync.connections where state <> 'connected'") == 0


@pytest.mark.usefixtures("people")
@pytest.mark.invariant("S11")
async def test_erases_while_the_registry_is_away_and_prints_the_certificate(
    cli: Cli, connection: asyncpg.Connection
) -> None:
    works = await connection.fetchval("select count(*) from orcid.works")

    result = await cli.apart("disconnect", HERE, "--erase", "--yes")

    assert result.exit_code == 0
    assert await places(connection) == []
    said = re.sub(" +(?=\n)", "", re.sub(" +", " ", result.stdout))
    assert f"erased {HERE}\n" in said
    assert f"orcid.works {works}\n" in said
    assert "requested by operator (command)\n" in said
    hash_ = await connection.fetchval("select encode(hash, 'hex') from orcid_sync.erasures")
    assert f"hash {hash_}\n" in said


@pytest.mark.usefixtures("people")
async def test_erases_several_and_says_who_is_not_known(cli: Cli, connection: asyncpg.Connection) -> None:
    result = await cli.apart("disconnect", HERE, STRANGER, OTHER, "--erase", "--yes", "--json")

    assert result.exit_code == 1
    assert [(one["orcid"], one["outcome"]) for one in lines(result.stdout)] == [
        (HERE, "erased"),
        (STRANGER, "was never connected"),
        (OTHER, "erased"),
    ]
    assert lines(result.stdout)[2]["certificate"]["number"] == 2
    assert result.stderr == "Nothing to erase for 1 of them: never connected.\n"


@pytest.mark.usefixtures("people")
async def test_where_nobody_can_be_asked_it_demands_yes(cli: Cli, connection: asyncpg.Connection) -> None:
    result = await cli.apart("disconnect", HERE, "--erase")

    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert await connection.fetchval("select count(*) from orcid.works") > 0


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(("answer", "erased"), [(b"y\n", True), (b"n\n", False), (b"\n", False)])
async def test_on_a_terminal_it_asks(dsn: str, connection: asyncpg.Connection, answer: bytes, erased: bool) -> None:  # noqa: FBT001
    person, program = os.openpty()
    os.write(person, answer)
    try:
        command = [sys.executable, "-m", "orcid_sync", "disconnect", HERE, "--erase"]
        done = subprocess.run(  # noqa: ASYNC221 - nothing else is to do
            command,
            stdin=program,
            capture_output=True,
            env=process_environment(DATABASE_URL=dsn),
            timeout=60,
            check=False,
        )
    finally:
        os.close(person)
        os.close(program)

    assert b"Erase everything about this person? You cannot undo this." in done.stderr
    assert done.returncode == (0 if erased else 1)
    assert (await connection.fetchval("select count(*) from orcid_sync.erasures") == 1) == erased


@pytest.mark.usefixtures("people")
@pytest.mark.fault("F65")
async def test_a_command_that_is_killed_in_the_middle_has_erased_nothing(
    dsn: str, database: Database, connection: asyncpg.Connection, wait_until: Callable[..., Any]
) -> None:
    works = await connection.fetchval("select count(*) from orcid.works")
    command = [sys.executable, "-m", "orcid_sync", "disconnect", HERE, "--erase", "--yes"]
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like 'delete from %'"
    async with transaction(database.worker) as blocking:
        await blocking.execute("select from orcid.records where orcid = $1 for update", HERE)
        with subprocess.Popen(command, env=process_environment(DATABASE_URL=dsn)) as process:  # noqa: ASYNC220
            try:
                await wait_until(lambda: connection.fetchval(waiting), 30)
            finally:
                process.kill()

    alive = "select count(*) from pg_stat_activity where datname = current_database() and query like 'delete from %'"
    await wait_until(lambda: connection.fetchval(f"select ({alive}) = 0"), 30)
    assert await connection.fetchval("select count(*) from orcid.works") == works
    assert await connection.fetchval("select count(*) from orcid_sync.erasures") == 0
    assert await connection.fetchval("select count(*) from orcid_sync.consents where event = 'erased'") == 0
    assert await connection.fetchval("select count(*) from orcid_sync.tokens") == 1

    environment = process_environment(DATABASE_URL=dsn)
    done = subprocess.run(command, env=environment, timeout=60, check=True, capture_output=True)  # noqa: ASYNC221
    assert MARKER.encode() not in done.stdout
    assert await places(connection) == []


@pytest.mark.usefixtures("people")
async def test_certificates_are_listed_shown_and_exported(cli: Cli) -> None:
    await cli.apart("disconnect", HERE, OTHER, "--erase", "--yes")

    listed = (await cli.apart("erasures", "list", "--json")).stdout
    exported = (await cli.apart("erasures", "export")).stdout
    [first, second] = msgspec.json.decode(listed)

    assert lines(exported) == [first, second]
    assert second["previous"] == first["hash"]
    assert msgspec.json.decode((await cli.apart("erasures", "show", "2", "--json")).stdout) == second
    assert first["hash"] in (await cli.apart("erasures", "show", "1")).stdout
    assert HERE in (await cli.apart("erasures", "list")).stdout
    unknown = await cli.apart("erasures", "show", "3")
    assert (unknown.exit_code, unknown.stderr) == (
        1,
        "There is no certificate 3. List the certificates: orcid-sync erasures list\n",
    )


@pytest.mark.usefixtures("people")
async def test_verifying_finds_who_tampered(cli: Cli, connection: asyncpg.Connection) -> None:
    await cli.apart("disconnect", HERE, OTHER, "--erase", "--yes")
    right = await cli.apart("erasures", "verify")
    assert right.exit_code == 0
    assert re.fullmatch(r"certificates  ok  2 entries  .*\nconsents  ok  3 entries  .*\n", right.stdout)

    await connection.execute("alter table orcid_sync.consents disable trigger only_additions")
    await connection.execute("update orcid_sync.consents set event = 'denied' where number = 1")

    wrong = await cli.apart("erasures", "verify")
    assert wrong.exit_code == 1
    assert "consents  broken: entry 1: does not fit its hash" in wrong.stdout
    report = msgspec.json.decode((await cli.apart("erasures", "verify", "--json")).stdout)
    assert report["certificates"]["ok"]
    assert report["consents"]["first_broken"] == 1


@pytest.mark.usefixtures("people")
@pytest.mark.fault("F66")
async def test_after_a_restore_it_says_who_is_back_and_erases_them_again(
    cli: Cli, connection: asyncpg.Connection, tmp_path: Path, new_database: Callable[[str], str], template: str
) -> None:
    log = {"ORCID_SYNC_ERASURE_LOG": str(tmp_path / "erasures.jsonl")}
    await cli.apart("disconnect", HERE, "--erase", "--yes", env=log)
    for table in ("erasures", "consents"):  # as if the backup were older
        await connection.execute(f"alter table orcid_sync.{table} disable trigger all")
    await connection.execute("delete from orcid_sync.erasures")
    await connection.execute("delete from orcid_sync.consents where event = 'erased'")
    await connection.execute(
        "update orcid_sync.ledger_heads set number = 0, hash = decode(repeat('00', 32), 'hex') "
        "where ledger = 'erasures'"
    )
    await connection.execute(
        "update orcid_sync.ledger_heads as h set number = c.number, hash = c.hash from orcid_sync.consents as c "
        "where h.ledger = 'consents' and c.number = (select max(number) from orcid_sync.consents)"
    )
    await connection.execute("update orcid_sync.connections set erased_at = null, state = 'connected'")

    found = await cli.apart("erasures", "verify", env=log)
    assert found.exit_code == 1
    assert f"{HERE}  is back: erased at " in found.stdout
    assert "orcid-sync erasures replay" in found.stderr

    again = await cli.apart("erasures", "replay", env=log)
    assert (again.exit_code, again.stdout) == (0, f"{HERE}  erased again  certificate 1\n")
    unexplained = await cli.apart("erasures", "verify", env=log)
    assert unexplained.exit_code == 1
    assert "log  broken: line 1: entry 1 of erasures has another hash" in unexplained.stdout
    assert "orcid-sync erasures replay --restored" in unexplained.stderr
    said = await cli.apart("erasures", "replay", "--restored", env=log)
    assert (said.exit_code, said.stdout) == (0, "")
    assert "1 lines of the log are from before the restore" in said.stderr
    explained = await cli.apart("erasures", "verify", env=log)
    assert explained.exit_code == 0
    assert "log  ok  3 entries  1 of them from before a backup was restored\n" in explained.stdout
    nobody = await cli.apart("erasures", "replay", log["ORCID_SYNC_ERASURE_LOG"])
    assert (nobody.exit_code, nobody.stdout, nobody.stderr) == (0, "", "Nobody is back.\n")


def test_replaying_needs_a_log(cli: Cli) -> None:
    assert cli("erasures", "replay").stderr == "No erasure log is configured. Name its file, or set erasure_log.\n"
    assert cli("erasures", "replay", "gone.jsonl").stderr == "There is no erasure log gone.jsonl.\n"


@pytest.mark.usefixtures("people")
async def test_the_consent_ledger_is_shown(cli: Cli) -> None:
    await cli.apart("disconnect", HERE)
    await cli.apart("disconnect", OTHER, "--erase", "--yes")

    everything = lines((await cli.apart("consents", "--json")).stdout)
    assert [(one["orcid"], one["event"], one["by"], one["learnt"]) for one in everything] == [
        (HERE, "granted", "holder", "token-file"),
        (HERE, "disconnected", "operator", "command"),
        (OTHER, "erased", "operator", "command"),
    ]
    assert [one["event"] for one in lines((await cli.apart("consents", HERE, "--json")).stdout)] == [
        "granted",
        "disconnected",
    ]
    assert re.search(rf"{HERE} +granted +holder +token-file +/read-limited", (await cli.apart("consents")).stdout)


async def test_the_same_file_again_grants_nothing_anew(cli: Cli, connection: asyncpg.Connection) -> None:
    """Sealed anew, a token is another ciphertext; but it is the same token, and is not to be revoked."""
    text = f"orcid,access_token,scope\n{HERE},kestrel-a,/read-limited\n"
    for _ in range(2):
        result = await cli.apart("connect", "--file", "-", input=text, env=SEALED)
    assert result.stdout == f"line 2  {HERE}  already connected\n"

    other = await cli.apart("connect", "--file", "-", input=text.replace("kestrel-a", "kestrel-b"), env=SEALED)

    assert other.stdout == f"line 2  {HERE}  token stored\n"
    assert await connection.fetchval("select count(*) from orcid_sync.retired_tokens") == 1
    assert await connection.fetchval("select count(*) from orcid_sync.consents") == 2
