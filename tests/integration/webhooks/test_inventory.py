"""The inventory of webhooks: every one that may exist at ORCID has a row."""

from collections.abc import Callable

import asyncpg
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.webhooks.registration import HookState
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.webhooks import inventory
from rig.service.webhook_inventory import present


@pytest.fixture
def orcid(sample_orcids: Callable[[int], list[Orcid]]) -> Orcid:
    return sample_orcids(1)[0]


@pytest.mark.invariant("S16")
async def test_every_webhook_that_may_exist_has_a_row(connection: asyncpg.Connection, orcid: Orcid) -> None:
    await connect_orcids(connection, [Entry(orcid=orcid)])

    async def states() -> list[tuple[int, str]]:
        return [(webhook.key_version, webhook.state) for webhook in await inventory.load(connection, orcid)]

    one, two = await present(connection, 1), await present(connection, 2)
    await inventory.begin(connection, orcid, one, HookState.REGISTERING)
    assert await states() == [(1, "registering")]
    await inventory.confirm_registration(connection, orcid, one, created=True)
    await inventory.begin(connection, orcid, two, HookState.REGISTERING)
    assert await states() == [(1, "active"), (2, "registering")]
    begun_at = await inventory.begin_removal(connection, orcid, one)
    await inventory.confirm_removal(connection, orcid, two, begun_at)
    assert await states() == [(1, "removing"), (2, "registering")], "only what was being removed goes"
    await inventory.confirm_registration(connection, orcid, two, created=True)
    assert await inventory.counts(connection) == {(one, "removing"): 1, (two, "active"): 1}
    await inventory.confirm_removal(connection, orcid, one, begun_at)
    assert await states() == [(2, "active")]
    await inventory.begin(connection, orcid, two, HookState.REVIVING)
    [again] = await inventory.load(connection, orcid)
    assert again.state == "reviving"
    assert again.registered_at is not None


@pytest.mark.fault("F100")
@pytest.mark.invariant("S16")
async def test_whoever_registered_while_another_removed_leaves_a_row(
    connection: asyncpg.Connection, orcid: Orcid
) -> None:
    """Which of the two ORCID heard last is not known; so the webhook may be there, and somebody has to look again."""
    await connect_orcids(connection, [Entry(orcid=orcid)])
    number = await present(connection)
    await inventory.begin(connection, orcid, number, HookState.REGISTERING)
    begun_at = await inventory.begin_removal(connection, orcid, number)
    await inventory.confirm_registration(connection, orcid, number, created=True)
    await inventory.confirm_removal(connection, orcid, number, begun_at)
    assert [hook.state for hook in await inventory.load(connection, orcid)] == ["removing"]

    begun_at = await inventory.begin_removal(connection, orcid, number)
    await inventory.confirm_removal(connection, orcid, number, begun_at)
    await inventory.confirm_registration(connection, orcid, number, created=True)
    assert [hook.state for hook in await inventory.load(connection, orcid)] == ["active"]
