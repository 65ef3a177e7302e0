"""All findings about the service in one list, for `status` and the overview page."""

from typing import TYPE_CHECKING

from orcid_sync.service.explain.status_doubts import doubtful
from orcid_sync.service.explain.status_findings import Finding, findings, urgent_first
from orcid_sync.service.explain.status_health import troubles

if TYPE_CHECKING:
    from orcid_sync.model.webhooks.health import WebhookHealth
    from orcid_sync.store.console.overview import Overview


def attention(seen: "Overview", health: "WebhookHealth") -> list[Finding]:
    """Everything that needs somebody, the most urgent first; empty if all is well."""
    return urgent_first([*findings(seen), *doubtful(seen.doubts), *troubles(health)])
