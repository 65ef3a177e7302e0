"""What about the webhooks needs an operator's attention, and how far a rotation has come: sentences, no I/O."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from orcid_sync.model.text.phrases import number
from orcid_sync.model.text.wording import ago, duration, moment
from orcid_sync.service.explain.status_findings import Finding

if TYPE_CHECKING:
    from orcid_sync.model.webhooks.registration import Generation
    from orcid_sync.store.webhooks.convergence import Inventory


def webhook_findings(seen: "Inventory", *, overlap_seconds: float) -> list[Finding]:
    """Everything that is not as it should be, the most urgent first; empty if all is well."""
    found = [
        *_workers(seen),
        *_lost(seen),
        *_present(seen),
        *_replacing(seen, overlap_seconds),
        *_work(seen),
        *_suspects(seen),
    ]
    return sorted(found, key=lambda finding: ["fail", "warn", "note"].index(finding.severity))


def role(one: "Generation", seen: "Inventory") -> str:
    """What becomes of the webhooks of a generation."""
    if one.present_since is not None:
        return f"present since {moment(one.present_since)}"
    if not seen.of(one):
        return "over"
    if not one.derivable:
        return "lost: its secret is not set"
    if seen.present is None:
        return "being removed: webhooks are off"
    return "being removed" if seen.present.works or one.given_up_at else "kept until ORCID calls the present one"


def _workers(seen: "Inventory") -> Iterator[Finding]:
    if seen.visits.total and not seen.at_work:
        yield Finding("fail", "No worker runs, and only workers send requests to ORCID. Start one: orcid-sync serve")


def _lost(seen: "Inventory") -> Iterator[Finding]:
    for one in seen.lost:
        yield Finding(
            "warn",
            f"{seen.number('lost', one)} webhooks of generation {one.number} cannot be removed, and the service "
            f"refuses their calls: the secret of key version {one.key_version} is not set. Add it to "
            f"old_webhook_secrets. If it is lost for ever: orcid-sync webhooks forget {one.number}",
        )


def _present(seen: "Inventory") -> Iterator[Finding]:
    if seen.present is None:
        known = (
            "Webhooks are off (webhooks = false)."
            if seen.generations
            else "No process of the service has been started yet. Start one: orcid-sync serve"
        )
        yield Finding("note", known)


def _replacing(seen: "Inventory", overlap_seconds: float) -> Iterator[Finding]:
    waiting, present = seen.number("wait"), seen.present
    if not waiting or present is None:
        return
    if present.works or any(one.given_up_at for one in seen.generations if seen.number("wait", one)):
        yield Finding(
            "note", f"{waiting} older webhooks stay until the new ones have existed for {duration(overlap_seconds)}."
        )
        return
    yield Finding(
        "note",
        f"{waiting} older webhooks stay until ORCID calls a new one, at {present.public_url} with key version "
        f"{present.key_version}: no call has arrived since {moment(present.present_since or seen.at)}. ORCID calls "
        "when a connected record is edited.",
    )


def _work(seen: "Inventory") -> Iterator[Finding]:
    visits = seen.visits
    if visits.waiting:
        yield Finding("note", f"The service is correcting the webhooks of {number(visits.waiting, 'iD')}.")
    if visits.failing:
        yield Finding(
            "warn",
            f"Requests for the webhooks of {number(visits.failing, 'iD')} failed; the service retries them. "
            "Why: orcid-sync status",
        )
    if visits.idle:
        oldest = f", the oldest {ago(seen.oldest_requested_at, seen.at)}" if seen.oldest_requested_at else ""
        yield Finding(
            "warn",
            f"The webhooks of {number(visits.idle, 'iD')} are not correct: not started yet, or refused by ORCID"
            f"{oldest}. Do it now: orcid-sync webhooks apply",
        )


def _suspects(seen: "Inventory") -> Iterator[Finding]:
    if seen.suspects:
        yield Finding("warn", f"{number(seen.suspects, 'webhook')} may be dead; the service revives what is dead.")
