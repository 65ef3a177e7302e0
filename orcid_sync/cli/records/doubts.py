"""doubts: what ORCID's last answers left in doubt."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import ago, console, line, print_json, table, text
from orcid_sync.cli.base.session import Session
from orcid_sync.cli.people.connect import single
from orcid_sync.model.record.doubts import Kind

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.store.console.in_doubt import Entry

doubts = typer.Typer(
    no_args_is_help=True,
    help="Show what ORCID's last answers left in doubt: sections that they left out, parts that cannot be understood, "
    "full forms that could not be read, and what a second read must say again.",
)


@command
def list_(
    session: Session,
    orcid: Annotated[
        str | None, typer.Argument(metavar="iD", help="Only of this iD, in any form.", show_default=False)
    ] = None,
    *,
    kind: Annotated[Kind | None, typer.Option("--kind", help="Only of this kind.")] = None,
    documents: Annotated[
        bool,
        typer.Option(
            "--documents", help="Also show the parts that were set aside, as ORCID sent them. They may be private."
        ),
    ] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="So many at most.")] = 100,
    json: Json = False,
) -> None:
    """List what is in doubt, the oldest first: since when, how often it was tried, and when it is tried next."""
    wanted = single(session, orcid) if orcid else None

    async def work(connection: "Connection") -> "tuple[datetime, list[Entry]]":
        from orcid_sync.store.console import in_doubt, overview  # noqa: PLC0415 - heavy

        entries = await in_doubt.entries(connection, orcid=wanted, kind=kind, documents=documents, limit=limit + 1)
        return await overview.clock(connection), entries

    now, found = session.run(work)
    shown = found[:limit]
    if json:
        print_json(shown)
        return
    if not shown:
        console().print(text("Nothing is in doubt.", "ok"))
        return
    console().print(table("iD", "kind", "section", "key", "since", "tried", "next", "why", rows=_rows(shown, now)))
    if len(found) > limit:
        console().print(text(f"There are more; to see them: --limit {10 * limit}", "note"))
    for entry in shown if documents else ():
        if entry.doc is not None:
            line(entry.orcid, entry.section, entry.key[:8], entry.doc)


def _rows(entries: "Iterable[Entry]", now: datetime) -> Iterable[tuple[Any, ...]]:
    for one in entries:
        key = one.key[:8] if one.kind is Kind.ITEM else one.key
        soon = "released" if one.released else ago(one.due_at, now) if one.due_at else "with the regular read"
        yield one.orcid, one.kind.value, one.section, key, ago(one.since, now), one.attempts, soon, one.reason


doubts.command("list")(list_)
