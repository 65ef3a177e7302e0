"""The health of all webhooks together: what is known of it, and what of it is alarming."""

import enum
from datetime import datetime, timedelta

from msgspec import Struct

from orcid_sync.model.analysis.audit import Share, share_of
from orcid_sync.model.ids import Orcid
from orcid_sync.model.webhooks.dead_webhooks import Outage, Sender
from orcid_sync.model.webhooks.evidence import Verdict
from orcid_sync.model.webhooks.silence import Silence

DAYS = 7
"""Over how many days verdicts are counted."""

DEAF_SHARE = 0.05
"""If more of the changes than this are surely not announced, it is not a webhook here and there."""

FEW = 3
"""Fewer missed changes are webhooks here and there, whatever the share."""


class AlarmKind(enum.StrEnum):
    """What can be alarming."""

    OUTAGE = "outage"
    """Webhooks may be lost, since nobody could answer ORCID for so long."""
    SILENCE = "silence"
    """None of all webhooks called for unusually long."""
    CANARY = "canary"
    """The record that is edited on a schedule was not heard of."""


class Rules(Struct, frozen=True, kw_only=True):
    """What operators can set."""

    sender: Sender = Sender()
    grace: timedelta = timedelta(hours=6)
    """How long after a change its notification may come."""
    canary: Orcid | None = None
    """An iD that is edited on a schedule."""
    canary_within: timedelta = timedelta(hours=48)
    """How seldom it may be heard of."""


class Webhooks(Struct, frozen=True, kw_only=True):
    """How many webhooks are in doubt."""

    lost: int
    """May be dead: the tries that failed while nobody could answer were nearly all or all that ORCID makes."""
    reviving: int
    suspect: int
    """Did not announce a change that they should have."""
    awaited: int
    """A change was found whose notification may still come."""


class WebhookHealth(Struct, frozen=True, kw_only=True):
    """How well we hear, as of one moment."""

    at: datetime
    switched_on: bool
    """Whether ORCID is asked to notify us."""
    alive_at: datetime | None
    """When a public listener was last alive; None: none has ever been."""
    heard_at: datetime | None
    """When the last notification came."""
    outage: Outage | None
    """The present time in which nobody can answer ORCID."""
    failures: int
    """How many of a webhook's tries may have failed in it."""
    tries: int
    """How many ORCID makes."""
    alive_since: datetime | None
    """Webhooks that were not seen alive since this moment may be lost; None: none is."""
    webhooks: Webhooks
    silence: Silence | None
    verdicts: dict[Verdict, int]
    """Changes of the last days by how they were found."""
    days: int = DAYS
    canary: Orcid | None = None
    canary_heard_at: datetime | None = None
    """When it was last heard of, or connected; None: it is not connected."""
    canary_silent: bool = False

    @property
    def missed(self) -> Share | None:
        """Share of the changes that no webhook announced."""
        return share_of(self.verdicts[Verdict.MISSED], sum(self.verdicts.values()))

    @property
    def deaf(self) -> bool:
        """Whether so many changes are not announced that it is not a webhook here and there."""
        return self.verdicts[Verdict.MISSED] >= FEW and self.missed is not None and self.missed.low > DEAF_SHARE

    @property
    def alarms(self) -> dict[AlarmKind, datetime]:
        """What is alarming, and since when."""
        if not self.switched_on:
            return {}
        found = {}
        if self.webhooks.lost and self.alive_since:
            found[AlarmKind.OUTAGE] = self.outage.began if self.outage else self.alive_since
        if self.silence:
            found[AlarmKind.SILENCE] = self.silence.since
        if self.canary_silent and self.canary_heard_at:
            found[AlarmKind.CANARY] = self.canary_heard_at
        return found
