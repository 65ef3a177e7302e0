"""The overview: what needs attention first, then the whole in figures and small charts."""

from collections.abc import Mapping
from typing import Any

from orcid_sync.service.explain.status_attention import attention
from orcid_sync.service.rendering.charts import bars, parts
from orcid_sync.service.rendering.page import Site
from orcid_sync.service.webhooks.health import assess
from orcid_sync.store.console import hourly_activity, overview
from orcid_sync.store.console.overview import Overview

HOURS = 48
"""Of the charts."""

FRESHNESS = {
    "within an hour": "best",
    "within a day": "good",
    "within 7 days": "fair",
    "within 30 days": "poor",
    "longer ago": "bad",
    "never": "none",
}
WEBHOOKS = {"active": "good", "registering": "fair", "verifying": "fair", "reviving": "poor", "removing": "none"}
"""What the parts of the strips look like."""

LISTS = {
    "connected": "connected",
    "locked": "not-active",
    "unclaimed": "not-active",
    "deactivated": "not-active",
    "deprecated": "not-active",
    "not-found": "not-active",
    "suspect": "token-suspect",
    "revoked": "token-over",
    "expired": "token-over",
    "disconnecting": "gone",
    "disconnected": "gone",
}
"""Where those who stand so are listed: states of records, tokens and connections."""

RECENT = ("within an hour", "within a day")


async def ask(site: Site) -> Mapping[str, Any]:
    """Everything on the page. Raises Problem."""
    async with site.working() as connection:
        seen = await overview.overview(connection)
        health = await assess(connection, site.rules)
        hours = await hourly_activity.hourly_counts(connection, hours=HOURS)
    return {
        "seen": seen,
        "now": seen.at,
        "hearing": health,
        "findings": attention(seen, health),
        "recent": recent(seen),
        "lists": LISTS,
        "changes": bars([(hour.began, hour.changes) for hour in hours]),
        "notifications": bars([(hour.began, hour.notifications) for hour in hours]),
        "freshness": parts(seen.freshness, FRESHNESS),
        "webhooks": parts(seen.webhooks, WEBHOOKS),
        "due": sum(lane.due for lane in seen.queue),
        "oldest": max((lane.oldest_seconds for lane in seen.queue), default=0.0),
    }


def recent(seen: Overview) -> float | None:
    """Share of the connected iDs that were verified within a day; None if none is connected."""
    total = sum(seen.freshness.values())
    return sum(seen.freshness.get(band, 0) for band in RECENT) / total if total else None
