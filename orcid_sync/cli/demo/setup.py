"""Starts what the demo needs: database, simulated Registry, daemon, connected iDs; all real but the Registry."""

import asyncio
import base64
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from orcid_sync.model.ids import Orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID, CLIENT_SECRET
from orcid_sync.store.consent import connections
from orcid_sync.store.consent.connections import Entry
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.database.pools import connect

NOTIFICATION_DELAY = 1.0
"""Seconds from an edit to its notification; at ORCID it is minutes (contract section 1.6)."""

START_SECONDS = 30.0
STOP_SECONDS = 15.0


class DemoFailed(Exception):
    """The demo cannot go on; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What the demo plays on."""

    dsn: str
    sim: SimulatedRegistry
    tokens: dict[Orcid, str]
    """The tokens of the researchers who granted one."""
    log: Path
    """What the daemon logs."""
    pages_url: str
    """Where its status pages are."""

    def log_tail(self, lines: int = 5) -> str:
        """The end of the daemon's log."""
        return "\n".join(self.log.read_text().strip().splitlines()[-lines:])

    def view_token(self, orcid: Orcid) -> str:
        """The token that the daemon reads this iD with: the holder's, else one of its own kind."""
        own = self.sim.token_service.clients[CLIENT_ID]
        return self.tokens.get(orcid) or self.sim.token_service.client_credentials(own, "/read-public").text


@asynccontextmanager
async def open_stage(dsn: str, folder: Path, *, records: int, port: int | None) -> AsyncIterator[Stage]:
    """Registry and daemon running, every sample record connected. Raises DemoFailed."""
    async with _simulated_registry(records) as sim:
        key = secrets.token_bytes(32)
        environment = _environment(dsn, sim, port or free_port(), key)
        log = folder / "daemon.log"
        async with _daemon(environment, log):
            tokens = await _connect(dsn, sim, Vault({"1": key}))
            yield Stage(dsn, sim, tokens, log, f"http://127.0.0.1:{environment['ORCID_SYNC_INTERNAL_PORT']}/")


def free_port() -> int:
    """A port that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def _simulated_registry(records: int) -> AsyncIterator[SimulatedRegistry]:
    sim = SimulatedRegistry(speed=1.0)
    sim.settings.indexing_delay = 0
    sim.settings.indexer_period = sim.settings.hook_period = NOTIFICATION_DELAY / 2
    sim.add_samples(records, seed=7)
    await sim.start(deliver=True)
    try:
        yield sim
    finally:
        await sim.stop()


def _environment(dsn: str, sim: SimulatedRegistry, port: int, key: bytes) -> dict[str, str]:
    """The daemon's settings, as an operator would give them, but with shorter times."""
    settings = {
        "environment": "custom",
        "api_url": sim.api_url,
        "web_url": sim.web_url,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "public_url": f"http://127.0.0.1:{port}",
        "public_host": "127.0.0.1",
        "public_port": str(port),
        "internal_port": str(free_port()),
        "webhook_secret": secrets.token_hex(32),
        "encryption_key": base64.b64encode(key).decode(),
        "database_url": dsn,
        "grace_seconds": "0.2",
        "second_look_seconds": "20",
        "requests_per_second": "200",
        "burst": "50",
        "drain_seconds": "0",
        "log_format": "json",
    }
    return {f"ORCID_SYNC_{name.upper()}": value for name, value in settings.items()}


@asynccontextmanager
async def _daemon(environment: dict[str, str], log: Path) -> AsyncIterator[None]:
    """`orcid-sync serve` as a process of its own, ready."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ORCID_SYNC_")}
    for name in ("DATABASE_URL", "PORT"):
        inherited.pop(name, None)
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "orcid_sync",
            "serve",
            env=inherited | environment,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C ends the edits; the daemon is still needed for the comparison
        )
    try:
        await _ready(process, int(environment["ORCID_SYNC_INTERNAL_PORT"]), log)
        yield
    finally:
        await _end(process)


async def _ready(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    async with aiohttp.ClientSession() as session, asyncio.timeout(START_SECONDS):
        while True:
            if process.returncode is not None:
                lines = (await asyncio.to_thread(log.read_text)).strip().splitlines()
                raise DemoFailed(f"The daemon did not start: {lines[-1] if lines else 'it said nothing'}")
            try:
                async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()


async def _connect(dsn: str, sim: SimulatedRegistry, vault: Vault) -> dict[Orcid, str]:
    """Connect every iD; every second researcher has granted us a token that also reads limited items."""
    orcids = [Orcid(orcid) for orcid in sim.profiles]
    scopes = ("/read-limited",)
    tokens = {orcid: sim.token_service.issue(CLIENT_ID, scopes, orcid=orcid).text for orcid in orcids[::2]}
    entries = [
        Entry(orcid=orcid, access_token=vault.seal(tokens[orcid], orcid=orcid, column="access_token"), scopes=scopes)
        if orcid in tokens
        else Entry(orcid=orcid)
        for orcid in orcids
    ]
    async with connect(dsn) as connection:
        await connections.connect_orcids(connection, entries)
    return tokens
