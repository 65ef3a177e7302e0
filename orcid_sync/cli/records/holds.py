"""holds: what waits for a second read, and the operator's decision about it."""

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

    from orcid_sync.store.sync.doubts import Hold

    Decide = Callable[[Connection, list[Orcid]], Awaitable[list[Orcid]]]

holds = typer.Typer(
    no_args_is_help=True,
    help="Show and decide what waits for a second read: a read would remove more than half of a section, or take "
    "back, or show to more people, what ORCID's date of the record does not account for.",
)


@command
def list_(session: Session, *, json: Json = False) -> None:
    """List the iDs of which something waits: how many items of which section, since when, and when the next read is."""

    async def work(connection: "Connection") -> "tuple[datetime, list[Hold]]":
        from orcid_sync.store.console import overview  # noqa: PLC0415 - heavy
        from orcid_sync.store.sync.doubts import list_holds  # noqa: PLC0415 - heavy

        return await overview.clock(connection), await list_holds(connection)

    now, held = session.run(work)
    if json:
        print_json(held)
    elif held:
        console().print(
            table("iD", "would remove", "would show or take back", "held", "next read", "", rows=_rows(held, now))
        )
    else:
        console().print(text("Nothing waits for a second read.", "ok"))


def _rows(held: "Iterable[Hold]", now: datetime) -> Iterable[tuple[Any, ...]]:
    for hold in held:
        removals, others = _counted(hold.removals), _counted(hold.others)
        decided = "released" if hold.released else ""
        yield hold.orcid, removals, others, ago(hold.held_at, now), ago(hold.due_at, now), decided


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {section}" for section, number in sorted(counts.items()))


@command
def release(session: Session, orcids: Orcids = None, *, json: Json = False) -> None:
    """Approve what waits. The record is read again now; if it still says the same, it is applied."""
    from orcid_sync.store.sync import doubts as store  # noqa: PLC0415 - heavy

    _decide(session, orcids, store.release, "released", json=json)


@command
def discard(session: Session, orcids: Orcids = None, *, json: Json = False) -> None:
    """Discard what waits and read the record again now. If the answer says the same then, it waits again."""
    from orcid_sync.store.sync import doubts as store  # noqa: PLC0415 - heavy

    _decide(session, orcids, store.discard, "discarded", json=json)


def _decide(session: Session, orcids: list[str] | None, decide: "Decide", done: str, *, json: bool) -> None:
    wanted = several(session, orcids)

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
        raise Failure("Nothing waits for a second read of these iDs. List what does: orcid-sync holds list")


holds.command("list")(list_)
holds.command("release")(release)
holds.command("discard")(discard)
