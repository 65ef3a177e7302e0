"""Answers: one document, or a stream that is cut off in the open if it cannot be continued."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import structlog
from aiohttp import hdrs, web

from orcid_sync.service.http.problems import Problem
from orcid_sync.store.database.pools import DatabaseRefused, DatabaseUnavailable
from orcid_sync.store.database.roles import ReadersMissing

JSON: Final = "application/json"

WRITE_SECONDS: Final = 60.0
"""How long the other side may take no bytes of what is sent to it."""

log = structlog.get_logger(__name__)


def document(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer."""
    shown = {hdrs.CACHE_CONTROL: "no-store", **(headers or {})}
    return web.Response(status=status, body=msgspec.json.encode(value), content_type=JSON, headers=shown)


@asynccontextmanager
async def streaming(request: web.Request, kind: str) -> AsyncIterator[web.StreamResponse]:
    """A stream of this media type, ended as it should be if the body ends so.

    If it does not, because the database went away or the reader has to start again, the connection is cut: whoever
    reads notices that there is no end, asks again, and is then told.
    """
    response = web.StreamResponse(headers={hdrs.CONTENT_TYPE: kind, hdrs.CACHE_CONTROL: "no-store"})
    response.enable_chunked_encoding()
    await response.prepare(request)
    try:
        yield response
        await response.write_eof()
    except (Problem, DatabaseUnavailable, DatabaseRefused, ReadersMissing) as error:
        log.info("stream cut off", reason=str(error))
        if request.transport is not None:
            request.transport.abort()
    except ConnectionError as error:
        log.info("reader gone", reason=str(error))


async def write(response: web.StreamResponse, data: bytes) -> None:
    """Send it. Raises ConnectionResetError if the other side has gone, or takes nothing for too long."""
    if not data:
        return
    try:
        async with asyncio.timeout(WRITE_SECONDS):
            await response.write(data)
    except TimeoutError:
        raise ConnectionResetError("a reader took nothing for too long") from None
