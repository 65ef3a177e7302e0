"""Every address that can be read, against every way in which a record can stand: no defect, no value that is missing.

The addresses of /v1 and their parameters are those of the OpenAPI document, the pages those of the listener's router:
a new one enters by itself.
"""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import aiohttp
import msgspec
import pytest
import yarl

from integration.console.status_pages import status_pages, token_of
from integration.http.api_listener import serving_api
from orcid_sync.service.api.openapi import PATH
from rig.service.every_record import make_every_record
from rig.service.reconciler import Bench

VALUES = {
    "name": ["console.css", "crm"],
    "job": ["checks"],
    "after": ["", "end"],
    "limit": ["1"],
    "as_of": ["2026-01-01T00:00:00Z", "2999-01-01T00:00:00Z"],
    "cursor": [""],
    "wait": ["0"],
}
"""Of parameters that have no list of values."""

QUERIES = ("", "?section=work", "?minor=1&from=30min", "?minor=1&from=2h&to=30min", "?view=failing", "?q=0000")
"""What pages are asked with; one that knows nothing of it must bear it."""

HTML = {"Accept": "text/html"}

VIEWS = ("read-public", "admin")

ODD = re.compile(
    r"\bNone\b(?! yet| in the last)|\bnan\b|\bundefined\b|\{\{|\(\s*\)|Undefined| object at 0x|\bdatetime\."
)
"""What no page says: a value that is missing, or one as a program writes it."""


def filled(path: str, values: dict[str, list[str]]) -> Iterator[str]:
    """The address with each value of its first parameter, and so on."""
    found = re.search(r"\{(\w+)\}", path)
    if found is None:
        yield path
        return
    for value in values[found[1]]:
        yield from filled(path.replace(found[0], value, 1), values)


def of_document(document: Any, orcids: list[str]) -> Iterator[str]:
    """Every GET of the OpenAPI document: with each value in its path, and with each parameter of its query."""
    for path, methods in document["paths"].items():
        if "get" not in methods:
            continue
        given = methods["get"].get("parameters", [])
        known = {one["name"]: values_of(one, orcids) for one in given}
        queries = [
            f"?{one['name']}={value}" for one in given if one["in"] == "query" for value in known[one["name"]][:2]
        ]
        for address in filled(path, known):
            yield from (address + query for query in ["", *(queries if "{section}" not in path else [])])


def values_of(parameter: Any, orcids: list[str]) -> list[str]:
    """What a parameter may be."""
    schema = parameter["schema"].get("items", parameter["schema"])
    if parameter["name"] == "orcid":
        return orcids
    if schema.get("type") == "boolean":
        return ["true", "false"]
    return schema.get("enum") or VALUES[parameter["name"]]  # type: ignore[no-any-return]


async def complaint(http: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> str | None:
    """What is wrong with an answer; None if nothing is."""
    async with http.get(yarl.URL(url, encoded=True), headers=headers, allow_redirects=False) as answer:
        if answer.content_type == "text/event-stream":
            text = (await asyncio.wait_for(answer.content.readany(), 20)).decode()
        else:
            text = await answer.text()
    if answer.status >= 500:
        return f"{answer.status} {text[:300]}"
    if "json" in answer.content_type:
        for line in text.splitlines():
            msgspec.json.decode(line)
    said = re.sub(r"<[^>]*>", " ", text)
    if answer.content_type == "text/html" and (found := ODD.search(said)):
        return f"says {found[0]!r}: {said[max(0, found.start() - 100) : found.end() + 50]!r}"
    return None


async def test_every_address_of_the_api_copes_with_every_record(bench: Bench) -> None:
    orcids = list((await make_every_record(bench)).values())
    wrong = {}
    async with serving_api(bench.database) as api:
        document = await api.json(PATH)
        for view in VIEWS:
            headers = (await api.bearing(view)).headers
            for address in of_document(document, orcids):
                if said := await complaint(api.session, api.url + address, headers):
                    wrong[f"{view} {address}"] = said

    assert wrong == {}


async def test_every_page_copes_with_every_record(bench: Bench) -> None:
    orcids = list((await make_every_record(bench)).values())
    wrong = {}
    async with status_pages(bench.database) as pages:
        for view in VIEWS:
            async with pages.reader(await token_of(bench.connection, view)) as reader:
                for path in pages.addresses:
                    for address in filled(path, {**VALUES, "orcid": orcids}):
                        for query in QUERIES if "{orcid}" in path else ("",):
                            if said := await complaint(reader.http, reader.url + address + query, HTML):
                                wrong[f"{view} {address}{query}"] = said

    assert wrong == {}


@pytest.mark.parametrize("path", ["/records/{orcid}", "/records/{orcid}/compare", "/records/{orcid}/timeline"])
async def test_the_pages_of_a_record_are_among_them(bench: Bench, path: str) -> None:
    async with status_pages(bench.database) as pages:
        assert path in pages.addresses
