"""drift: what of ORCID's JSON this version does not know or understand; acknowledging what is known."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import console, line, moment, print_json, table, text
from orcid_sync.cli.base.session import Failure, Session

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.store.console.in_doubt import SetAside
    from orcid_sync.store.mirror.unknown_members import Member

drift = typer.Typer(
    no_args_is_help=True,
    help="Show what of ORCID's JSON this version does not know or cannot understand. Unknown members are kept in doc, "
    "without a column; parts that cannot be understood are set aside.",
)


@command
def list_(
    session: Session,
    *,
    acknowledged: Annotated[bool, typer.Option("--all", help="Also show acknowledged members.")] = False,
    json: Json = False,
) -> None:
    """List the unknown members, and the parts that cannot be understood: since when, how many, one iD that has them."""

    async def work(connection: "Connection") -> "tuple[list[Member], list[SetAside]]":
        from orcid_sync.store.console import in_doubt  # noqa: PLC0415 - heavy
        from orcid_sync.store.mirror.unknown_members import list_members  # noqa: PLC0415 - heavy

        return await list_members(connection, acknowledged=acknowledged), await in_doubt.set_aside(connection)

    members, parts = session.run(work)
    if json:
        unknown = [{"name": member.name, "member": member} for member in members]
        print_json([*unknown, *({"name": part.section, "set_aside": part} for part in parts)])
        return
    if members:
        columns = ("member", "type", "documents", "first seen", "last seen", "acknowledged")
        console().print(table(*columns, rows=_rows(members)))
    if parts:
        columns = ("set aside", "why", "parts", "records", "since", "for example")
        console().print(table(*columns, rows=map(_cells, parts)))
        console().print(text("What ORCID sent: orcid-sync doubts list --kind item --documents", "note"))
    if not members and not parts:
        console().print(text("There are no unknown members: this version knows all that ORCID sends.", "ok"))


def _cells(part: "SetAside") -> tuple[Any, ...]:
    return part.section, part.reason, part.number, part.records, moment(part.since), part.example


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
