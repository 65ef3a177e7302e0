"""One folder of data and its server: who may reach it, and how it is made, started and stopped."""

import os
import pwd
import shlex
import shutil
import socket
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from orcid_sync.store.database.embedded_programs import (
    EmbeddedUnavailable,
    closed_folder,
    find_owner,
    find_programs,
)

SUPERUSER = "postgres"
SOCKET = ".s.PGSQL.5432"
LONGEST_SOCKET = 103
"""Bytes of a socket's path: what fits into the system's structure on macOS; Linux takes 107."""

LOCKS = (".orcid_sync_turn.lock", ".orcid_sync_users.lock")
"""Files in the folder: who starts or stops the server has the first, and who uses it a share of the second."""

NEW, MADE = ".new", ".made"
"""Folders in the folder in which a cluster is made: initdb refuses one that is not empty, and the locks lie there."""

PRIVATE = "orcid-sync-socket-"
"""How folders begin that are made for a socket whose path would be too long beside the data."""

REMEDY_FOR_DATA = "name a folder elsewhere by ORCID_SYNC_DATA_DIR, such as /var/lib/orcid-sync."
REMEDY_FOR_PROGRAMS = "install orcid-sync where that user can read it, or run it as another user than root."

SETTINGS = {"listen_addresses": "", "port": "5432", "unix_socket_permissions": "0700"}


class EmbeddedCluster:
    """The server of one folder, which is this user's or, for root, the server's user's, and closed to everybody else.

    Raises EmbeddedUnavailable, with a sentence, for a folder that cannot be used so. No folder is opened to anybody.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().resolve()
        self.owner = find_owner()
        self._refuse_closed(next(folder for folder in self.folder.parents if folder.exists()), REMEDY_FOR_DATA)
        self._prepare_folder()
        made_by = self.folder / "PG_VERSION"
        self.programs = find_programs(made_by.read_text().strip() if made_by.exists() else None)
        self._refuse_closed(self.programs / "postgres", REMEDY_FOR_PROGRAMS)

    @property
    def dsn(self) -> str:
        """The address of the running server."""
        return f"postgresql://{SUPERUSER}:@/{SUPERUSER}?host={quote(str(self.socket_folder))}"

    @property
    def socket_folder(self) -> Path | None:
        """Where the running server's socket lies; None without a server."""
        try:
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        return Path(lines[4]) if len(lines) > 7 and lines[7].strip() == "ready" else None

    def start(self) -> None:
        """Make the data if there are none yet, and see to it that a server runs on them."""
        if not (self.folder / "PG_VERSION").exists():
            self._make_data()
        if self._listens():
            return
        self._write_access()
        folder = self._choose_socket_folder()
        settings = {**SETTINGS, "unix_socket_directories": str(folder)}
        options = shlex.join(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
        try:
            self.run("pg_ctl", "-w", "-o", options, "-l", "log", "start")
        except EmbeddedUnavailable:
            self._leave(folder)
            raise

    def stop(self, mode: str = "fast") -> None:
        """Stop the server, if it runs, as `pg_ctl stop -m` names it."""
        folder = self.socket_folder
        if folder is None:
            return
        self.run("pg_ctl", "-w", "-m", mode, "stop")
        self._leave(folder)

    def _leave(self, folder: Path) -> None:
        """Remove a folder that was made for a socket, if nothing is in it."""
        if folder != self.folder and folder.name.startswith(PRIVATE):
            with suppress(OSError):
                folder.rmdir()

    def run(self, program: str, *arguments: str) -> None:
        """Run a program of PostgreSQL's on this folder, as the owner of the data.

        The folder is named by a variable: pg_ctl passes arguments to a shell. Of ours, which hold secrets, and of those
        which would change the server's settings, the server gets none.
        """
        kept = ("LANG", "LC_", "TZ", "LD_", "DYLD_")
        environment = {name: value for name, value in os.environ.items() if name.startswith(kept)}
        environment |= {"PATH": os.environ.get("PATH", os.defpath), "PGDATA": str(self.folder)}
        with tempfile.TemporaryFile() as said:  # a pipe would be held open by the server
            done = subprocess.run(  # noqa: S603 - our own programs
                [str(self.programs / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                cwd=self.folder,
                env=environment,
                umask=0o077,
                check=False,
                **self.owner.become,
            )
            said.seek(0)
            words = said.read().decode(errors="replace").strip()
        if done.returncode:
            raise EmbeddedUnavailable(
                f"The embedded PostgreSQL in {self.folder} failed at {program}: {words[-500:]} {self._log_end()}"
            )

    def _log_end(self) -> str:
        with suppress(OSError):
            return "Its log ends: " + (self.folder / "log").read_text(errors="replace")[-1000:]
        return ""

    def _refuse_closed(self, needed: Path, remedy: str) -> None:
        if (closed := closed_folder(needed, self.owner)) is not None:
            raise EmbeddedUnavailable(
                f"PostgreSQL does not run as root but as the user {self.owner.name}, to whom {closed} is closed: "
                f"{remedy}"
            )

    def _prepare_folder(self) -> None:
        """Make it, and what is missing above it, or see to it that it is the owner's alone."""
        missing = [folder for folder in (self.folder, *self.folder.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(0o700)
            if folder != self.folder and self.owner.become:
                folder.chmod(0o711)  # the server's user must pass through; nobody can list it
        if not self._has_data() and (strange := {path.name for path in self.folder.iterdir()} - {*LOCKS, NEW}):
            raise EmbeddedUnavailable(
                f"{self.folder} holds something else than PostgreSQL's data ({min(strange)}): set ORCID_SYNC_DATA_DIR "
                f"to another folder."
            )
        state = self.folder.stat()
        if self.owner.become and state.st_uid == 0 and not any(self.folder.iterdir()):
            os.chown(self.folder, self.owner.uid, self.owner.gid)
        elif state.st_uid != self.owner.uid:
            raise EmbeddedUnavailable(
                f"{self.folder} belongs to another user than {self.owner.name}: run as that user, or set "
                f"ORCID_SYNC_DATA_DIR to a folder of your own."
            )
        self.folder.chmod(0o700)

    def _has_data(self) -> bool:
        """Made, or as good as made."""
        return any((self.folder / name).exists() for name in ("PG_VERSION", MADE))

    def _make_data(self) -> None:
        """Beside its place and moved there, so that an interruption leaves nothing half made that looks whole."""
        new, made = self.folder / NEW, self.folder / MADE
        if not made.exists():
            if new.exists():
                shutil.rmtree(new)
            access = ("--auth-local=peer", "--auth-host=reject")
            self.run("initdb", *access, "--encoding=utf8", "--username", SUPERUSER, "--pgdata", NEW)
            new.rename(made)
        for part in sorted(made.iterdir(), key=lambda part: part.name == "PG_VERSION"):
            part.rename(self.folder / part.name)
        made.rmdir()

    def _write_access(self) -> None:
        """Who may connect: at every start, since older versions let everybody in who reached the socket.

        The user who runs this may become every role, as tests do; so may the owner of the data.
        """
        names = {pwd.getpwuid(os.geteuid()).pw_name, self.owner.name}
        lines = ["local all all peer map=orcid_sync", "local replication all peer map=orcid_sync"]
        self._write("pg_hba.conf", lines)
        self._write("pg_ident.conf", [f'orcid_sync "{name}" all' for name in sorted(names)])

    def _write(self, name: str, lines: list[str]) -> None:
        """Beside its place and moved there: a link with that name is replaced, not followed."""
        handle, new = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(handle, "w") as file:
            os.fchown(handle, self.owner.uid, self.owner.gid)
            file.writelines(f"{line}\n" for line in ("# Written anew at every start.", *lines))
        Path(new).replace(self.folder / name)

    def _choose_socket_folder(self) -> Path:
        """Beside the data; where the path would be too long, or its name means more to PostgreSQL, a new folder."""
        if _fits(self.folder):
            return self.folder
        runtime = os.environ.get("XDG_RUNTIME_DIR") if not self.owner.become else None
        parent = Path(runtime) if runtime and os.access(runtime, os.W_OK) else Path(tempfile.gettempdir())
        folder = Path(tempfile.mkdtemp(prefix=PRIVATE, dir=parent))  # 0700, and a name nobody could have taken
        os.chown(folder, self.owner.uid, self.owner.gid)
        if _fits(folder) and closed_folder(folder, self.owner) is None:
            return folder
        self._leave(folder)
        raise EmbeddedUnavailable(
            f"The path of {self.folder} is too long for a socket, and so is that of {parent} or it is closed to "
            f"{self.owner.name}: set ORCID_SYNC_DATA_DIR or TMPDIR to a shorter one."
        )

    def _listens(self) -> bool:
        """Whether its server runs: a file with its process id may be left from before the machine went down."""
        if (folder := self.socket_folder) is None:
            return False
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(str(folder / SOCKET))
            except OSError:
                return False
        return True


def _fits(folder: Path) -> bool:
    return len(os.fsencode(folder / SOCKET)) <= LONGEST_SOCKET and not set(',"\n') & set(str(folder))
