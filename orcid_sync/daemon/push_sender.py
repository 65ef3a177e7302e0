"""The outgoing side, composed from the settings: the sender of pushes, and the addresses that it may reach."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_network

from orcid_sync.service.http.metrics import Metrics
from orcid_sync.service.pushes.delivery import Delivery
from orcid_sync.service.pushes.guarded_client import Rules, open_guarded_client
from orcid_sync.service.pushes.push_loop import PushLoop
from orcid_sync.service.runtime.health import Heartbeats
from orcid_sync.settings.settings import Settings
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.database.pools import PUSHER, Database, open_pool

CONNECTIONS = 4
"""To the database, of their own: a thousand messages under way keep no reconciliation waiting."""


def egress_rules(settings: Settings) -> Rules:
    """What pushes may reach."""
    networks = [ip_network(network) for network in settings.push_networks or ()]
    return Rules(allowed=networks, plain_http=settings.push_plain_http)


@asynccontextmanager
async def pushing(
    settings: Settings, database: Database, metrics: Metrics, heartbeats: Heartbeats
) -> AsyncIterator[PushLoop]:
    """What sends, running; it should have been stopped when the context ends."""
    async with (
        open_pool(database.dsn, PUSHER, size=CONNECTIONS) as pool,
        open_guarded_client(egress_rules(settings), seconds=settings.push_timeout_seconds) as courier,
    ):
        delivery = Delivery(
            pool=pool,
            courier=courier,
            vault=Vault(settings.key_ring),
            seconds=settings.push_timeout_seconds,
            spare_seconds=settings.lease_seconds,
            chance=random.random,
            clock=lambda: datetime.now(UTC),
            counted=metrics.count_push,
        )
        pusher = PushLoop(
            database,
            delivery,
            capacity=settings.push_workers,
            poll_seconds=settings.poll_seconds,
            heartbeats=heartbeats,
        )
        running = asyncio.create_task(pusher.run(), name="pusher")
        try:
            yield pusher
        finally:
            await pusher.stop(0)
            await running
