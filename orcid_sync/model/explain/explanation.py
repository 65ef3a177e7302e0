"""The answer to "why is this so?": one sentence, the facts behind it, and a time line.

    facts = await service.explain.explain.gather(connection, orcid, …)  # reads only
    explanation = explain(facts)                                       # this module, pure
    print, render or encode it                                         # cli.records.explain, the pages, JSON

What a view does not show is not in the facts, so it cannot be in the explanation.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from orcid_sync.model.analysis.audit import Finding
from orcid_sync.model.explain.diagnosis import Diagnosis
from orcid_sync.model.explain.facts import Asked, Facts
from orcid_sync.model.explain.reasons import diagnose
from orcid_sync.model.explain.summary import Fact, standing
from orcid_sync.model.explain.timeline import Event, timeline
from orcid_sync.model.ids import Orcid
from orcid_sync.model.scopes import View


class Explanation(Struct, frozen=True, kw_only=True):
    """What people are told."""

    at: datetime
    """The moment of which all this is true."""
    orcid: Orcid
    view: View | None
    """For whose eyes; None: for whoever runs the service."""
    diagnosis: Diagnosis
    """The one sentence that answers, with what can be done."""
    also: Sequence[Diagnosis]
    """What else holds, the weightier first; often nothing."""
    facts: Sequence[Fact]
    """How everything stands, name by name."""
    timeline: Sequence[Event]
    """What happened, the earliest first; then what is to come."""
    item: Asked | None
    """The item that was asked about, and what was found of it."""
    now: Finding | None
    """What ORCID shows at this moment compared with the mirror, if it was asked."""


def explain(facts: Facts) -> Explanation:
    """Judge the facts."""
    first, *others = diagnose(facts)
    return Explanation(
        at=facts.at,
        orcid=facts.orcid,
        view=facts.view,
        diagnosis=first,
        also=others,
        facts=standing(facts),
        timeline=timeline(facts),
        item=facts.item,
        now=facts.now,
    )
