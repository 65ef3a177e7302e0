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
        float, typer.Option("--overlap-hours", min=0, max=8_760, help="Hours for which the old secret signs as well.")
    ] = 24.0,
    json: Json = False,
) -> None:
    """Create a new signing secret and print it once. Until the overlap ends, the old secret signs as well."""
    from orcid_sync.store.database.encryption import Vault  # noqa: PLC0415 - heavy
    from orcid_sync.store.pushes import subscriptions as store  # noqa: PLC0415 - heavy

    vault, lasting = Vault(session.settings.key_ring), timedelta(hours=overlap)
    secret = session.run(lambda connection: store.rotate_secret(connection, vault, name, overlap=lasting))
    if secret is None:
        raise unknown(name)
    if json:
        print_json({"name": name, "secret": secret, "old_secret_ends": datetime.now(UTC) + lasting})
        return
    typer.echo(
        f"The old secret signs as well for another {duration(lasting.total_seconds())}; until then the receiver may "
        f"check either."
    )
    typer.echo(f"The new secret, shown only once: {secret}")


@command
def fire(session: Session, name: Name, *, json: Json = False) -> None:
    """Send a test message (type orcid.test) to the receiver now. Exit code 1 if the receiver does not accept it."""
    result = session.run(lambda connection: _try(session, connection, name))
    if json:
        print_json(result)
    elif result.outcome == "delivered":
        typer.echo(f"Accepted within {round(result.seconds * 1000)} ms.")
    if result.outcome != "delivered":
        raise Failure(f"Not accepted: {result.outcome.value}, {result.error}.")


async def _try(session: Session, connection: "Connection", name: str) -> "Result":
    from orcid_sync.daemon.push_sender import egress_rules  # noqa: PLC0415 - heavy
    from orcid_sync.service.pushes.guarded_client import open_guarded_client  # noqa: PLC0415 - heavy
    from orcid_sync.service.pushes.signed_messages import signed_headers, trial_message  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.encryption import Vault  # noqa: PLC0415 - heavy
    from orcid_sync.store.pushes import subscriptions as store  # noqa: PLC0415 - heavy

    found = await store.load(connection, name)
    if found is None:
        raise unknown(name)
    secrets = await store.signing_secrets(connection, Vault(session.settings.key_ring), found.id)
    now = datetime.now(UTC)
    message = trial_message(found.id, name, now)
    rules = egress_rules(session.settings)
    async with open_guarded_client(rules, seconds=session.settings.push_timeout_seconds) as courier:
        return await courier.post(found.url, message.body, signed_headers(message, secrets, now))
