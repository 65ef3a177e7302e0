"""The mirror: reading what it holds of a record, and writing exactly what changed (schema orcid).

Additions go in by COPY, in chunks, so that neither memory nor the event loop feels a record of 10,000 works; changed
rows by UPDATE, the lists of a changed item by DELETE and COPY. The statements follow from the columns of
`model.record.rows`, which is why they are the only ones that are not in a .sql file; a test prepares them all.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from typing import Any

import msgspec
from msgspec import Struct

from orcid_sync.model.record import rows
from orcid_sync.model.record.diff import Held, Known, RecordContent, Update, Writing
from orcid_sync.model.record.extract import Entry
from orcid_sync.model.record.sections import SECTIONS, Content, ItemKey, Section
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

_queries = load_queries(__file__)

CHUNK = 100
"""Items written by one COPY."""

BITE = 10
"""Items made into rows between two turns of the event loop: less than a millisecond."""


class _List(Struct, frozen=True):
    """A table of lists that belong to items."""

    attribute: str
    row: type[Struct]
    sectioned: bool


LISTS = {
    "external_ids": _List("external_ids", rows.ExternalId, sectioned=True),
    "contributors": _List("contributors", rows.Contributor, sectioned=True),
    "research_resource_hosts": _List("hosts", rows.Host, sectioned=False),
    "research_resource_items": _List("items", rows.ResourceItem, sectioned=False),
}


async def load(connection: AnyConnection, orcid: str) -> Held:
    """What the mirror holds, as far as is needed to compare it with an answer."""
    record = await _queries.load_record(connection, orcid=orcid)
    if record is None:
        return Held(None, {})
    known = {
        (row["section"], row["key"]): Known(
            row["digest"], row["visibility"], row["detail_modified_at"], row["modified_at"]
        )
        async for row in _queries.load_known(connection, orcid=orcid)
    }
    names = ("state", "access", "primary_orcid", "doc", "withheld")
    content = RecordContent(*(record[name] for name in names))
    return Held(content, known, record["registry_modified_at"])


async def load_contents(connection: AnyConnection, orcid: str, keys: Sequence[ItemKey]) -> dict[ItemKey, Content]:
    """The contents of some of the items."""
    if not keys:
        return {}
    sections, names = zip(*keys, strict=True)
    found = _queries.load_contents(connection, orcid=orcid, sections=sections, keys=names)
    return {
        (row["section"], row["key"]): Content(row["doc"], row["detail"], row["group_put_code"], row["group_position"])
        async for row in found
    }


async def apply(connection: AnyConnection, orcid: str, writing: Writing) -> None:
    """Write the changes of one record, inside the caller's transaction. Raises MalformedRecord."""
    await _write_record(connection, orcid, writing)
    for section, keys in _by_section(writing.removed):
        await _remove(connection, orcid, section, keys)
    for update in writing.updated:
        await _update(connection, update)
    added = iter(writing.added)
    while chunk := list(islice(added, CHUNK)):
        await _add(connection, await _entries(orcid, chunk))


async def rewrite(connection: AnyConnection, updates: Iterable[Update]) -> None:
    """Write items whose documents stay as they are, inside the caller's transaction."""
    for update in updates:
        await _update(connection, update)


async def insert(
    connection: AnyConnection, records: Sequence[rows.Record], entries: Iterable[tuple[Section, Entry]]
) -> None:
    """Write records of which the mirror holds nothing, with all their items: one COPY for each table."""
    await connection.copy_records_to_table(
        "records",
        schema_name="orcid",
        columns=rows.Record.__struct_fields__,
        records=[_values(record) for record in records],
    )
    await _add(connection, entries)


async def _entries(orcid: str, added: Sequence[tuple[Section, Content]]) -> list[tuple[Section, Entry]]:
    """The items as rows. Notifications must not wait for a large record (fault F28), so there are pauses."""
    entries = []
    for number, (section, content) in enumerate(added, 1):
        entries.append((section, section.entry(orcid, content)))
        if number % BITE == 0:
            await asyncio.sleep(0)
    return entries


async def _write_record(connection: AnyConnection, orcid: str, writing: Writing) -> None:
    at = writing.registry_modified_at
    if writing.record is None:
        write = _queries.touch_record if writing.empty else _queries.stamp_record
        await write(connection, orcid=orcid, registry_modified_at=at)
        return
    row = msgspec.structs.replace(writing.record.row(orcid), registry_modified_at=at)
    statement = (
        insert_statement("records", rows.Record) if writing.new_record else update_statement("records", rows.Record)
    )
    await connection.execute(statement, *_values(row))


async def _add(connection: AnyConnection, entries: Iterable[tuple[Section, Entry]]) -> None:
    tables: dict[str, list[Entry]] = defaultdict(list)
    lists: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for section, entry in entries:
        tables[section.table].append(entry)
        for table in section.children:
            lists[table].extend(_list_rows(table, section, entry))
    for table, items in tables.items():
        columns = items[0].row.__struct_fields__
        await connection.copy_records_to_table(
            table, schema_name="orcid", columns=columns, records=[_values(entry.row) for entry in items]
        )
    await _copy_lists(connection, lists)


async def _update(connection: AnyConnection, update: Update) -> None:
    section, row = update.section, update.entry.row
    if not update.fields:
        key = (getattr(row, name) for name in section.key_columns)
        await connection.execute(digest_statement(section), row.digest, row.orcid, *key)
        return
    await connection.execute(update_statement(section.table, type(row), section.key_columns), *_values(row))
    lists: dict[str, list[tuple[Any, ...]]] = {}
    for table in section.children:
        if "visibility" in update.fields or any(name.split(".")[0] == LISTS[table].attribute for name in update.fields):
            await _remove_lists(connection, row.orcid, section, table, [row.put_code])  # type: ignore[attr-defined]
            lists[table] = list(_list_rows(table, section, update.entry))
    await _copy_lists(connection, lists)


async def _remove(connection: AnyConnection, orcid: str, section: Section, keys: Sequence[str]) -> None:
    names = [int(key) for key in keys] if section.key_column == "put_code" else list(keys)
    for table in section.children:
        await _remove_lists(connection, orcid, section, table, names)
    arguments = [names] if section.key_column else []
    await connection.execute(delete_statement(section), orcid, *arguments, *([section.name] * section.shared_table))


async def _remove_lists(
    connection: AnyConnection, orcid: str, section: Section, table: str, put_codes: Sequence[int | str]
) -> None:
    sectioned = LISTS[table].sectioned
    await connection.execute(delete_list_statement(table), orcid, put_codes, *([section.name] * sectioned))


async def _copy_lists(connection: AnyConnection, lists: dict[str, list[tuple[Any, ...]]]) -> None:
    for table, records in lists.items():
        if records:
            await connection.copy_records_to_table(
                table, schema_name="orcid", columns=_list_columns(table), records=records
            )


def _list_columns(table: str) -> tuple[str, ...]:
    kind = LISTS[table]
    return ("orcid", "put_code", "visibility", *(["section"] * kind.sectioned), *kind.row.__struct_fields__)


def _list_rows(table: str, section: Section, entry: Entry) -> Iterator[tuple[Any, ...]]:
    kind, row = LISTS[table], entry.row
    shared = (row.orcid, row.put_code, row.visibility, *([section.name] * kind.sectioned))  # type: ignore[attr-defined]
    for one in getattr(entry, kind.attribute):
        yield (*shared, *_values(one))


_values = msgspec.structs.astuple


def _by_section(keys: Iterable[ItemKey]) -> Iterator[tuple[Section, list[str]]]:
    sections: dict[str, list[str]] = defaultdict(list)
    for section, key in keys:
        sections[section].append(key)
    for name, names in sections.items():
        yield SECTIONS[name], names


# The only identifiers in these statements are tables and columns of this package, never a value.


@cache
def insert_statement(table: str, row: type[Struct]) -> str:
    """INSERT of one row, parameters in the order of the row's fields."""
    places = ", ".join(f"${n}" for n in range(1, len(row.__struct_fields__) + 1))
    return f"insert into orcid.{table} ({', '.join(row.__struct_fields__)}) values ({places})"  # noqa: S608


@cache
def update_statement(table: str, row: type[Struct], key: tuple[str, ...] = ()) -> str:
    """UPDATE of one row by orcid and key, parameters in the order of the row's fields."""
    places = {name: f"${n}" for n, name in enumerate(row.__struct_fields__, 1)}
    where = ("orcid", *key)
    sets = ", ".join(f"{name} = {place}" for name, place in places.items() if name not in where)
    conditions = " and ".join(f"{name} = {places[name]}" for name in where)
    return f"update orcid.{table} set {sets}, changed_at = now() where {conditions}"  # noqa: S608


@cache
def digest_statement(section: Section) -> str:
    """UPDATE of the digest of an item that says the same in other bytes: $1 the digest, $2 the iD, $3 … the key."""
    conditions = " and ".join(f"{name} = ${n}" for n, name in enumerate(("orcid", *section.key_columns), 2))
    return f"update orcid.{section.table} set digest = $1 where {conditions}"  # noqa: S608


@cache
def delete_statement(section: Section) -> str:
    """DELETE of items of a section: $1 the iD, $2 the keys (if it has any), $3 the section (if it shares a table)."""
    conditions = ["orcid = $1"]
    if section.key_column:
        conditions.append(f"{section.key_column} = any($2)")
    if section.shared_table:
        conditions.append("section = $3")
    return f"delete from orcid.{section.table} where {' and '.join(conditions)}"  # noqa: S608


@cache
def delete_list_statement(table: str) -> str:
    """DELETE of the lists of some items: $1 the iD, $2 the put-codes, $3 the section (if the table has one)."""
    section = " and section = $3" if LISTS[table].sectioned else ""
    return f"delete from orcid.{table} where orcid = $1 and put_code = any($2){section}"  # noqa: S608


def statements() -> Iterator[str]:
    """Every statement that this module can make, for the test that prepares them."""
    yield insert_statement("records", rows.Record)
    yield update_statement("records", rows.Record)
    for section in SECTIONS.values():
        yield update_statement(section.table, section.row, section.key_columns)
        yield digest_statement(section)
        yield delete_statement(section)
    yield from map(delete_list_statement, LISTS)
