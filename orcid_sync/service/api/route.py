"""What a route is: everything that answers it, guards it and describes it, in one row of a table."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec
from aiohttp import hdrs, web

from orcid_sync.model.scopes import Caller, Scope
from orcid_sync.service.api.parameters import Parameter
from orcid_sync.service.http.problems import Problem

JSON = "application/json"
LINES = "application/x-ndjson"
EVENTS = "text/event-stream"


class Asked(msgspec.Struct, frozen=True):
    """A request whose parameters were read, and who asks."""

    request: web.Request
    caller: Caller
    given: dict[str, Any]
    """The parameters by name."""


Answering = Callable[[Asked], Awaitable[web.StreamResponse]]


class Answer(msgspec.Struct, frozen=True):
    """A way in which a route answers."""

    meaning: str
    types: Mapping[str, Any] = {}
    """By media type: what the document, each line, or the data of each event is. None: none of these."""
    headers: Mapping[str, str] = {}
    """Their meaning by name."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one address."""

    method: str
    path: str
    name: str
    """Identifies the operation in the OpenAPI document."""
    summary: str
    scope: Scope
    answers: Mapping[int, Answer]
    handler: Answering
    details: str = ""
    parameters: Sequence[Parameter] = ()
    bodies: Mapping[str, Any] = {}
    """By media type: what the body is, or each of its lines."""
    refusals: Mapping[int, str] = {}
    """Meanings of problems that only this route has."""


def chosen_type(request: web.Request, offered: Sequence[str]) -> str:
    """What the caller likes best of the media types, the first one if they do not mind. Raises Problem 406."""
    wishes = _wishes(request.headers.get(hdrs.ACCEPT, "*/*"))
    liked = {kind: _liking(kind, wishes) for kind in offered}
    best = max(offered, key=lambda kind: liked[kind])
    if liked[best] <= 0:
        raise Problem(406, f"The answer can be {' or '.join(offered)}: name one in the header Accept.")
    return best


def _wishes(header: str) -> dict[str, float]:
    wishes = {}
    for part in header.split(","):
        kind, *options = (piece.strip().lower() for piece in part.split(";"))
        quality = next((option[2:] for option in options if option.startswith("q=")), "1")
        try:
            wishes[kind] = float(quality)
        except ValueError:
            wishes[kind] = 0.0
    return wishes


def _liking(kind: str, wishes: Mapping[str, float]) -> float:
    for pattern in (kind, f"{kind.partition('/')[0]}/*", "*/*"):
        if pattern in wishes:
            return wishes[pattern]
    return 0.0
