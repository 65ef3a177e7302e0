"""The columns of a section as they stand, and as its stored documents would have them made today.

The statements follow from the columns of `model.record.rows`, as in `items`; a test prepares them all.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import Any

import asyncpg
import msgspec
import structlog
from msgspec import Struct

from orcid_sync.model.record import rows
from orcid_sync.model.record.diff import RECORD, RecordContent, Update, fields_of
from orcid_sync.model.record.extract import Entry
from orcid_sync.model.record.sections import SECTIONS, Content, Section
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries
from orcid_sync.store.mirror import items

_queries = load_queries(__file__)

log = structlog.get_logger(__name__)


class Derived(Struct, frozen=True):
    """An item whose columns are not what its document says."""

    orcid: str
    key: str
    old: Entry
    new: Entry
    fields: tuple[str, ...]
    """The columns and lists in which the two differ."""


class Derivation(Struct):
    """What became of some records."""

    items: int = 0
    """Items that were compared."""
    differing: list[Derived] = []
    unreadable: list[tuple[str, str]] = []
    """iD and key of those whose document this version cannot read; they are left as they are."""


async def begin(connection: AnyConnection, section: str, version: str) -> str:
    """Begin a rebuild, or go on with one that was interrupted: returns the iD up to which that was done."""
    reached: str = await _queries.begin(connection, section=section, version=version)
    return reached


async def reach(connection: AnyConnection, section: str, reached: str) -> None:
    """Note the iD up to which all are done."""
    await _queries.reach(connection, section=section, reached=reached)


async def finish(connection: AnyConnection, section: str) -> None:
    """Note that it is done."""
    await _queries.finish(connection, section=section)


async def queued(connection: AnyConnection, orcids: Collection[str]) -> set[str]:
    """Those that are followed, or were."""
    return {row["orcid"] async for row in _queries.queued(connection, orcids=list(orcids))}


async def next_orcids(connection: AnyConnection, section: str, *, after: str, limit: int) -> list[str]:
    """The next iDs that have anything in the section."""
    found = await connection.fetch(next_statement(section), after, limit, *_section_argument(section))
    return [row["orcid"] for row in found]


async def derive(connection: AnyConnection, section: str, orcids: Sequence[str]) -> Derivation:
    """Compare the columns of these records' items with what their documents say."""
    derivation = Derivation()
    stored = await connection.fetch(rows_statement(section), orcids, *_section_argument(section))
    lists = {} if section == RECORD else await _lists(connection, SECTIONS[section], orcids)
    for row in stored:
        derivation.items += 1
        key = _key(section, row)
        try:
            old, new = _both(section, row, lists)
        except Exception:  # MalformedRecord, or a defect that this document shows: the others go on
            log.debug("document not read", orcid=row["orcid"], section=section, key=key, exc_info=True)
            derivation.unreadable.append((row["orcid"], key))
            continue
        if fields := fields_of(old, new):
            derivation.differing.append(Derived(row["orcid"], key, old, new, fields))
    return derivation


async def rewrite(connection: AnyConnection, section: str, differing: Sequence[Derived]) -> None:
    """Write what the documents say; digests and documents stay as they are."""
    if section == RECORD:
        values = [msgspec.structs.astuple(one.new.row) for one in differing]
        await connection.executemany(items.update_statement("records", rows.Record), values)
        return
    await items.rewrite(connection, [Update(SECTIONS[section], one.new, one.fields) for one in differing])


Lists = dict[str, dict[tuple[str, int], list[Any]]]
"""Rows of the lists of items, by the attribute of an Entry, the iD and the put-code."""


async def _lists(connection: AnyConnection, section: Section, orcids: Sequence[str]) -> Lists:
    lists: Lists = {}
    for table in section.children:
        kind = items.LISTS[table]
        found = lists[kind.attribute] = defaultdict(list)
        argument = [section.name] * kind.sectioned
        for row in await connection.fetch(list_statement(table), orcids, *argument):
            values = dict(row)
            owner = values.pop("orcid"), values.pop("put_code")
            found[owner].append(kind.row(**values))
    return lists


def _both(section: str, row: asyncpg.Record, lists: Lists) -> tuple[Entry, Entry]:
    """The item as its columns have it and as its document does. Raises MalformedRecord."""
    if section == RECORD:
        return _records(row)
    known = SECTIONS[section]
    stored = known.row(**row)
    owner = row["orcid"], row.get("put_code", 0)
    old = Entry(stored, **{attribute: found.get(owner, []) for attribute, found in lists.items()})
    content = Content(row["doc"], row.get("detail"), row.get("group_put_code"), row.get("group_position"))
    return old, known.entry(row["orcid"], content, row["digest"])


def _records(row: asyncpg.Record) -> tuple[Entry, Entry]:
    stored = rows.Record(**row)
    content = RecordContent(stored.state, stored.access, stored.primary_orcid, stored.doc, stored.withheld)
    # Not content, and so not in the document.
    made = msgspec.structs.replace(content.row(stored.orcid), registry_modified_at=stored.registry_modified_at)
    return Entry(stored), Entry(made)  # type: ignore[arg-type]  # a record's row is compared like an item's


def _key(section: str, row: asyncpg.Record) -> str:
    column = None if section == RECORD else SECTIONS[section].key_column
    return str(row[column]) if column else ""


def _section_argument(section: str) -> list[str]:
    return [section] if section != RECORD and SECTIONS[section].shared_table else []


# The only identifiers in these statements are tables and columns of this package, never a value.


def _table(section: str) -> tuple[str, type[Struct], bool]:
    """Table, row, and whether the table holds other sections too."""
    if section == RECORD:
        return "records", rows.Record, False
    known = SECTIONS[section]
    return known.table, known.row, known.shared_table


@cache
def next_statement(section: str) -> str:
    """The next iDs: $1 the iD after which they come, $2 how many, $3 the section (if the table holds several)."""
    table, _, shared = _table(section)
    which = " and section = $3" if shared else ""
    return f"select distinct orcid from orcid.{table} where orcid > $1{which} order by orcid limit $2"  # noqa: S608


@cache
def rows_statement(section: str) -> str:
    """The items of some records: $1 the iDs, $2 the section (if the table holds several)."""
    table, row, shared = _table(section)
    which = " and section = $2" if shared else ""
    columns = ", ".join(row.__struct_fields__)
    return f"select {columns} from orcid.{table} where orcid = any($1){which} order by orcid"  # noqa: S608


@cache
def list_statement(table: str) -> str:
    """The lists of the items of some records: $1 the iDs, $2 the section (if the table has one)."""
    kind = items.LISTS[table]
    which = " and section = $2" if kind.sectioned else ""
    names = kind.row.__struct_fields__
    order = ", ".join(name for name in ("resource_item", "position") if name in names)
    columns = f"orcid, put_code, {', '.join(names)}"
    return f"select {columns} from orcid.{table} where orcid = any($1){which} order by {order}"  # noqa: S608


def statements() -> Iterator[str]:
    """Every statement that this module can make, for the test that prepares them."""
    for section in (RECORD, *SECTIONS):
        yield next_statement(section)
        yield rows_statement(section)
    yield from map(list_statement, items.LISTS)
