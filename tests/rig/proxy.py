"""A relay between a test and PostgreSQL that can fail as networks do."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """Relays connections to the server of a DSN; `dsn` leads through it."""

    def __init__(self, upstream: str, folder: Path) -> None:
        self._upstream = urlsplit(upstream)
        self.dsn = self._upstream._replace(netloc="postgres:@", query=f"host={folder}").geturl()
        self._open: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._accepting = True
        self.mend()

    def mend(self) -> None:
        """Work as it should."""
        self._accepting = True
        self._flowing.set()

    def freeze(self) -> None:
        """Become a black hole: connections stay open, new ones are accepted, nothing passes."""
        self._flowing.clear()

    def cut(self) -> None:
        """Break all connections and refuse new ones."""
        self._accepting = False
        for writer in self._open:
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._accepting:
            writer.transport.abort()
            return
        far_reader, far_writer = await self._connect()
        self._open |= {writer, far_writer}
        with suppress(ConnectionError):
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(reader, far_writer))
                pumps.create_task(self._pump(far_reader, writer))
        self._open -= {writer, far_writer}

    async def _connect(self) -> Streams:
        if host := parse_qs(self._upstream.query).get("host"):
            return await asyncio.open_unix_connection(f"{host[0]}/.s.PGSQL.5432")
        return await asyncio.open_connection(self._upstream.hostname, self._upstream.port or 5432)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def open_proxy(upstream: str) -> AsyncIterator[Proxy]:
    """A proxy before the server of this DSN."""
    with tempfile.TemporaryDirectory(prefix="proxy-") as folder:
        proxy = Proxy(upstream, Path(folder))
        server = await asyncio.start_unix_server(proxy.serve, f"{folder}/.s.PGSQL.5432")
        try:
            yield proxy
        finally:
            proxy.mend()
            proxy.cut()
            server.close()


@pytest.fixture
async def proxy(dsn: str) -> AsyncIterator[Proxy]:
    """A relay to this test's database that can freeze and be cut."""
    async with open_proxy(dsn) as opened:
        yield opened
