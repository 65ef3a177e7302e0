"""questions: what institutions ask of the mirror, with the queries that answer it."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orcid_sync.cli.base.as_reader import Reader, Role, reading
from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import console, line, print_json, table, text
from orcid_sync.cli.base.session import Session

if TYPE_CHECKING:
    from asyncpg import Record

    from orcid_sync.store.analysis.questions import Question

questions = typer.Typer(
    no_args_is_help=True, help="Show and answer thirty questions that institutions ask of the mirror, with their SQL."
)

Which = Annotated[str, typer.Argument(metavar="N|NAME", show_default=False, help="The question, by number or name.")]


@questions.command("list")
def list_(
    *,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown with the SQL, as in deploy/docs/questions.md.")
    ] = False,
    json: Json = False,
) -> None:
    """List the questions."""
    from orcid_sync.store.analysis.questions import load_questions  # noqa: PLC0415 - heavy

    if json:
        print_json(load_questions())
    elif markdown:
        typer.echo(render_markdown(), nl=False)
    else:
        console().print(table("", "name", "question", rows=((q.number, q.name, q.title) for q in load_questions())))


@questions.command("show")
def show(which: Which, *, json: Json = False) -> None:
    """Print the SQL that answers a question, so that you can change it and run it elsewhere."""
    question = _named(which)
    if json:
        print_json(question)
        return
    line(f"-- {question.title}")
    if question.note:
        line(f"-- {question.note}")
    typer.echo(question.sql, nl=False)


@command
def run(session: Session, which: Which, *, role: Role = Reader.PUBLIC, json: Json = False) -> None:
    """Answer a question from the mirror. To write the answer to a file: orcid-sync export --query-file."""
    question = _named(which)

    async def work(dsn: str) -> "list[Record]":
        async with reading(session, dsn, role) as connection:
            rows: list[Record] = await connection.fetch(question.sql)
            return rows

    with session.database() as dsn:
        rows = asyncio.run(work(dsn))
    if json:
        print_json([dict(row) for row in rows])
        return
    line(text(question.title, "bold"))
    if question.note:
        line(text(question.note, "note"))
    if rows:
        cells = ((_shown(value) for value in row.values()) for row in rows)
        console().print(table(*rows[0].keys(), rows=cells))
    else:
        line("Nothing.")


questions.command("run")(run)


def render_markdown() -> str:
    """All questions with their SQL; deploy/docs/questions.md is this."""
    from orcid_sync.store.analysis.questions import load_questions  # noqa: PLC0415 - heavy

    lines = [
        *("# Thirty questions", ""),
        "This document has thirty questions that institutions ask of the mirror, and the SQL that answers them.",
        "",
        "`orcid-sync questions run 7` answers one. Readers get the answer that follows from what they may see.",
        "`orcid-sync questions list --markdown` writes this document.",
    ]
    for question in load_questions():
        lines += ["", f"## {question.number}. {question.title}", ""]
        lines += [question.note, ""] if question.note else []
        lines += ["```sql", question.sql.rstrip("\n"), "```"]
    return "\n".join(lines) + "\n"


def _named(which: str) -> "Question":
    from orcid_sync.store.analysis.questions import load_questions  # noqa: PLC0415 - heavy

    found = next((one for one in load_questions() if which in {str(one.number), one.name}), None)
    if found is None:
        raise typer.BadParameter(f"there is no question {which}; see them with: orcid-sync questions list")
    return found


def _shown(value: Any) -> Any:
    return ", ".join(str(one) for one in value) if isinstance(value, list) else value
