"""What a reconciliation tells about the webhook of its iD: that it called, or that it did not announce a change.

Written after the queue row was settled, as whoever revives webhooks locks in the same order.
"""

from datetime import timedelta

from orcid_sync.model.record.extract import moment
from orcid_sync.model.sync.schedule import Cause, Turn
from orcid_sync.model.webhooks.evidence import Verdict, Witness, announced_dates, first_unannounced, judge
from orcid_sync.model.wire.orcid_json import Timestamp
from orcid_sync.service.record.read_outcome import Finding
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.sync.queue import Lease
from orcid_sync.store.webhooks import evidence

JUDGED = frozenset({Cause.CHECK, Cause.OPERATOR})
"""Reads that no notification led to. A second look belongs to its notification (contract section 1.8)."""


async def note(connection: AnyConnection, lease: Lease, turn: Turn, finding: Finding, *, grace: timedelta) -> None:
    """Keep what this reconciliation tells about the webhook; `grace` is how long its call may take to come."""
    if not finding.settlement.done:
        return
    if turn.cause is Cause.NOTIFICATION and lease.notified_at:
        await evidence.called(connection, lease.orcid, lease.notified_at)
    applied = finding.settlement.applied
    if not finding.changeset.changes or applied is None or applied.access != lease.body_access:
        return  # what other access shows or hides is no edit
    known = lease.registry_modified_ms
    after = None if known is None else moment(Timestamp(known))
    if not (dates := announced_dates(finding.changeset.changes, after)):
        return
    first = first_unannounced(dates, lease.notified_at)
    if turn.cause is Cause.NOTIFICATION or (turn.cause in JUDGED and first is None):
        await evidence.note(connection, lease.orcid, Verdict.ANNOUNCED, dates[0])
    elif turn.cause in JUDGED and first is not None:
        registered_at = await evidence.webhook_registered_at(connection, lease.orcid)
        outages = await evidence.outages(connection)
        if registered_at is None:
            return
        witness = Witness(registered_at=registered_at, up_since=outages[-1].ended if outages else None)
        if verdict := judge(first, witness, now=lease.leased_at, grace=grace):
            await evidence.note(connection, lease.orcid, verdict, first)
