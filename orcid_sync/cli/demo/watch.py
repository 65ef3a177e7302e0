"""Watching the feed: each change with the edit and the notification that led to it, and how long both took."""

from collections import deque
from datetime import UTC, datetime
from statistics import median

from msgspec import Struct, field

from orcid_sync.cli.demo.setup import Stage
from orcid_sync.model.ids import Orcid
from orcid_sync.simulator.samples.random_edits import Edit
from orcid_sync.store.console import overview
from orcid_sync.store.console.overview import Choice, FeedEntry
from orcid_sync.store.database.pools import AnyConnection


class Sighting(Struct, frozen=True):
    """One change, and the way it took."""

    change: FeedEntry
    deed: str | None
    """What the researcher did last."""
    notified_after: float | None
    """Seconds from the edit to ORCID's notification; None if no notification announced it."""
    committed_after: float | None
    """Seconds from the notification to our commit."""


class Watch(Struct):
    """What was seen so far."""

    stage: Stage
    position: int
    edits: dict[str, tuple[Edit, datetime]] = field(default_factory=dict)
    """The last edit of each iD and when it was made."""
    edited: int = 0
    seen: int = 0
    unannounced: int = 0
    waits: list[float] = field(default_factory=list)
    """Seconds from notification to commit."""
    last: deque[Sighting] = field(default_factory=lambda: deque(maxlen=18))

    def note(self, edit: Edit) -> None:
        """A researcher has edited a record."""
        self.edits[edit.orcid] = (edit, datetime.now(UTC))
        self.edited += 1

    async def look(self, connection: AnyConnection) -> list[Sighting]:
        """What has come into the feed since the last look."""
        page = await overview.changes_after(connection, self.position, Choice(), limit=500)
        sightings = [self._sight(change) for change in page]
        for sighting in sightings:
            self.position = sighting.change.seq
            self.seen += 1
            if sighting.committed_after is None:
                self.unannounced += 1
            else:
                self.waits.append(sighting.committed_after)
        self.last.extend(sightings)
        return sightings

    @property
    def notified(self) -> int:
        """Notifications that the Registry has sent."""
        return self.stage.sim.journal.notification_count

    def latency(self) -> str:
        """Median and longest time from notification to commit."""
        return f"median {median(self.waits):.2f} s, longest {max(self.waits):.2f} s" if self.waits else "none yet"

    def _sight(self, change: FeedEntry) -> Sighting:
        edit, edited_at = self.edits.get(change.orcid, (None, None))
        notified_at = self._notified(change.orcid, change.at) if change.cause == "notification" else None
        return Sighting(
            change=change,
            deed=edit.deed.replace("_", " ") if edit else None,
            notified_after=_between(edited_at, notified_at),
            committed_after=_between(notified_at, change.at),
        )

    def _notified(self, orcid: Orcid, before: datetime) -> datetime | None:
        """When the Registry last called for this iD; its clock runs with ours."""
        for notification in reversed(self.stage.sim.journal.notifications):
            at = datetime.fromtimestamp(notification.at_ms / 1000, UTC)
            if notification.orcid == orcid and at <= before:
                return at
        return None


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else max(0.0, (end - start).total_seconds())
