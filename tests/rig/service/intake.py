"""What the tests of the listeners share: a running intake, odd HTTP over bare sockets, a proxy that can go silent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, quote, urlsplit

import asyncpg

from orcid_sync.model.ids import Orcid, check_character, hyphenated
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.registry.callbacks import Callbacks, callback_url
from orcid_sync.service.http.listeners import KEEPALIVE_SECONDS, allow_connections, public_listener
from orcid_sync.service.http.metrics import Metrics
from orcid_sync.service.runtime.health import Draining
from orcid_sync.service.runtime.wakeup import WakeUp
from orcid_sync.service.webhooks.group_commit import GroupCommit
from orcid_sync.service.webhooks.intake import Intake
from orcid_sync.store.database.pools import Database
from orcid_sync.store.sync.queue import mark_due

WaitUntil = Callable[..., Awaitable[Any]]
"""The fixture wait_until."""

SECRET = b"a secret of tests, 32 bytes long"
GRACE = timedelta(seconds=3)
SOCKET = ".s.PGSQL.5432"


@dataclass
class Rig:
    """A running intake and what it did."""

    metrics: Metrics = field(default_factory=Metrics)
    draining: Draining = field(default_factory=Draining)
    port: int = 0
    connects: int = 0
    wakes: int = 0

    def count_wake(self) -> None:
        self.wakes += 1

    def counted(self, outcome: str) -> float:
        return self.metrics.registry.get_sample_value("orcid_sync_intake_requests_total", {"outcome": outcome}) or 0


@asynccontextmanager
async def running_intake(
    database: Database, *, keepalive_seconds: float = KEEPALIVE_SECONDS, grace: timedelta = GRACE
) -> AsyncIterator[Rig]:
    """The public listener as the daemon composes it."""
    allow_connections()
    rig = Rig()

    async def connect() -> asyncpg.Connection:
        rig.connects += 1
        return await database.connect_intake()

    wake_up = WakeUp(rig.count_wake, database.intake, grace=grace.total_seconds())
    commit = GroupCommit(
        connect, partial(mark_due, lane=Lane.NOTIFICATION, delay=grace), metrics=rig.metrics, wake=wake_up
    )
    intake = Intake(
        commit.mark, callbacks=Callbacks("sandbox", {1: SECRET}), metrics=rig.metrics, draining=rig.draining
    )
    try:
        async with public_listener(
            intake, host="127.0.0.1", port=0, on_error=intake.count_error, keepalive_seconds=keepalive_seconds
        ) as rig.port:
            yield rig
    finally:
        await commit.aclose()
        await wake_up.aclose()


def path_of(orcid: Orcid, *, secret: bytes = SECRET, key_version: int = 1, environment: str = "sandbox") -> str:
    """The path of this iD's callback."""
    return callback_url("", secret=secret, key_version=key_version, environment=environment, orcid=orcid)


def sample_orcids(count: int) -> list[Orcid]:
    """Made-up iDs with a right check digit."""
    bases = [f"0009{number:011d}" for number in range(count)]
    return [Orcid(hyphenated(base + check_character(base))) for base in bases]


async def connect_cold(connection: asyncpg.Connection, orcids: Iterable[Orcid]) -> None:
    """Connect the iDs as if all of them had been reconciled just now."""
    known = list(orcids)
    await connection.execute("insert into orcid_sync.connections (orcid) select unnest($1::text[])", known)
    await connection.execute(
        "insert into orcid_sync.queue (orcid, due_at, lane, gen, leased_gen, done_gen, lease_no) "
        "select unnest($1::text[]), now() + interval '7 days', 3, 1, 1, 1, 1",
        known,
    )


def request(path: str, *, method: str = "POST", headers: str = "Content-Length: 0\r\n") -> bytes:
    """A request as ORCID sends it, unless told otherwise (contract §1.6)."""
    return f"{method} {path} HTTP/1.1\r\n{headers}Host: a\r\nUser-Agent: Java-http-client/17.0.9\r\n\r\n".encode()


async def exchange(port: int, sent: bytes, *, limit: float = 5.0) -> bytes:
    """Send bytes on a new connection; what came back, up to the end of the answer's head or of the connection."""
    async with asyncio.timeout(limit):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(sent)
            await writer.drain()
            try:
                return await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError as ended:
                return ended.partial
        finally:
            writer.close()


def status_of(answer: bytes) -> int:
    """The status code of an answer; 0 if there was none."""
    return int(answer.split(b" ", 2)[1]) if answer else 0


class Poster:
    """One keep-alive connection that posts, as ORCID's sender does."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stream: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str) -> int:
        """The status of the answer."""
        if self._stream is None:
            self._stream = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._stream
        writer.write(request(path))
        head = await reader.readuntil(b"\r\n\r\n")
        if b"\r\nconnection: close" in head.lower():
            self.close()
        return status_of(head)

    def close(self) -> None:
        if self._stream is not None:
            self._stream[1].close()
            self._stream = None


async def post_all(port: int, paths: Iterable[str], *, connections: int) -> list[int]:
    """Post every path over that many connections at once; the statuses in the order of the answers."""
    remaining = iter(list(paths))
    statuses: list[int] = []

    async def work() -> None:
        poster = Poster(port)
        try:
            for path in remaining:
                statuses.append(await poster.post(path))  # noqa: PERF401 - shared by all workers
        finally:
            poster.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(work())
    return statuses


class SilentProxy:
    """A Unix socket before PostgreSQL's that, when told so, accepts everything and passes nothing on: a black hole."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self._server = urlsplit(dsn)
        self._path = str(folder / SOCKET)
        user = self._server.netloc.rpartition("@")[0]
        self.dsn = self._server._replace(netloc=f"{user}@", query=f"host={quote(str(folder))}").geturl()
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def go_silent(self) -> None:
        self._open.clear()

    def recover(self) -> None:
        """Answer new connections again. What was swallowed stays swallowed."""
        for task in self._tasks:
            task.cancel()
        self._open.set()

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_unix_server(self._accept, self._path)
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with suppress(asyncio.CancelledError, OSError):
            try:
                await self._open.wait()
                upstream, downstream = await self._connect()
                try:
                    await asyncio.gather(self._pass_on(reader, downstream), self._pass_on(upstream, writer))
                finally:
                    downstream.close()
            finally:
                writer.close()
                self._tasks.discard(task)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._server.hostname:
            return await asyncio.open_connection(self._server.hostname, self._server.port or 5432)
        return await asyncio.open_unix_connection(f"{parse_qs(self._server.query)['host'][0]}/{SOCKET}")

    async def _pass_on(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while piece := await source.read(65536):
            await self._open.wait()
            target.write(piece)
        target.close()


async def marks(connection: asyncpg.Connection) -> dict[str, int]:
    """How often each connected iD was marked and written."""
    rows = await connection.fetch("select orcid, gen - 1 as marks from orcid_sync.queue where notified_at is not null")
    return {row["orcid"]: row["marks"] for row in rows}
