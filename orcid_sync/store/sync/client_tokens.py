"""Our own two-legged tokens (contract section 2.3): fetched once, shared by all replicas, stored sealed."""

from datetime import timedelta

import msgspec

from orcid_sync.store.database.encryption import CLIENT_TOKEN_COLUMN, Vault
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries


class ClientToken(msgspec.Struct, frozen=True):
    """A token in the clear, for the request that needs it."""

    access_token: str
    lasts: timedelta
    """How long it is still valid."""

    def __repr__(self) -> str:
        return f"ClientToken(…, lasts={self.lasts})"


async def store(
    connection: AnyConnection, vault: Vault, *, client_id: str, scope: str, access_token: str, lasts: timedelta
) -> None:
    """Seal and keep the token; an older one for the same scope is replaced."""
    sealed = vault.seal(access_token, orcid=client_id, column=CLIENT_TOKEN_COLUMN)
    await load_queries(__file__).store(connection, client_id=client_id, scope=scope, access_token=sealed, lasts=lasts)


async def load(connection: AnyConnection, vault: Vault, *, client_id: str, scope: str) -> ClientToken | None:
    """The token, if there is one that is still valid. Raises VaultError if it was sealed with another key."""
    row = await load_queries(__file__).load(connection, client_id=client_id, scope=scope)
    if row is None:
        return None
    return ClientToken(vault.open(row["access_token"], orcid=client_id, column=CLIENT_TOKEN_COLUMN), row["lasts"])
