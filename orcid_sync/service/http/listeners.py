"""The sockets of the two listeners: limits against hostile clients, and logs without the addresses requested.

aiohttp's defaults would keep silent connections for an hour, print every secret path in an access log, name its own and
Python's version in each answer, and quote malformed requests in its log and to whoever sent them.
"""

import resource
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from aiohttp import web

SERVER = "orcid-sync"
"""The Server header of every answer: no version."""

BACKLOG = 1024
"""Connections that the kernel holds while the loop is busy (a storm of notifications: fault F07)."""

OPEN_FILES = 65_536
"""Connections, and other files, that the process asks to be allowed."""

KEEPALIVE_SECONDS = 75.0
"""Longer than the minute for which proxies usually keep idle connections, so that they close first and never send a
notification into a closing one. It also bounds how long a peer may take to send its headers (slowloris, fault F92)."""

FINISH_SECONDS = 3.0
"""How long a closing listener waits for requests that are being answered: as long as the slowest answer takes."""

LIMITS: dict[str, Any] = {
    "access_log": None,  # it prints paths, and ours are secrets (fault F86)
    "auto_decompress": False,  # no body is read but forms of a few fields
    "lingering_time": 1.0,  # seconds for which an unread body is thrown away, so that the answer is not lost in a reset
    "max_line_size": 4096,
    "max_field_size": 4096,
    "max_headers": 64,
    "read_bufsize": 4096,  # what memory holds of a body
}

type_of_handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

log = structlog.get_logger(__name__)


def allow_connections(number: int = OPEN_FILES) -> None:
    """Raise the number of files that this process may have open to `number`, or as far as it may.

    Most systems begin with 1,024, for the sake of programs that use select(); beyond, a storm of notifications (fault
    F07) would find the door closed for a second at a time.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # macOS says no above a limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@asynccontextmanager
async def public_listener(
    handler: type_of_handler,
    *,
    host: str,
    port: int,
    on_error: Callable[[int], None],
    keepalive_seconds: float = KEEPALIVE_SECONDS,
) -> AsyncIterator[int]:
    """Answer the internet by `handler` while the body runs; yields the port. Raises OSError if it cannot be had.

    `on_error` is told the status of each answer that the handler did not give: 400 for what is not HTTP, 500 for a
    defect of ours. At the end no new connections are accepted, and requests that have begun are answered.
    """
    server = _QuietServer(handler, on_error=on_error, keepalive_timeout=keepalive_seconds, **LIMITS)
    async with _listening(web.ServerRunner(server, shutdown_timeout=FINISH_SECONDS), host, port) as bound:
        yield bound


@asynccontextmanager
async def internal_listener(app: web.Application, *, host: str, port: int) -> AsyncIterator[int]:
    """Answer operators by `app` while the body runs; yields the port. Raises OSError if it cannot be had."""
    runner = web.AppRunner(app, shutdown_timeout=FINISH_SECONDS, keepalive_timeout=KEEPALIVE_SECONDS, **LIMITS)
    async with _listening(runner, host, port) as bound:
        yield bound


@asynccontextmanager
async def _listening(runner: web.BaseRunner, host: str, port: int) -> AsyncIterator[int]:
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=BACKLOG)
        await site.start()
        yield site.port
    finally:
        await runner.cleanup()


class _QuietProtocol(web.RequestHandler):
    """aiohttp's HTTP, except that errors are answered without a body and logged without the request."""

    __slots__ = ("on_error",)
    on_error: Callable[[int], None]

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - quotes the request
    ) -> web.StreamResponse:
        self.on_error(status)
        write = log.error if status >= 500 else log.info
        write("request not understood" if status < 500 else "request failed", status=status, error=type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was under way already")
        response = web.Response(status=status, headers={"Server": SERVER})
        response.force_close()
        return response


class _QuietServer(web.Server):
    def __init__(self, handler: type_of_handler, *, on_error: Callable[[int], None], **settings: Any) -> None:
        super().__init__(handler)
        self._on_error = on_error
        self._settings = settings

    def __call__(self) -> web.RequestHandler:
        protocol = _QuietProtocol(self, loop=self._loop, **self._settings)
        protocol.on_error = self._on_error
        return protocol
