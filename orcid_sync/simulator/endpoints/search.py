"""`/search`, `/expanded-search` and `/csv-search` of API v3.0 (contract section 6)."""

import csv
import io
from collections.abc import Callable
from typing import Any

import msgspec

from orcid_sync.simulator.answers import http_answer
from orcid_sync.simulator.answers.http_answer import Answer
from orcid_sync.simulator.answers.xml import to_xml
from orcid_sync.simulator.api.request import Call
from orcid_sync.simulator.base.errors import Refusal
from orcid_sync.simulator.oauth import access as admission
from orcid_sync.simulator.search.solr_match import Document
from orcid_sync.simulator.search.solr_query import QuerySyntax, count_clauses, parse
from orcid_sync.simulator.world import World

Json = dict[str, Any]

MOST_ROWS = 1000
DEEPEST_START = 10_000
_ADDRESS_LIST = (
    *("orcid", "email", "given-names", "family-name", "given-and-family-names"),
    *("current-institution-affiliation-name", "past-institution-affiliation-name", "credit-name", "other-names"),
)
_INSTITUTIONS = ("current-institution-affiliation-name", "past-institution-affiliation-name")


class Found(msgspec.Struct, frozen=True):
    """One page of what a search found."""

    orcids: list[str]
    total: int


def search(world: World, call: Call) -> Answer:
    """`GET /v3.0/search`: iDs; `result` is null, not empty, when there is none. Raises Refusal, Unauthenticated."""

    def rendered(found: Found) -> Json:
        identifiers = [{"orcid-identifier": world.renderer.orcid_id(orcid)} for orcid in found.orcids]
        return {"result": identifiers or None, "num-found": found.total}

    return _document(world, call, "search", rendered)


def expanded_search(world: World, call: Call) -> Answer:
    """`GET /v3.0/expanded-search`: iDs with names, e-mails and institutions. Raises as `search`."""

    def rendered(found: Found) -> Json:
        people = [_person(orcid, world.index.document(orcid) or {}) for orcid in found.orcids]
        return {"expanded-result": people or None, "num-found": found.total}

    return _document(world, call, "expanded-search", rendered)


def csv_search(world: World, call: Call) -> Answer:
    """`GET /v3.0/csv-search`: the fields of `fl` as text/csv. Raises as `search`."""
    found = _found(world, call)
    if not any(one in call.headers.get("Accept", "*/*") for one in ("text/csv", "text/*", "*/*")):
        raise Refusal(9001, status=406)
    asked = [name.strip() for name in call.query.get("fl", ",".join(_ADDRESS_LIST)).split(",")]
    names = [name for name in asked if name in _ADDRESS_LIST]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for orcid in found.orcids:
        document = world.index.document(orcid) or {}
        writer.writerow([",".join(document.get(name, ())) for name in names])
    return Answer(200, out.getvalue().encode(), "text/csv;charset=UTF-8")


def _document(world: World, call: Call, root: str, rendered: Callable[[Found], Json]) -> Answer:
    media_type = call.media_type
    found = _found(world, call)
    if media_type is None:
        raise Refusal(9001, status=406)
    document = rendered(found)
    as_json = media_type in http_answer.JSON_TYPES
    return http_answer.document(http_answer.encode(document) if as_json else to_xml(root, document), media_type)


def _found(world: World, call: Call) -> Found:
    """The page that a request asks for. Raises Refusal, Unauthenticated."""
    access = admission.reader(world.token_service, call.token, on_public_host=call.on_public_host)
    if call.method != "GET":
        raise Refusal(9001, status=405)
    query = call.query
    rows = _number("rows", query.get("rows", str(MOST_ROWS)), most=MOST_ROWS)
    start = _number("start", query.get("start", "0"))
    if start > DEEPEST_START and access.client_id is None:
        raise Refusal(9043)
    if not query.get("q"):
        return Found([], 0)
    try:
        orcids = _matching(world, query)
    except QuerySyntax as error:
        raise Refusal(9012, str(error)) from None
    return Found(_ordered(world, orcids, query.get("sort"), start)[start : start + rows], len(orcids))


def _matching(world: World, query: dict[str, str]) -> list[str]:
    """The iDs that `q` finds, less those that the filter `fq` refuses. Raises QuerySyntax."""
    trees = [parse(query[name]) for name in ("q", "fq") if query.get(name)]
    if sum(count_clauses(tree) for tree in trees) > world.index.settings.max_clauses:
        raise QuerySyntax(f"too many boolean clauses: maxClauseCount is {world.index.settings.max_clauses}")
    first, *others = [world.index.find(tree) for tree in trees]
    kept = set(first).intersection(*others)
    return [orcid for orcid in first if orcid in kept]


def _ordered(world: World, orcids: list[str], sort: str | None, start: int) -> list[str]:
    """By `sort`, a field and `asc` or `desc`; by score without it. Raises Refusal."""
    if sort is None:
        return world.index.by_score(orcids, start)
    field, _, direction = sort.strip().partition(" ")
    if direction.strip() not in ("asc", "desc"):
        raise Refusal(9012, f"Can't determine a Sort Order (asc or desc) in sort spec '{sort}'")
    return sorted(
        orcids,
        key=lambda orcid: (world.index.document(orcid) or {}).get(field, [""]),
        reverse=direction.strip() == "desc",
    )


def _number(name: str, text: str, *, most: int | None = None) -> int:
    if not (text.isascii() and text.isdigit()) or (most is not None and int(text) > most):
        raise Refusal(9012, f"The {name} parameter is not a number in range: {text}")
    return int(text)


def _person(orcid: str, document: Document) -> Json:
    institutions = sorted({name for field in _INSTITUTIONS for name in document.get(field, ())})
    return {
        "orcid-id": orcid,
        **{name: next(iter(document.get(field, ())), None) for name, field in _SINGLE.items()},
        "other-name": list(document.get("other-names", ())),
        "email": list(document.get("email", ())),
        "institution-name": institutions,
    }


_SINGLE = {"given-names": "given-names", "family-names": "family-name", "credit-name": "credit-name"}
ENDPOINTS = {"search": search, "expanded-search": expanded_search, "csv-search": csv_search}
