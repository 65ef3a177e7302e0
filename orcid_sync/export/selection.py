"""What is to be exported: a relation of schema orcid, or a query of one's own."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import asyncpg
import msgspec

from orcid_sync.store.database.catalogue import Relation
from orcid_sync.store.database.pools import AnyConnection

SCHEMA = "orcid."


class NotExportable(Exception):
    """The selection makes no sense; the message says what to do."""


class Field(msgspec.Struct, frozen=True):
    """A column of what comes out."""

    name: str
    type: str
    """PostgreSQL's short name of the type: text, int4, timestamptz, jsonb, text[] …"""
    comment: str | None = None


class Selection(msgspec.Struct, frozen=True):
    """A query that is ready to be copied out, and what it gives."""

    name: str
    sql: str
    fields: Sequence[Field]
    comment: str | None = None


def choose(names: Iterable[str], relations: Sequence[Relation]) -> list[Relation]:
    """The relations of these names, with or without the schema before them. Raises NotExportable."""
    known = {relation.name: relation for relation in relations}
    wanted = dict.fromkeys(name.strip().lower().removeprefix(SCHEMA) for name in names)
    if unknown := [name for name in wanted if name not in known]:
        raise NotExportable(f"There is no {', '.join(unknown)} in schema orcid. There are: {', '.join(known)}")
    return [known[name] for name in wanted]


async def select_relation(connection: AnyConnection, relation: Relation) -> Selection:
    """All of a table or view, as far as the present role may see it. Raises NotExportable."""
    sql = f'select * from {SCHEMA}"{relation.name}"'  # noqa: S608 - a name that the catalogue gave
    comments = {column.name: column.comment for column in relation.columns}
    return Selection(relation.name, sql, await _fields(connection, sql, comments), relation.comment)


async def select_query(connection: AnyConnection, name: str, query: str) -> Selection:
    """The answer of a query. Raises NotExportable."""
    sql = re.sub(r";\s*\Z", "", query.strip())
    return Selection(name, sql, await _fields(connection, sql, {}))


async def _fields(connection: AnyConnection, sql: str, comments: Mapping[str, str | None]) -> list[Field]:
    try:
        # As it will be copied: what is not a single SELECT fails here, with PostgreSQL's words.
        statement = await connection.prepare(f"select * from (\n{sql}\n) as exported")  # noqa: S608
    except asyncpg.InsufficientPrivilegeError as error:
        raise NotExportable(f"The role may not read this: {error.args[0]}") from None
    except (asyncpg.SyntaxOrAccessError, asyncpg.DataError, asyncpg.FeatureNotSupportedError) as error:
        raise NotExportable(f"PostgreSQL rejects the query: {error.args[0]}") from None
    fields = [Field(a.name, a.type.name, comments.get(a.name)) for a in statement.get_attributes()]
    if twice := [name for name, times in Counter(field.name for field in fields).items() if times > 1]:
        raise NotExportable(f"Two columns are called {twice[0]}. Give one of them another name: … as other_name")
    if not fields:
        raise NotExportable("The query gives no columns.")
    return fields
