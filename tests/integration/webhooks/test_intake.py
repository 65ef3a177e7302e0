"""Notifications that are refused, and odd HTTP: nothing of it is quoted, nothing of it reaches the database."""

import asyncio
import logging
import re

import asyncpg
import pytest
import structlog

from orcid_sync.store.database.pools import Database
from rig.service.intake import (
    Rig,
    connect_cold,
    exchange,
    path_of,
    request,
    running_intake,
    sample_orcids,
    status_of,
)

ORCIDS = sample_orcids(5000)
ORCID = ORCIDS[0]
PATH = path_of(ORCID)
TOKEN = PATH.rpartition("/")[2]


FORGED = {
    "the root": "/",
    "nothing after the prefix": "/webhooks/",
    "no token": f"/webhooks/{ORCID}",
    "an empty token": f"/webhooks/{ORCID}/",
    "a trailing slash": f"{PATH}/",
    "a doubled slash": f"/{PATH}",
    "a query": f"{PATH}?a=b",
    "a signature of another iD": f"/webhooks/{ORCIDS[1]}/{TOKEN}",
    "a signature by another secret": path_of(ORCID, secret=b"wrong"),
    "a signature of another environment": path_of(ORCID, environment="production"),
    "an unknown key version": path_of(ORCID, key_version=2),
    "a key version with a leading zero": f"/webhooks/{ORCID}/0{TOKEN}",
    "a huge key version": f"/webhooks/{ORCID}/{'9' * 40}.{TOKEN[2:]}",
    "a shortened signature": PATH[:-1],
    "a changed signature": PATH[:-1] + ("A" if PATH[-1] != "A" else "B"),
    "a wrong check digit": PATH.replace(ORCID, ORCID[:-1] + str((int(ORCID[-1].replace("X", "0")) + 1) % 10)),
    "an iD without hyphens": PATH.replace(ORCID, ORCID.replace("-", "")),
    "dots": f"/webhooks/../webhooks/{ORCID}/{TOKEN}",
    "encoded dots": f"/webhooks/%2e%2e/webhooks/{ORCID}/{TOKEN}",
    "an encoded slash": f"/webhooks/{ORCID}%2F{TOKEN}",
    "an encoded digit": PATH.replace("0009", "%30009"),
    "an encoded NUL": f"{PATH}%00",
    "an encoded line break": f"{PATH}%0d%0aX-Injected:%20yes",
    "encoded Arabic-Indic digits": PATH.replace("0009", "%D9%A0%D9%A0%D9%A0%D9%A9"),
    "capitals": PATH.replace("webhooks", "Webhooks"),
    "an absolute address": f"http://hub.example{PATH}",
}


@pytest.mark.fault("F10", "F94")
@pytest.mark.invariant("S15")
async def test_every_address_that_we_did_not_make_gets_the_same_empty_404_without_the_database(rig: Rig) -> None:
    answers = {what: await exchange(rig.port, request(path)) for what, path in FORGED.items()}

    assert {what: status_of(answer) for what, answer in answers.items() if status_of(answer) != 404} == {}
    assert len({re.sub(rb"Date: [^\r]+", b"", answer) for answer in answers.values()}) == 1
    assert b"Content-Length: 0" in answers["no token"]
    assert rig.connects == 0
    assert rig.counted("refused") == len(FORGED)


@pytest.mark.invariant("S15")
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
async def test_only_posts(rig: Rig, method: str) -> None:
    answer = await exchange(rig.port, request(PATH, method=method))

    assert status_of(answer) == 405
    assert b"Allow: POST\r\n" in answer
    assert rig.connects == 0


NOT_HTTP = {
    "a length and chunks": request(PATH, headers="Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
    "two lengths": request(PATH, headers="Content-Length: 5\r\nContent-Length: 6\r\n"),
    "a raw NUL": request(f"{PATH}\0"),
    "raw Arabic-Indic digits": request(PATH.replace("0009", "\u0660\u0660\u0660\u0669")),
    "a raw carriage return": request(f"{PATH}\rX"),
    "too long an address": request(PATH + "a" * 5000),
    "too long a header": request(PATH, headers=f"X-Long: {'a' * 5000}\r\n"),
    "too many headers": request(PATH, headers="".join(f"X-{n}: 1\r\n" for n in range(70))),
    "an unknown method": request(PATH, method="BREW"),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
}


@pytest.mark.fault("F86", "F93", "F94")
@pytest.mark.parametrize("sent", NOT_HTTP.values(), ids=NOT_HTTP)
async def test_what_is_not_http_is_neither_quoted_nor_explained(rig: Rig, sent: bytes) -> None:
    answer = await exchange(rig.port, sent)

    assert status_of(answer) == 400
    assert b"Content-Length: 0" in answer
    assert TOKEN.encode() not in answer
    assert rig.counted("malformed") == 1
    assert rig.connects == 0


@pytest.mark.fault("F93")
async def test_a_large_body_is_refused_unread(rig: Rig) -> None:
    answer = await exchange(rig.port, request(PATH, headers=f"Content-Length: {2**30}\r\n"), limit=1)

    assert status_of(answer) == 413
    assert b"Connection: close" in answer


@pytest.mark.fault("F93")
async def test_the_limit_of_the_body(rig: Rig, connection: asyncpg.Connection) -> None:
    await connect_cold(connection, [ORCID])

    assert status_of(await exchange(rig.port, request(PATH, headers="Content-Length: 1024\r\n") + bytes(1024))) == 204
    assert status_of(await exchange(rig.port, request(PATH, headers="Content-Length: 1025\r\n"))) == 413


@pytest.mark.fault("F93")
async def test_an_endless_chunked_body_is_cut_off(rig: Rig) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
    writer.write(request(PATH, headers="Transfer-Encoding: chunked\r\n"))
    assert status_of(await reader.readuntil(b"\r\n\r\n")) == 204

    async def send_without_end() -> None:
        while True:
            writer.write(b"400\r\n" + bytes(1024) + b"\r\n")
            await writer.drain()

    with pytest.raises(ConnectionError):
        await asyncio.wait_for(send_without_end(), 5)
    writer.close()


@pytest.mark.fault("F92")
async def test_headers_that_trickle_in_are_cut_off(database: Database) -> None:
    async with running_intake(database, keepalive_seconds=0.5) as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        writer.write(f"POST {PATH} HTTP/1.1\r\n".encode())

        ended = asyncio.ensure_future(reader.read())
        async with asyncio.timeout(2):
            while not ended.done():
                writer.write(b"X-Slow: 1\r\n")
                await asyncio.wait([ended], timeout=0.1)
        writer.close()


@pytest.mark.fault("F86")
@pytest.mark.invariant("S12")
async def test_no_log_and_no_answer_shows_an_address(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with structlog.testing.capture_logs() as logged:
        for sent in [*map(request, [PATH, *FORGED.values()]), *NOT_HTTP.values(), request(PATH, method="GET")]:
            answer = await exchange(rig.port, sent)
            assert b"Python" not in answer
            assert b"aiohttp" not in answer

    assert {"event": "request refused", "log_level": "info", "route": "webhook", "status": 404} in logged
    assert any(line["event"] == "request not understood" for line in logged)
    assert TOKEN[2:] not in caplog.text + repr(logged)
    assert ORCID not in caplog.text + repr(logged)
