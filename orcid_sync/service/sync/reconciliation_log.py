"""What is recorded of a reconciliation: one line in the log, and the journal that `explain` reads."""

from collections import Counter
from contextlib import suppress

import asyncpg
import structlog

from orcid_sync.model.sync.schedule import Turn
from orcid_sync.service.record.read_outcome import Finding
from orcid_sync.store.database.pools import AnyConnection, DatabaseRefused, DatabaseUnavailable, statements
from orcid_sync.store.sync import read_journal as reads
from orcid_sync.store.sync.queue import Lease

UNCHANGED = "unchanged"
"""The outcome of a read that found nothing new."""

HELD = "held"
"""The outcome of a read that found only what an independent second read must say again."""

log = structlog.get_logger(__name__)


async def note(connection: AnyConnection, lease: Lease, turn: Turn, finding: Finding) -> None:
    """Keep for people what came of it; that nothing did costs nothing (design section 5)."""
    if finding.outcome != UNCHANGED:
        await reads.note(
            connection,
            lease.orcid,
            lease.lease_no,
            cause=(finding.cause or turn.cause).value,
            outcome=finding.outcome,
            error=finding.settlement.error,
            changes=Counter(change.op for change in finding.changeset.changes),
        )


async def note_apart(pool: asyncpg.Pool, lease: Lease, turn: Turn, finding: Finding) -> None:
    """The same after settling. Settled is settled: the journal is not worth a failure (of a full disk, say)."""
    if finding.outcome != UNCHANGED:
        with suppress(DatabaseUnavailable, DatabaseRefused):
            async with statements(pool) as connection:
                await note(connection, lease, turn, finding)


def log_line(lease: Lease, turn: Turn, finding: Finding, seconds: float) -> None:
    """The one line that a reconciliation writes; what there was nothing of is left out."""
    settlement = finding.settlement
    facts = {
        "orcid": lease.orcid,
        "outcome": finding.outcome,
        "cause": turn.cause.value,
        "seconds": round(seconds, 3),
        "attempts": settlement.attempts,
        "error": settlement.error,
        **Counter(change.op for change in finding.changeset.changes),
    }
    log.info("reconciled", **{name: fact for name, fact in facts.items() if fact})
