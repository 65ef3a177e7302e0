"""A PostgreSQL of one's own that can be stopped as if the power had failed, and started again."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orcid_sync.store.database.embedded_cluster import EmbeddedCluster, EmbeddedUnavailable

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
        self.server = EmbeddedCluster(folder)  # whose uses are not counted: it stops only when it is told to
        self.server.start()
        self.dsn = self.server.dsn
        self.stops = 0

    def stop(self) -> None:
        """Stop in order."""
        self.server.stop()

    def crash(self) -> None:
        """End every process of the server at once, without a checkpoint; what was not committed is gone."""
        self.stops += 1
        self.server.stop("immediate")

    def start(self) -> None:
        """Run again: recovery first, if it crashed."""
        self.server.start()

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
        with suppress(EmbeddedUnavailable):  # a test may have left it stopped
            cluster.crash()
