"""What the tests of webhooks share: generations of addresses, rows of the inventory, a restart with other settings."""

from dataclasses import replace
from typing import Any

import asyncpg
from pydantic import SecretStr

from orcid_sync.daemon.public_listener import callbacks_of, desired_of
from orcid_sync.model.ids import Orcid
from orcid_sync.model.webhooks.registration import HookState
from orcid_sync.service.webhooks.registration import Subscription, announce
from orcid_sync.settings.settings import Settings
from orcid_sync.store.webhooks import generations, inventory
from rig.service.reconciler import Bench, O

NEW_SECRET = SecretStr("the secret that comes next, long enough too")
ELSEWHERE = "https://elsewhere.example.edu"

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
    await inventory.begin(connection, orcid, generation, HookState.REGISTERING)
    await inventory.confirm_registration(connection, orcid, generation, created=True)


def rotated(settings: Settings, **changes: Any) -> dict[str, Any]:
    """The changes of the settings that replace the secret."""
    old = {**(settings.old_webhook_secrets or {}), settings.webhook_key_version: settings.webhook_secret}
    version = settings.webhook_key_version + 1
    return {
        "webhook_secret": NEW_SECRET,
        "webhook_key_version": version,
        "old_webhook_secrets": old,
        **changes,
    }


async def restart(bench: Bench, **changes: Any) -> None:
    """From now on the bench has these settings, as if the process had been started anew with them."""
    bench.settings = bench.settings.model_copy(update=changes)
    desired = desired_of(bench.settings)
    await announce(bench.connection, desired)
    subscription = Subscription(bench.database.worker, bench.reconciler.registry, desired)
    bench.reconciler = replace(bench.reconciler, subscription=subscription)


async def called(bench: Bench, key_version: int) -> None:
    """ORCID has called an address of this version."""
    await generations.note_calls(bench.connection, [(key_version, "")])


async def at_orcid(bench: Bench, orcid: Orcid = O) -> dict[str, int | None]:
    """The webhooks that really exist, with the generation of each; None: nobody knows that address."""
    known = await generations.load(bench.connection)
    callbacks = callbacks_of(bench.settings)
    addresses = {
        callbacks.url(one.public_url, one.key_version, orcid): one.number
        for one in known
        if one.key_version in callbacks.secrets
    }
    return {hook.uri: addresses.get(hook.uri) for hook in bench.registry.webhooks.of(orcid)}


async def states(bench: Bench, orcid: Orcid = O) -> dict[int, str]:
    """What the inventory says of an iD, by generation."""
    return {hook.generation: hook.state for hook in await inventory.load(bench.connection, orcid)}


async def assert_all_known(bench: Bench, orcid: Orcid = O) -> None:
    """Every webhook that exists has its row (invariant S16)."""
    existing, written = await at_orcid(bench, orcid), await states(bench, orcid)
    assert {number for number in existing.values() if number not in written} == set(), (existing, written)
