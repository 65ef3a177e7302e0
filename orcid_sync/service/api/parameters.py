"""What addresses may carry: each parameter with its meaning, its schema and how it is read.

The same declarations check requests and make the OpenAPI document. What is not declared is refused by name: a
misspelt filter that is silently ignored would pass for one that matches everything.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from aiohttp import web

from orcid_sync.model.ids import parse_orcid
from orcid_sync.model.scopes import NAME
from orcid_sync.service.http.orcids import read_orcid
from orcid_sync.service.http.problems import Problem

Schema = dict[str, Any]

EXAMPLE = "0000-0002-1825-0097"


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter of an address."""

    name: str
    meaning: str
    schema: Schema
    """JSON Schema of one value."""
    read: Callable[[str], Any]
    """The value of a text. Raises ValueError that says what it must look like."""
    place: Literal["query", "path"] = "query"
    default: Any = None
    repeated: bool = False
    """May come several times; then the value is a list."""


def whole(name: str, meaning: str, *, least: int, most: int, default: int | None = None) -> Parameter:
    """A whole number."""
    form = f"must be a whole number from {least} to {most}"

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
            raise ValueError(form)
        return int(text)

    schema: Schema = {"type": "integer", "minimum": least, "maximum": most}
    return Parameter(name=name, meaning=meaning, schema=schema, read=read, default=default)


def yes_or_no(name: str, meaning: str, *, default: bool) -> Parameter:
    """True or false."""

    def read(text: str) -> bool:
        if text not in {"true", "false"}:
            raise ValueError("must be true or false")
        return text == "true"

    return Parameter(name=name, meaning=meaning, schema={"type": "boolean"}, read=read, default=default)


def one_of(name: str, meaning: str, known: Sequence[str], *, repeated: bool = False) -> Parameter:
    """One of several words."""

    def read(text: str) -> str:
        if text not in known:
            raise ValueError(f"must be one of: {', '.join(known)}")
        return text

    schema: Schema = {"type": "string", "enum": list(known)}
    return Parameter(name=name, meaning=meaning, schema=schema, read=read, repeated=repeated)


def text(name: str, meaning: str, **schema: Any) -> Parameter:
    """Any text that PostgreSQL can take, judged later."""

    def read(given: str) -> str:
        if "\0" in given:
            raise ValueError("must not contain the character NUL")
        return given

    return Parameter(name=name, meaning=meaning, schema={"type": "string", **schema}, read=read)


def moment(name: str, meaning: str) -> Parameter:
    """A moment with its time zone, as ISO 8601 writes it."""

    def read(given: str) -> datetime:
        with suppress(ValueError, OverflowError):
            when = datetime.fromisoformat(given.replace(" ", "+"))  # an unescaped plus sign
            if when.tzinfo is not None:
                when.astimezone(UTC)  # OverflowError if that is before year 1 or after 9999: PostgreSQL is asked in UTC
                return when
        raise ValueError("must be a time with its time zone, such as 2026-06-01T00:00:00Z")

    return Parameter(name=name, meaning=meaning, schema={"type": "string", "format": "date-time"}, read=read)


def orcid(name: str, meaning: str) -> Parameter:
    """An iD in the query, in any form."""
    schema: Schema = {"type": "string", "format": "orcid", "examples": [EXAMPLE]}
    return Parameter(name=name, meaning=meaning, schema=schema, read=parse_orcid)


ORCID = msgspec.structs.replace(orcid("orcid", "The iD."), place="path")
"""An iD in the path."""


def name_in_path(name: str, meaning: str) -> Parameter:
    """A name that somebody has chosen."""

    def read(given: str) -> str:
        if not NAME.fullmatch(given):
            raise ValueError("must have at most 64 letters, digits, dots and hyphens, and must not begin with a hyphen")
        return given

    schema: Schema = {"type": "string", "pattern": f"^{NAME.pattern}$"}
    return Parameter(name=name, meaning=meaning, schema=schema, read=read, place="path")


def read_all(request: web.Request, declared: Sequence[Parameter]) -> dict[str, Any]:
    """The values of a request by name. Raises Problem: 400 for the query, 404 for the path."""
    values = {one.name: _of_path(one, request) for one in declared if one.place == "path"}
    queried = {one.name: one for one in declared if one.place == "query"}
    given = request.rel_url.query
    for name in given:
        if name not in queried:
            known = ", ".join(queried) or "none"
            raise _bad(name, f"this address has no such parameter; it has: {known}.")
    return values | {name: _of_query(one, request, given.getall(name, [])) for name, one in queried.items()}


def _of_path(one: Parameter, request: web.Request) -> Any:
    try:
        return _value(one, request, request.match_info[one.name])
    except ValueError as error:
        raise Problem(404, f"{one.name}: {error}.", parameter=one.name) from None


def _of_query(one: Parameter, request: web.Request, texts: list[str]) -> Any:
    if not texts:
        return one.default
    if len(texts) > 1 and not one.repeated:
        raise _bad(one.name, "must be given only once.")
    try:
        values = [_value(one, request, each) for each in texts]
    except ValueError as error:
        raise _bad(one.name, f"{error}.") from None
    return values if one.repeated else values[0]


def _value(one: Parameter, request: web.Request, text: str) -> Any:
    """What the text means; an iD means somebody only in the environment that the listener speaks of."""
    return read_orcid(request, text) if one.read is parse_orcid else one.read(text)


def _bad(name: str, what: str) -> Problem:
    return Problem(400, f"{name}: {what}", kind="parameter", parameter=name)
