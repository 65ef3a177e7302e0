"""webhooks rotate: replacing the secret, or the public address, without losing a notification."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console
from rich.progress import Progress
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, stop_never, wait_fixed

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import console, duration, print_json, text
from orcid_sync.cli.base.session import Failure, Session, tell
from orcid_sync.cli.webhooks.converge import LOOK_SECONDS, NOBODY, Timeout, Wait, look, overlap_of
from orcid_sync.service.explain.findings_webhooks import webhook_findings

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.model.webhooks.registration import Generation
    from orcid_sync.store.webhooks.convergence import Inventory

HOW = """To replace the secret of the callback addresses, or to move to another address, without losing a notification:

1. Make a secret (openssl rand -hex 32). Set it as webhook_secret, raise webhook_key_version by 1, and put the old one
   under its own version into old_webhook_secrets: {"1": "the old one"}. To move, change public_url; raise the version
   then, too (the secret may stay: old and new are the same), unless your proxy passes the name of the host on. Both
   addresses must lead here until the end.
2. Restart every process. From then on calls at old and new addresses are taken.
3. orcid-sync webhooks rotate: every iD gets a new webhook, then ORCID has to call one of them, then the old ones go.
   May be stopped and begun again at any time; without it, the service does the same in its own time.
4. When it says so, take the old secret out of old_webhook_secrets, and restart."""


@command
def rotate(
    session: Session,
    *,
    finish: Annotated[
        bool,
        typer.Option(
            "--finish", help="Remove the older webhooks although none of the new ones was called yet: you are sure."
        ),
    ] = False,
    wait: Wait = True,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Replace the webhook secret or the public address: check the settings, say what to do, follow it to its end.

    New webhooks are registered beside the old ones; these go when ORCID was seen to call a new one, each after its
    successor has stood for second_look_seconds, with one more read. So every edit is announced by one of them.
    """
    seconds = timeout if wait else 0
    seen = session.run(lambda connection: _rotate(session, connection, finish=finish, seconds=seconds))
    if json:
        print_json({"done": _is_done(seen), "inventory": seen})
    else:
        for sentence in _tell(session, seen):
            console().print(text(sentence))
    if wait and not _is_done(seen):
        raise Failure("It is not over yet. Run it again to go on watching; the service goes on by itself.")


async def _rotate(session: Session, connection: "Connection", *, finish: bool, seconds: float | None) -> "Inventory":
    from orcid_sync.store.sync import queue  # noqa: PLC0415 - heavy
    from orcid_sync.store.webhooks import convergence, generations  # noqa: PLC0415 - heavy

    seen = await look(session, connection)
    await _demand_settings(session, connection, seen)
    if finish:
        await generations.give_up(connection)
    if not seen.at_work and not _is_done(seen):
        raise Failure(NOBODY)
    await convergence.mark_all(connection, overlap=overlap_of(session), again=True)
    await queue.wake(connection)
    if seconds != 0 and not _is_done(seen):
        tell("Ctrl-C ends only the watching; the service goes on.")
        return await _watch(session, connection, seconds=seconds)
    return await look(session, connection)


async def _demand_settings(session: Session, connection: "Connection", seen: "Inventory") -> None:
    """Raises Failure, WrongSecret: what is to be set, or restarted, first."""
    from orcid_sync.daemon.public_listener import desired_of  # noqa: PLC0415 - heavy
    from orcid_sync.store.webhooks import generations  # noqa: PLC0415 - heavy

    desired = desired_of(session.settings)
    if desired.key_version is None:
        raise Failure("Webhooks are off (webhooks = false): there is nothing to replace.")
    session.settings.require("public_url", "webhook_secret")
    await generations.check(connection, desired.callbacks.proofs)
    present = seen.present
    if present is None or (present.key_version, present.public_url) != (desired.key_version, desired.public_url):
        raise Failure(
            f"These settings (key version {desired.key_version}, {desired.public_url}) are not those of the process "
            "that was started last. Restart every process with them, then run this again."
        )
    missing = [one for one in _older(seen) if one.key_version not in desired.callbacks.secrets and one not in seen.lost]
    if missing:
        versions = ", ".join(str(one.key_version) for one in missing)
        raise Failure(f"old_webhook_secrets: the secret of version {versions} is missing; its webhooks still exist.")


def _older(seen: "Inventory") -> "list[Generation]":
    """Generations before the present one of which webhooks are left."""
    return [one for one in seen.generations if not one.is_present and seen.of(one)]


def _is_done(seen: "Inventory") -> bool:
    """Whether every iD has its new webhook and no older one that could be removed is left."""
    return not seen.visits.total and not seen.number("wait")


async def _watch(session: Session, connection: "Connection", *, seconds: float | None) -> "Inventory":
    """Follow the steps, and have each begun as soon as it may be."""
    from orcid_sync.store.webhooks import convergence  # noqa: PLC0415 - heavy

    first = await look(session, connection)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        new = progress.add_task("new webhooks", total=max(1, first.connected))
        old = progress.add_task("old webhooks removed", total=max(1, sum(map(first.of, _older(first)))))

        async def go_on() -> "Inventory":
            await convergence.mark_all(connection, overlap=overlap_of(session), again=False)
            seen = await look(session, connection)
            progress.update(new, completed=seen.of(seen.present) if seen.present else 0)
            progress.update(old, completed=sum(map(first.of, _older(first))) - sum(map(seen.of, _older(seen))))
            return seen

        looking: AsyncRetrying = AsyncRetrying(
            retry=retry_if_result(lambda seen: not _is_done(seen)),
            wait=wait_fixed(LOOK_SECONDS),
            stop=stop_never if seconds is None else stop_after_delay(seconds),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else first,
        )
        return cast("Inventory", await looking(go_on))


def _tell(session: Session, seen: "Inventory") -> Iterator[str]:
    overlap = session.settings.second_look_seconds
    if not _is_done(seen):
        yield from (finding.sentence for finding in webhook_findings(seen, overlap_seconds=overlap))
        if seen.number("wait") and seen.present and not seen.present.works:
            yield "If you are sure that calls come in: edit a connected record, or orcid-sync webhooks rotate --finish"
        return
    over = [one for one in seen.generations if not one.is_present and not seen.of(one)]
    if present := seen.present:
        since = duration((seen.at - (present.present_since or seen.at)).total_seconds())
        of = f"of key version {present.key_version} at {present.public_url}"
        yield f"{seen.of(present)} webhooks {of}, the present ones for {since}."
    versions = {one.key_version for one in over} & set(session.settings.old_webhook_secrets or {})
    still = {one.key_version for one in seen.generations if seen.of(one)}
    for version in sorted(versions - still):
        yield f"Version {version} is not needed any more: take it out of old_webhook_secrets."
    yield from (finding.sentence for finding in webhook_findings(seen, overlap_seconds=overlap))
    if not over:
        yield HOW
