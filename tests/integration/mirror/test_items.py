"""The mirror in PostgreSQL: everything arrives in typed columns, and nothing is written that did not change."""

import json
import random
import string
import types
import typing
from typing import Any

import asyncpg
import msgspec
import pytest

from orcid_sync.model.record import rows
from orcid_sync.model.record.diff import with_detail
from orcid_sync.model.record.parse_record import parse_record
from orcid_sync.model.record.sections import SECTIONS
from orcid_sync.store.database.pools import Database, DatabaseRefused, transaction
from orcid_sync.store.mirror import items
from rig.records.mirror import apply_record, fetch, mirrored_docs
from rig.records.sample_record import ORCID, encode, full_forms, keyword, rich_record, set_in, with_keywords

FORMS = full_forms()
RICH = encode(rich_record())
OURS = {"first_seen_at", "changed_at"}
Json = dict[str, Any]

LISTS: dict[str, tuple[type[msgspec.Struct], set[str]]] = {
    "external_ids": (rows.ExternalId, {"section"}),
    "contributors": (rows.Contributor, {"section"}),
    "research_resource_hosts": (rows.Host, set()),
    "research_resource_items": (rows.ResourceItem, set()),
}
TABLES = {
    "records": set(rows.Record.__struct_fields__),
    **{section.table: set(section.row.__struct_fields__) for section in SECTIONS.values()},
    **{
        table: {"orcid", "put_code", "visibility"} | extra | set(row.__struct_fields__)
        for table, (row, extra) in LISTS.items()
    },
}

NO_ITEMS = {"changes", "change_contents", "organisations", "organisation_ids"}
"""Tables that are not made of a record's answer."""

TYPES = {
    "text": "str",
    "integer": "int",
    "bigint": "int",
    "smallint": "int",
    "boolean": "bool",
    "timestamp with time zone": "datetime",
    "bytea": "bytes",
    "jsonb": "bytes",
}


async def columns_of(connection: asyncpg.Connection) -> dict[str, dict[str, asyncpg.Record]]:
    found = await connection.fetch(
        """
        select c.table_name, c.column_name, c.data_type, c.is_nullable = 'YES' as nullable
          from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
         where c.table_schema = 'orcid' and c.is_generated = 'NEVER' and t.table_type = 'BASE TABLE'
        """
    )
    columns: dict[str, dict[str, asyncpg.Record]] = {}
    for row in found:
        columns.setdefault(row["table_name"], {})[row["column_name"]] = row
    return columns


async def test_every_column_has_its_field(connection: asyncpg.Connection) -> None:
    columns = await columns_of(connection)
    assert {table: set(columns[table]) - OURS for table in TABLES} == TABLES
    assert set(columns) == {*TABLES, *NO_ITEMS}


async def test_every_field_has_the_type_of_its_column(connection: asyncpg.Connection) -> None:
    columns = await columns_of(connection)
    structs = {section.table: section.row for section in SECTIONS.values()} | {"records": rows.Record}
    structs |= {table: row for table, (row, _) in LISTS.items()}
    for table, row in structs.items():
        for field in msgspec.structs.fields(row):
            column = columns[table][field.name]
            kinds = typing.get_args(field.type) if isinstance(field.type, types.UnionType) else (field.type,)
            assert TYPES[column["data_type"]] in {kind.__name__ for kind in kinds}, (table, field.name)
            assert column["nullable"] == (types.NoneType in kinds), (table, field.name)


async def test_every_statement_can_be_prepared(connection: asyncpg.Connection) -> None:
    for statement in items.statements():
        await connection.prepare(statement)


def plain(row: Any) -> Json:
    """A row with its JSON decoded."""
    names = row.keys() if isinstance(row, asyncpg.Record) else row.__struct_fields__
    values = {name: row[name] if isinstance(row, asyncpg.Record) else getattr(row, name) for name in names}
    documents = {name: json.loads(values[name]) for name in ("doc", "detail") if values.get(name)}
    return values | documents


async def test_every_section_is_stored_in_typed_columns(database: Database) -> None:
    """What the columns should say is in tests/unit/record/test_extract.py."""
    await apply_record(database.worker, RICH, FORMS)
    entries = [
        (
            item.section,
            SECTIONS[item.section].entry(ORCID, with_detail(item.content, FORMS.get(item.id))),
        )
        for item in parse_record(RICH).items()
    ]
    async with transaction(database.reader) as connection:
        for table in {section.table for section in SECTIONS.values()}:
            expected = [plain(entry.row) for section, entry in entries if SECTIONS[section].table == table]
            names = ", ".join(TABLES[table])
            found = [plain(row) for row in await connection.fetch(f"select {names} from orcid.{table}")]
            assert sorted(found, key=str_key) == sorted(expected, key=str_key), table
        for table, attribute in ATTRIBUTES.items():
            expected = [
                plain(one)
                | {"orcid": ORCID, "put_code": entry.row.put_code, "visibility": entry.row.visibility}
                | ({"section": section} if "section" in TABLES[table] else {})
                for section, entry in entries
                for one in getattr(entry, attribute)
            ]
            found = [
                plain(row) for row in await connection.fetch(f"select {', '.join(TABLES[table])} from orcid.{table}")
            ]
            assert sorted(found, key=str_key) == sorted(expected, key=str_key), table
            assert expected


ATTRIBUTES = {
    "external_ids": "external_ids",
    "contributors": "contributors",
    "research_resource_hosts": "hosts",
    "research_resource_items": "items",
}


def str_key(row: Json) -> str:
    return str(sorted((name, str(value)) for name, value in row.items()))


async def test_the_record_itself_is_stored(database: Database) -> None:
    await apply_record(database.worker, RICH, access="read-limited")
    async with transaction(database.reader) as connection:
        row = await connection.fetchrow("select * from orcid.records")
    assert (row["orcid"], row["state"], row["access"], row["locale"]) == (ORCID, "active", "read-limited", "en")
    assert (row["creation_method"], row["claimed"], row["verified_email"]) == ("MEMBER_REFERRED", True, True)
    assert row["registry_modified_at"].timestamp() == 1700000000.999
    assert json.loads(row["doc"])["history"]["creation-method"] == "MEMBER_REFERRED"


EARLIEST = {
    (2020, 5, 17): "2020-05-17",
    (2020, 5, None): "2020-05-01",
    (2020, None, None): "2020-01-01",
    (2020, None, 17): "2020-01-01",
    (None, 5, 17): None,
    (None, None, None): None,
    (0, 1, 1): None,
    (-44, 3, 15): None,
    (9999, 12, 31): "9999-12-31",
    (1, 1, 1): "0001-01-01",
    (2020, 0, 17): "2020-01-01",
    (2020, 0, None): "2020-01-01",
    (2020, 13, 2): "2020-01-01",
    (2020, 6, 31): "2020-06-30",
    (2017, 2, 29): "2017-02-28",
    (1929, 2, 29): "1929-02-28",
    (2020, 2, 29): "2020-02-29",
    (1900, 2, 29): "1900-02-28",
    (2000, 2, 30): "2000-02-29",
    (2020, 12, 99): "2020-12-31",
    (2020, 5, 0): "2020-05-01",
    (2020, 5, -1): "2020-05-01",
    (9999, -9999, 9999): "9999-01-01",
}


async def test_the_earliest_day_that_a_fuzzy_date_can_mean(connection: asyncpg.Connection) -> None:
    query = "select orcid.earliest_date($1, $2, $3)::text"
    assert {parts: await connection.fetchval(query, *parts) for parts in EARLIEST} == EARLIEST


async def test_a_series_of_odd_dates_is_sorted(database: Database) -> None:
    await apply_record(database.worker, RICH, FORMS)
    async with transaction(database.reader) as connection:
        job = await connection.fetchrow(
            "select start_date::text, end_date::text from orcid.employments where put_code = 102"
        )
    assert tuple(job) == ("1999-01-01", "2000-06-30")


DIRTY = rb'"\u0000 \ud800 \udc00\ud800 \\u0000 \ud83e\uddea"'
CLEANED = "\ufffd \ufffd \ufffd\ufffd \\u0000 🧪"


@pytest.mark.fault("F46", "F47")
async def test_what_postgresql_cannot_store_never_poisons_a_record(database: Database) -> None:
    record = with_keywords(rich_record(), keyword(1, "@", **{"@": "@"}))
    record["future"] = record["person"]["future"] = "@"
    set_in("person", "name", "given-names", "value", to="@")(record)
    body = encode(record).replace(b'"@"', DIRTY)
    told = await apply_record(database.worker, body)
    assert await apply_record(database.worker, body) == []
    assert len(told) == len(list(parse_record(body).items())) + 1
    assert await fetch(database.reader, "select content, doc->>$1 from orcid.keywords", CLEANED) == [(CLEANED, CLEANED)]
    assert await fetch(database.reader, "select given_names from orcid.names") == [(CLEANED,)]
    own = "select doc->>'future', doc->'person'->>'future' from orcid.records"
    assert await fetch(database.reader, own) == [(CLEANED, CLEANED)]


@pytest.mark.fault("F48")
@pytest.mark.parametrize("odd", [b"1e400", b"9" * 5000, b"1e-300", b"[" * 900 + b"]" * 900], ids=lambda odd: odd[:9])
async def test_what_postgresql_can_store_is_kept_even_if_absurd(database: Database, odd: bytes) -> None:
    body = encode(with_keywords(rich_record(), keyword(1, odd="@"))).replace(b'"@"', odd)
    await apply_record(database.worker, body)
    assert await apply_record(database.worker, body) == []
    healed = encode(with_keywords(rich_record(), keyword(1)))
    (change,) = await apply_record(database.worker, healed)
    assert change.fields == ("doc",)
    assert await apply_record(database.worker, body)


@pytest.mark.fault("F48")
@pytest.mark.invariant("S10")
@pytest.mark.parametrize("odd", [b"1e200000", b"1e-20000", b"1e99999999999999999999"], ids=lambda odd: odd[:9])
async def test_a_number_that_postgresql_would_refuse_is_null(database: Database, odd: bytes) -> None:
    body = encode(with_keywords(rich_record(), keyword(13, odd="@"))).replace(b'"@"', odd)
    await apply_record(database.worker, body, FORMS)
    (doc,) = await fetch(database.reader, "select doc -> 'odd' from orcid.keywords where put_code = 13")
    assert doc == (b"null",)
    assert await apply_record(database.worker, body, FORMS) == []


@pytest.mark.fault("F48")
async def test_a_value_that_the_driver_cannot_encode_is_refused_clearly(database: Database) -> None:
    with pytest.raises(DatabaseRefused, match=r"^PostgreSQL refused \(DataError 22000\)$"):
        async with transaction(database.worker) as connection:
            await connection.execute("select $1::bigint", 10**30)


@pytest.mark.fault("F48")
async def test_odd_times_and_numbers_become_null_in_their_columns(database: Database) -> None:
    times = {"created-date": {"value": 10**30}, "last-modified-date": {"value": -(10**18)}}
    record = with_keywords(rich_record(), keyword(2**63 - 1, **times) | {"display-index": 2**40})
    record["history"]["submission-date"]["value"] = 10**17
    await apply_record(database.worker, encode(record))
    assert await fetch(
        database.reader, "select put_code, created_at, modified_at, display_index from orcid.keywords"
    ) == [(2**63 - 1, None, None, None)]
    assert await fetch(database.reader, "select submitted_at from orcid.records") == [(None,)]


async def test_a_large_record_is_written_in_chunks(database: Database) -> None:
    record = with_keywords(rich_record(), *(keyword(n) for n in range(1, 2 * items.CHUNK + 2)))
    await apply_record(database.worker, encode(record))
    async with transaction(database.reader) as connection:
        docs = await mirrored_docs(connection, ORCID)
    assert sum(section == "keyword" for section, _ in docs) == 2 * items.CHUNK + 1


@pytest.mark.fault("F51")
async def test_texts_of_any_length_are_stored(database: Database) -> None:
    long = "".join(random.Random(7).choices(string.ascii_letters + string.digits, k=20_000))  # does not compress
    record = rich_record()
    [employment] = record["activities-summary"]["employments"]["affiliation-group"][0]["summaries"]
    register = employment["employment-summary"]["organization"]["disambiguated-organization"]
    record["person"]["emails"]["email"][0]["email"] = f"{long}@example.org"
    register["disambiguated-organization-identifier"] = long

    await apply_record(database.worker, encode(record))

    assert await apply_record(database.worker, encode(record)) == []
