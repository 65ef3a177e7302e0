"""Judging the mirror by a random sample of records read anew: what share is identical, and why others are not."""

import enum
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from orcid_sync.model.ids import Orcid

_Z = 1.959964
"""Standard normal quantile of a 95 % interval."""


class Verdict(enum.StrEnum):
    """What was found of one record, with the likely cause of a difference."""

    IDENTICAL = "identical"
    PENDING = "pending"
    """Different, but known to be due: a notification was heard, or a second look is owed."""
    NEWER = "newer"
    """Different, and changed at ORCID since it was last verified: nothing has told of it yet."""
    DRIFTED = "drifted"
    """Different, though ORCID's date is the one that we know: names of sources, organisations, caches (contract
    section 3.9), or a defect."""
    PARTLY = "partly"
    """What could be compared is identical, but of a section ORCID's answer did not speak, or not in a way that makes
    sense (contract section 12a); says nothing about the rest."""
    UNREADABLE = "unreadable"
    """ORCID did not give it this time, or gave no record; says nothing about the mirror."""
    FAILED = "failed"
    """It could not be compared for a reason that lies here: the database, a sealed token, a defect."""


COUNTED = frozenset(Verdict) - {Verdict.PARTLY, Verdict.UNREADABLE}
"""What the share is taken of. A record that we fail to compare is not known to be identical: it counts against it."""


class Finding(Struct, frozen=True, kw_only=True):
    """What was found of one record."""

    orcid: Orcid
    verdict: Verdict
    differences: dict[str, int] = {}
    """Numbers by section and kind: "work missing" (ORCID has it, the mirror does not), "work extra", "work differs"."""
    verified_at: datetime | None = None
    """When the mirror was last known to be right."""
    changed_at: datetime | None = None
    """ORCID's date of the record."""
    reason: str | None = None
    """Why it could not be read or compared, in words; never a content."""


class Share(Struct, frozen=True):
    """A share with its 95 % confidence interval."""

    share: float
    low: float
    high: float


def share_of(hits: int, number: int) -> Share | None:
    """The share with Wilson's interval, which holds for small samples and near 0 and 1 too; None of nothing."""
    if not number:
        return None
    share, z2 = hits / number, _Z**2
    centre = (share + z2 / (2 * number)) / (1 + z2 / number)
    half = _Z * math.sqrt(share * (1 - share) / number + z2 / (4 * number**2)) / (1 + z2 / number)
    return Share(share, max(0.0, centre - half), min(1.0, centre + half))


def identical_share(counts: Mapping[Verdict, int]) -> Share | None:
    """Share of the identical ones among those that ORCID gave whole."""
    return share_of(counts.get(Verdict.IDENTICAL, 0), sum(counts.get(verdict, 0) for verdict in COUNTED))


def count(findings: Iterable[Finding]) -> dict[Verdict, int]:
    """Numbers by verdict."""
    return dict(Counter(finding.verdict for finding in findings))


def judge(*, differs: bool, due: bool, known_ms: int | None, answered_ms: int | None) -> Verdict:
    """The verdict on a record that was read: `due` if something already asked for a read of it."""
    if not differs:
        return Verdict.IDENTICAL
    if due:
        return Verdict.PENDING
    newer = answered_ms is not None and (known_ms is None or answered_ms > known_ms)
    return Verdict.NEWER if newer else Verdict.DRIFTED
