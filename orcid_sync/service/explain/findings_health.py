"""How well we hear of changes, in words: what needs somebody, and the facts for `status`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from orcid_sync.model.text.wording import ago, moment
from orcid_sync.service.explain.findings import Finding

if TYPE_CHECKING:
    from orcid_sync.model.analysis.audit import Share
    from orcid_sync.model.webhooks.health import Hearing

RUNBOOK = 'See "Webhooks fall silent" in deploy/docs/runbook.md.'


def troubles(hearing: "Hearing") -> list[Finding]:
    """Everything about webhooks that needs somebody; nothing if they are switched off."""
    if not hearing.switched_on:
        return []
    return [*_outage(hearing), *_silence(hearing), *_missed(hearing), *_canary(hearing)]


def facts(hearing: "Hearing") -> list[tuple[str, str]]:
    """What there is to know of notifications, as names and values."""
    if not hearing.switched_on:
        return [("notifications", "switched off")]
    number, missed = sum(hearing.verdicts.values()), hearing.missed
    told = f"{_share(missed)} of {number} within {hearing.days} days" if missed else "nothing to tell from"
    doubts = {"may be lost": hearing.webhooks.lost, "being revived": hearing.webhooks.reviving}
    doubts |= {"suspect": hearing.webhooks.suspect, "awaited": hearing.webhooks.awaited}
    return [
        ("last notification", ago(hearing.heard_at, hearing.at) if hearing.heard_at else "none yet"),
        ("changes not announced", told),
        ("webhooks in doubt", ", ".join(f"{count} {name}" for name, count in doubts.items() if count) or "none"),
    ]


def _outage(hearing: "Hearing") -> Iterator[Finding]:
    lost = hearing.webhooks.lost
    if hearing.alive_at is None:
        yield Finding("fail", "Notifications cannot be taken: no public listener has run. Start: orcid-sync serve")
    elif hearing.outage:
        used = f"{hearing.failures} of the {hearing.tries} tries that ORCID makes may be used up"
        yield Finding(
            "fail",
            f"Notifications cannot be taken since {moment(hearing.outage.began)}: no public listener is alive, or it "
            f"cannot reach the database; {used}.",
        )
        if lost:
            yield Finding(
                "warn", f"{lost} webhooks may be lost; they are revived when notifications can be taken again."
            )
    elif lost:
        yield Finding(
            "warn", f"{lost} webhooks may be lost, since ORCID could not reach us for too long; they are being revived."
        )


def _silence(hearing: "Hearing") -> Iterator[Finding]:
    if hearing.silence:
        since, expected = moment(hearing.silence.since), hearing.silence.expected
        yield Finding(
            "fail", f"No notification has come since {since}, though some {expected:.0f} were to be expected. {RUNBOOK}"
        )


def _missed(hearing: "Hearing") -> Iterator[Finding]:
    if hearing.deaf and hearing.missed:
        number = sum(hearing.verdicts.values())
        yield Finding(
            "warn",
            f"ORCID did not announce {_share(hearing.missed)} of the {number} changes found within {hearing.days} "
            f"days; regular reads found them. {RUNBOOK}",
        )


def _canary(hearing: "Hearing") -> Iterator[Finding]:
    if hearing.canary and hearing.canary_heard_at is None:
        yield Finding("warn", f"The canary {hearing.canary} is not connected. Run: orcid-sync connect {hearing.canary}")
    elif hearing.canary_silent and hearing.canary_heard_at:
        since = moment(hearing.canary_heard_at)
        yield Finding("fail", f"The canary {hearing.canary} has not been heard of since {since}. {RUNBOOK}")


def _share(share: "Share") -> str:
    return f"{share.share:.0%} ({share.low:.0%} to {share.high:.0%})"
