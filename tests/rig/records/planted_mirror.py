"""Readers of a mirror in which every text says who may read it, and a search through all that a reader can reach.

A planted text is `planted-<audience>-<life>-<version>`. What comes out for a role is found by trying everything: each
table and view of both schemas, and each function with every argument that makes sense, as the catalogue lists them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import cycle, product
from typing import Any

import asyncpg
import msgspec

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.sections import ItemKey
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.database.pools import Database, transaction
from rig.records.mirror import apply_record, skeleton
from rig.records.sample_record import encode, full_forms, rich_record

PLANTED = re.compile(r"planted-[a-z]+-[a-z_]+-(?:\d|email)")
REFUSED = (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidSchemaNameError)

Version = tuple[str | None, str] | None
"""Visibility of everything in this version of a record, and who may see its texts in the end; None: no items."""

LIVES: Mapping[str, list[Version]] = {
    "open": [("public", "public"), ("public", "public")],
    "confidential": [("limited", "limited"), ("limited", "limited")],
    "closed": [("private", "nobody"), ("private", "nobody")],
    "future_value": [("ask-me", "nobody"), ("ask-me", "nobody")],
    "no_value": [(None, "nobody"), (None, "nobody")],
    "restricted": [("public", "limited"), ("public", "limited"), ("limited", "limited")],
    "restricted_wholly": [("public", "nobody"), ("private", "nobody")],
    "restricted_more": [("limited", "nobody"), ("private", "nobody")],
    "opened": [("private", "nobody"), ("limited", "limited"), ("public", "public")],
    "opened_again": [("public", "limited"), ("limited", "limited"), ("public", "public")],
    "removed": [("public", "limited"), None],
    "removed_and_restricted": [("public", "limited"), None, ("limited", "limited")],
    "in_doubt": [("public", "public"), ("public", "public")],
    "in_doubt_limited": [("limited", "nobody"), ("limited", "nobody")],
    "withheld": [("public", "nobody"), ("public", "nobody")],
    "withheld_limited": [("limited", "nobody"), ("limited", "nobody")],
}
"""What records go through, each a person."""

WITHHELD = {"in_doubt": "limited", "in_doubt_limited": "limited", "withheld": "all", "withheld_limited": "all"}

_KEPT = frozenset(
    {"visibility", "path", "uri", "host", "external-id-type", "external-id-relationship", "type", "locale"}
)
"""Members whose values decide what becomes of an item."""


@dataclass(frozen=True)
class World:
    """The mirror: who lives there, and moments between the versions."""

    orcids: Mapping[str, Orcid]
    moments: list[datetime]

    def planted(self, *audiences: str) -> set[str]:
        """The texts for these audiences."""
        texts = {text(life, number) for life in LIVES for number in (*numbers(life), EMAIL)}
        texts |= {set_aside(life) for life in LIVES}
        return {one for one in texts if one.split("-")[1] in audiences}


MANY = 2
"""Arguments of a function that are tried in all combinations."""

EMAIL = -1
"""Number of the text in the e-mail address, which all versions share: an address is the key of its e-mail."""


def numbers(life: str) -> list[int]:
    """The versions that have items."""
    return [number for number, version in enumerate(LIVES[life]) if version]


def text(life: str, number: int) -> str:
    """What is planted in a version of a record."""
    version = LIVES[life][numbers(life)[EMAIL] if number == EMAIL else number]
    assert version
    return f"planted-{version[1]}-{life}-{'email' if number == EMAIL else number}"


def set_aside(life: str) -> str:
    """What is planted in a part of the record that cannot be understood: whose it is nobody knows."""
    return f"planted-nobody-{life}-9"


def planted(value: Any, visibility: str | None, mark: str, name: str = "") -> Any:
    """A copy of an answer with this visibility everywhere, and the mark in every text that a person could write."""
    match value:
        case dict():
            return {
                key: visibility if key == "visibility" else planted(inner, visibility, mark, key)
                for key, inner in value.items()
            }
        case list():
            return [planted(inner, visibility, mark, name) for inner in value]
        case str() if name not in _KEPT and not value.isdigit():
            return f"{mark}{value}"
        case _:
            return value


def version_of(orcid: str, life: str, number: int) -> tuple[bytes, dict[ItemKey, bytes]]:
    """The answer and its full forms."""
    version = LIVES[life][number]
    if version is None:
        return encode(skeleton(orcid)), {}
    visibility, mark = version[0], text(life, number)
    blank, rich = skeleton(orcid), rich_record()
    blocks = {name: planted(rich[name], visibility, mark) for name in ("person", "activities-summary")}
    for email in blocks["person"]["emails"]["email"]:
        email["email"] = f"{text(life, EMAIL)}@example.org"
    forms = {key: planted(msgspec.json.decode(form), visibility, mark) for key, form in full_forms().items()}
    return encode(blank | blocks), {key: encode(form) for key, form in forms.items()}


async def build(database: Database, orcids: list[Orcid]) -> World:
    """Mirror all lives, version by version."""
    people = dict(zip(LIVES, orcids, strict=True))
    moments = []
    for life, orcid in people.items():
        for number in range(len(LIVES[life])):
            body, forms = version_of(orcid, life, number)
            await apply_record(database.worker, body, forms, access="read-limited")
            async with transaction(database.worker) as connection:
                moments.append(await connection.fetchval("select max(at) from orcid.changes"))
    async with transaction(database.worker) as connection:
        await connect_orcids(connection, [Entry(orcid=orcid) for orcid in orcids])
        for life, withheld in WITHHELD.items():
            await connection.execute("update orcid.records set withheld = $2 where orcid = $1", people[life], withheld)
        await connection.executemany(
            """insert into orcid_sync.doubts (orcid, kind, section, key, reason, since, doc)
               values ($1, 'item', 'work', $2, 'it makes no sense', now(), to_jsonb($2::text))""",
            [(orcid, set_aside(life)) for life, orcid in people.items()],
        )
        await connection.execute(
            """insert into orcid_sync.doubts (orcid, kind, section, key, reason, since)
               select orcid, 'removal', section, key, 'it is gone', now() from orcid.items where section = 'email'"""
        )
    return World(people, moments)


@dataclass
class Found:
    """What came out of a search."""

    texts: set[str]
    places: dict[str, list[str]]
    """Where each was found."""
    open: set[str]
    """The relations and functions that answered."""


async def search(admin: asyncpg.Connection, reader: asyncpg.Connection, world: World) -> Found:
    """Everything that is planted and comes out for this reader."""
    found = Found(set(), {}, set())
    for what, query, arguments in [*await relations(admin), *await calls(admin, world)]:
        try:
            rows = await reader.fetch(query, *arguments)
        except REFUSED:
            continue
        found.open.add(what)
        for one in PLANTED.findall(" ".join(str(tuple(row)) for row in rows)):
            found.texts.add(one)
            found.places.setdefault(one, []).append(what)
    return found


async def relations(admin: asyncpg.Connection) -> list[tuple[str, str, tuple[Any, ...]]]:
    """A query for each table and view of both schemas."""
    names = await admin.fetch(
        """
        select format('%I.%I', n.nspname, c.relname) as name
          from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ('orcid', 'orcid_sync') and c.relkind in ('r', 'p', 'v', 'm', 'f') order by 1
        """
    )
    return [(row["name"], f"select t::text from {row['name']} t", ()) for row in names]


async def calls(admin: asyncpg.Connection, world: World) -> Iterator[tuple[str, str, tuple[Any, ...]]]:
    """Calls of each function of both schemas with all sensible arguments."""
    functions = await admin.fetch(
        """
        select format('%I.%I', n.nspname, p.proname) as name, array_remove(string_to_array(
               pg_get_function_identity_arguments(p.oid), ', '), '') as arguments
          from pg_proc p join pg_namespace n on n.oid = p.pronamespace
         where n.nspname in ('orcid', 'orcid_sync') and p.prokind in ('f', 'p') order by 1
        """
    )
    sensible: dict[str, list[Any]] = {
        "text": list(world.orcids.values()),
        "orcid_sync.orcid_id": list(world.orcids.values()),
        "timestamp with time zone": world.moments,
        **{kind: [1] for kind in ("smallint", "integer", "bigint", "double precision")},
        "interval": ["1 day"],
        "regclass": ["orcid.works"],
        "jsonb": ["{}"],
        "name": ["orcid_reader"],
    }
    found = []
    for function in functions:
        types = [argument.split(" ", 1)[1] for argument in function["arguments"]]
        places = ", ".join(f"${n}::text::{kind}" for n, kind in enumerate(types, 1))
        choices = [sensible[kind] for kind in types]
        # Of many arguments all combinations would take for ever: they go in step.
        in_step = zip(*map(cycle, choices), range(len(world.orcids)), strict=False)
        together = product(*choices) if len(types) <= MANY else in_step
        for values in together:
            query = f"select t::text from {function['name']}({places}) t"
            found.append((function["name"], query, tuple(map(str, values[: len(types)]))))
    return iter(found)
