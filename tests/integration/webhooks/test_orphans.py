"""Webhooks that nobody remembers: they end absent, and their records are never read."""

from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from orcid_sync.daemon.jobs import make_jobs
from orcid_sync.model.ids import Orcid
from orcid_sync.service.record.side_steps import Effort
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.consent import connections
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.consent.erasure import erase
from orcid_sync.store.sync import sweeps
from orcid_sync.store.webhooks import inventory
from rig.service.daemon import callback_of, serving
from rig.service.reconciler import Bench, O
from rig.service.settings import settings_for

A = Orcid("0000-0002-1825-0097")


@pytest.mark.fault("F11")
@pytest.mark.invariant("S16")
async def test_an_orphan_of_a_restored_database_is_removed_at_orcid(
    dsn: str, connection: asyncpg.Connection, registry: SimulatedRegistry, wait_until: Callable[..., Any]
) -> None:
    """The backup is older than the connection: nothing here knows the iD, only ORCID has our webhook."""
    settings = settings_for(registry)
    registry.webhooks.put(O, callback_of(settings, O).replace(":", "%3A").replace("/", "%2F"), CLIENT_ID)

    async with serving(settings, dsn) as service:
        assert await service.post(O) == 204
        await wait_until(lambda: not registry.webhooks.of(O), 10)
        ended = "select count(*) from orcid_sync.connections where state = 'disconnected'"
        await wait_until(lambda: connection.fetchval(ended), 10)

    assert await inventory.load(connection, O) == []
    assert [one.endpoint for one in registry.journal.requests if one.endpoint == "record"] == []
    assert await connection.fetchval("select count(*) from orcid.records") == 0


async def test_who_is_known_is_not_adopted(connection: asyncpg.Connection) -> None:
    await connect_orcids(connection, [Entry(orcid=A)])

    await connections.take_over_unknown_webhooks(connection, [A])

    assert await connections.counts(connection) == {("connected", "public"): 1}
    assert await inventory.load(connection, A) == []


@pytest.mark.invariant("S16")
async def test_a_webhook_registered_by_a_worker_that_came_too_late_is_found(bench: Bench) -> None:
    """It had looked at the connection before the erasure, and told ORCID after all was removed there."""
    await bench.connect()
    await bench.turn()
    await erase(bench.connection, O, by="operator", learnt="command")
    assert await bench.turn() == "disconnected"
    assert await sweeps.mark_unfinished_disconnections(bench.connection) == 0
    assert bench.reconciler.subscription is not None
    await bench.reconciler.subscription.ensure(O, Effort(at_once=True, chance=lambda: 0.5))
    assert bench.registry.webhooks.of(O)

    assert await sweeps.mark_unfinished_disconnections(bench.connection) == 1
    assert await bench.turn() == "disconnected"

    assert not bench.registry.webhooks.of(O)
    assert await bench.webhook_rows() == []
    assert await sweeps.mark_unfinished_disconnections(bench.connection) == 0


async def test_what_fails_and_is_tried_again_is_left_to_its_own_time(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    await bench.disconnect()
    bench.registry.faults.add("error", "webhook-delete", count=4, status=500)
    assert await bench.turn() == "failed"

    assert await sweeps.mark_unfinished_disconnections(bench.connection) == 0
    assert "left-behind" in {job.name for job in make_jobs(check_interval=bench.reconciler.grace)}
