"""The Registry client against real sockets: exact bytes, and servers that misbehave in every way."""

import asyncio
import gzip
import json
import random
import traceback
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from orcid_sync import __version__
from orcid_sync.model.ids import Orcid
from orcid_sync.registry.client import Registry
from orcid_sync.registry.errors import BadRequest, Deprecated, RegistryError, TooLarge, Unavailable
from rig.registry_client import Journal, chain, registry_at

ORCID = Orcid("0000-0002-1825-0097")
PRIMARY = Orcid("0000-0002-1694-233X")
TOKEN = "c4n4ry-70c3n-0f-7h3-m1n3"
MEGABYTE = 1024 * 1024

Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass
class RawServer:
    """Answers the n-th request with the n-th answer, and every later one with the last; speaks bytes, not HTTP."""

    answers: list[Answer]
    url: str = ""
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the client closes a connection in the middle of an answer."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests.append(head)
                answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
                if isinstance(answer, bytes):
                    writer.write(answer)
                    await writer.drain()
                else:
                    await answer(writer)
        except (asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        except ConnectionError:
            self.gone.set()
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def serving(*answers: Answer) -> AsyncIterator[RawServer]:
    raw = RawServer(list(answers))
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    raw.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield raw
    finally:
        server.close()


@asynccontextmanager
async def asking(*answers: Answer, **limits: Any) -> AsyncIterator[tuple[RawServer, Registry, Journal]]:
    journal = Journal(stored={"/webhook": "hook-token", "/read-public": "own-token"})
    async with serving(*answers) as server, registry_at(server.url, journal, **limits) as registry:
        yield server, registry, journal


def http(status: int, body: bytes, *headers: str, media: str = "application/json", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    lines = [f"HTTP/1.1 {status} Any", f"Content-Type: {media}", f"Content-Length: {size}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def record(padding: int = 0) -> bytes:
    noise = random.Random(padding).randbytes(padding // 2).hex()
    return json.dumps(
        {"orcid-identifier": {"path": ORCID}, "person": {"padding": noise}, "activities-summary": {}}
    ).encode()


SMALL, LARGE = record(), record(2 * MEGABYTE)
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


async def read(registry: Registry) -> bytes:
    async with registry.record(ORCID, TOKEN) as body:
        return body


# What goes over the wire.


def head(request: bytes) -> tuple[str, dict[str, str]]:
    line, *headers = request.decode().rstrip().split("\r\n")
    return line, {name.lower(): value for name, value in (header.split(": ", 1) for header in headers)}


async def test_a_webhook_travels_byte_for_byte() -> None:
    callback = "https://hub.example.org/webhooks/x:y/1.ab-_=?q=a%2Fb&c#d+é"
    encoded = "https%3A%2F%2Fhub.example.org%2Fwebhooks%2Fx%3Ay%2F1.ab-_%3D%3Fq%3Da%252Fb%26c%23d%2B%C3%A9"

    async with asking(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n") as (
        server,
        registry,
        journal,
    ):
        assert await registry.register_webhook(ORCID, callback) is True
        assert await registry.register_webhook(ORCID, callback) is False
        await registry.unregister_webhook(ORCID, callback)

    expected = {
        "host": server.url.removeprefix("http://"),
        "accept": "application/json",
        "accept-encoding": "gzip",
        "authorization": "Bearer hook-token",
        "content-type": "application/json",
        "content-length": "0",
        "user-agent": f"orcid-sync/{__version__}",
    }
    for request, method in zip(server.requests, ["PUT", "PUT", "DELETE"], strict=True):
        line, headers = head(request)
        assert line == f"{method} /{ORCID}/webhook/{encoded} HTTP/1.1"
        assert expected.items() >= headers.items()
        assert headers.items() >= {k: v for k, v in expected.items() if k != "content-length"}.items()
    assert journal.observed == [("webhook", "201"), ("webhook", "204"), ("webhook", "204")]


async def test_a_webhook_that_was_absent_is_absent() -> None:
    gone = http(404, b'{"response-code":404,"error-code":9028}')

    async with asking(gone) as (_, registry, _):
        await registry.unregister_webhook(ORCID, "https://hub.example.org/1")


async def test_a_record_is_asked_for_as_json() -> None:
    async with asking(http(200, SMALL)) as (server, registry, _):
        assert await read(registry) == SMALL

    line, headers = head(server.requests[0])
    assert line == f"GET /v3.0/{ORCID}/record HTTP/1.1"
    assert headers == {
        "host": server.url.removeprefix("http://"),
        "accept": "application/json",
        "accept-encoding": "gzip",
        "authorization": f"Bearer {TOKEN}",
        "user-agent": f"orcid-sync/{__version__}",
    }


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.fault("F43")
@pytest.mark.invariant("S9", "S14")
async def test_no_redirect_is_followed_and_no_token_travels(status: int) -> None:
    deprecated = b'{"response-code":301,"error-code":9007,"developer-message":"","user-message":""}'
    async with serving(http(200, SMALL)) as elsewhere:
        location = f"Location: {elsewhere.url}/v3.0/{PRIMARY}/record"
        async with asking(http(status, b"", location)) as (_, registry, _):
            with pytest.raises(BadRequest, match="check api_url"):
                await read(registry)
        async with asking(http(status, deprecated, location)) as (_, registry, _):
            with pytest.raises(Deprecated) as caught:
                await read(registry)

    assert caught.value.primary == PRIMARY
    assert elsewhere.connections == 0


# Servers that misbehave. Each is tried twice (GET), costs no more than the time allowed, and concludes nothing.


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(http(200, b"", length=len(SMALL)))
    for byte in SMALL:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


async def drip_head(writer: asyncio.StreamWriter) -> None:
    for byte in http(200, SMALL):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.02)


async def silence(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(5)


def closing(answer: bytes) -> Answer:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    return cut


async def reset(writer: asyncio.StreamWriter) -> None:
    writer.write(http(200, SMALL)[:-20])
    await writer.drain()
    writer.transport.abort()


COMPRESSED = gzip.compress(record(1000))
ZIPPED = "Content-Encoding: gzip"

BROKEN = {
    "slow drip of the body": (drip, "in time"),
    "slow drip of the head": (drip_head, "in time"),
    "silence": (silence, "in time"),
    "closed before the head": (closing(b""), "connection was lost"),
    "closed within the head": (closing(b"HTTP/1.1 200 OK\r\nContent-Ty"), "connection was lost"),
    "closed within the body": (closing(http(200, SMALL)[:-20]), "cut off"),
    "closed within a chunk": (closing(CHUNKED + b"ff\r\n{"), "cut off"),
    "closed before the last chunk": (closing(CHUNKED + b"%x\r\n%b\r\n" % (len(SMALL), SMALL)), "cut off"),
    "closed instead of a length": (
        closing(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + SMALL[:-20]),
        "not complete JSON",
    ),
    "reset within the body": (reset, "connection was lost|cut off"),
    "length too long": (closing(http(200, SMALL, length=len(SMALL) + 1)), "cut off"),
    "length too short": (http(200, SMALL, length=len(SMALL) - 1), "not complete JSON|not valid HTTP"),
    "chunk size is no number": (CHUNKED + b"xyz\r\n", "not valid HTTP"),
    "not HTTP": (closing(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), "not valid HTTP"),
    "two lengths": (closing(http(200, SMALL, "Content-Length: 7")), "not valid HTTP"),
    "gzip cut": (closing(http(200, COMPRESSED[:-300], ZIPPED)), "not complete JSON"),
    "gzip damaged": (closing(http(200, COMPRESSED[:100] + b"\xff" * 200, ZIPPED)), "cut off|not complete JSON"),
    "not gzip": (closing(http(200, SMALL, ZIPPED)), "cut off|not valid HTTP"),
    "brotli unasked": (
        closing(http(200, b"\x1b\x00", "Content-Encoding: br")),
        "cut off|not valid HTTP|not complete JSON",
    ),
    "a page with 200": (http(200, b"<h1>Oops</h1>", media="text/html"), "not JSON"),
}


@pytest.mark.fault("F32", "F33", "F34", "F35", "F41", "F87")
@pytest.mark.invariant("S8", "S10", "S12")
@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_answer_is_no_answer(name: str) -> None:
    answer, phrase = BROKEN[name]
    async with asking(answer, total_seconds=0.3) as (server, registry, journal):
        with pytest.raises(Unavailable, match=phrase) as caught:
            await asyncio.wait_for(read(registry), 3)

    assert journal.pace == ["slot", "unshown" if name in WHOLE else "away"] * 2
    assert {status for _, status in journal.observed} == {"unrenderable" if name in WHOLE else "unavailable"}
    assert len(server.requests) <= 2, "aiohttp repeated a request by itself"
    shown = chain(caught.value) + "".join(traceback.format_exception(caught.value))
    assert TOKEN not in shown


WHOLE = {"gzip cut", "gzip damaged", "a page with 200", "closed instead of a length"}
"""As far as HTTP tells, these answers are whole; so they say something of this record only."""


@pytest.mark.fault("F35")
@pytest.mark.parametrize("name", BROKEN)
async def test_the_next_answer_is_not_mixed_with_a_broken_one(name: str) -> None:
    answer, _ = BROKEN[name]
    async with asking(answer, http(200, LARGE), total_seconds=0.5) as (_, registry, journal):
        assert await read(registry) == LARGE

    assert journal.pace == ["slot", "unshown" if name in WHOLE else "away", "slot", "answered"]


async def test_no_server_and_no_tls() -> None:
    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Speak up\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with registry_at(f"https://{address}", Journal()) as registry:
        with pytest.raises(Unavailable, match="TLS"):
            await read(registry)
    server.close()
    async with registry_at(f"http://{address}", Journal()) as registry:
        with pytest.raises(Unavailable, match="no connection"):
            await read(registry)


async def test_gzip_is_undone() -> None:
    async with asking(http(200, gzip.compress(LARGE), ZIPPED)) as (_, registry, _):
        assert await read(registry) == LARGE


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(CHUNKED + b'1\r\n"\r\n')
    while True:
        writer.write(b"10000\r\n" + b"a" * 0x10000 + b"\r\n")
        await writer.drain()


async def endless_page(writer: asyncio.StreamWriter) -> None:
    writer.write(CHUNKED.replace(b"200 OK", b"404 Any").replace(b"application/json", b"text/html"))
    while True:
        writer.write(b"10000\r\n" + b"a" * 0x10000 + b"\r\n")
        await writer.drain()


BOMB = gzip.compress(b'"' + b"0" * 200 * MEGABYTE, 9)


@pytest.mark.fault("F36")
@pytest.mark.parametrize(
    "answer",
    [endless, http(200, b"", length=1 << 40), http(200, BOMB, ZIPPED), http(200, record(5 * MEGABYTE))],
    ids=["endless", "announced", "bomb", "large"],
)
async def test_an_answer_beyond_the_limit_is_left_unread(answer: Answer) -> None:
    async with asking(answer, body_bytes=4 * MEGABYTE) as (server, registry, journal):
        tracemalloc.start()
        with pytest.raises(TooLarge):
            await read(registry)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        if answer is endless:
            await asyncio.wait_for(server.gone.wait(), 5)

    assert peak < 16 * MEGABYTE
    assert journal.observed == [("record", "too_large")]
    assert journal.pace == ["slot", "answered"]


@pytest.mark.fault("F36")
async def test_an_endless_error_page_is_left_unread() -> None:
    async with asking(endless_page) as (server, registry, _):
        with pytest.raises(Unavailable):
            await asyncio.wait_for(read(registry), 5)
        await asyncio.wait_for(server.gone.wait(), 5)


# Memory: how many large answers at once.


async def settle(task: asyncio.Task[Any]) -> bool:
    """Whether the task ends within a moment that is long for loopback."""
    done, _ = await asyncio.wait({task}, timeout=0.4)
    return bool(done)


@pytest.mark.fault("F29")
async def test_a_large_answer_waits_until_another_is_out_of_memory() -> None:
    async with asking(http(200, LARGE), http(200, LARGE), http(200, SMALL), large_answers=1) as (server, registry, _):
        async with registry.record(ORCID, TOKEN):
            second = asyncio.create_task(read(registry))
            assert not await settle(second)
            assert len(server.requests) == 2
            assert await read(registry) == SMALL
            assert not second.done()
        assert await second == LARGE


@pytest.mark.fault("F29")
@pytest.mark.parametrize("broken", [http(200, LARGE, length=len(LARGE) - 1), closing(http(200, LARGE)[:-9])])
async def test_a_failed_large_answer_gives_its_place_back(broken: Answer) -> None:
    async with asking(broken, broken, http(200, LARGE), large_answers=1) as (_, registry, _):
        with pytest.raises(RegistryError):
            await read(registry)
        assert await asyncio.wait_for(read(registry), 3) == LARGE


@pytest.mark.fault("F27", "F29")
async def test_a_cancelled_reader_gives_its_place_back() -> None:
    async def stalled(writer: asyncio.StreamWriter) -> None:
        writer.write(http(200, LARGE)[:-9])
        await silence(writer)

    async with asking(stalled, http(200, LARGE), large_answers=1) as (_, registry, journal):
        reader = asyncio.create_task(read(registry))
        assert not await settle(reader)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        assert await asyncio.wait_for(read(registry), 3) == LARGE

    assert journal.pace == ["slot", "slot", "answered"]


@pytest.mark.fault("F29")
async def test_works_within_a_large_record_do_not_wait_for_it() -> None:
    page = json.dumps({"bulk": [{"work": {"put-code": 1, "padding": "x" * 2 * MEGABYTE}}]}).encode()

    async with (
        asking(http(200, LARGE), http(200, page), large_answers=1) as (_, registry, _),
        registry.record(ORCID, TOKEN),
        registry.works(ORCID, range(1, 101), TOKEN) as works,
    ):
        assert set(works) == {1}
