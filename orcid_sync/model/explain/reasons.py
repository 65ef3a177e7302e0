"""The diagnosis: a table of reasons, the weightier first. The first that holds is the answer."""

from collections.abc import Callable, Sequence

from orcid_sync.model.explain import (
    reasons_doubts,
    reasons_item,
    reasons_reading,
    reasons_record,
    reasons_side_steps,
)
from orcid_sync.model.explain.diagnosis import Diagnosis, DiagnosisKind
from orcid_sync.model.explain.facts import Facts

Reason = Callable[[Facts], Diagnosis | None]
"""Says in words why the mirror is as it is, if it is for this reason."""

REASONS: Sequence[Reason] = (
    # There is nothing to be read.
    reasons_record.never_connected,
    reasons_record.disconnected,
    reasons_record.closed,
    reasons_record.unconfirmed,
    # What is known of the item that was asked about.
    reasons_item.removed,
    reasons_item.withheld,
    reasons_doubts.of_the_item,
    reasons_doubts.part_set_aside,
    reasons_item.merged,
    reasons_item.restricted,
    # The mirror may be behind.
    reasons_reading.quota,
    reasons_reading.away,
    reasons_doubts.unheard,
    reasons_doubts.held,
    reasons_reading.stale,
    reasons_reading.failing,
    # Parts of the last answer are in doubt.
    reasons_doubts.unspoken,
    reasons_doubts.set_aside,
    reasons_doubts.full_forms,
    reasons_reading.perhaps_stale,
    # The next read comes late, or is on its way.
    reasons_reading.overdue,
    reasons_reading.pending,
    # We see less than we did.
    reasons_record.token_over,
    reasons_record.token_suspect,
    # We may not hear of changes.
    reasons_reading.differs,
    reasons_reading.not_compared,
    reasons_side_steps.webhook_failing,
    reasons_reading.webhook_dead,
    reasons_reading.webhook_missing,
    reasons_reading.deaf,
    # What is left to be done at ORCID.
    reasons_side_steps.revocation_failing,
    # All is well, so it is as it is at ORCID.
    reasons_item.present,
    reasons_item.unseen,
    reasons_item.lately_removed,
)
"""In the order of precedence: what makes the question pointless comes before what answers it, and a certain answer
before a likely one."""

CLOSING = frozenset(
    {DiagnosisKind.NEVER_CONNECTED, DiagnosisKind.DISCONNECTED, DiagnosisKind.DEPRECATED, DiagnosisKind.DEACTIVATED}
)
"""After these nothing else matters."""


def diagnose(facts: Facts) -> list[Diagnosis]:
    """Everything that holds, the answer first; never nothing."""
    found = [diagnosis for reason in REASONS if (diagnosis := reason(facts))]
    if not found:
        return [reasons_item.well(facts)]
    return found[:1] if found[0].complaint in CLOSING else found
