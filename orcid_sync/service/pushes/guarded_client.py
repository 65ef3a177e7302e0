"""Requests to addresses that somebody else has chosen, kept away from what only our side of the firewall reaches.

An address is judged twice: when a name was resolved, so that what is refused is not tried, and by the socket that is
about to connect, which no notation, no cached answer and no second resolution gets around (DNS rebinding). Redirects
are not followed, proxies of the environment not used, and of an answer little is read, for a short time.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from orcid_sync import __version__
from orcid_sync.model.pushes.allowed_addresses import Network, refusal
from orcid_sync.model.pushes.delivery import Outcome, Result, judge, retry_after
from orcid_sync.registry.http_exchange import FAILURES

CONNECT_SECONDS: Final = 5.0
"""Bound of one attempt to connect to one address."""

LOOKUPS: Final = 64
"""Names that are looked up at once. A name server that does not answer blocks a thread for up to half a minute;
asyncio's own few threads would soon all wait for dead receivers."""

KEEP_NAMES_SECONDS: Final = 30
"""How long the addresses of a name are remembered; they are judged again whenever one is used."""

_ANSWER_BYTES: Final = 16 * 1024
_ANSWER_SECONDS: Final = 1.0

NOT_CALLED: Final = "the service may not call this URL"

_KINDS: Final = tuple(kind for kind, _ in FAILURES)

Lookup = Callable[[str, int, int], list[Any]]
"""As socket.getaddrinfo: of a host, a port and an address family."""


class AddressRefused(OSError):
    """Nothing was sent: the address is not one that we may reach. Says which kind it is, not the address."""


class Rules:
    """What may be reached."""

    def __init__(self, *, allowed: Collection[Network] = (), plain_http: bool = False) -> None:
        """Beside the internet, `allowed` networks; addresses with http only if `plain_http`."""
        self._allowed = tuple(allowed)
        self._plain_http = plain_http

    def check_url(self, text: str) -> str:
        """The origin (scheme, host, port) of an address. Raises ValueError that says what it must look like."""
        parts = urlsplit(text)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.fragment or not text.isprintable():
            raise ValueError("The URL must be an address such as https://cris.example.edu/orcid, without #.")
        if parts.username or parts.password:
            raise ValueError("The URL must not hold a password: messages are signed, verify the signature instead.")
        if parts.scheme == "http" and not self._plain_http:
            raise ValueError(
                "The URL must begin with https://: messages say what records hold (or set push_plain_http)."
            )
        with contextlib.suppress(ValueError):
            if reason := refusal(parts.hostname, self._allowed):
                raise AddressRefused(f"the address is {reason}")
        return str(URL(text).origin())

    def check_address(self, text: str) -> None:
        """Raises AddressRefused if no request may go there."""
        if reason := refusal(text, self._allowed):
            raise AddressRefused(f"the address is {reason}")

    def open_socket(self, info: Any) -> socket.socket:
        """A socket to connect to this address, and to no other. Raises AddressRefused."""
        family, kind, protocol, _, address = info
        self.check_address(address[0])
        return socket.socket(family=family, type=kind, proto=protocol)


class JudgedResolver(AbstractResolver):
    """Resolves names to the addresses that may be reached."""

    def __init__(self, rules: Rules, lookup: Lookup | None = None) -> None:
        self._rules = rules
        self._lookup = lookup or (lambda host, port, family: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM))
        self._threads = ThreadPoolExecutor(LOOKUPS, thread_name_prefix="lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises AddressRefused if there are only some that we must not reach."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, self._lookup, host, port, int(family))
        results, refused = [], None
        for kind, _, protocol, _, address in found:
            try:
                self._rules.check_address(address[0])
            except AddressRefused as error:
                refused = error
                continue
            results.append(
                ResolveResult(
                    hostname=host, host=address[0], port=port, family=kind, proto=protocol, flags=socket.AI_NUMERICHOST
                )
            )
        if not results and refused is not None:
            raise refused
        return results

    async def close(self) -> None:
        """Wait for nobody: a thread that asks a dead name server ends when it gives up."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class GuardedClient:
    """Sends messages and judges the answers."""

    def __init__(self, session: aiohttp.ClientSession, rules: Rules) -> None:
        self._session = session
        self._rules = rules

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Result:
        """Send a message; whatever goes wrong is a result."""
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            self._rules.check_url(url)
            status, wait = await self._post(url, body, headers)
        except _KINDS as error:  # before ValueError, of which errors of certificates are a kind
            return _failure(error, clock() - began)
        except ValueError:
            return Result(outcome=Outcome.FORBIDDEN, error=NOT_CALLED)
        outcome = judge(status)
        said = None if outcome is Outcome.DELIVERED else f"status {status}"
        return Result(outcome=outcome, error=said, seconds=clock() - began, retry_after=retry_after(wait))

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str | None]:
        async with self._session.post(
            URL(url), data=body, headers={"Content-Type": "application/json", **headers}, allow_redirects=False
        ) as response:
            # Its status was the answer. Only so that the connection can be used again, a little more is read.
            with contextlib.suppress(TimeoutError, EOFError, aiohttp.ClientError):
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await response.content.readexactly(_ANSWER_BYTES)
            if not response.content.at_eof():
                response.close()
            return response.status, response.headers.get("Retry-After")


@contextlib.asynccontextmanager
async def open_guarded_client(
    rules: Rules, *, seconds: float, lookup: Lookup | None = None
) -> AsyncIterator[GuardedClient]:
    """Whoever sends messages; each may take so many seconds in all."""
    resolver = JudgedResolver(rules, lookup)
    connector = aiohttp.TCPConnector(
        resolver=resolver, socket_factory=rules.open_socket, ttl_dns_cache=KEEP_NAMES_SECONDS, limit=0
    )
    try:
        async with aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=seconds, sock_connect=CONNECT_SECONDS),
            headers={"User-Agent": f"orcid-sync/{__version__}", "Accept": "*/*"},
            skip_auto_headers=("Accept-Encoding",),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        ) as session:
            yield GuardedClient(session, rules)
    finally:
        await resolver.close()


def _failure(error: BaseException, seconds: float) -> Result:
    """What aiohttp raised, without its text, which names addresses."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if isinstance(cause, AddressRefused | aiohttp.InvalidURL):
        said = str(cause) if isinstance(cause, AddressRefused) else NOT_CALLED
        return Result(outcome=Outcome.FORBIDDEN, error=said, seconds=seconds)
    phrase = next(phrase for kind, phrase in FAILURES if isinstance(error, kind))
    return Result(outcome=Outcome.UNREACHABLE, error=phrase, seconds=seconds)
