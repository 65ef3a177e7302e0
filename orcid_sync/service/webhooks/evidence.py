"""What a reconciliation tells about the webhook of its iD: that it called, or that it did not announce a change.

Written after the queue row was settled, as whoever revives webhooks locks in the same order.

What fails here fails for itself: the reconciliation is committed all the same. It cannot be tried again, for what it
tells of is over; one change more or less is all that is lost, and the next one tells the same.
"""

from datetime import timedelta

import asyncpg
import structlog

from orcid_sync.model.record.access import access_from
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


log = structlog.get_logger(__name__)


async def note(connection: AnyConnection, lease: Lease, turn: Turn, finding: Finding, *, grace: timedelta) -> None:
    """Keep what this reconciliation tells about the webhook; `grace` is how long its call may take to come.

    Under a savepoint of its own. If the connection is lost, the statement that follows, or the commit, says so.
    """
    if not finding.settlement.done or not (finding.changeset.changes or turn.cause is Cause.NOTIFICATION):
        return  # it tells nothing
    try:
        async with connection.transaction():
            await _note(connection, lease, turn, finding, grace=grace)
    except asyncpg.PostgresError as error:
        log.warning("evidence not noted", orcid=lease.orcid, reason=type(error).__name__)  # its text may quote a row
    except Exception:
        log.exception("evidence not noted by a defect", orcid=lease.orcid)


def _shows(access: str | None) -> frozenset[str]:
    return access_from(access).shows


async def _note(connection: AnyConnection, lease: Lease, turn: Turn, finding: Finding, *, grace: timedelta) -> None:
    if turn.cause is Cause.NOTIFICATION and lease.notified_at:
        await evidence.called(connection, lease.orcid, lease.notified_at)
    applied = finding.settlement.applied
    if not finding.changeset.changes or applied is None or _shows(applied.access) != _shows(lease.body_access):
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
