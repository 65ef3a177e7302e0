"""Faults of requests, done to real connections."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from orcid_sync.simulator.answers import http_answer
from orcid_sync.simulator.answers.http_answer import Answer
from orcid_sync.simulator.base.errors import Unauthenticated, error_body, invalid_token
from orcid_sync.simulator.faults.faults import Fault
from orcid_sync.simulator.faults.wrong_bodies import spoiled

_NO_TYPE = ""
"""Stands for no Content-Type until the response goes out."""


class ConnectionTornDown(Exception):
    """The request ends without an answer."""


async def before(faults: Mapping[str, Fault], token: str | None = None) -> Answer | None:
    """What happens instead of the Registry's answer, if anything does. Raises ConnectionTornDown."""
    if "delay" in faults:
        await asyncio.sleep(faults["delay"].options.get("seconds", 1.0))
    if "timeout" in faults:
        await asyncio.sleep(faults["timeout"].options.get("seconds", 3600))
        raise ConnectionTornDown
    if "reset" in faults:
        raise ConnectionTornDown
    for kind, make in _INSTEAD.items():
        if kind in faults:
            return make(faults[kind].options, token or "")
    return None


def _error(options: Mapping[str, Any], _token: str) -> Answer:
    answer = _error_body(options)
    headers = dict(options.get("headers", {}))
    if "retry_after" in options:
        headers["Retry-After"] = str(options["retry_after"])
    return msgspec.structs.replace(answer, headers=headers)


def _error_body(options: Mapping[str, Any]) -> Answer:
    code, status = options.get("code"), options.get("status")
    if code is not None:
        body = error_body(code, options.get("detail", ""), status=status)
        return http_answer.json_answer(body["response-code"], body)
    if status == 429:
        return over_quota() if options.get("daily") else http_answer.plain(429, "Too Many Requests")
    if status == 500 and not options.get("html"):
        return http_answer.json_answer(500, error_body(9008))
    return http_answer.page(int(status or 503))


def _given(options: Mapping[str, Any], _token: str) -> Answer:
    body = options.get("body", "")
    content = body.encode() if isinstance(body, str) else http_answer.encode(body)
    return Answer(options.get("status", 200), content, options.get("content_type"), dict(options.get("headers", {})))


def _echo(options: Mapping[str, Any], token: str) -> Answer:
    if options.get("status") == 401:
        return http_answer.unauthenticated(invalid_token(token))
    return http_answer.unauthenticated(Unauthenticated("access_denied", f"Access Denied: {token}", status=403))


def _page(_options: Mapping[str, Any], _token: str) -> Answer:
    return http_answer.page(200)


_INSTEAD: dict[str, Callable[[Mapping[str, Any], str], Answer]] = {
    "error": _error,
    "answer": _given,
    "echo": _echo,
    "html": _page,
}


def over_quota() -> Answer:
    """What a caller hears whose daily quota is used up (contract section 5)."""
    return http_answer.plain(429, "Too Many Requests. You have exceeded the daily quota of the public API.")


def spoil(answer: Answer, faults: Mapping[str, Fault]) -> Answer:
    """The answer with its content damaged, where a fault says so. Raises ConnectionTornDown."""
    if "lost-answer" in faults:
        raise ConnectionTornDown
    return spoiled(answer, faults)


async def send(request: web.Request, answer: Answer, faults: Mapping[str, Fault]) -> web.StreamResponse:
    """Send the answer, slowly or too short where a fault says so. Raises ConnectionTornDown."""
    headers = {**answer.headers, "Content-Type": answer.content_type or _NO_TYPE}
    if "slow-drip" not in faults and "wrong-length" not in faults:
        return web.Response(status=answer.status, body=answer.body, headers=headers)
    promised = len(answer.body) + (1000 if "wrong-length" in faults else 0)
    stream = web.StreamResponse(status=answer.status, headers={**headers, "Content-Length": str(promised)})
    await stream.prepare(request)
    for piece, pause in _pieces(answer.body, faults.get("slow-drip")):
        await stream.write(piece)
        await asyncio.sleep(pause)
    if "wrong-length" in faults:
        if request.transport is not None:
            request.transport.close()
        return stream
    await stream.write_eof()
    return stream


async def drop_invented_type(_request: web.Request, response: web.StreamResponse) -> None:
    """The server library gives every body a Content-Type; the Registry does not (contract section 12a)."""
    if response.headers.get("Content-Type") == _NO_TYPE:
        del response.headers["Content-Type"]


def _pieces(body: bytes, drip: Fault | None) -> list[tuple[bytes, float]]:
    if drip is None:
        return [(body, 0.0)]
    count = 10
    size = max(1, -(-len(body) // count))
    pause = float(drip.options.get("seconds", 5.0)) / count
    return [(body[start : start + size], pause) for start in range(0, len(body), size)]
