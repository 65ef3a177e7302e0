"""drift: members of ORCID's JSON that have no column, and acknowledging them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import console, line, moment, print_json, table, text
from orcid_sync.cli.base.session import Failure, Session

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.store.mirror.unknown_members import Member

drift = typer.Typer(
    no_args_is_help=True,
    help="Show and acknowledge members of ORCID's JSON that this version does not know. They are kept in doc, "
    "without a column.",
)


@command
def list_(
    session: Session,
    *,
    acknowledged: Annotated[bool, typer.Option("--all", help="Also show acknowledged members.")] = False,
    json: Json = False,
) -> None:
    """List the unknown members: type, since when, and in how many new or changed documents."""

    async def work(connection: "Connection") -> "list[Member]":
        from orcid_sync.store.mirror.unknown_members import list_members  # noqa: PLC0415 - heavy

        return await list_members(connection, acknowledged=acknowledged)

    members = session.run(work)
    if json:
        print_json([{"name": member.name, "member": member} for member in members])
    elif members:
        columns = ("member", "type", "documents", "first seen", "last seen", "acknowledged")
        console().print(table(*columns, rows=_rows(members)))
    else:
        console().print(text("There are no unknown members: this version knows all that ORCID sends.", "ok"))


def _rows(members: "Iterable[Member]") -> Iterable[tuple[Any, ...]]:
    for one in members:
        known = moment(one.acknowledged_at) if one.acknowledged_at else ""
        yield one.name, one.kind, one.times, moment(one.first_seen_at), moment(one.last_seen_at), known


@command
def acknowledge(
    session: Session,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="MEMBER…", help="Names of the members, as in orcid-sync drift list.")
    ] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="Acknowledge all members that are not acknowledged yet.")
    ] = False,
    json: Json = False,
) -> None:
    """Acknowledge members: orcid-sync status does not report them any more. The service still counts them."""
    if bool(names) == everything:
        raise typer.BadParameter("name members as in orcid-sync drift list, or give --all.")

    async def work(connection: "Connection") -> list[str]:
        from orcid_sync.store.mirror import unknown_members as store  # noqa: PLC0415 - heavy

        return await store.acknowledge(connection, None if everything else names)

    done = session.run(work)
    if json:
        print_json({"acknowledged": done})
    else:
        for name in done:
            line(name, "acknowledged")
    if missing := sorted(set(names or []) - set(done)):
        raise Failure(f"Not among the unacknowledged members: {', '.join(missing)}. List them: orcid-sync drift list")


drift.command("list")(list_)
drift.command("acknowledge")(acknowledge)
