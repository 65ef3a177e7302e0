"""webhooks apply, verify, revive: having work on webhooks done now, and watching it.

Commands only mark; what they began goes on when they are stopped.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.progress import Progress
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, stop_never, wait_fixed

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import print_json
from orcid_sync.cli.base.session import Failure, Session, tell
from orcid_sync.cli.people.connect import Orcids, several

if TYPE_CHECKING:
    from datetime import timedelta

    from asyncpg import Connection

    from orcid_sync.model.ids import Orcid
    from orcid_sync.store.webhooks.convergence import Inventory, Visits

    Mark = Callable[[int], Awaitable[list[Orcid]]]

LOOK_SECONDS = 1.0
"""How often the inventory is counted while somebody watches."""

NOBODY = "The work is queued, but no worker runs to do it. Start one: orcid-sync serve"

Wait = Annotated[
    bool,
    typer.Option(
        "--wait/--no-wait", help="Wait and show progress until the work is done. Ctrl-C ends only the waiting."
    ),
]
Timeout = Annotated[
    float | None, typer.Option("--timeout", min=0, help="Longest time to wait, in seconds. Default: no limit.")
]


def overlap_of(session: Session) -> "timedelta":
    """How long a new webhook stands before an older one goes."""
    from datetime import timedelta  # noqa: PLC0415 - beside its type

    return timedelta(seconds=session.settings.second_look_seconds)


async def look(session: Session, connection: "Connection") -> "Inventory":
    """How everything stands."""
    from orcid_sync.store.webhooks.convergence import inventory  # noqa: PLC0415 - heavy

    return await inventory(connection, overlap=overlap_of(session))


@command
def apply(session: Session, *, wait: Wait = True, timeout: Timeout = None, json: Json = False) -> None:
    """Have the service do now what orcid-sync webhooks plan shows, including what failed or ORCID refused."""
    from orcid_sync.store.webhooks import convergence  # noqa: PLC0415 - heavy

    overlap = overlap_of(session)

    async def work(connection: "Connection") -> "tuple[int, Visits]":
        marked = await convergence.mark_all(connection, overlap=overlap, again=True)
        return marked, await queue_and_watch(connection, overlap=overlap, seconds=timeout if wait else 0)

    marked, left = session.run(work)
    _report(f"{marked} iDs were queued", {"marked": marked}, left, wait=wait, json=json)


@command
def verify(session: Session, *, wait: Wait = True, timeout: Timeout = None, json: Json = False) -> None:
    """Register every webhook again: ORCID changes nothing if it exists, and creates it if it does not.

    Missing webhooks are counted and their records read. This does not show whether ORCID has given up a webhook; for
    that, use revive. It takes one request and one read for each iD; orcid-sync webhooks plan shows how long.
    """
    from orcid_sync.store.console import overview  # noqa: PLC0415 - heavy
    from orcid_sync.store.webhooks import convergence, inventory  # noqa: PLC0415 - heavy

    overlap = overlap_of(session)

    async def work(connection: "Connection") -> "tuple[tuple[int, int], Visits]":
        since = await overview.clock(connection)
        await _mark(lambda limit: inventory.verify(connection, limit=limit, since=since))
        left = await queue_and_watch(connection, overlap=overlap, seconds=timeout if wait else 0)
        return await convergence.verified(connection, since=since), left

    (asked, missing), left = session.run(work)
    sentence = f"{asked} webhooks were verified; {missing} were missing and are registered again"
    _report(sentence, {"verified": asked, "missing": missing}, left, wait=wait, json=json)


@command
def revive(
    session: Session,
    orcids: Orcids = None,
    *,
    every: Annotated[
        bool, typer.Option("--all", help="Revive every webhook, after days in which ORCID could not reach the service.")
    ] = False,
    suspect: Annotated[
        bool, typer.Option("--suspect", help="Revive the webhooks that did not announce a change.")
    ] = False,
    wait: Wait = True,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Revive webhooks: remove them at ORCID, register them again and read the records.

    ORCID gives up a webhook after some 25 failures in a row without telling anybody, and registering it again does
    not help. The service detects this and revives it; use this command when you know more than the service.
    """
    from orcid_sync.store.console import overview  # noqa: PLC0415 - heavy
    from orcid_sync.store.webhooks import inventory  # noqa: PLC0415 - heavy

    if bool(orcids) + every + suspect != 1:
        raise typer.BadParameter("give either iDs, --all or --suspect")
    wanted, overlap = several(session, orcids) if orcids else None, overlap_of(session)

    async def work(connection: "Connection") -> "tuple[int, Visits]":
        since = await overview.clock(connection)
        marked = await _mark(
            lambda limit: inventory.revive(
                connection, limit=limit, orcids=wanted, suspect=suspect, not_alive_since=None if wanted else since
            ),
            once=wanted is not None,
        )
        return marked, await queue_and_watch(connection, overlap=overlap, seconds=timeout if wait else 0)

    marked, left = session.run(work)
    if wanted and marked < len(wanted):
        tell(f"{len(wanted) - marked} of them have no active webhook: orcid-sync show <iD>")
    _report(f"{marked} webhooks are being revived", {"marked": marked}, left, wait=wait, json=json)


async def _mark(mark: "Mark", *, once: bool = False) -> int:
    """Mark in pieces until nothing is left to mark."""
    from orcid_sync.store.webhooks.convergence import BATCH  # noqa: PLC0415 - heavy

    number = 0
    while some := await mark(BATCH):
        number += len(some)
        if once:
            break
    return number


async def queue_and_watch(connection: "Connection", *, overlap: "timedelta", seconds: float | None) -> "Visits":
    """Wake the workers and watch them for so long; None: until it is done. Raises Failure if there are none."""
    from orcid_sync.store.sync import queue  # noqa: PLC0415 - heavy
    from orcid_sync.store.webhooks import convergence  # noqa: PLC0415 - heavy

    await queue.wake(connection)
    left = await convergence.visits(connection, overlap=overlap)
    if seconds == 0 or not left.waiting:
        return left
    if not (await convergence.inventory(connection, overlap=overlap)).at_work:
        raise Failure(NOBODY)
    tell(f"{left.waiting} iDs to go. Ctrl-C ends only the waiting; the service continues.")
    return await _watch(connection, left, overlap=overlap, seconds=seconds)


async def _watch(connection: "Connection", first: "Visits", *, overlap: "timedelta", seconds: float | None) -> "Visits":
    from orcid_sync.store.webhooks import convergence  # noqa: PLC0415 - heavy

    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("webhooks", total=first.waiting)

        async def count() -> "Visits":
            left = await convergence.visits(connection, overlap=overlap)
            progress.update(bar, completed=max(0, first.waiting - left.waiting))
            return left

        looking: AsyncRetrying = AsyncRetrying(
            retry=retry_if_result(lambda left: left.waiting > 0),
            wait=wait_fixed(LOOK_SECONDS),
            stop=stop_never if seconds is None else stop_after_delay(seconds),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else first,
        )
        return cast("Visits", await looking(count))


def _report(sentence: str, facts: dict[str, Any], left: "Visits", *, wait: bool, json: bool) -> None:
    """What was done; raises Failure if something was to be done and was not."""
    if json:
        print_json({**facts, "left": left})
    else:
        typer.echo(f"{sentence}.")
    if not wait:
        return
    troubles = {"not done yet": left.waiting, "failed": left.failing, "refused by ORCID": left.idle}
    if said := ", ".join(f"{number} {name}" for name, number in troubles.items() if number):
        raise Failure(f"Of the iDs {said}. Why: orcid-sync webhooks status, orcid-sync status")
