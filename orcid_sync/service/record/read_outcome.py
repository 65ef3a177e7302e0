"""The values of a reconciliation: its connection, what was found, and how it ends before it is committed."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.access import PUBLIC, Access, access_from
from orcid_sync.model.record.doubts import Doubt
from orcid_sync.model.record.unknown_members import Unknown
from orcid_sync.model.sync.record_states import USABLE
from orcid_sync.model.sync.schedule import Cause, Settlement, Turn
from orcid_sync.service.record.changeset import NOTHING, Changeset
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.sync.access import Known
from orcid_sync.store.sync.queue import Lease

Effect = Callable[[AnyConnection, Orcid], Awaitable[None]]
"""Something else than the mirror that changes with it, in the same transaction."""


class Superseded(Exception):
    """While the Registry was asked, the connection has changed; what was read is read again."""

    def __init__(self, detail: str = "the token was replaced") -> None:
        super().__init__(detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One leased iD on its way through."""

    lease: Lease
    turn: Turn
    known: Known
    token: str | None = field(repr=False)
    """The holder's token; None: our own."""
    access: Access
    """What it shows; before the read, as far as that is known."""
    announced: bool = False
    """Whether a webhook of ours will announce changes of it."""
    in_doubt: bool = False
    """Whether it is read with our own token, because the holder's is in doubt.

    `access` is then what the mirror was read with, as long as it is not known what becomes of that.
    """
    again_in: timedelta | None = None
    """Time until a step beside the read that failed is tried again: then the iD is due at the latest."""

    @property
    def orcid(self) -> Orcid:
        """The iD."""
        return self.lease.orcid

    @property
    def read_with(self) -> Access:
        """What the mirror was read with."""
        return access_from(self.lease.body_access)

    @property
    def hides(self) -> str | None:
        """What readers are not shown, whatever the answer shows."""
        return "limited" if self.in_doubt and self.access != PUBLIC else None

    @property
    def is_narrower(self) -> bool:
        """Whether the mirror was read with more access than there should be now; known without a read."""
        return not self.access.covers(self.read_with)

    @property
    def has_lost_sight(self) -> bool:
        """Whether the mirror was read with more access than this read had; known after it."""
        return not self.read_with.seen <= self.access.seen

    @property
    def usable(self) -> bool:
        """Whether there is a holder's token that has not come to its end."""
        return self.known.access_token is not None and self.known.access_state in USABLE

    @property
    def expires_in(self) -> timedelta | None:
        """Time until the holder's token expires; None if it does not, or if there is none in use."""
        if not self.usable or self.known.expires_at is None:
            return None
        return self.known.expires_at - self.lease.leased_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How a reconciliation ends, before it is committed."""

    outcome: str
    """One word, for logs and metrics."""
    settlement: Settlement
    changeset: Changeset = NOTHING
    effects: tuple[Effect, ...] = ()
    """In the order in which they are to happen."""
    cause: Cause | None = None
    """What led to the read, for the change feed, if it is not what the queue says."""
    doubts: Sequence[Doubt] | None = None
    """All that is unknown or unconfirmed from now on; None: as before."""
    unknown: Sequence[Unknown] = ()
    """Members of the answer that no column is made of."""
