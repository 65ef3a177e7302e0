"""Exports: everything arrives with its type, for the right reader, and files are there whole or not at all."""

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import duckdb
import msgspec
import pytest
from pyarrow import parquet

from orcid_sync.export import parquet as parquet_module
from orcid_sync.store.database.pools import Database
from rig.reader_sessions import PASSWORD, logins
from rig.records.mirror import apply_record
from rig.records.sample_record import ORCID, encode, full_forms, rich_record
from rig.service.command_line import Cli

ODD = """
    select 1 as n, '{"a": "é\\n\\u0001\\"", "b": [1, null]}'::jsonb as doc, array['x,y', null, '"q"'] as names,
           '\\x00ff'::bytea as digest, '2023-11-14 22:13:20.999+01'::timestamptz as at, date '2020-02-29' as day,
           e'\\x02a\\x01\\x01,\\x02' as marks,
           e'two\\nlines, "quoted"' as said, '' as empty, null::text as missing, true as yes, 1.5::numeric as share,
           interval '90 seconds' as age, 'infinity'::timestamptz as never, 7::smallint as small, 9e9::bigint as large,
           '10000000-0000-4000-8000-000000000001'::uuid as epoch, array[1, 2]::smallint[] as years
"""


@pytest.fixture
async def mirrored(database: Database, cli: Cli) -> Cli:
    """The command line on a mirror of one person, some of whose works are limited."""
    record = rich_record()
    record["activities-summary"]["works"]["group"][0]["work-summary"][0]["visibility"] = "limited"
    await apply_record(database.worker, encode(record), full_forms(), access="read-limited")
    return cli


async def run(cli: Cli, *arguments: str) -> str:
    result = await cli.apart("export", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_parquet_keeps_types_and_comments(mirrored: Cli, database: Database, tmp_path: Path) -> None:
    await run(mirrored, "works", "--to", "works.parquet", "--role", "orcid_reader_limited")

    read = parquet.read_table(tmp_path / "works.parquet")
    async with database.reader.acquire() as connection:
        rows = await connection.fetch("select * from orcid.works order by put_code")
        comments = await connection.fetch(
            "select attname, col_description(attrelid, attnum) from pg_attribute"
            " where attrelid = 'orcid.works'::regclass and attnum > 0"
        )
    found = sorted(read.to_pylist(), key=lambda row: row["put_code"])
    assert [plain(row) for row in found] == [plain(dict(row)) for row in rows]
    assert {field.name: field.metadata[b"comment"].decode() for field in read.schema} == dict(map(tuple, comments))
    assert b"Works as claimed" in read.schema.metadata[b"comment"]


def plain(row: dict[str, Any]) -> dict[str, Any]:
    return {k: json.loads(v) if k in ("doc", "detail") and v is not None else v for k, v in row.items()}


async def test_odd_values_arrive_in_every_format(cli: Cli, tmp_path: Path) -> None:
    for name in ("odd.parquet", "odd.ndjson", "odd.csv"):
        await run(cli, "--query", ODD, "--to", name)

    (row,) = parquet.read_table(tmp_path / "odd.parquet").to_pylist()
    marks = "\x02a\x01\x01,\x02"
    shared = {
        "marks": marks,
        "said": 'two\nlines, "quoted"',
        "empty": "",
        "missing": None,
        "names": ["x,y", None, '"q"'],
        "yes": True,
    }
    assert row == shared | {
        "n": 1,
        "doc": row["doc"],
        "digest": b"\x00\xff",
        "at": row["at"],
        "day": row["day"],
        "share": 1.5,
        "age": 90.0,
        "never": None,
        "small": 7,
        "large": 9_000_000_000,
        "years": [1, 2],
        "epoch": "10000000-0000-4000-8000-000000000001",
    }
    document = {"a": 'é\n\x01"', "b": [1, None]}
    assert (json.loads(row["doc"]), row["at"].isoformat()) == (document, "2023-11-14T21:13:20.999000+00:00")
    (line,) = (tmp_path / "odd.ndjson").read_text("utf-8").splitlines()
    assert json.loads(line) | shared | {"doc": document} == json.loads(line)
    cells = next(csv.DictReader(io.StringIO((tmp_path / "odd.csv").read_text("utf-8"), newline="")))
    assert (cells["said"], cells["at"], cells["day"]) == (shared["said"], "2023-11-14 21:13:20.999+00", "2020-02-29")


async def test_duckdb_reads_a_folder_of_everything(mirrored: Cli, tmp_path: Path) -> None:
    done = msgspec.json.decode(await run(mirrored, "--all", "--to", "mirror", "--json"))

    with duckdb.connect() as duck:
        counts = {
            one["name"]: duck.execute(f"select count(*) from '{tmp_path}/mirror/{one['name']}.parquet'").fetchone()
            for one in done
        }
        shared = duck.execute(
            f"select w.title, x.identifier from '{tmp_path}/mirror/works.parquet' w"
            f" join '{tmp_path}/mirror/external_ids.parquet' x using (orcid, put_code)"
            " where x.section = 'work' and x.type = 'doi' and w.doc->>'type' = 'preprint'"
        ).fetchall()
        types = dict(
            duck.execute(
                f"select column_name, column_type from (describe from '{tmp_path}/mirror/works.parquet')"
            ).fetchall()
        )
    assert counts == {one["name"]: (one["rows"],) for one in done}
    assert counts["works"] == (1,)
    assert shared == [("On samples (preprint)", "10.5555/sample.1")]
    assert {name: types[name] for name in ("doc", "modified_at", "publication_date", "digest", "preferred")} == {
        "doc": "JSON",
        "modified_at": "TIMESTAMP WITH TIME ZONE",
        "publication_date": "DATE",
        "digest": "BLOB",
        "preferred": "BOOLEAN",
    }
    assert [name for name in names_in(tmp_path / "mirror") if name.startswith(".")] == []


@pytest.mark.invariant("S13")
async def test_the_role_decides_what_comes_out(mirrored: Cli) -> None:
    counts = {}
    for role in ([], ["--role", "orcid_reader"], ["--role", "orcid_reader_limited"]):
        lines = (await run(mirrored, "works", "--format", "ndjson", *role)).splitlines()
        counts[tuple(role)] = len(lines)
    assert list(counts.values()) == [1, 1, 3]


WRONG = {
    "no such table": (["nothing"], 1, "There is no nothing in schema orcid. There are: addresses"),
    "not from the other schema": (["orcid_sync.tokens"], 1, "There is no orcid_sync.tokens"),
    "no wish": ([], 2, "say what to export"),
    "two wishes": (["works", "--all"], 2, "say what to export"),
    "bad SQL": (["--query", "select from where"], 1, "PostgreSQL rejects the query: syntax error"),
    "two statements": (["--query", "select 1 as a; drop table orcid.works"], 1, "syntax error"),
    "a write": (["--query", "delete from orcid.works returning orcid"], 1, "syntax error"),
    "the service's own": (["--query", "select * from orcid_sync.tokens"], 1, "may not read this"),
    "an error in the data": (
        ["--query", "select 1 / (n - 1) as x from generate_series(1, 2) n"],
        1,
        "division by zero",
    ),
    "a name twice": (["--query", "select 1 as a, 2 as a"], 1, "Two columns are called a"),
    "parquet on stdout": (["works", "--format", "parquet"], 2, "Parquet needs a file"),
    "several on stdout": (["works", "names"], 2, "several tables need a folder"),
    "no folder": (["works", "--to", "none/works.csv"], 1, "There is no folder none"),
}


async def test_what_cannot_be_exported_is_refused_in_words(mirrored: Cli, tmp_path: Path) -> None:
    said = {}
    for name, (arguments, code, words) in WRONG.items():
        result = await mirrored.apart("export", *arguments)
        said[name] = (result.exit_code, words in " ".join(result.output.replace("│", " ").split()))
        assert said[name] == (code, True), result.output
    assert names_in(tmp_path) == []


async def test_an_export_that_fails_leaves_what_was_there(mirrored: Cli, tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_text("before")
    failing = "select n, 1 / (200000 - n) as x, repeat('x', 100) as s from generate_series(1, 200000) n"
    for name in ("x.parquet", "x.csv"):
        result = await mirrored.apart("export", "--query", failing, "--to", name)
        assert (result.exit_code, "division by zero" in result.output) == (1, True), result.output
    assert names_in(tmp_path) == ["x.parquet"]
    assert (tmp_path / "x.parquet").read_text() == "before"


async def test_a_row_that_is_too_large_says_so(mirrored: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_module, "BLOCK", 1 << 20)
    large = "select n, repeat('x', 3 * 1024 * 1024) as s from generate_series(1, 5) n"
    result = await mirrored.apart("export", "--query", large, "--to", "x.parquet")
    assert (result.exit_code, "is larger than 1 MB" in result.output) == (1, True), result.output
    assert names_in(tmp_path) == []


async def test_nothing_is_a_file_too(cli: Cli, tmp_path: Path) -> None:
    for name in ("works.parquet", "works.csv", "works.ndjson"):
        await run(cli, "works", "--to", name)
    assert parquet.read_table(tmp_path / "works.parquet").num_rows == 0
    assert (tmp_path / "works.csv").read_text().startswith("orcid,put_code,type,title")
    assert (tmp_path / "works.ndjson").read_text() == ""


async def test_without_pyarrow_the_message_says_how_to_get_it(
    mirrored: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in [
        name
        for name in sys.modules
        if name.startswith(("pyarrow", "orcid_sync.export.parquet", "orcid_sync.export.arrow"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = await mirrored.apart("export", "works", "--to", "works.parquet")
    assert (result.exit_code, "pip install 'orcid-sync[parquet]'" in result.output) == (1, True), result.output
    assert ORCID in await run(mirrored, "works")


async def test_a_reader_exports_with_a_login_of_their_own(
    mirrored: Cli, connection: asyncpg.Connection, dsn: str, cli_on: Callable[[str], Cli]
) -> None:
    async with logins(dsn, anybody="orcid_reader") as sessions:
        user = await sessions["anybody"].fetchval("select current_user")
        parts = urlsplit(dsn)
        own = parts._replace(netloc=f"{user}:{PASSWORD}@{parts.netloc.rpartition('@')[2]}").geturl()
        assert len((await run(cli_on(own), "works", "--format", "ndjson")).splitlines()) == 1
        refused = await cli_on(own).apart("export", "works", "--role", "orcid_reader_limited")
        assert refused.exit_code == 1
