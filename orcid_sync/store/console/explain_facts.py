"""Gathering what bears on the question why the mirror of one iD is as it is. Reads only.

`counts`, `changes` and `find_items` tell of what the present role may see (`store.database.roles`), the others of what
only the service knows.
"""

from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec

from orcid_sync.model.explain import item_query
from orcid_sync.model.explain.facts import ChangeSet, Connection, Item, Line, Queue, Record, SideStep, Webhook
from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.model.text.labels import label
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

COMMITS = 15
"""Changed states of the record that are told of, the latest."""

LINES = 4
"""Changes of each of them that are told one by one."""

FOUND = 10
"""Items that are told of, at most, of those that answer to a text."""

_queries = load_queries(__file__)


async def connection_of(connection: AnyConnection, orcid: Orcid) -> Connection | None:
    """The permission; None if the iD was never connected."""
    row = await _queries.connection(connection, orcid=orcid)
    return None if row is None else msgspec.convert(dict(row), Connection)


async def record_of(connection: AnyConnection, orcid: Orcid) -> Record | None:
    """The record; None if it was never read."""
    row = await _queries.record(connection, orcid=orcid)
    return None if row is None else Record(**row)


async def queue_of(connection: AnyConnection, orcid: Orcid) -> Queue | None:
    """The place in the queue; None if the iD was never connected."""
    row = await _queries.queue(connection, orcid=orcid)
    if row is None:
        return None
    return Queue(**{**row, "lane": Lane(row["lane"])})


async def webhooks_of(connection: AnyConnection, orcid: Orcid) -> list[Webhook]:
    """The webhooks that may exist, the oldest generation first."""
    return [Webhook(**row) async for row in _queries.webhooks(connection, orcid=orcid)]


async def side_steps_of(connection: AnyConnection, orcid: Orcid) -> list[SideStep]:
    """What fails at ORCID beside the reading."""
    return [SideStep(**row) async for row in _queries.side_steps(connection, orcid=orcid)]


async def counts(connection: AnyConnection, orcid: Orcid) -> dict[str, int]:
    """Numbers of items by visibility."""
    rows = _queries.items(connection, orcid=orcid)
    return {row["visibility"]: row["number"] async for row in rows}


async def changes(connection: AnyConnection, orcid: Orcid) -> list[ChangeSet]:
    """What the last reconciliations changed, the latest first."""
    found = _queries.changes(connection, orcid=orcid, commits=COMMITS, lines=LINES)
    rows = [row async for row in found]
    return [_change_set(list(lines)) for _, lines in groupby(rows, key=itemgetter("at"))]


def _change_set(rows: list[Any]) -> ChangeSet:
    first = rows[0]
    return ChangeSet(
        at=first["at"],
        cause=first["cause"],
        source_modified_at=first["source_modified_at"],
        counts=msgspec.json.decode(first["counts"], type=dict[str, int]),
        lines=[_line(row) for row in rows],
    )


def _line(row: Any) -> Line:
    said = "" if row["section"] == "record" or row["doc"] is None else label(row["doc"]).title
    names = ("section", "key", "op", "reason", "fields", "minor")
    return Line(**{name: row[name] for name in names}, title=said)


async def find_items(connection: AnyConnection, orcid: Orcid, text: str) -> list[Item]:
    """Items that answer to a text: those in the mirror, then those that went, the latest first. At most some."""
    sought = item_query.needle(text)
    wish = {"orcid": orcid, "text": sought, "quoted": item_query.quoted(sought)}
    here = [row async for row in _queries.present_items(connection, **wish)]
    found = [row for row in here if item_query.answers(row["doc"], row["key"], sought)][:FOUND]
    items = [await _present(connection, orcid, row) for row in found]
    known = {(row["section"], row["key"]) for row in here}
    gone = [row async for row in _queries.gone_items(connection, **wish) if (row["section"], row["key"]) not in known]
    items += [_gone(row) for row in gone if item_query.answers(row["doc"], row["key"], sought)]
    return items[:FOUND]


async def _present(connection: AnyConnection, orcid: Orcid, row: Any) -> Item:
    group = []
    if row["group_put_code"] is not None:
        wish = {"orcid": orcid, "section": row["section"], "group_put_code": row["group_put_code"]}
        group = [one async for one in _queries.group_of(connection, **wish)]
    preferred = group[0] if len(group) > 1 else None
    return Item(
        section=row["section"],
        key=row["key"],
        title=label(row["doc"]).title,
        identifiers=item_query.identifiers(row["doc"]),
        visibility=row["visibility"],
        first_seen_at=row["first_seen_at"],
        changed_at=row["changed_at"],
        versions=max(1, len(group)),
        preferred_key=preferred["key"] if preferred else None,
        preferred_title=label(preferred["doc"]).title if preferred else None,
    )


def _gone(row: Any) -> Item:
    facts = dict(row)
    document = facts.pop("doc")
    title, names = ("", []) if document is None else (label(document).title, item_query.identifiers(document))
    return Item(**facts, title=title, identifiers=names)
