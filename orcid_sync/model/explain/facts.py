"""Everything that is known of one iD and bears on the question why its mirror is as it is: the facts, not yet judged.

`service.explain.explain` gathers them for a view; `model.explain.explanation` makes of them what people read. What a
view does not show is not among them.
"""

from datetime import datetime, timedelta

from msgspec import Struct

from orcid_sync.model.analysis.audit import Finding
from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.doubts import Doubt
from orcid_sync.model.scopes import View
from orcid_sync.model.sync.record_states import Heard
from orcid_sync.model.sync.schedule import Lane


class Connection(Struct, frozen=True, kw_only=True):
    """The permission to follow the iD, and how the holder's token stands."""

    state: str
    """connected, disconnecting or disconnected."""
    connected_at: datetime
    disconnected_at: datetime | None
    erased_at: datetime | None
    access_state: str
    """granted, suspect, revoked, expired, or public: there is no token."""
    suspect_since: datetime | None
    suspect_reason: Heard | None
    """Why the token is in doubt."""
    refusals: int
    """How often in a row the token was refused."""
    scopes: list[str]
    granted_at: datetime | None
    expires_at: datetime | None
    shown: list[str] = []
    """Parts of the record of which the token has shown more than what is public."""
    ended_at: datetime | None
    """When the permission ended, by the consent ledger; None if it did not."""


class Record(Struct, frozen=True, kw_only=True):
    """The record itself, as the mirror has it."""

    state: str
    access: str
    """read-limited or read-public: what the mirror was read with."""
    primary_orcid: Orcid | None
    withheld: str | None
    registry_modified_at: datetime | None
    first_seen_at: datetime
    changed_at: datetime


class Queue(Struct, frozen=True, kw_only=True):
    """The iD's place in the queue."""

    due_at: datetime
    lane: Lane
    owed: bool
    """A read was asked for that has not been done."""
    leased: bool
    attempts: int
    """Failures in a row."""
    last_error: str | None
    second_look_at: datetime | None
    notified_at: datetime | None
    verified_at: datetime | None
    read_with: str | None
    """Access of the last read, with the parts of the record of which it shows more than what is public."""
    unconfirmed: str | None
    """The state that was told once and must be told again before it counts."""
    unconfirmed_at: datetime | None


class Webhook(Struct, frozen=True, kw_only=True):
    """A webhook of the iD's that may exist at ORCID."""

    generation: int
    present: bool
    """Whether it is of the generation that is wanted."""
    state: str
    requested_at: datetime
    registered_at: datetime | None
    last_called_at: datetime | None
    verified_at: datetime | None
    missed: int
    """Changes in a row that it did not announce."""
    suspect_since: datetime | None
    awaited_since: datetime | None
    """ORCID's date of a change whose notification may still come."""

    @property
    def alive_at(self) -> datetime | None:
        """When it was last seen alive."""
        return max(filter(None, (self.registered_at, self.last_called_at)), default=None)


class SideStep(Struct, frozen=True, kw_only=True):
    """Something at ORCID, beside the reading of the record, that fails and is tried again by itself."""

    step: str
    """webhook or revocation."""
    act: str
    """What could not be done: registered, removed, revoked, …"""
    attempts: int
    """Failures in a row."""
    error: str
    next_try_at: datetime | None


class WebhookHealth(Struct, frozen=True, kw_only=True):
    """Whether notifications can come at all."""

    wanted: bool
    """Whether ORCID is asked to notify us."""
    lost_before: datetime | None = None
    """Webhooks that were not seen alive since this moment may be dead; None: all live."""
    outage_since: datetime | None = None
    """Since when nobody can take notifications; None: somebody can."""
    silent_since: datetime | None = None
    """Since when no webhook of all has called, if that is suspicious."""


class Limits(Struct, frozen=True, kw_only=True):
    """What keeps all reads of ORCID waiting, or this one's; seconds, 0 if nothing does."""

    used_up_seconds: float = 0.0
    """ORCID said that our quota of the day is used up."""
    shed: bool = False
    """Our own budget of the day is used up for the lane of this iD."""
    used: int = 0
    daily_requests: int | None = None
    day_ends_seconds: float = 0.0
    paused_seconds: float = 0.0
    silent_seconds: float = 0.0
    failing_since: datetime | None = None
    """Since when ORCID gives no usable answer."""
    workers: int | None = None
    """Database connections of workers; behind a pooler that renames sessions it is 0."""


class Read(Struct, frozen=True, kw_only=True):
    """A reconciliation that found or failed at something; the same again and again counts once."""

    at: datetime
    """The last time."""
    first_at: datetime
    times: int
    cause: str
    outcome: str
    error: str | None
    changes: dict[str, int]
    """Numbers of changes by operation; empty for views that do not show all of them."""


class Line(Struct, frozen=True, kw_only=True):
    """A line of the change feed, as the view shows it."""

    section: str
    key: str
    op: str
    reason: str | None
    fields: list[str]
    minor: bool
    title: str
    """What the item is called; empty if that was forgotten."""


class ChangeSet(Struct, frozen=True, kw_only=True):
    """What one reconciliation changed, as far as the view shows it."""

    at: datetime
    cause: str
    source_modified_at: datetime | None
    """ORCID's date of the latest of these changes."""
    counts: dict[str, int]
    """Numbers by operation and section, minor changes apart: "added work", "minor"."""
    lines: list[Line]
    """The first few."""


class Item(Struct, frozen=True, kw_only=True):
    """An item that answers to what was asked for: in the mirror, or gone from it."""

    section: str
    key: str
    title: str
    """Empty if it was forgotten."""
    identifiers: list[str]
    """DOI and the like, "doi 10.1234/5678"."""
    visibility: str | None
    first_seen_at: datetime | None = None
    changed_at: datetime | None = None
    """Last changed in the mirror."""
    versions: int = 1
    """Of a work and its like: in the group that ORCID puts it in, itself included."""
    preferred_key: str | None = None
    """Of the version that stands for the group."""
    preferred_title: str | None = None
    gone_at: datetime | None = None
    """When it left the mirror; None: it is there."""
    gone_op: str | None = None
    """removed or withdrawn."""
    gone_reason: str | None = None
    gone_modified_at: datetime | None = None
    """ORCID's date of the record that did not show it any more."""


class Asked(Struct, frozen=True, kw_only=True):
    """One item that somebody asks about."""

    text: str
    """As it was asked: a DOI, a put-code, a part of a title."""
    found: list[Item]
    """Those in the mirror first, the latest first; not more than some."""
    set_aside: list[Doubt] = []
    """Parts of the record that cannot be understood and hold the text; nothing for readers."""


class Facts(Struct, frozen=True, kw_only=True):
    """All of it, as of one moment."""

    at: datetime
    """The database's clock."""
    orcid: Orcid
    view: View | None
    """What readers of this kind may see; None: all that the mirror holds, for whoever runs it."""
    connection: Connection | None
    """None: never connected."""
    record: Record | None
    """None: never read."""
    queue: Queue | None
    webhooks: list[Webhook]
    hearing: WebhookHealth
    limits: Limits
    reads: list[Read]
    """The latest first."""
    doubts: list[Doubt] = []
    """What the last answer left in doubt, the oldest first, as far as the view may know it; never what ORCID said."""
    side_steps: list[SideStep] = []
    """What fails beside the reading."""
    changes: list[ChangeSet] = []
    """The latest first."""
    items: dict[str, int] = {}
    """Items that the mirror holds, by visibility, as far as the view shows them."""
    item: Asked | None = None
    now: Finding | None = None
    """What ORCID shows at this moment, if it was asked."""

    @property
    def registered(self) -> Webhook | None:
        """The webhook that is wanted, if it is there."""
        return next((hook for hook in self.webhooks if hook.present), None)

    def ago(self, moment: datetime) -> timedelta:
        """Time since a moment."""
        return self.at - moment
