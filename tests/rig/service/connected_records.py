"""Some connected records beside a simulated Registry, a service that runs or not, and days that pass for both.

The Registry's clock begins some days ago and is pushed forwards. Ours is the database's: time passes by moving what it
remembers further back.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec

from orcid_sync.daemon.public_listener import rules_of
from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.parse_record import parse_record
from orcid_sync.model.webhooks.health import WebhookHealth
from orcid_sync.service.explain.status_health import troubles
from orcid_sync.service.webhooks.health import assess
from orcid_sync.settings.settings import Settings
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.webhooks.registrations import Webhook
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.consent import connections
from orcid_sync.store.consent.connections import Entry
from rig.records.mirror import mirrored_docs
from rig.service.settings import settings_for

MOVED = {
    "queue": ("due_at", "second_look_at", "notified_at", "verified_at"),
    "webhooks": ("requested_at", "registered_at", "last_called_at", "verified_at", "suspect_since", "awaited_since"),
    "intake_hours": ("alive_from", "alive_until", "heard_at"),
    "connections": ("connected_at",),
    "callback_generations": ("present_since", "first_used_at", "first_called_at", "last_called_at"),
}
"""What is remembered, by table of orcid_sync."""


@dataclass(kw_only=True)
class Fleet:
    """Records that are followed."""

    registry: SimulatedRegistry
    connection: asyncpg.Connection
    settings: Settings
    orcids: list[Orcid]
    edits: int = field(default=0, init=False)

    async def pass_time(self, lapse: timedelta) -> None:
        """What is remembered lies further back."""
        for table, columns in MOVED.items():
            moved = ", ".join(f"{name} = {name} - $1::interval" for name in columns)
            await self.connection.execute(f"update orcid_sync.{table} set {moved}", lapse)

    async def be_old(self) -> None:
        """The webhooks stood, and the service ran, for ten days before now."""
        await self.connection.execute("update orcid_sync.webhooks set registered_at = now() - interval '10 days'")
        await self.connection.execute("update orcid_sync.intake_hours set alive_from = now() - interval '10 days'")

    def edit(self, *orcids: Orcid) -> None:
        """Something visible changes in these records, or in all."""
        for orcid in orcids or self.orcids:
            self.edits += 1
            self.registry.edit.add_item(orcid, "keyword", {"content": f"edit {self.edits}"})

    async def check_all(self) -> None:
        """Every record's routine read has come."""
        await self.connection.execute("update orcid_sync.queue set due_at = now()")

    async def settled(self) -> bool:
        """Whether nothing is left to do now."""
        query = "select not exists (select from orcid_sync.queue where gen > done_gen or due_at <= now())"
        answer: bool = await self.connection.fetchval(query)
        return answer

    async def hearing(self) -> WebhookHealth:
        """What `status` knows of notifications."""
        return await assess(self.connection, rules_of(self.settings))

    async def said(self) -> str:
        """What `status` says of them that needs somebody."""
        return "\n".join(finding.sentence for finding in troubles(await self.hearing()))

    async def states(self) -> set[str]:
        """The states of our inventory."""
        return {row["state"] for row in await self.connection.fetch("select state from orcid_sync.webhooks")}

    def webhooks(self) -> list[Webhook]:
        """The registrations that ORCID has and shows to nobody."""
        return list(self.registry.webhooks)

    def dead(self) -> list[Orcid]:
        """Whose webhooks ORCID never calls again."""
        most = self.registry.settings.max_attempts
        return [Orcid(row.orcid) for row in self.webhooks() if row.sending.failures >= most]

    def calls(self, since: int = 0) -> int:
        """Notifications that were answered with success, after the first so many."""
        return sum(one.success and one.status == 204 for one in list(self.registry.journal.notifications)[since:])

    async def stale(self) -> list[Orcid]:
        """Records whose mirror is not what the Registry shows."""
        token = self.registry.token_service.issue(CLIENT_ID, ["/read-public"]).text
        return [orcid for orcid in self.orcids if await self._shown(orcid, token) != await self._mirrored(orcid)]

    async def mirrored(self) -> bool:
        """Whether every record is mirrored as the Registry shows it."""
        return not await self.stale()

    async def _shown(self, orcid: Orcid, token: str) -> Any:
        view = parse_record(msgspec.json.encode(self.registry.view(orcid, token)))
        return {item.id: msgspec.json.decode(item.content.doc) for item in view.items()}

    async def _mirrored(self, orcid: Orcid) -> Any:
        return await mirrored_docs(self.connection, orcid)


@asynccontextmanager
async def following(
    connection: asyncpg.Connection, *, days: float, number: int = 6, **settings: Any
) -> AsyncIterator[Fleet]:
    """So many records, connected; the Registry's clock stands so many days back."""
    start = round((time.time() - days * 86_400) * 1000)
    async with SimulatedRegistry(id_host="orcid.org", start_ms=start) as registry:
        orcids = [Orcid(numbered_orcid(5_000_300 + each)) for each in range(number)]
        for orcid in orcids:
            registry.add_record(orcid, works=1)
        await connections.connect_orcids(connection, [Entry(orcid=orcid) for orcid in orcids])
        chosen = settings_for(registry, **{"second_look_seconds": 900, "search_interval_hours": 0} | settings)
        yield Fleet(registry=registry, connection=connection, settings=chosen, orcids=orcids)
