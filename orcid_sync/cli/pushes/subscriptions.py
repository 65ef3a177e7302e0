"""subscriptions: listing, showing, pausing, resuming and removing the receivers of pushes."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import ago, console, print_json, table, text
from orcid_sync.cli.base.session import Session
from orcid_sync.cli.pushes.add import Name, add, edit, unknown
from orcid_sync.cli.pushes.redeliver import dead, discard, ranges_table, replay, with_wake
from orcid_sync.cli.pushes.signing_secret import fire, rotate
from orcid_sync.model.pushes.delivery import PAUSED
from orcid_sync.model.text.wording import duration

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.store.pushes.redelivery import Range
    from orcid_sync.store.pushes.subscriptions import Subscription

STYLES = {"active": "ok", "failing": "warn", "stopped": "fail", "paused": "note"}

subscriptions = typer.Typer(
    no_args_is_help=True,
    help="Manage subscriptions: receivers to which the service sends changes in signed HTTP requests "
    "(pushes).\n\nThe service sends each change at least once, in the order of the feed.",
)


@command
def list_(session: Session, *, json: Json = False) -> None:
    """List all subscriptions: state, and how far behind the feed they are."""

    async def work(connection: "Connection") -> "tuple[list[Subscription], datetime]":
        from orcid_sync.store.console import overview  # noqa: PLC0415 - heavy
        from orcid_sync.store.pushes import subscriptions as store  # noqa: PLC0415 - heavy

        return await store.load_all(connection), await overview.clock(connection)

    found, now = session.run(work)
    if json:
        print_json(found)
    elif found:
        console().print(table("name", "", "behind", "delivered", "dead", "view", "URL", rows=_rows(found, now)))
    else:
        console().print(text("There are no subscriptions. To add one: orcid-sync subscriptions add NAME URL"))


def _rows(found: "list[Subscription]", now: datetime) -> Iterator[tuple[Any, ...]]:
    for one in found:
        state = text(PAUSED[one.paused] if one.paused else one.state, STYLES[one.state])
        yield one.name, state, _behind(one, now), ago(one.delivered_at, now), one.dead or "", one.view, one.url


def _behind(one: "Subscription", now: datetime) -> str:
    if not one.current:
        return "must start again"
    since = f", {duration((now - one.behind_since).total_seconds())}" if one.behind_since else ""
    return f"{one.behind} changes{since}" if one.behind else "0"


@command
def show(session: Session, name: Name, *, json: Json = False) -> None:
    """Show one subscription: its filters, position, last failure and dead letters."""

    async def work(connection: "Connection") -> "tuple[Subscription | None, list[Range], datetime]":
        from orcid_sync.store.console import overview  # noqa: PLC0415 - heavy
        from orcid_sync.store.pushes import redelivery  # noqa: PLC0415 - heavy
        from orcid_sync.store.pushes import subscriptions as store  # noqa: PLC0415 - heavy

        found, ranges = await store.load(connection, name), await redelivery.ranges(connection, name)
        return found, ranges, await overview.clock(connection)

    found, ranges, now = session.run(work)
    if found is None:
        raise unknown(name)
    if json:
        print_json({"subscription": found, "ranges": ranges})
        return
    console().print(table("", "", rows=[row for row in _facts(found, now) if row[1]]))
    if ranges:
        console().print(ranges_table(ranges))


def _facts(one: "Subscription", now: datetime) -> Iterator[tuple[str, Any]]:
    yield "name", one.name
    yield "state", text(PAUSED[one.paused] if one.paused else one.state, STYLES[one.state])
    yield "URL", one.url
    yield "view", one.view
    for title, values in (
        ("sections", one.sections),
        ("operations", one.operations),
        ("organisations", one.organisations),
        ("external ids", one.external_ids),
    ):
        yield title, ", ".join(values)
    yield "minor changes", "wanted" if one.minor else "not wanted"
    yield "contents", "sent" if one.contents else "not sent"
    yield "when dead", one.when_dead
    yield "secrets", "two: one replaces the other" if one.secrets > 1 else "one"
    yield "position", f"{one.reached} of epoch {one.epoch}"
    yield "behind", _behind(one, now)
    yield "last delivered", ago(one.delivered_at, now)
    yield "last failure", one.last_error
    if one.attempts and not one.paused:
        yield "failing since", ago(one.failing_since, now)
        yield "next try", f"{ago(one.due_at, now)}, number {one.attempts + 1}"
    if one.endpoint_paused_until and one.endpoint_paused_until > now:
        yield (
            "its host",
            f"is down ({one.endpoint_failures} failures); tried again {ago(one.endpoint_paused_until, now)}",
        )


@command
def pause(session: Session, name: Name) -> None:
    """Pause a subscription: the service sends nothing until you resume it. Nothing is lost."""
    from orcid_sync.store.pushes import subscriptions as store  # noqa: PLC0415 - heavy

    _do(session, name, lambda connection: store.pause(connection, name), "is paused")


@command
def resume(session: Session, name: Name) -> None:
    """Resume a subscription at once, starting with the message at which it stopped."""
    from orcid_sync.store.pushes import subscriptions as store  # noqa: PLC0415 - heavy

    _do(session, name, lambda connection: store.resume(connection, name), "is resumed")


@command
def remove(session: Session, name: Name) -> None:
    """Remove a subscription with its secret, its position and its dead letters."""
    from orcid_sync.store.pushes import subscriptions as store  # noqa: PLC0415 - heavy

    _do(session, name, lambda connection: store.remove(connection, name), "is removed")


def _do(session: Session, name: str, work: "Callable[[Connection], Awaitable[bool]]", done: str) -> None:
    if not with_wake(session, work):
        raise unknown(name)
    typer.echo(f"{name} {done}.")


for function in (add, edit, show, pause, resume, remove, rotate, dead, replay, discard):
    subscriptions.command(function.__name__)(function)
subscriptions.command("list")(list_)
subscriptions.command("test")(fire)
