"""What the tests of webhooks share: generations of addresses, and rows of the inventory."""

import asyncpg

from orcid_sync.model.ids import Orcid
from orcid_sync.model.webhooks import HookState
from orcid_sync.store import generations, webhooks

ADDRESS = "https://orcid.example.edu"
PROOFS = {1: b"one", 2: b"two"}
"""Of the secrets of two versions; what they are does not matter here."""


async def present(connection: asyncpg.Connection, key_version: int = 1, address: str = ADDRESS) -> int:
    """Have a generation be the present one; its number."""
    await generations.announce(connection, proofs=PROOFS, public_url=address, key_version=key_version)
    known = await generations.load(connection)
    [number] = [one.number for one in known if one.is_present]
    return number


async def registered(connection: asyncpg.Connection, orcid: Orcid, generation: int) -> None:
    """Have an active webhook in the inventory."""
    await webhooks.begin(connection, orcid, generation, HookState.REGISTERING)
    await webhooks.confirm_registration(connection, orcid, generation, created=True)
