"""The OpenAPI document, made of the table of routes, so that the two always agree."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from orcid_sync import __version__
from orcid_sync.service.api.parameters import Parameter
from orcid_sync.service.api.route import Answer, Route
from orcid_sync.service.http.problems import CONTENT_TYPE

PATH = "/v1/openapi.json"

_PROBLEM = {
    "type": "object",
    "description": "Problem details (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "about:blank, or urn:orcid-sync:problem: and the kind."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong, and what to do about it."},
    },
}

_REFUSALS = {
    401: "No token, or an unknown one.",
    403: "The token does not allow this.",
    503: "The database does not answer, or the service may not read it for other roles.",
}
_OF_QUERY = {400: "An unknown or invalid parameter."}
_OF_PATH = {404: "Not found."}
_OF_BODY = {
    400: "The body is invalid.",
    413: "The body is too large.",
    415: "The body is of another media type, or compressed.",
}
_OF_CHOICE = {406: "The request accepts none of the media types."}


def make_document(routes: Sequence[Route]) -> dict[str, Any]:
    """OpenAPI 3.1."""
    schemas, components = msgspec.json.schema_components(_documents(routes), ref_template="#/components/schemas/{name}")
    known = dict(zip(map(_key, _documents(routes)), schemas, strict=True))
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, known)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "orcid_sync",
            "version": __version__,
            "description": "The mirror of ORCID records, and the feed of its changes.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _documents(routes: Sequence[Route]) -> list[Any]:
    kinds = (
        kind
        for route in routes
        for types in (route.bodies, *(answer.types for answer in route.answers.values()))
        for kind in types.values()
        if kind is not None
    )
    return list({_key(kind): kind for kind in kinds}.values())


def _key(kind: Any) -> str:
    return str(kind)


def _operation(route: Route, known: Mapping[str, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "description": " ".join(filter(None, (route.details, f"Scope: {route.scope.value}."))),
        "parameters": [_parameter(one) for one in route.parameters],
        "responses": {str(status): _answer(answer, known) for status, answer in route.answers.items()},
    }
    if route.bodies:
        operation["requestBody"] = {"required": True, "content": _content(route.bodies, known)}
    for status, meaning in _refusals(route):
        operation["responses"].setdefault(str(status), _refusal(status, meaning))
    return operation


def _parameter(one: Parameter) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "array", "items": one.schema} if one.repeated else dict(one.schema)
    if one.default is not None:
        schema["default"] = one.default
    return {
        "name": one.name,
        "in": one.place,
        "required": one.place == "path",
        "description": one.meaning,
        "schema": schema,
    }


def _answer(answer: Answer, known: Mapping[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {"description": answer.meaning}
    if answer.types:
        shown["content"] = _content(answer.types, known)
    if answer.headers:
        shown["headers"] = {
            name: {"description": meaning, "schema": {"type": "string"}} for name, meaning in answer.headers.items()
        }
    return shown


def _content(types: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    return {kind: {} if of is None else {"schema": known[_key(of)]} for kind, of in types.items()}


def _refusals(route: Route) -> Iterable[tuple[int, str]]:
    places = {one.place for one in route.parameters}
    yield from route.refusals.items()
    yield from _OF_QUERY.items()  # also where there are no parameters: unknown ones are refused
    yield from _REFUSALS.items()
    if "path" in places:
        yield from _OF_PATH.items()
    if route.bodies:
        yield from _OF_BODY.items()
    if any(len(answer.types) > 1 for answer in route.answers.values()) and route.method == "GET":
        yield from _OF_CHOICE.items()


def _refusal(status: int, meaning: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": f"{HTTPStatus(status).phrase}: {meaning}", "content": {CONTENT_TYPE: {"schema": schema}}}
