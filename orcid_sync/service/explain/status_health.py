"""The health of notifications in words: what needs an operator's attention, and the facts for `status`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from orcid_sync.model.text.phrases import number
from orcid_sync.model.text.wording import ago, moment
from orcid_sync.service.explain.status_findings import Finding

if TYPE_CHECKING:
    from orcid_sync.model.analysis.audit import Share
    from orcid_sync.model.webhooks.health import WebhookHealth

RUNBOOK = 'See "Webhooks fall silent" in deploy/docs/runbook.md.'


def troubles(health: "WebhookHealth") -> list[Finding]:
    """Everything about webhooks that needs somebody; nothing if they are switched off."""
    if not health.switched_on:
        return []
    return [*_outage(health), *_silence(health), *_missed(health), *_canary(health)]


def facts(health: "WebhookHealth") -> list[tuple[str, str]]:
    """What there is to know of notifications, as names and values."""
    if not health.switched_on:
        return [("notifications", "switched off")]
    found, missed = sum(health.verdicts.values()), health.missed
    told = (
        f"{_share(missed)} of {found} within {health.days} days" if missed else f"no changes within {health.days} days"
    )
    doubts = {"may be dead": health.webhooks.lost, "being revived": health.webhooks.reviving}
    doubts |= {"suspect": health.webhooks.suspect, "awaited": health.webhooks.awaited}
    return [
        ("last notification", ago(health.heard_at, health.at) if health.heard_at else "none yet"),
        ("changes not announced", told),
        ("webhooks in doubt", ", ".join(f"{count} {name}" for name, count in doubts.items() if count) or "none"),
    ]


def _outage(health: "WebhookHealth") -> Iterator[Finding]:
    lost = health.webhooks.lost
    if health.alive_at is None:
        yield Finding(
            "fail", "The service cannot receive notifications: no public listener has run. Start one: orcid-sync serve"
        )
    elif health.outage:
        used = f"{health.failures} of ORCID's {health.tries} tries may be used up"
        yield Finding(
            "fail",
            f"The service has been unable to receive notifications since {moment(health.outage.began)}: no public "
            f"listener runs, or it cannot reach the database; {used}.",
        )
        if lost:
            yield Finding(
                "warn",
                f"{number(lost, 'webhook')} may be dead; the service revives what is dead when it can receive "
                "notifications again.",
            )
    elif lost:
        yield Finding(
            "warn",
            f"{number(lost, 'webhook')} may be dead, because ORCID could not reach the service for too long; "
            "the service revives what is dead.",
        )


def _silence(health: "WebhookHealth") -> Iterator[Finding]:
    if health.silence:
        since, expected = moment(health.silence.since), health.silence.expected
        yield Finding(
            "fail", f"No notification has arrived since {since}, though about {expected:.0f} were expected. {RUNBOOK}"
        )


def _missed(health: "WebhookHealth") -> Iterator[Finding]:
    if health.deaf and health.missed:
        found = number(sum(health.verdicts.values()), "change")
        yield Finding(
            "warn",
            f"ORCID did not announce {_share(health.missed)} of the {found} found within {health.days} "
            f"days; regular reads found these. {RUNBOOK}",
        )


def _canary(health: "WebhookHealth") -> Iterator[Finding]:
    if health.canary and health.canary_heard_at is None:
        yield Finding("warn", f"The canary {health.canary} is not connected. Run: orcid-sync connect {health.canary}")
    elif health.canary_silent and health.canary_heard_at:
        since = moment(health.canary_heard_at)
        yield Finding("fail", f"No notification about the canary {health.canary} has arrived since {since}. {RUNBOOK}")


def _share(share: "Share") -> str:
    return f"{share.share:.0%} ({share.low:.0%} to {share.high:.0%})"
