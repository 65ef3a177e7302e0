"""holds: removals that wait for a second read, and the operator's decision about them."""

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import ago, console, line, print_json, print_json_line, table, text
from orcid_sync.cli.base.session import Failure, Session
from orcid_sync.cli.people.connect import Orcids, several
from orcid_sync.model.ids import Orcid

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.store.sync.holds import Hold

    Decide = Callable[[Connection, list[Orcid]], Awaitable[list[Orcid]]]

holds = typer.Typer(
    no_args_is_help=True,
    help="Show and decide held removals: a read would remove more than half of a section from the mirror.",
)


@command
def list_(session: Session, *, json: Json = False) -> None:
    """List the iDs with held removals: how many items of which section would be removed, and when the next read is."""

    async def work(connection: "Connection") -> "tuple[datetime, list[Hold]]":
        from orcid_sync.store.console import overview  # noqa: PLC0415 - heavy
        from orcid_sync.store.sync.holds import list_holds  # noqa: PLC0415 - heavy

        return await overview.clock(connection), await list_holds(connection)

    now, held = session.run(work)
    if json:
        print_json(held)
    elif held:
        console().print(table("iD", "would remove", "held", "next read", "", rows=_rows(held, now)))
    else:
        console().print(text("No removals are held.", "ok"))


def _rows(held: "Iterable[Hold]", now: datetime) -> Iterable[tuple[Any, ...]]:
    for hold in held:
        removals = ", ".join(f"{number} {section}" for section, number in sorted(hold.removals.items()))
        yield hold.orcid, removals, ago(hold.held_at, now), ago(hold.due_at, now), "released" if hold.released else ""


@command
def release(session: Session, orcids: Orcids = None, *, json: Json = False) -> None:
    """Approve the removals. The record is read again now; if it still says the same, they are applied."""
    from orcid_sync.store.sync import holds as store  # noqa: PLC0415 - heavy

    _decide(session, orcids, store.release, "released", json=json)


@command
def discard(session: Session, orcids: Orcids = None, *, json: Json = False) -> None:
    """Discard the held removals and read the record again now. If as much is missing then, it is held again."""
    from orcid_sync.store.sync import holds as store  # noqa: PLC0415 - heavy

    _decide(session, orcids, store.discard, "discarded", json=json)


def _decide(session: Session, orcids: list[str] | None, decide: "Decide", done: str, *, json: bool) -> None:
    wanted = several(orcids)

    async def work(connection: "Connection") -> list[Orcid]:
        from orcid_sync.store.sync import queue  # noqa: PLC0415 - heavy

        held = await decide(connection, wanted)
        await queue.wake(connection)
        return held

    held = session.run(work)
    for orcid in wanted:
        outcome = done if orcid in held else "holds nothing"
        if json:
            print_json_line({"orcid": orcid, "outcome": outcome})
        else:
            line(orcid, outcome)
    if len(held) < len(wanted):
        raise Failure("There is nothing to decide for these iDs. List the held removals: orcid-sync holds list")


holds.command("list")(list_)
holds.command("release")(release)
holds.command("discard")(discard)
