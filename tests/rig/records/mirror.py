"""Mirroring an answer of the Registry without the Registry: compare, write, read back."""

from collections.abc import Iterator, Mapping
from typing import Any

import asyncpg
import msgspec

from orcid_sync.model.record import diff
from orcid_sync.model.record.access import access_from
from orcid_sync.model.record.diff import Change, RecordContent
from orcid_sync.model.record.extract import moment
from orcid_sync.model.record.parse_record import parse_record
from orcid_sync.model.record.removals import reason_gone
from orcid_sync.model.record.sections import ItemKey
from orcid_sync.model.wire.orcid_json import Timestamp
from orcid_sync.model.wire.set_aside import may_lose
from orcid_sync.service.record.changeset import Answer, Changeset, make_changeset
from orcid_sync.store.database.pools import AnyConnection, transaction
from orcid_sync.store.feed import changes
from orcid_sync.store.mirror import items as mirror


async def changeset_of(
    pool: asyncpg.Pool, body: bytes, details: Mapping[ItemKey, bytes] | None = None, *, access: str = "read-public"
) -> tuple[str, Changeset]:
    """The iD of an answer, and what a reconciliation would write to bring the mirror to its state."""
    record = parse_record(body)
    async with transaction(pool) as connection:
        held = await mirror.load(connection, record.orcid)
    items = list(record.items())
    full = dict(details or {})
    answered = may_lose((found.section.name for found in record.answered()), record.set_aside())
    comparison = diff.compare(held.items, answered, items, full)
    before, now = access_from(held.record.access if held.record else None), access_from(access)
    reasons = {key: reason_gone(key, held.items[key], before, now) for key in comparison.gone}
    content = RecordContent("active", access, None, record.doc)
    answer = Answer(content, moment(Timestamp(record.modified_ms)), comparison, full, reasons)
    return record.orcid, await make_changeset(pool, record.orcid, held, answer)


async def write(connection: AnyConnection, orcid: str, changeset: Changeset, *, cause: str = "check") -> None:
    """Write it, as a reconciliation does, inside the caller's transaction."""
    await mirror.apply(connection, orcid, changeset.writing)
    await changes.append(connection, orcid, changeset.changes, cause=cause)


async def apply_record(
    pool: asyncpg.Pool,
    body: bytes,
    details: Mapping[ItemKey, bytes] | None = None,
    *,
    access: str = "read-public",
    cause: str = "check",
) -> list[Change]:
    """Bring the mirror to the state of this answer; returns the changes."""
    orcid, changeset = await changeset_of(pool, body, details, access=access)
    async with transaction(pool) as connection:
        await write(connection, orcid, changeset, cause=cause)
    return changeset.changes


def docs_of(body: bytes) -> dict[ItemKey, Any]:
    """Every item of an answer as JSON values, by section and key."""
    return {item.id: msgspec.json.decode(item.content.doc) for item in parse_record(body).items()}


async def mirrored_docs(connection: asyncpg.Connection, orcid: str) -> dict[ItemKey, Any]:
    """Every item of the mirror as JSON values, by section and key."""
    rows = await connection.fetch("select section, key, doc from orcid.items where orcid = $1", orcid)
    return {(row["section"], row["key"]): msgspec.json.decode(row["doc"]) for row in rows}


def skeleton(orcid: str) -> dict[str, Any]:
    """The JSON of a record without items, to be filled in."""
    lists = {
        "other-names": "other-name",
        "researcher-urls": "researcher-url",
        "emails": "email",
        "addresses": "address",
        "keywords": "keyword",
        "external-identifiers": "external-identifier",
    }
    groups = ["fundings", "peer-reviews", "research-resources", "works"]
    kinds = ["distinction", "education", "employment", "invited-position", "membership", "qualification", "service"]
    activities: dict[str, Any] = {name: {"last-modified-date": None, "group": []} for name in groups}
    activities |= {f"{kind}s": {"last-modified-date": None, "affiliation-group": []} for kind in kinds}
    return {
        "orcid-identifier": {"uri": f"https://orcid.org/{orcid}", "path": orcid, "host": "orcid.org"},
        "preferences": {"locale": "en"},
        "history": {"creation-method": "DIRECT", "last-modified-date": {"value": 1700000000000}, "claimed": True},
        "person": {"name": None, "biography": None}
        | {name: {"last-modified-date": None, member: []} for name, member in lists.items()},
        "activities-summary": activities,
        "path": f"/{orcid}",
    }


def records_in(value: Any) -> Iterator[dict[str, Any]]:
    """The full records inside a stored answer: itself, or what a file keeps around it."""
    if isinstance(value, dict):
        if {"orcid-identifier", "person", "activities-summary"} <= value.keys() and value["activities-summary"]:
            yield value
        else:
            for inner in value.values():
                yield from records_in(inner)


async def fetch(pool: asyncpg.Pool, query: str, *arguments: Any) -> list[tuple[Any, ...]]:
    """The rows of a query as plain tuples."""
    async with transaction(pool) as connection:
        return [tuple(row) for row in await connection.fetch(query, *arguments)]
