"""ROR's dump: taken in whole or not at all, and then every identifier leads to its organisation."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from orcid_sync.bulk.ror_dump import DumpBroken, documents
from orcid_sync.store.database.pools import Database
from rig.records.mirror import apply_record, skeleton
from rig.records.sample_record import encode
from rig.service.command_line import Cli

ORCID = "0009-9990-0000-0013"
Json = dict[str, Any]


def ror(number: int) -> str:
    return f"https://ror.org/00sim{number:04d}"


def organisation(number: int, name: str, **more: Any) -> Json:
    """An organisation as ROR's schema 2.1 has it."""
    return {
        "admin": {"created": {"date": "2018-11-14", "schema_version": "1.0"}},
        "id": ror(number),
        "names": [
            {"lang": None, "types": ["acronym"], "value": name[:3].upper()},
            {"lang": "en", "types": ["label", "ror_display"], "value": name},
        ],
        "status": "active",
        "types": ["education", "funder"],
        "established": 1875,
        "domains": [],
        "external_ids": [],
        "links": [
            {"type": "wikipedia", "value": "https://example.org/w"},
            {"type": "website", "value": "https://e.org"},
        ],
        "locations": [
            {
                "geonames_id": 1,
                "geonames_details": {"name": "Springfield", "country_code": "US", "lat": 1.0, "lng": 2.0},
            }
        ],
        "relationships": [],
        **more,
    }


def ids(kind: str, *values: str, preferred: str | None = None) -> Json:
    return {"type": kind, "all": list(values), "preferred": preferred}


def related(kind: str, number: int) -> Json:
    return {"type": kind, "id": ror(number), "label": "Somebody"}


DUMP = [
    organisation(
        1,
        "Imaginary Institute",
        external_ids=[
            ids("grid", "grid.990001.1", preferred="grid.990001.1"),
            ids("fundref", "990000001", "990000009", preferred="990000001"),
            ids("isni", "0000 0004 1936 9094"),
            ids("wikidata", "Q1"),
        ],
        relationships=[related("parent", 2), related("child", 3)],
    ),
    organisation(2, "System of Institutes", established=None, locations=[], links=[]),
    # Entered twice: what it was called by means the first.
    organisation(
        4,
        "Imaginary Institut",
        status="withdrawn",
        external_ids=[ids("grid", "grid.990004.4"), ids("wikidata", "Q1")],
        relationships=[related("successor", 1)],
    ),
    organisation(5, "Closed School", status="inactive", relationships=[related("successor", 1)]),
]


def write(path: Path, dump: Any, *, indent: int | None = 2) -> Path:
    text = dump if isinstance(dump, str) else json.dumps(dump, ensure_ascii=False, indent=indent)
    if path.suffix != ".zip":
        path.write_text(text, "utf-8")
        return path
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("v1.70-2025-09-02-ror-data.csv", "id,names")
        archive.writestr("v1.70-2025-09-02-ror-data.json", '[{"id": "https://ror.org/00sim0001", "name": "Old"}]')
        archive.writestr("v1.70-2025-09-02-ror-data_schema_v2.json", text)
    return path


async def load(cli: Cli, *arguments: str | Path) -> Any:
    result = await cli.apart("organisations", "load", *map(str, arguments), "--json")
    assert result.exit_code == 0, result.output
    return msgspec.json.decode(result.stdout)


def affiliated(*organizations: tuple[str | None, str | None, str]) -> bytes:
    """A record with an employment at each: scheme, identifier, name."""
    record = skeleton(ORCID)
    for number, (scheme, identifier, name) in enumerate(organizations, 1):
        known = {"disambiguated-organization-identifier": identifier, "disambiguation-source": scheme}
        summary = {
            "put-code": number,
            "organization": {"name": name, "disambiguated-organization": known if scheme else None},
            "visibility": "public",
        }
        groups = record["activities-summary"]["employments"]["affiliation-group"]
        groups.append({"summaries": [{"employment-summary": summary}]})
    return encode(record)


async def test_every_identifier_leads_to_its_organisation(
    cli: Cli, database: Database, connection: asyncpg.Connection, tmp_path: Path
) -> None:
    await apply_record(
        database.worker,
        affiliated(
            ("GRID", "grid.990001.1", "By GRID"),
            ("FUNDREF", "http://dx.doi.org/10.13039/990000009", "By FundRef"),
            ("RINGGOLD", "4711", "By Ringgold"),
            ("GRID", "grid.990004.4", "By the GRID id of the double"),
            ("ROR", ror(4), "By the double"),
            ("ROR", ror(5), "By one that has closed"),
            ("ROR", ror(77), "Not in the dump"),
            ("LEI", "5299000", "By LEI"),
            (None, None, "By name alone"),
        ),
    )
    query = "select ror, organisation, country from orcid.item_organisations order by put_code"
    before = [tuple(row) for row in await connection.fetch(query)]
    assert [found for found, _, _ in before] == [*[None] * 4, ror(4), ror(5), ror(77), None, None]

    (tmp_path / "ids.csv").write_text(f"scheme,id,ror\nRinggold,04711,{ror(1)}\nringgold,9,{ror(99)}\n")
    told = await load(cli, write(tmp_path / "dump.zip", DUMP), "--ids", tmp_path / "ids.csv")

    institute = (ror(1), "Imaginary Institute", "US")
    assert [tuple(row) for row in await connection.fetch(query)] == [
        *[institute] * 5,
        (ror(5), "Closed School", "US"),
        (ror(77), "Not in the dump", None),
        (None, "By LEI", None),
        (None, "By name alone", None),
    ]
    assert told == {
        "organisations": 4,
        "identifiers": 4 + 5 + 1 + 1,
        "unknown": [{"scheme": "ringgold", "id": "9", "ror": ror(99)}],
        "known": [
            {"scheme": "ror", "items": 3, "known": 3},
            {"scheme": "grid", "items": 2, "known": 2},
            {"scheme": "fundref", "items": 1, "known": 1},
            {"scheme": "lei", "items": 1, "known": 0},
            {"scheme": "ringgold", "items": 1, "known": 1},
        ],
    }
    assert await connection.fetchval("select orcid.ror('ISNI', '0000000419369094')") == ror(1)
    rows = await connection.fetch("select * from orcid.organisations order by ror limit 2")
    assert [tuple(row) for row in rows] == [
        (*institute[:2], "active", ["education", "funder"], 1875, "Springfield", "US", "https://e.org", [ror(2)], []),
        (ror(2), "System of Institutes", "active", ["education", "funder"], None, None, None, None, [], []),
    ]


BROKEN = {
    "cut off": (json.dumps(DUMP)[:-40], "cut off or broken"),
    "no array": ('{"items": []}', "not a JSON array"),
    "empty": ("[]", "has no organisations"),
    "not text": ("", "not a JSON array"),
    "the old schema": ([{"id": ror(1), "name": "Old", "types": []}], "version 1 of ROR's schema; take the file"),
    "another shape": (
        [{"id": ror(1), "names": "Old", "status": "active"}],
        "Organisation 1 of the dump: Expected `array`",
    ),
    "a name missing": ([organisation(1, "x", names=[])], "has no name"),
    "twice": ([DUMP[1], DUMP[1]], "twice"),
}


async def test_a_broken_dump_changes_nothing(cli: Cli, connection: asyncpg.Connection, tmp_path: Path) -> None:
    await load(cli, write(tmp_path / "good.json", DUMP))
    for dump, words in BROKEN.values():
        result = await cli.apart("organisations", "load", str(write(tmp_path / "bad.json", dump)))
        assert (result.exit_code, words in result.output) == (1, True), result.output
    (tmp_path / "bad.csv").write_text(f"scheme,id,ror\ngrid,,{ror(1)}\n")
    result = await cli.apart("organisations", "load", str(tmp_path / "good.json"), "--ids", str(tmp_path / "bad.csv"))
    assert (result.exit_code, "line 2 has no id" in result.output) == (1, True), result.output
    (tmp_path / "none.zip").write_bytes(b"")
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        archive.writestr("readme.txt", "")
    result = await cli.apart("organisations", "load", str(tmp_path / "none.zip"))
    assert "There is no JSON file in none.zip" in result.output
    counts = "select (select count(*) from orcid.organisations), (select count(*) from orcid.organisation_ids)"
    assert tuple(await connection.fetchrow(counts)) == (4, 10)
    errors = "select count(*) from orcid_sync.runs where job = 'organisations' and error = 'DumpBroken'"
    assert await connection.fetchval(errors) == len(BROKEN) + 1


async def test_a_newer_dump_takes_the_place_of_the_older(
    cli: Cli, connection: asyncpg.Connection, tmp_path: Path
) -> None:
    for _ in range(2):
        await load(cli, write(tmp_path / "dump.json", DUMP, indent=None))
    first = await connection.fetch("select * from orcid.organisation_ids order by scheme, id")
    await load(cli, write(tmp_path / "newer.json", [organisation(1, "Renamed Institute")]))
    assert len(first) == 10
    assert [tuple(row) for row in await connection.fetch("select ror, name from orcid.organisations")] == [
        (ror(1), "Renamed Institute")
    ]
    assert [tuple(row) for row in await connection.fetch("select scheme, id, ror from orcid.organisation_ids")] == [
        ("ror", ror(1), ror(1))
    ]
    assert await connection.fetchval("select count(*) from orcid_sync.loaded_organisation_ids") == 0


class Pieces(io.TextIOBase):
    """A text that comes in pieces of one size, and counts the most that was asked for at once."""

    def __init__(self, text: str, size: int) -> None:
        self._text, self._size = text, size

    def read(self, _size: int | None = -1, /) -> str:
        piece, self._text = self._text[: self._size], self._text[self._size :]
        return piece


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_dump_is_read_in_pieces_of_any_size(size: int) -> None:
    members = [{"a": '],"\\', "b": [1, {"c": []}]}, {"é": "]"}, {}]
    text = " \n" * (size > 2) + json.dumps(members, indent=1, ensure_ascii=False)
    assert list(documents(Pieces(text, size))) == members
    with pytest.raises(DumpBroken):
        list(documents(Pieces(text[:-3], size)))
