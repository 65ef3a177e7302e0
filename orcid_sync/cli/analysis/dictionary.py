"""dictionary: what the tables, views, columns and functions of schema orcid mean, as the database itself says it."""

import asyncio
import enum
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from orcid_sync.cli.base.as_reader import connect_reader
from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.session import Session

if TYPE_CHECKING:
    from orcid_sync.store.database.catalogue import Catalogue, Column, Relation


class Style(enum.Enum):
    """The forms in which the dictionary can be written."""

    MARKDOWN = "markdown"
    HTML = "html"
    DBT = "dbt"
    JSON = "json"


@command
def dictionary(
    session: Session,
    *,
    style: Annotated[
        Style, typer.Option("--format", help="Form of the output; dbt: a sources file for models/.")
    ] = Style.MARKDOWN,
    json: Json = False,
) -> None:
    """Print the data dictionary of schema orcid: every table, view, column and function with its meaning."""
    with session.database() as dsn:
        catalogue = asyncio.run(_read(session, dsn))
    typer.echo(WRITERS[Style.JSON if json else style](catalogue), nl=False)


async def _read(session: Session, dsn: str) -> "Catalogue":
    from orcid_sync.store.database.catalogue import read_catalogue  # noqa: PLC0415 - heavy

    async with connect_reader(session, dsn) as connection:
        return await read_catalogue(connection)


def markdown(catalogue: "Catalogue") -> str:
    """A heading and a table of columns for each relation; then the functions."""
    lines = ["# Data dictionary: schema `orcid`", ""]
    for relation in catalogue.relations:
        lines += _markdown_of(relation)
    lines += ["## Functions", "", "| Function | Result | Meaning |", "| --- | --- | --- |"]
    lines += [
        f"| `{one.name}({one.arguments})` | {_cell(one.result)} | {_cell(one.comment)} |" for one in catalogue.functions
    ]
    return "\n".join(lines) + "\n"


def _markdown_of(relation: "Relation") -> Iterator[str]:
    yield from (f"## `{relation.name}` ({relation.kind})", "", relation.comment or "", "")
    if relation.key:
        yield from (f"Key: {', '.join(f'`{name}`' for name in relation.key)}", "")
    yield from ("| Column | Type | Meaning |", "| --- | --- | --- |")
    for column in relation.columns:
        never = ", never null" if column.required else ""
        yield f"| `{column.name}` | {_cell(column.type)}{never} | {_cell(column.comment)} |"
    yield ""


def _cell(text: str | None) -> str:
    """Text that stays in its cell."""
    return " ".join((text or "").split()).replace("|", "\\|")


def html(catalogue: "Catalogue") -> str:
    """One page, complete in itself."""
    import jinja2  # noqa: PLC0415 - heavy

    page = resources.files("orcid_sync.cli.analysis").joinpath("templates", "dictionary.html").read_text("utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(page).render(catalogue=catalogue)


def dbt(catalogue: "Catalogue") -> str:
    """A dbt file of sources. Strings are written as JSON, which every YAML reader takes for a quoted string."""
    lines = [
        *("version: 2", "", "sources:", "  - name: orcid", "    schema: orcid"),
        f"    description: {_quoted('The mirror of ORCID records and its change feed.')}",
        "    tables:",
    ]
    for relation in catalogue.relations:
        lines += [f"      - name: {_quoted(relation.name)}", f"        description: {_quoted(relation.comment)}"]
        lines += ["        columns:", *(line for column in relation.columns for line in _dbt_of(column))]
    return "\n".join(lines) + "\n"


def _dbt_of(column: "Column") -> Iterator[str]:
    yield f"          - name: {_quoted(column.name)}"
    yield f"            description: {_quoted(column.comment)}"
    yield f"            data_type: {_quoted(column.type)}"
    if column.required:
        yield "            data_tests: [not_null]"


def _quoted(text: str | None) -> str:
    return msgspec.json.encode(text or "").decode()


def as_json(catalogue: "Catalogue") -> str:
    """The same for programs."""
    return msgspec.json.encode(catalogue).decode() + "\n"


WRITERS: Mapping[Style, "Callable[[Catalogue], str]"] = {
    Style.MARKDOWN: markdown,
    Style.HTML: html,
    Style.DBT: dbt,
    Style.JSON: as_json,
}
