"""Our own tokens in the database: sealed, and forgotten when they end."""

from datetime import timedelta

import asyncpg
import pytest

from orcid_sync.store.database.encryption import Vault, VaultError
from orcid_sync.store.sync import client_tokens

CLIENT = "APP-MADEUPCLIENT0000"


@pytest.mark.invariant("S12", "S19")
async def test_our_own_tokens_are_kept_sealed_until_they_end(connection: asyncpg.Connection) -> None:
    vault = Vault({"1": bytes(32)})
    key = {"client_id": CLIENT, "scope": "/read-public"}
    assert await client_tokens.load(connection, vault, **key) is None
    for text in ("made-up-older", "made-up-token"):
        await client_tokens.store(connection, vault, **key, access_token=text, lasts=timedelta(hours=1))
    found = await client_tokens.load(connection, vault, **key)
    assert found is not None
    assert (found.access_token, round(found.lasts.total_seconds())) == ("made-up-token", 3600)
    assert "made-up" not in repr(found)
    assert "made-up" not in await connection.fetchval("select access_token from orcid_sync.client_tokens")
    assert await client_tokens.load(connection, vault, client_id=CLIENT, scope="/webhook") is None
    with pytest.raises(VaultError):
        await client_tokens.load(connection, Vault({"2": bytes(32)}), **key)
    await connection.execute("update orcid_sync.client_tokens set expires_at = now() - interval '1 second'")
    assert await client_tokens.load(connection, vault, **key) is None
