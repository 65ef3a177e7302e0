"""serve and simulate as processes: what they say, what they answer, how they end."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import msgspec
import pytest

from rig.service.command_line import COMPLETE
from rig.service.process import ANY_PORT, NOBODY, QUICK, line_with, running


async def test_serve_says_where_it_listens_and_stops_when_asked(dsn: str, tmp_path: Path) -> None:
    env = {**COMPLETE, **ANY_PORT, **NOBODY, **QUICK, "DATABASE_URL": dsn}

    async with running("serve", **env) as process, aiohttp.ClientSession() as session:
        said: dict[str, Any] = msgspec.json.decode(await line_with(process.stderr, '"serving"'))
        async with session.get(f"http://127.0.0.1:{said['internal_port']}/healthz") as answer:
            assert answer.status == 200

        process.send_signal(signal.SIGTERM)
        out, err = await asyncio.wait_for(process.communicate(), 30)
        assert (process.returncode, out) == (0, b""), err.decode()
        assert b'"stopped"' in err
        assert b"kestrel" not in err


@pytest.fixture
def passable() -> Iterator[Path]:
    """A new folder through which the embedded server's user may pass, which pytest's own are not for root."""
    with TemporaryDirectory(prefix="orcid-sync-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


async def test_serve_without_a_database_runs_on_the_embedded_one(passable: Path) -> None:
    """It says so and makes the schema itself; other commands find it, while it runs and afterwards."""
    folder = {"ORCID_SYNC_DATA_DIR": str(passable / "data")}

    async with running("serve", **COMPLETE, **ANY_PORT, **NOBODY, **QUICK, **folder) as process:
        assert (await line_with(process.stderr, "embedded")) == (
            f"Using the embedded PostgreSQL in {passable}/data/postgres.\n"
        )
        await line_with(process.stderr, '"serving"')

        async with running("status", **folder) as meanwhile:
            await line_with(meanwhile.stdout, "All is well.")

        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0

    async with running("status", **folder) as afterwards:
        await line_with(afterwards.stdout, "All is well.")


async def test_a_port_in_use_is_one_sentence(dsn: str) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    async with taken:
        port = str(taken.sockets[0].getsockname()[1])
        env = {**COMPLETE, **ANY_PORT, **NOBODY, **QUICK, "DATABASE_URL": dsn, "ORCID_SYNC_INTERNAL_PORT": port}

        async with running("serve", **env) as process:
            _, err = await asyncio.wait_for(process.communicate(), 30)

    last = err.decode().splitlines()[-1]
    assert process.returncode == 1
    assert f"cannot use 127.0.0.1:{port}" in last
    assert b"Traceback" not in err


@pytest.mark.reveals("process", reason="the made-up secret of the simulated client is announced")
async def test_simulate_says_how_to_use_it() -> None:
    async with running("simulate", "--port", "0", "--records", "2") as process, aiohttp.ClientSession() as session:
        said = (await line_with(process.stdout, "API_URL")).strip()
        assert said.startswith("export ORCID_SYNC_API_URL=http://127.0.0.1:")

        async with session.get(f"{said.partition('=')[2]}/_sim/records") as answer:
            assert len(await answer.json()) == 2

        process.send_signal(signal.SIGINT)
        _, err = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0
        assert err.decode().splitlines()[-1] == "The simulated Registry has stopped."
