"""Reasons that lie with steps at ORCID beside the reading, which goes on: webhooks, and tokens to be revoked."""

from orcid_sync.model.explain.diagnosis import Diagnosis, DiagnosisKind
from orcid_sync.model.explain.facts import Facts, SideStep
from orcid_sync.model.text.phrases import failed, until


def webhook_failing(facts: Facts) -> Diagnosis | None:
    """ORCID does not take what we want of a webhook."""
    if not (failing := _of(facts, "webhook")):
        return None
    return Diagnosis(
        DiagnosisKind.WEBHOOK_FAILING,
        f"A webhook could not be {failing.act} at ORCID: {_tries(facts, failing)}. The record is read all the same, "
        "but perhaps only regular reads find changes until then.",
        f"To try it now: orcid-sync sync {facts.orcid} --wait",
    )


def revocation_failing(facts: Facts) -> Diagnosis | None:
    """ORCID does not take back a token that is not used any more."""
    if not (failing := _of(facts, "revocation")):
        return None
    return Diagnosis(
        DiagnosisKind.REVOCATION_FAILING,
        f"A token that is no longer used could not be revoked at ORCID: {_tries(facts, failing)}. The record is read "
        "all the same.",
        f"To try it now: orcid-sync sync {facts.orcid} --wait",
    )


def unfinished(facts: Facts) -> str:
    """What is left at ORCID of somebody who was disconnected, as the end of a sentence; empty if nothing fails."""
    words = {"webhook": "its webhook could not be removed", "revocation": "its token could not be revoked"}
    left = [f"{words[name]} ({_tries(facts, one)})" for name in words if (one := _of(facts, name))]
    return f"; at ORCID {' and '.join(left)}" if left else ""


def _of(facts: Facts, step: str) -> SideStep | None:
    return next((one for one in facts.side_steps if one.step == step), None)


def _tries(facts: Facts, failing: SideStep) -> str:
    tries = f"{failed(failing.attempts, 'try', 'tries')}, the last said: {failing.error}"
    return f"{tries}; the next is {until(failing.next_try_at or facts.at, facts.at)}"
