"""Webhooks: the inventory, what is not as it should be, how well they announce changes."""

from collections.abc import Mapping
from typing import Any

from orcid_sync.service.console.overview import HOURS, WEBHOOKS
from orcid_sync.service.explain.status_findings import urgent_first
from orcid_sync.service.explain.status_health import facts, troubles
from orcid_sync.service.explain.status_webhooks import role, webhook_findings
from orcid_sync.service.rendering.charts import bars, parts
from orcid_sync.service.rendering.page import Site
from orcid_sync.service.webhooks.health import assess
from orcid_sync.store.console import hourly_activity
from orcid_sync.store.webhooks import convergence, evidence

DAYS = 14
"""Of which it is told how changes were found."""

ALARMS = 10
"""That are shown, the latest."""


async def ask(site: Site) -> Mapping[str, Any]:
    """Everything on the page. Raises Problem."""
    async with site.working() as connection:
        seen = await convergence.inventory(connection, overlap=site.overlap)
        health = await assess(connection, site.rules)
        hours = await hourly_activity.hourly_counts(connection, hours=HOURS)
        days = await evidence.days(connection, limit=DAYS)
        alarms = await evidence.alarms(connection, limit=ALARMS)
    found = [*troubles(health), *webhook_findings(seen, overlap_seconds=site.overlap.total_seconds())]
    states: dict[str, int] = {}
    for counts in seen.states.values():
        for state, number in counts.items():
            states[state] = states.get(state, 0) + number
    return {
        "seen": seen,
        "now": seen.at,
        "facts": facts(health),
        "findings": urgent_first(found),
        "webhooks": parts(states, WEBHOOKS),
        "generations": [(one, seen.states.get(one.number, {}), role(one, seen)) for one in seen.generations],
        "notifications": bars([(hour.began, hour.notifications) for hour in hours]),
        "days": days,
        "alarms": alarms,
    }
