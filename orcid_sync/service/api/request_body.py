"""Bodies of requests: read within bounds, and understood or refused with the place where they are wrong."""

from typing import TypeVar

import msgspec
from aiohttp import hdrs, web

from orcid_sync.service.api.route import LINES, Route
from orcid_sync.service.http.problems import Problem

MAX_JSON = 64 * 1024
"""Bytes of a body that is one JSON document."""

MAX_LINES = 8 * 1024 * 1024
"""Bytes of a body that is a document on each line."""

T = TypeVar("T")


async def read_document(request: web.Request, kind: type[T]) -> T:
    """The body as JSON. Raises Problem 400, 413."""
    return decode(await read_body(request), kind)


def decode(text: bytes, kind: type[T]) -> T:
    """JSON of that kind. Raises Problem 400 that says where it is wrong, and never what it is."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem(400, f"The body: {error}.", kind="body") from None


async def read_body(request: web.Request) -> bytes:
    """The whole body. Raises Problem 413."""
    most = _most(request)
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > most:
            raise _too_large(most)
    return bytes(body)


def demand_body(request: web.Request, route: Route) -> None:
    """Refuse before it is read a body that this route does not understand. Raises Problem 413, 415."""
    if not route.bodies:
        return
    if request.content_type not in route.bodies:
        kinds = " or ".join(route.bodies)
        understood = {str(hdrs.ACCEPT): ", ".join(route.bodies)}
        raise Problem(415, f"The body must be {kinds}: name it in the header Content-Type.", headers=understood)
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise Problem(415, "The body must not be compressed.", headers={str(hdrs.ACCEPT_ENCODING): "identity"})
    if (request.content_length or 0) > _most(request):
        raise _too_large(_most(request))


def _most(request: web.Request) -> int:
    return MAX_LINES if request.content_type == LINES else MAX_JSON


def _too_large(most: int) -> Problem:
    return Problem(413, f"The body may have at most {most} bytes: send it in parts.", most=most)
