"""One HTTP request and its answer, within limits of time and memory.

No exception of aiohttp leaves this module: its text can hold the Authorization header or a webhook's address (fault
F87). What takes its place names the kind of failure in a fixed phrase and has no context.
"""

import asyncio
import io
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDictProxy
from yarl import URL

from orcid_sync import __version__
from orcid_sync.registry.errors import TooLarge, Unavailable
from orcid_sync.registry.requests import Endpoint, Request

_SMALL_BYTES: Final = 64 * 1024
_SMALL_ANSWERS: Final = frozenset({Endpoint.TOKEN, Endpoint.CODE, Endpoint.REVOKE, Endpoint.WEBHOOK})

# What aiohttp raises, in a fixed phrase: the first that fits; a time-out is an OSError too.
FAILURES: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (TimeoutError, "no complete answer in time"),
    (aiohttp.ClientConnectorDNSError, "the host name cannot be resolved"),
    (aiohttp.ClientSSLError, "no secure connection (TLS)"),
    (aiohttp.ClientConnectorCertificateError, "the certificate is not trusted (TLS)"),
    (aiohttp.ClientConnectorError, "no connection"),
    (aiohttp.ClientPayloadError, "the answer was cut off or damaged"),
    (aiohttp.ClientConnectionError, "the connection was lost"),
    (OSError, "the connection was lost"),
    (aiohttp.ClientError, "the answer is not valid HTTP"),
    (HttpProcessingError, "the answer is not valid HTTP"),
)

Answer = tuple[int, CIMultiDictProxy[str], bytes]
"""Status, headers, body without its compression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one request may cost."""

    total_seconds: float = 120.0
    """From the connection to the last byte of the answer: a slow drip does not get around it (fault F34)."""
    connect_seconds: float = 10.0
    body_bytes: int = 256 * 1024 * 1024
    """Longest answer, counted after decompression (fault F36)."""
    large_bytes: int = 1024 * 1024
    large_answers: int = 2
    """How many answers beyond `large_bytes` of one kind are in memory at once (fault F29)."""
    large_seconds: float = 10.0
    """For so long at most one of them keeps others out: what is done with it meanwhile may wait for ORCID for ever."""
    tries: int = 2
    """Sendings of one request; longer troubles are left to the queue (fault F41)."""
    repeat_within_seconds: float = 30.0
    """No repeat starts later than this after the first sending."""
    repeat_wait_seconds: float = 1.0
    """The wait before a repeat is chosen at random between 0 and this."""


def open_session(limits: Limits) -> aiohttp.ClientSession:
    """A session that adds nothing of its own to our requests: every header is ours (contract sections 1.1 and 3.2)."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=limits.total_seconds, sock_connect=limits.connect_seconds),
        headers={"User-Agent": f"orcid-sync/{__version__}", "Accept-Encoding": "gzip"},
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=(_send_once,),
    )


async def _send_once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending again by itself after a lost connection: it would take no slot of the pace (F41).

    It does so for two kinds of exception, which become a third one here; failures to connect are not repeated anyway.
    """
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
        raise aiohttp.ClientConnectionError from None


async def exchange(
    session: aiohttp.ClientSession,
    request: Request[Any],
    authorization: str | None,
    limits: Limits,
    *,
    large: asyncio.Semaphore,
    permits: AsyncExitStack,
) -> Answer:
    """Send the request and read the whole answer.

    An answer that grows large waits for a permit of `large`, which then belongs to `permits`: whoever closes it says
    that the answer is out of memory. Raises Unavailable and TooLarge.
    """
    # Raised outside the handler, so that no context leads to aiohttp's exception.
    try:
        return await _send(session, request, authorization, limits, large, permits)
    except tuple(kind for kind, _ in FAILURES) as error:
        failure = Unavailable(next(phrase for kind, phrase in FAILURES if isinstance(error, kind)))
    raise failure


async def _send(
    session: aiohttp.ClientSession,
    request: Request[Any],
    authorization: str | None,
    limits: Limits,
    large: asyncio.Semaphore,
    permits: AsyncExitStack,
) -> Answer:
    headers = {**request.headers, **({"Authorization": authorization} if authorization else {})}
    url = URL(request.url, encoded=True)  # yarl would decode %3A and others otherwise (contract section 1.1)
    async with session.request(
        request.method, url, headers=headers, data=request.form, allow_redirects=False
    ) as response:
        if response.status >= 300:
            return response.status, response.headers, await _read_start(response.content)
        limit = _SMALL_BYTES if request.endpoint in _SMALL_ANSWERS else limits.body_bytes
        if (response.content_length or 0) > limit:
            raise TooLarge(status=response.status)
        buffer = io.BytesIO()  # its value is taken without a copy
        async for chunk in response.content.iter_any():
            before = buffer.tell()
            buffer.write(chunk)
            if buffer.tell() > limit:
                raise TooLarge(status=response.status)
            if before <= limits.large_bytes < buffer.tell():
                async with asyncio.timeout(limits.total_seconds):
                    await permits.enter_async_context(large)
        return response.status, response.headers, buffer.getvalue()


async def _read_start(content: aiohttp.StreamReader) -> bytes:
    """The first 64 KiB of an error's body; a longer one is no answer of ORCID's and is not worth reading."""
    buffer = io.BytesIO()
    async for chunk in content.iter_any():
        buffer.write(chunk)
        if buffer.tell() > _SMALL_BYTES:
            break
    return buffer.getvalue()
