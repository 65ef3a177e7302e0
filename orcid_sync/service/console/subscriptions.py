"""Subscriptions: who follows the changes, by pushes or at the feed, how far they are, what could not be delivered."""

from collections.abc import Mapping
from typing import Any

from orcid_sync.model.pushes.delivery import PAUSED
from orcid_sync.service.rendering.charts import parts
from orcid_sync.service.rendering.page import Site
from orcid_sync.store.console import overview
from orcid_sync.store.feed import consumers
from orcid_sync.store.pushes import redelivery, subscriptions
from orcid_sync.store.pushes.subscriptions import Subscription

STATES = {"stopped": "bad", "failing": "poor", "paused": "none", "active": "good"}
"""What they look like, the most troubled first."""

MOST = 200
"""Subscriptions, and parts of the feed, that are listed."""


async def ask(site: Site) -> Mapping[str, Any]:
    """Everything on the page. Raises Problem."""
    async with site.working() as connection:
        now = await overview.clock(connection)
        found = await subscriptions.load_all(connection)
        ranges = await redelivery.ranges(connection)
        readers = await consumers.load(connection)
    numbers: dict[str, int] = {}
    for one in found:
        numbers[one.state] = numbers.get(one.state, 0) + 1
    return {
        "now": now,
        "states": parts(numbers, STATES),
        "subscriptions": sorted(found, key=_trouble)[:MOST],
        "number": len(found),
        "ranges": ranges[:MOST],
        "lost": len(ranges),
        "consumers": readers,
        "paused": PAUSED,
    }


def _trouble(one: Subscription) -> tuple[int, str]:
    return list(STATES).index(one.state), one.name
