"""export: tables, views and answers of queries as Parquet, CSV or NDJSON files."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from orcid_sync.cli.base.as_reader import Reader, Role, reading
from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import console, print_json, table
from orcid_sync.cli.base.session import Failure, Session, is_terminal, tell
from orcid_sync.export.write import SUFFIXES, Format

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.export.selection import Selection

STDOUT = Path("-")

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME…", show_default=False, help="Tables and views of schema orcid to export."),
]
To = Annotated[
    Path,
    typer.Option(
        "--to", metavar="PATH", help="File to write, or folder for several tables. -: stdout (not for Parquet)."
    ),
]
Form = Annotated[
    Format | None,
    typer.Option(
        "--format",
        show_default=False,
        help="Default: follows from the name of the file; otherwise CSV on stdout and Parquet in files.",
    ),
]


class Exported(msgspec.Struct, frozen=True):
    """What was written."""

    name: str
    file: str
    rows: int
    bytes: int | None


class Wish(msgspec.Struct, frozen=True):
    """What is to be exported, and where to."""

    names: Sequence[str]
    everything: bool
    query: str | None
    to: Path
    form: Format

    @property
    def several(self) -> bool:
        """Whether PATH is a folder."""
        return self.everything or len(self.names) > 1 or (self.to != STDOUT and self.to.is_dir())


@command
def export(
    session: Session,
    names: Names = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Export every table and view.")] = False,
    query: Annotated[
        str | None,
        typer.Option("--query", metavar="SQL", show_default=False, help="Export the result of this query instead."),
    ] = None,
    query_file: Annotated[
        Path | None,
        typer.Option(
            "--query-file",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            show_default=False,
            help="Export the result of the query in this file.",
        ),
    ] = None,
    to: To = STDOUT,
    form: Form = None,
    role: Role = Reader.PUBLIC,
    json: Json = False,
) -> None:
    """Export tables, views or the result of a query to Parquet, CSV or NDJSON files, all as of one moment.

    A file appears only when it is complete. Example: orcid-sync export works --to works.parquet
    """
    text = query_file.read_text("utf-8") if query_file else query
    if sum((bool(names), everything, query is not None, query_file is not None)) != 1:
        raise typer.BadParameter(
            "say what to export, by one of these: names of tables and views, --all, --query, --query-file."
        )
    wish = Wish(names or [], everything, text, to, form or _usual_format(to, json=json))
    if to == STDOUT and (wish.several or wish.form is Format.PARQUET):
        raise typer.BadParameter("say where to write (--to): Parquet needs a file, several tables need a folder.")
    with session.database() as dsn:
        done = asyncio.run(_export(session, dsn, role, wish))
    _report(done, wish, json=json)


def _usual_format(to: Path, *, json: bool) -> Format:
    if to == STDOUT:
        return Format.NDJSON if json else Format.CSV
    return SUFFIXES.get(to.suffix.lower(), Format.PARQUET)


async def _export(session: Session, dsn: str, role: Reader, wish: Wish) -> list[Exported]:
    from orcid_sync.export.files import staged  # noqa: PLC0415 - takes time
    from orcid_sync.export.write import write, writer  # noqa: PLC0415 - takes time

    writer(wish.form)  # a missing library shows before anything is read
    async with reading(session, dsn, role) as connection:
        chosen = await _select(connection, wish)
        if wish.to == STDOUT:
            rows = await write(connection, chosen[0], wish.form, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return [Exported(chosen[0].name, "-", rows, None)]
        places = [_place(wish, selection) for selection in chosen]
        done = []
        with staged() as files:
            for selection, place in zip(chosen, places, strict=True):
                with files.file(place) as out:
                    rows = await write(connection, selection, wish.form, out)
                    done.append(Exported(selection.name, str(place), rows, out.tell()))
        return done


async def _select(connection: "Connection", wish: Wish) -> "list[Selection]":
    from orcid_sync.export.selection import choose, select_query, select_relation  # noqa: PLC0415 - takes time
    from orcid_sync.store.database.catalogue import read_catalogue  # noqa: PLC0415 - heavy

    if wish.query is not None:
        return [await select_query(connection, "query", wish.query)]
    relations = (await read_catalogue(connection)).relations
    chosen = relations if wish.everything else choose(wish.names, relations)
    return [await select_relation(connection, relation) for relation in chosen]


def _place(wish: Wish, selection: "Selection") -> Path:
    if not wish.several:
        if not wish.to.parent.is_dir():
            raise Failure(f"There is no folder {wish.to.parent}. Create it first.")
        return wish.to
    wish.to.mkdir(parents=True, exist_ok=True)
    return wish.to / f"{selection.name}.{wish.form.value}"


def _report(done: Sequence[Exported], wish: Wish, *, json: bool) -> None:
    """Say what was written; what went to stdout speaks for itself."""
    if wish.to == STDOUT:
        if is_terminal():
            tell(f"{done[0].rows:,} rows")
    elif json:
        print_json(done)
    else:
        rows = [(one.name, f"{one.rows:,}", f"{one.bytes or 0:,}", one.file) for one in done]
        console().print(table("exported", "rows", "bytes", "file", rows=rows))
