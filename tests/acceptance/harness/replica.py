"""The service as processes of their own, as an operator runs them: started, killed, frozen, stopped."""

import asyncio
import base64
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import aiohttp

from orcid_sync.simulator.world import CLIENT_ID, CLIENT_SECRET
from rig.free_ports import free_port

ROOT = Path(__file__).parents[3]
KEY = b"k" * 32
"""The encryption key of every installation here."""

START_SECONDS = 30.0


def environment(dsn: str, registry_url: str, public_url: str, **settings: object) -> dict[str, str]:
    """The environment of one replica: nothing of this machine's settings, short times, and what the test wants."""
    given = {
        "environment": "custom",
        "api_url": registry_url,
        "web_url": registry_url,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "public_url": public_url,
        "public_host": "127.0.0.1",
        "public_port": free_port(),
        "internal_port": free_port(),
        "webhook_secret": "w" * 40,
        "encryption_key": base64.b64encode(KEY).decode(),
        "grace_seconds": 0.05,
        "second_look_seconds": 1,
        "lease_seconds": 2,
        "poll_seconds": 0.3,
        "requests_per_second": 1000,
        "burst": 1000,
        "request_timeout_seconds": 3,
        "connect_timeout_seconds": 1,
        "drain_seconds": 0.3,
        "log_format": "json",
        "log_level": "warning",
        **settings,
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ORCID_SYNC_")}
    for name in ("DATABASE_URL", "PORT", "LOG_LEVEL", "LOG_FORMAT"):
        kept.pop(name, None)
    ours = {f"ORCID_SYNC_{name.upper()}": str(value) for name, value in given.items()}
    return {**kept, **ours, "DATABASE_URL": dsn, "PYTHONPATH": str(ROOT)}


class Replica:
    """One `orcid-sync serve`, which may be run many times."""

    def __init__(self, settings: Mapping[str, str], log: Path, *arguments: str) -> None:
        self.settings = settings
        self.port = int(settings["ORCID_SYNC_PUBLIC_PORT"])
        self.internal_url = f"http://127.0.0.1:{settings['ORCID_SYNC_INTERNAL_PORT']}"
        self.log = log
        self.kills = self.freezes = 0
        self._arguments = arguments
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the process, without waiting until it is ready."""
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "orcid_sync",
                "serve",
                *self._arguments,
                env=dict(self.settings),
                cwd=self.log.parent,
                stdout=output,
                stderr=output,
            )

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether there is a process that has not ended."""
        return self._process is not None and self._process.returncode is None

    async def ready(self) -> None:
        """Wait until it serves. Raises AssertionError if it ended instead, with what it said last."""
        async with aiohttp.ClientSession() as session, asyncio.timeout(START_SECONDS):
            while not await self.answers(session, "/readyz"):
                assert self.running, self.last_words()
                await asyncio.sleep(0.03)

    async def answers(self, session: aiohttp.ClientSession, path: str) -> bool:
        """Whether its internal listener says 200 to this path."""
        try:
            async with session.get(self.internal_url + path) as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it runs."""
        if self.running:
            with suppress(ProcessLookupError):  # it has just ended by itself, and the event loop does not know yet
                os.kill(self.pid, number)

    async def kill(self) -> None:
        """End it at once, in the middle of whatever it does."""
        if self.running:
            self.kills += 1
            self.signal(signal.SIGKILL)
            await self.ended()

    async def freeze(self, seconds: float) -> None:
        """Stop its time for a while, as a virtual machine's does that is moved."""
        self.freezes += 1
        self.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.signal(signal.SIGCONT)

    async def ended(self, limit: float = 30.0) -> int:
        """Wait for its end; the exit code, negative for a signal."""
        assert self._process is not None
        async with asyncio.timeout(limit):
            return await self._process.wait()

    def last_words(self, lines: int = 5) -> str:
        """The end of what it logged."""
        return (
            "\n".join(self.log.read_text(errors="replace").strip().splitlines()[-lines:]) if self.log.exists() else ""
        )


class Balancer:
    """A port that leads to whichever replica takes the connection, in turn; what ORCID sees of an installation."""

    def __init__(self, ports: Callable[[], list[int]]) -> None:
        self._ports = ports
        self._turn = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def url(self) -> str:
        """The address that is given to the Registry."""
        return f"http://127.0.0.1:{self.port}"

    async def open(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listen no more, cut every connection."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            far = await self._connect()
            if far is not None:
                await asyncio.gather(_pump(reader, far[1]), _pump(far[0], writer))
        except asyncio.CancelledError:
            pass  # closing; asyncio would report a cancelled handler as an error
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        ports = self._ports()
        for _ in ports:
            self._turn += 1
            try:
                return await asyncio.open_connection("127.0.0.1", ports[self._turn % len(ports)])
            except OSError:
                continue
        return None


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()  # what it has been given still goes out
