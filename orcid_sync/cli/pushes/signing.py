"""subscriptions rotate, test: the secret that signs messages, and trying it together with the address."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from orcid_sync.cli.base.options import Json, command
from orcid_sync.cli.base.output import print_json
from orcid_sync.cli.base.session import Failure, Session
from orcid_sync.cli.pushes.add import Name, unknown
from orcid_sync.model.text.wording import duration

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.model.pushes.delivery import Result


@command
def rotate(
    session: Session,
    name: Name,
    *,
    overlap: Annotated[
        float, typer.Option("--overlap-hours", min=0, max=8_760, help="How long the old secret signs, too.")
    ] = 24.0,
    json: Json = False,
) -> None:
    """Make a new secret, and show it: once. The old one signs, too, until the receiver must know the new one."""
    from orcid_sync.store.database.encryption import Vault  # noqa: PLC0415 - heavy
    from orcid_sync.store.pushes import subscriptions as store  # noqa: PLC0415 - heavy

    vault, lasting = Vault(session.settings.key_ring), timedelta(hours=overlap)
    secret = session.run(lambda connection: store.rotate_secret(connection, vault, name, overlap=lasting))
    if secret is None:
        raise unknown(name)
    if json:
        print_json({"name": name, "secret": secret, "old_secret_ends": datetime.now(UTC) + lasting})
        return
    typer.echo(f"The old secret signs for another {duration(lasting.total_seconds())}; the receiver may know both.")
    typer.echo(f"The new secret, shown only now: {secret}")


@command
def fire(session: Session, name: Name, *, json: Json = False) -> None:
    """Send a message of the type orcid.test from here and now; exit code 1 if it is not taken."""
    result = session.run(lambda connection: _try(session, connection, name))
    if json:
        print_json(result)
    elif result.outcome == "delivered":
        typer.echo(f"Taken within {round(result.seconds * 1000)} ms.")
    if result.outcome != "delivered":
        raise Failure(f"Not taken: {result.outcome.value}, {result.error}.")


async def _try(session: Session, connection: "Connection", name: str) -> "Result":
    from orcid_sync.daemon.push_sender import egress_rules  # noqa: PLC0415 - heavy
    from orcid_sync.service.pushes.guarded_client import open_courier  # noqa: PLC0415 - heavy
    from orcid_sync.service.pushes.messages import signed_headers, trial_message  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.encryption import Vault  # noqa: PLC0415 - heavy
    from orcid_sync.store.pushes import subscriptions as store  # noqa: PLC0415 - heavy

    found = await store.load(connection, name)
    if found is None:
        raise unknown(name)
    secrets = await store.signing_secrets(connection, Vault(session.settings.key_ring), found.id)
    now = datetime.now(UTC)
    message = trial_message(found.id, name, now)
    rules = egress_rules(session.settings)
    async with open_courier(rules, seconds=session.settings.push_timeout_seconds) as courier:
        return await courier.post(found.url, message.body, signed_headers(message, secrets, now))
