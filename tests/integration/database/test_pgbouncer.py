"""Everything but LISTEN works through PgBouncer in transaction mode, set up as operations.md says (fault F81).

It has two connections to the server for all of ours, so that consecutive statements of one of our connections meet
different sessions all the time.
"""

import asyncio
import os
import pwd
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.parse_record import parse_record
from orcid_sync.model.sync.schedule import Settlement
from orcid_sync.settings.settings import Settings
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.database.migrate import SchemaState, migrate
from orcid_sync.store.database.pools import Database, connect, open_database, statements, transaction
from orcid_sync.store.sync import queue
from rig.records.mirror import mirrored_docs
from rig.service.command_line import Cli
from rig.service.daemon import serving
from rig.service.intake import connect_cold, path_of, post_all, running_intake
from rig.service.reconciler import Bench, O

Wait = Callable[..., Any]
Sample = Callable[[int], list[Orcid]]

pytestmark = pytest.mark.fault("F81")

OPERATIONS = (Path(__file__).parents[3] / "deploy" / "docs" / "operations.md").read_text("utf-8")
[SETTINGS] = re.findall(r"```ini\n(.*?)```", OPERATIONS, re.DOTALL)
OLDEST = (1, 21)
SHARED = 2
"""Connections to the server for all of ours."""

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="session")
def pgbouncer() -> str:
    """Path of the program; without a new enough one the test is skipped."""
    program = shutil.which("pgbouncer")
    if program is None:
        pytest.skip("no pgbouncer on PATH")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    assert version, said
    if tuple(map(int, version.groups())) < OLDEST:
        pytest.skip(f"{version[0]} does not know prepared statements in transaction mode")
    return program


@pytest.fixture
async def through(pgbouncer: str, server: str, wait_until: Wait) -> AsyncIterator[Callable[[str], str]]:
    """Give the DSN of a database a way through a running PgBouncer."""
    address = urlsplit(server)
    host = address.hostname or parse_qs(address.query)["host"][0]
    target = {"host": host, "port": address.port or 5432, "user": address.username or "postgres"}
    if address.password:
        target["password"] = unquote(address.password)
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as name:
        folder = Path(name)
        config, log, socket = folder / "pgbouncer.ini", folder / "log", folder / ".s.PGSQL.5432"
        config.write_text(
            f"[databases]\n* = {' '.join(f'{word}={value}' for word, value in target.items())}\n"
            f"[pgbouncer]\nunix_socket_dir = {folder}\nlisten_port = 5432\nlogfile = {log}\n"
            f"auth_type = any\ndefault_pool_size = {SHARED}\n{SETTINGS}"
        )
        process = await asyncio.create_subprocess_exec(pgbouncer, "--quiet", *as_somebody(host, folder), str(config))
        try:
            await wait_until(lambda: socket.exists() or process.returncode is not None)
            assert process.returncode is None, log.read_text()
            yield lambda dsn: urlsplit(dsn)._replace(netloc="postgres:@", query=f"host={folder}").geturl()
        finally:
            process.kill()
            await process.wait()


def as_somebody(host: str, folder: Path) -> list[str]:
    """Arguments that make it run as somebody who may reach the server, since it refuses to be root."""
    if os.geteuid() != 0:
        return []
    owner = pwd.getpwuid(Path(host).stat().st_uid) if host.startswith("/") else pwd.getpwnam("nobody")
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    return ["--user", owner.pw_name]


@pytest.fixture
def dsn(new_database: Callable[[str], str], template: str, through: Callable[[str], str]) -> str:
    """A migrated database of this test's own, behind PgBouncer: for all the fixtures that connect to it."""
    return through(new_database(template))


async def test_a_record_is_mirrored(bench: Bench) -> None:
    await bench.connect()
    assert await bench.turn() == "changed"
    for number in range(5):
        bench.registry.edit.add_item(O, "work", {"title": f"number {number}", "type": "other"})
        assert await bench.notified() == "changed"
    assert await bench.when_due() == "unchanged"  # the second look

    await bench.assert_mirrored()
    changes = await bench.changes()
    assert [change["seq"] for change in changes] == list(range(1, len(changes) + 1))


async def test_notifications_are_marked(
    database: Database, connection: asyncpg.Connection, sample_orcids: Sample
) -> None:
    orcids = sample_orcids(300)
    await connect_cold(connection, orcids)
    async with running_intake(database) as rig:
        assert set(await post_all(rig.port, map(path_of, orcids), connections=20)) == {204}
    assert await connection.fetchval("select count(*) from orcid_sync.queue where gen = 2") == 300


async def test_each_id_is_leased_once_and_settled(
    dsn: str, connection: asyncpg.Connection, sample_orcids: Sample
) -> None:
    await connect_orcids(connection, [Entry(orcid=orcid) for orcid in sample_orcids(200)])
    leased: list[str] = []
    met: set[int] = set()

    async def work(database: Database) -> None:
        while True:
            async with statements(database.worker) as mine:
                leases = await queue.lease_due(mine, limit=3, lease=MINUTE)
            if not leases:
                return
            for lease in leases:
                async with transaction(database.worker) as mine:
                    await queue.hold(mine, lease)
                    met.add(await mine.fetchval("select pg_backend_pid()"))
                    await queue.settle(mine, lease, Settlement(done=True, due_in=MINUTE), grace=MINUTE)
                leased.append(lease.orcid)

    async with open_database(dsn, workers=6) as database, asyncio.TaskGroup() as group:
        for _ in range(6):
            group.create_task(work(database))
    assert sorted(leased) == sample_orcids(200)
    assert len(met) == SHARED, "PgBouncer did not share sessions, so this proved nothing"


async def test_the_service_runs(
    settings: Settings, dsn: str, bench: Bench, connection: asyncpg.Connection, wait_until: Wait
) -> None:
    """Without NOTIFY: LISTEN is answered, but what is heard goes to whoever has the session then. The poll serves."""
    await bench.connect()
    async with serving(settings, dsn) as service:
        await wait_until(lambda: shown(bench, connection), 20)
        bench.registry.edit.add_item(O, "keyword", {"content": "new"})
        assert await service.post(O) == 204
        await wait_until(lambda: shown(bench, connection), 20)
    await bench.assert_mirrored()


async def shown(bench: Bench, connection: asyncpg.Connection) -> bool:
    """Whether the mirror has the items that the Registry shows."""
    return (await mirrored_docs(connection, O)).keys() == {item.id for item in parse_record(bench.view()).items()}


async def test_a_database_is_migrated(new_database: Callable[[str], str], through: Callable[[str], str]) -> None:
    dsn = through(new_database("template0"))
    found = await asyncio.gather(*(migrate(dsn) for _ in range(3)))
    assert {one.state for one in found} == {SchemaState.CURRENT}
    async with connect(dsn) as connection:
        assert await connection.fetchval("show statement_timeout") == "0", "SET LOCAL ended with its transaction"


async def test_commands_run(bench: Bench, cli: Cli) -> None:
    await bench.connect()
    await bench.turn()
    for arguments in (["status"], ["show", O], ["changes", "--after", "0", "--json"]):
        done = await cli.apart(*arguments)
        assert done.exit_code == 0, done.output
