"""A record in which every text of the holder carries a marker, and the search for markers in a whole database."""

import re
from typing import Any

import asyncpg
import msgspec

from orcid_sync.model.record.sections import ItemKey
from rig.records.sample_record import ORCID, full_forms, rich_record

MARKER = "Zqxmarker"
"""No text of the software's own contains it."""

# Texts by which the record is taken apart: changed, it would be another record or none.
_STRUCTURE = {"visibility", "path", "uri", "host", "year", "month", "day", "creation-method", "locale"}
_OWN = re.compile(rf"{ORCID}|[0-9]*")


def marked(value: Any, mark: str, name: str = "") -> Any:
    """The same JSON with the mark in front of every text that is somebody's words."""
    if isinstance(value, dict):
        return {key: member if key in _STRUCTURE else marked(member, mark, key) for key, member in value.items()}
    if isinstance(value, list):
        return [marked(member, mark, name) for member in value]
    return mark + value if isinstance(value, str) and not _OWN.fullmatch(value) else value


def marked_record(mark: str = MARKER) -> dict[str, Any]:
    """The rich record, marked; every second item of a list is limited."""
    record: dict[str, Any] = marked(rich_record(), mark)
    record["activities-summary"] = _half_limited(record["activities-summary"])
    record["person"] = _half_limited(record["person"])
    return record


def marked_forms(mark: str = MARKER) -> dict[ItemKey, Any]:
    """The full forms, marked."""
    return {key: msgspec.json.encode(marked(msgspec.json.decode(form), mark)) for key, form in full_forms().items()}


def _half_limited(value: Any) -> Any:
    if isinstance(value, list):
        return [
            one | {"visibility": "limited"} if "visibility" in one and number % 2 else _half_limited(one)
            for number, one in enumerate(value)
        ]
    if isinstance(value, dict):
        return {name: _half_limited(member) for name, member in value.items()}
    return value


async def places(connection: asyncpg.Connection, text: str = MARKER) -> list[str]:
    """Every table of every schema, the catalogue and its statistics included, in which a row contains the text."""
    tables = await connection.fetch(
        "select oid::regclass::text as name from pg_class where relkind in ('r', 'm', 'p') order by 1"
    )
    patterns = [f"%{text}%", f"%{text.encode().hex()}%"]
    found = []
    for (name,) in tables:
        query = f"select exists (select from {name} as t where t::text ilike any($1))"
        if await connection.fetchval(query, patterns):
            found.append(name)
    return found
