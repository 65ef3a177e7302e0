"""subscriptions dead, replay, discard: what could not be delivered, and sending it once more."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import console, print_json, table, text
from orcid_sync.cli.base.session import Failure, Session
from orcid_sync.cli.pushes.add import Name

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.store.pushes.redelivery import Range

Number = Annotated[
    int | None,
    typer.Option("--number", "-n", help="Only the message with this number, as in orcid-sync subscriptions dead."),
]


@command
def dead(
    session: Session,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", show_default=False, help="Only dead letters of this subscription.")
    ] = None,
    *,
    json: Json = False,
) -> None:
    """List dead letters, which three days of retries could not deliver, and messages that are being sent again."""

    async def work(connection: "Connection") -> "list[Range]":
        from orcid_sync.store.pushes import redelivery  # noqa: PLC0415 - heavy

        return await redelivery.ranges(connection, name)

    ranges = session.run(work)
    if json:
        print_json(ranges)
    elif ranges:
        console().print(ranges_table(ranges))
    else:
        console().print(text("There are no dead letters.", "ok"))


def ranges_table(ranges: "list[Range]") -> Any:
    """As people read them."""
    rows = ((one.name, one.number, one.state, one.from_seq, one.to_seq, one.error, one.at) for one in ranges)
    return table("subscription", "number", "", "from", "to", "error", "since", rows=rows)


@command
def replay(
    session: Session,
    name: Name,
    *,
    number: Number = None,
    first: Annotated[
        int | None, typer.Option("--from", min=1, help="Send the feed again, starting with this position.")
    ] = None,
    last: Annotated[
        int | None,
        typer.Option(
            "--to", min=1, help="Last position to send again. Default: the present position of the subscription."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Send dead letters again (all, or --number), or a part of the feed (--from), before any new message."""
    from orcid_sync.store.pushes import redelivery  # noqa: PLC0415 - heavy

    if number is not None and first is not None:
        raise typer.BadParameter("--number selects a dead letter, --from a part of the feed: give one of them.")

    async def work(connection: "Connection") -> Any:
        if first is None:
            return await redelivery.replay_dead(connection, name, number)
        return await redelivery.replay_range(connection, name, first, last or 1 << 62)

    done = with_wake(session, work)
    if json:
        print_json({"numbers": done} if first is None else {"range": done})
    if not done:
        raise Failure(f"There is nothing to send again. List the dead letters: orcid-sync subscriptions dead {name}")
    if not json:
        typer.echo(
            f"{len(done)} messages will be sent again."
            if first is None
            else f"Positions {done[0]} to {done[1]} will be sent again."
        )


@command
def discard(session: Session, name: Name, *, number: Number = None) -> None:
    """Discard dead letters, one (--number) or all. They are never sent."""
    from orcid_sync.store.pushes import redelivery  # noqa: PLC0415 - heavy

    gone = session.run(lambda connection: redelivery.discard_dead(connection, name, number))
    typer.echo(f"{len(gone)} discarded.")
    if not gone:
        raise Failure(f"There is no such dead letter. List the dead letters: orcid-sync subscriptions dead {name}")


def with_wake(session: Session, work: "Callable[[Connection], Awaitable[Any]]") -> Any:
    """Do it, and wake whoever sends."""

    async def both(connection: "Connection") -> Any:
        from orcid_sync.store.feed.changes import announce  # noqa: PLC0415 - heavy

        done = await work(connection)
        await announce(connection)
        return done

    return session.run(both)
