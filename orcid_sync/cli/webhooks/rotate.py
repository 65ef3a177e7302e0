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
from orcid_sync.service.explain.status_webhooks import webhook_findings

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.model.webhooks.registration import Generation
    from orcid_sync.store.webhooks.convergence import Inventory

HOW = """To replace the secret of the callback addresses, or to move to another address, without losing a notification:

1. Make a secret (openssl rand -hex 32). Set it as webhook_secret, raise webhook_key_version by 1, and add the old one
   under its own version to old_webhook_secrets: {"1": "the old one"}. To move, change public_url; raise the version as
   well (the secret may stay the same in old and new), unless your proxy passes on the name of the host. Both addresses
   must lead to this service until the end.
2. Restart every process. From then on the service accepts calls at old and new addresses.
3. orcid-sync webhooks rotate: every iD gets a new webhook; when ORCID has called one of them, the service removes the
   old ones. You can stop and repeat the command at any time; without it, the service does the same at its own pace.
4. When the command says so, remove the old secret from old_webhook_secrets, and restart every process."""


@command
def rotate(
    session: Session,
    *,
    finish: Annotated[
        bool,
        typer.Option(
            "--finish",
            help="Remove the old webhooks although ORCID has not called a new one yet. Use it only if you are sure "
            "that calls arrive.",
        ),
    ] = False,
    wait: Wait = True,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Replace the webhook secret or the public address: check the settings, print the steps, follow them to the end.

    The service registers new webhooks beside the old ones. It removes the old ones after ORCID has called a new one,
    each when the new one has existed for second_look_seconds, and reads the record once more. So no edit is missed.
    """
    seconds = timeout if wait else 0
    seen = session.run(lambda connection: _rotate(session, connection, finish=finish, seconds=seconds))
    if json:
        print_json({"done": _is_done(seen), "inventory": seen})
    else:
        for sentence in _tell(session, seen):
            console().print(text(sentence))
    if wait and not _is_done(seen):
        raise Failure(
            "The rotation is not finished. The service continues by itself; run the command again to watch it."
        )


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
        tell("Ctrl-C ends only the waiting; the service continues.")
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
            f"These settings (key version {desired.key_version}, {desired.public_url}) differ from those of the "
            "process that started last. Restart every process with them, then run the command again."
        )
    missing = [one for one in _older(seen) if one.key_version not in desired.callbacks.secrets and one not in seen.lost]
    if missing:
        versions = ", ".join(str(one.key_version) for one in missing)
        raise Failure(
            f"old_webhook_secrets: the secret of version {versions} is missing, but its webhooks still exist."
        )


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
            yield (
                "If you are sure that calls arrive, edit a connected record, or run: orcid-sync webhooks rotate "
                "--finish"
            )
        return
    over = [one for one in seen.generations if not one.is_present and not seen.of(one)]
    if present := seen.present:
        since = duration((seen.at - (present.present_since or seen.at)).total_seconds())
        of = f"of key version {present.key_version} at {present.public_url}"
        yield f"{seen.of(present)} webhooks {of}, the present ones for {since}."
    versions = {one.key_version for one in over} & set(session.settings.old_webhook_secrets or {})
    still = {one.key_version for one in seen.generations if seen.of(one)}
    for version in sorted(versions - still):
        yield f"Version {version} is not needed any more: remove it from old_webhook_secrets."
    yield from (finding.sentence for finding in webhook_findings(seen, overlap_seconds=overlap))
    if not over:
        yield HOW
