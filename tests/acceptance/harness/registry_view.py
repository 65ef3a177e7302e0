"""What the Registry holds, asked over HTTP, and taken apart without any of the service's code."""

import json
from collections.abc import Iterator
from typing import Any

import aiohttp

Json = dict[str, Any]
ItemKey = tuple[str, str]
"""Section, key."""

PERSON = {
    "other-names": "other-name",
    "researcher-urls": "researcher-url",
    "emails": "email",
    "addresses": "address",
    "keywords": "keyword",
    "external-identifiers": "external-identifier",
}
AFFILIATIONS = ("distinction", "education", "employment", "invited-position", "membership", "qualification", "service")
GROUPED = {"fundings": "funding", "works": "work", "research-resources": "research-resource"}

STATES = {9018: "locked", 9036: "unclaimed", 9044: "deactivated", 9007: "deprecated", 9016: "not-found"}


class RegistryView:
    """The control answers of the simulated Registry."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def get(self, path: str, **query: Any) -> Any:
        """An answer of the control."""
        given = {name: str(value) for name, value in query.items() if value is not None}
        async with self._session.get(f"{self._url}/_sim/{path}", params=given) as answer:
            return json.loads(await answer.read())

    async def record(self, orcid: str, token: str, version: int | None = None) -> tuple[str, Json]:
        """The record's state and, if it is active (or a version was asked for), its JSON."""
        answer = await self.get(f"view/{orcid}", token=token, version=version)
        if "orcid-identifier" in answer:
            return "active", answer
        return STATES[answer["error-code"]], answer

    async def full_works(self, orcid: str, token: str, codes: list[str]) -> dict[str, Json]:
        """Full works by put-code, from the API itself."""
        works: dict[str, Json] = {}
        for start in range(0, len(codes), 100):
            page = ",".join(codes[start : start + 100])
            headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.orcid+json"}
            async with self._session.get(f"{self._url}/v3.0/{orcid}/works/{page}", headers=headers) as answer:
                bulk = json.loads(await answer.read())["bulk"]
            works |= {str(one["work"]["put-code"]): one["work"] for one in bulk if "work" in one}
        return works


def items_of(record: Json) -> dict[ItemKey, Json]:
    """Every item of a record with its place in its group, in the shape in which the feed writes it."""
    return {**dict(_personal(record["person"])), **dict(_activities(record["activities-summary"]))}


def own_part(record: Json) -> Json:
    """What belongs to no item, without the date that moves by itself (contract section 3.9)."""
    own = {name: value for name, value in record.items() if name not in ("person", "activities-summary")}
    own["history"] = {name: value for name, value in record["history"].items() if name != "last-modified-date"}
    return own


def _personal(person: Json) -> Iterator[tuple[ItemKey, Json]]:
    for section in ("name", "biography"):
        if person[section] is not None:
            yield (section, ""), _placed(person[section])
    for container, section in PERSON.items():
        for item in person[container][section]:
            yield (section, _key(item)), _placed(item)


def _activities(activities: Json) -> Iterator[tuple[ItemKey, Json]]:
    for section in AFFILIATIONS:
        member = f"{section}-summary"
        for group in activities[f"{section}s"]["affiliation-group"]:
            yield from _group(section, [summary[member] for summary in group["summaries"]])
    for container, section in GROUPED.items():
        for group in activities[container]["group"]:
            yield from _group(section, group[f"{section}-summary"])
    for outer in activities["peer-reviews"]["group"]:
        for group in outer["peer-review-group"]:
            yield from _group("peer-review", group["peer-review-summary"])


def _group(section: str, items: list[Json]) -> Iterator[tuple[ItemKey, Json]]:
    smallest = min(item["put-code"] for item in items)
    for position, item in enumerate(items):
        yield (section, _key(item)), _placed(item, smallest, position)


def _placed(item: Json, group: int | None = None, position: int | None = None) -> Json:
    return {"doc": item, "group_put_code": group, "group_position": position}


def _key(item: Json) -> str:
    return str(item["put-code"]) if item.get("put-code") is not None else str(item["email"]).lower()
