"""What schema orcid offers to those who read it: tables, views, columns and functions, with their comments."""

from collections import defaultdict

import msgspec

from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column of a table or view."""

    name: str
    type: str
    """PostgreSQL's name of the type: text, timestamp with time zone, text[], …"""
    required: bool
    """Never null; of views not known."""
    comment: str | None


class Relation(msgspec.Struct, frozen=True, kw_only=True):
    """A table or view."""

    name: str
    kind: str
    """table or view."""
    comment: str | None
    key: list[str]
    """Columns of the primary key; of views empty."""
    columns: list[Column]


class Function(msgspec.Struct, frozen=True, kw_only=True):
    """A function."""

    name: str
    arguments: str
    result: str
    comment: str | None


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, tables before views."""

    relations: list[Relation]
    functions: list[Function]


_queries = load_queries(__file__)


async def read_catalogue(connection: AnyConnection) -> Catalogue:
    """Read it; any reader may."""
    columns: defaultdict[str, list[Column]] = defaultdict(list)
    async for row in _queries.columns(connection):
        columns[row["relation"]].append(Column(**{name: row[name] for name in Column.__struct_fields__}))
    relations = [Relation(**row, columns=columns[row["name"]]) async for row in _queries.relations(connection)]
    return Catalogue(relations=relations, functions=[Function(**row) async for row in _queries.functions(connection)])


async def sees_internals(connection: AnyConnection) -> bool:
    """Whether the present role is more than a reader: it can look into schema orcid_sync."""
    found: bool = await _queries.sees_internals(connection)
    return found


async def use_utc(connection: AnyConnection) -> None:
    """Have moments written as UTC in ISO 8601 until the end of the transaction, whatever the server prefers."""
    await _queries.in_utc(connection)
