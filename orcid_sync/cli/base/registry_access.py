"""Asking the Registry from a command, as the service asks it: at the shared pace, with the service's own tokens."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orcid_sync.cli.base.session import Session

if TYPE_CHECKING:
    from orcid_sync.registry.client import Registry
    from orcid_sync.store.database.encryption import Vault
    from orcid_sync.store.database.pools import Database


@dataclass(frozen=True, slots=True)
class Asking:
    """What a command needs to ask."""

    database: "Database"
    registry: "Registry"
    vault: "Vault"


@asynccontextmanager
async def asking(session: Session, dsn: str, *, workers: int = 1) -> AsyncIterator[Asking]:
    """A way to the Registry for a while; `workers` requests at the same time."""
    from orcid_sync.registry.client import Account, open_registry  # noqa: PLC0415 - heavy
    from orcid_sync.service.sync.pace_and_circuit import SealedTokens, SharedPace  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.encryption import Vault  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.pools import open_database  # noqa: PLC0415 - heavy

    settings = session.settings
    client_id, secret = settings.client_id or "", settings.client_secret
    account = Account(
        api_url=settings.api_url,
        web_url=settings.web_url,
        client_id=client_id,
        client_secret=secret.get_secret_value() if secret else "",
    )
    vault = Vault(settings.key_ring)
    async with session.connect(dsn), open_database(dsn, workers=workers) as database:
        pace = SharedPace(
            database.worker,
            client_id,
            rate=settings.requests_per_second,
            burst=settings.burst,
            daily=settings.daily_requests,
        )
        tokens = SealedTokens(database.worker, vault, client_id)
        async with open_registry(account, pace=pace, tokens=tokens, observe=lambda *_: None) as registry:
            yield Asking(database, registry, vault)
