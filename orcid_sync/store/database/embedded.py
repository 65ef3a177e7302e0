"""A PostgreSQL server that comes inside a wheel: for the demo, for trying the service out, and for the tests.

Only the programs of the wheel are used. Its library would put the socket, writable for everybody and asking for no
password, into a folder for everybody as soon as the path is long; run by root, it would open all folders above the
data and above the programs to everybody; and its lock file is one for all users of the machine.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orcid_sync.store.database.embedded_cluster import LOCKS, EmbeddedCluster
from orcid_sync.store.database.embedded_programs import EmbeddedUnavailable

__all__ = ["EmbeddedUnavailable", "embedded_postgres"]


@contextmanager
def embedded_postgres(data_dir: Path) -> Iterator[str]:
    """Run a server whose data live in `data_dir` (made if missing), and yield its DSN.

    Processes that name the same folder share the server; it stops when the last of them ends its use, however it ends:
    the locks by which they are counted are the system's, which releases them for a process that was killed.

    It listens on a Unix socket only, which nobody else may reach. Run by root it changes to a user of its own, since
    PostgreSQL refuses root. Raises EmbeddedUnavailable.
    """
    cluster = EmbeddedCluster(data_dir)
    turn, users = (cluster.folder / name for name in LOCKS)
    with _locked(turn):
        cluster.start()
        user = _lock(users, fcntl.LOCK_SH)
    try:
        yield cluster.dsn
    finally:
        os.close(user)
        # Somebody else's use keeps the second lock; a folder that was removed meanwhile has no server to be stopped.
        with suppress(FileNotFoundError, BlockingIOError), _locked(turn), _locked(users, fcntl.LOCK_EX | fcntl.LOCK_NB):
            cluster.stop()


@contextmanager
def _locked(file: Path, kind: int = fcntl.LOCK_EX) -> Iterator[None]:
    held = _lock(file, kind)
    try:
        yield
    finally:
        os.close(held)


def _lock(file: Path, kind: int) -> int:
    # The folder is the server's own: what lies in it is never followed elsewhere.
    held = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.fchown(held, file.parent.stat().st_uid, -1)  # the server reads all that lies there when it is copied
        fcntl.flock(held, kind)
    except BaseException:
        os.close(held)
        raise
    return held
