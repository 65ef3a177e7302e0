"""Faults of requests, done to real connections."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from orcid_sync.simulator.answers import http_answer
from orcid_sync.simulator.answers.http_answer import Answer
from orcid_sync.simulator.base.errors import error_body
from orcid_sync.simulator.faults.faults import Fault


class ConnectionTornDown(Exception):
    """The request ends without an answer."""


async def before(faults: Mapping[str, Fault]) -> Answer | None:
    """What happens instead of the Registry's answer, if anything does. Raises ConnectionTornDown."""
    if "delay" in faults:
        await asyncio.sleep(faults["delay"].options.get("seconds", 1.0))
    if "timeout" in faults:
        await asyncio.sleep(faults["timeout"].options.get("seconds", 3600))
        raise ConnectionTornDown
    if "reset" in faults:
        raise ConnectionTornDown
    if "error" in faults:
        options = faults["error"].options
        return _error(options)
    return http_answer.page(200) if "html" in faults else None


def _error(options: Mapping[str, Any]) -> Answer:
    code, status = options.get("code"), options.get("status")
    if code is not None:
        body = error_body(code, options.get("detail", ""), status=status)
        return http_answer.json_answer(body["response-code"], body)
    if status == 429:
        return over_quota() if options.get("daily") else http_answer.plain(429, "Too Many Requests")
    if status == 500 and not options.get("html"):
        return http_answer.json_answer(500, error_body(9008))
    return http_answer.page(int(status or 503))


def over_quota() -> Answer:
    """What a caller hears whose daily quota is used up (contract section 5)."""
    return http_answer.plain(429, "Too Many Requests. You have exceeded the daily quota of the public API.")


def spoil(answer: Answer, faults: Mapping[str, Fault]) -> Answer:
    """The answer with its content damaged, where a fault says so. Raises ConnectionTornDown."""
    if "lost-answer" in faults:
        raise ConnectionTornDown
    if "truncated" in faults:
        return msgspec.structs.replace(answer, body=answer.body[: len(answer.body) // 2])
    if "wrong-shape" in faults:
        shape = faults["wrong-shape"].options.get("body", {"unexpected": ["a", "list"], "value": None})
        return msgspec.structs.replace(answer, body=msgspec.json.encode(shape))
    return answer


async def send(request: web.Request, answer: Answer, faults: Mapping[str, Fault]) -> web.StreamResponse:
    """Send the answer, slowly or too short where a fault says so. Raises ConnectionTornDown."""
    headers = dict(answer.headers)
    if answer.content_type is not None:
        headers["Content-Type"] = answer.content_type
    if "slow-drip" not in faults and "wrong-length" not in faults:
        response = web.Response(status=answer.status, body=answer.body, headers=headers)
        if answer.content_type is None:
            response.headers.pop("Content-Type", None)
        return response
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


def _pieces(body: bytes, drip: Fault | None) -> list[tuple[bytes, float]]:
    if drip is None:
        return [(body, 0.0)]
    count = 10
    size = max(1, -(-len(body) // count))
    pause = float(drip.options.get("seconds", 5.0)) / count
    return [(body[start : start + size], pause) for start in range(0, len(body), size)]
