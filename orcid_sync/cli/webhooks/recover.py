"""webhooks recover, forget: when the inventory, or a secret, was lost."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import duration, print_json
from orcid_sync.cli.base.session import Failure, Session
from orcid_sync.cli.people.disconnect import from_file
from orcid_sync.cli.webhooks.converge import Timeout, Wait, look, overlap_of, queue_and_watch
from orcid_sync.model.webhooks.registration import Calls

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.model.ids import Orcid
    from orcid_sync.store.webhooks.convergence import Visits
File = Annotated[
    Path | None,
    typer.Option(
        "--file",
        "-f",
        metavar="CSV",
        help="CSV file with a column orcid: more iDs that may have webhooks of this service.",
    ),
]


@command
def recover(
    session: Session,
    *,
    file: File = None,
    address: Annotated[
        list[str] | None,
        typer.Option("--address", metavar="URL", help="An earlier public_url. May be repeated."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing, only count the requests.")] = False,
    wait: Wait = True,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Rebuild the inventory after it was lost, or restored from a backup.

    ORCID has no list of webhooks, but every callback address follows from a secret, a public address and an iD. Each
    connected iD gets a new webhook (removed first, so that it is alive) and loses those of every known earlier secret
    and address. An iD that was connected before, or is in the consent ledger or the file, loses all its webhooks.
    """
    from orcid_sync.settings.values import check_address  # noqa: PLC0415 - heavy

    try:
        addresses = [check_address(one) for one in address or []]
    except ValueError as error:
        raise typer.BadParameter(f"--address {error}") from None
    named = from_file(session, file, "Nothing was changed.") if file else []

    async def work(connection: "Connection") -> "tuple[Calls, Visits | None]":
        generations = await _announce(session, connection, addresses, dry_run=dry_run)
        made = await _expect(connection, named, generations, dry_run=dry_run)
        if dry_run:
            return made, None
        return made, await queue_and_watch(connection, overlap=overlap_of(session), seconds=timeout if wait else 0)

    made, left = session.run(work)
    seconds = made.seconds(session.settings.requests_per_second)
    if json:
        print_json({"requests": made, "seconds": seconds, "left": left})
    else:
        would = "It would take" if dry_run else "It takes"
        typer.echo(
            f"{would} {made.puts} PUT, {made.deletes} DELETE and {made.reads} reads, {duration(seconds)} or more."
        )
    if wait and left is not None and left.total:
        raise Failure(
            "The work is not finished; the service continues by itself. See what is left: orcid-sync webhooks status"
        )


async def _announce(session: Session, connection: "Connection", addresses: list[str], *, dry_run: bool) -> int:
    """See that every generation that may have been used is known; how many these are. Raises Failure, WrongSecret."""
    from orcid_sync.daemon.public_listener import desired_of  # noqa: PLC0415 - heavy
    from orcid_sync.service.webhooks.registration import announce  # noqa: PLC0415 - heavy
    from orcid_sync.store.webhooks import generations  # noqa: PLC0415 - heavy

    session.settings.require("public_url", "webhook_secret")
    desired = desired_of(session.settings)
    proofs = desired.callbacks.proofs
    present = (await look(session, connection)).present
    if present and (present.key_version, present.public_url) != (desired.key_version, desired.public_url):
        raise Failure("These settings differ from those of the process that started last. Restart every process first.")
    await generations.check(connection, proofs)
    known = {(one.key_version, one.public_url) for one in await generations.load(connection) if one.derivable}
    urls = sorted({desired.public_url, *addresses, *(url for _, url in known)})
    if not dry_run:
        if present is None:
            await announce(connection, desired)
        await generations.know(connection, urls, proofs)
    return len(known | {(version, url) for version in proofs for url in urls})


async def _expect(connection: "Connection", named: "list[Orcid]", generations: int, *, dry_run: bool) -> Calls:
    """Write down that anything may exist; returns the requests that it takes to find out."""
    from orcid_sync.store.webhooks import convergence  # noqa: PLC0415 - heavy

    followed, left = set[str](), 0
    async for batch in convergence.connected(connection):
        followed.update(batch)
        if not dry_run:
            await convergence.expect(connection, batch)
    strangers = sorted({*await convergence.strangers(connection), *named} - followed)
    for some in convergence.batched(strangers):
        left += len(some) if dry_run else await convergence.expect_of_strangers(connection, some)
    return Calls(puts=len(followed), deletes=generations * (len(followed) + left), reads=len(followed))


@command
def forget(
    session: Session,
    generation: Annotated[int, typer.Argument(help="Number of the generation, as in orcid-sync webhooks status.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    json: Json = False,
) -> None:
    """Delete webhooks from the inventory that nobody can remove at ORCID because their secret is lost for ever.

    They stay at ORCID, which calls them without success after every edit and gives up after 25 failures. People who
    are being disconnected wait for this: their disconnection ends only when the inventory has none of their webhooks.
    """
    from orcid_sync.store.sync import queue  # noqa: PLC0415 - heavy
    from orcid_sync.store.webhooks import generations  # noqa: PLC0415 - heavy

    if not yes:
        typer.confirm(
            "Is the secret lost for ever? Nobody can then remove these webhooks at ORCID.", abort=True, err=True
        )

    async def work(connection: "Connection") -> int:
        forgotten = await generations.forget(connection, generation)
        await queue.wake(connection)
        return forgotten

    forgotten = session.run(work)
    if json:
        print_json({"forgotten": forgotten})
    else:
        typer.echo(f"{forgotten} webhooks were deleted from the inventory.")
    if not forgotten:
        raise Failure(
            "This generation has no webhooks whose secret is lost. See the generations: orcid-sync webhooks status"
        )
