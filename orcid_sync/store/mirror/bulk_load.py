"""Loading records in bulk, beside a running service.

What the service reads from ORCID is newer than any file, so a load keeps out of its way and can never undo its work:

1. It takes leases like a worker (queue.py), in a transaction of their own. Who has one already keeps it; nobody gets
   one afterwards, and a worker that was paused past its lease can no longer apply. What asked for a read is not covered
   by these leases: `leased_gen` stays.
2. In the transaction that writes it holds them, and only then looks at what the mirror has. Notifications go on marking
   the rows; only for the last moments, from `settle` to the commit, they wait.

A load that is killed leaves leases that lapse; the iDs are then read by the service as if nothing had happened.

Records that nobody follows have no row in the queue, so nobody reads them either; whoever connects one of them in these
very seconds is noticed before the commit (`any_connected_meanwhile`).
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import msgspec

from orcid_sync.model.wire.orcid_scopes import LIMITED_SCOPES
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

_queries = load_queries(__file__)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an iD before its record is loaded."""

    orcid: str
    connection: str | None
    """connected, disconnecting or disconnected; None: it never was."""
    erased: bool
    """Everything about it was erased, and it was not connected since."""
    leased: bool
    """Somebody is reading it."""
    unconfirmed: str | None
    """The state that the Registry has told once."""
    verified_at: datetime | None
    """When the mirror was last known to equal the Registry."""
    state: str | None
    """Of the mirrored record; None: nothing is mirrored."""
    access: str | None
    withheld: str | None
    registry_modified_at: datetime | None
    """history.last-modified-date of the mirrored record."""


async def connected(connection: AnyConnection) -> frozenset[str]:
    """All iDs that are followed."""
    return frozenset([row["orcid"] async for row in _queries.connected(connection)])


async def standings(connection: AnyConnection, orcids: Collection[str]) -> dict[str, Standing]:
    """How these iDs stand."""
    rows = _queries.standings(connection, orcids=list(orcids))
    return {row["orcid"]: Standing(**row) async for row in rows}


async def lease(connection: AnyConnection, orcids: Collection[str], duration: timedelta) -> dict[str, int]:
    """Take leases, as far as they are free; returns their numbers. In a transaction of its own."""
    rows = _queries.lease(connection, orcids=list(orcids), lease=duration)
    return {row["orcid"]: row["lease_no"] async for row in rows}


async def hold(connection: AnyConnection, leases: Mapping[str, int]) -> set[str]:
    """Make sure until the end of the transaction that nobody else applies to these iDs; returns those still ours."""
    rows = _queries.hold(connection, orcids=list(leases), lease_nos=list(leases.values()))
    return {row["orcid"] async for row in rows}


async def lock_records(connection: AnyConnection, orcids: Collection[str]) -> None:
    """Make sure until the end of the transaction that no other load writes to these records."""
    await _queries.lock_records(connection, orcids=list(orcids))


async def settle(connection: AnyConnection, loaded: Mapping[str, int | None], *, spread: timedelta) -> None:
    """End the leases of iDs that were loaded, given with their history.last-modified-date in milliseconds.

    Reads that can wait are put into the last lane, at any time within `spread`. The last but `append_all`.
    """
    await _queries.settle(
        connection,
        orcids=list(loaded),
        modified_ms=list(loaded.values()),
        limited=sorted(LIMITED_SCOPES),
        spread=spread,
    )


async def release(connection: AnyConnection, leases: Mapping[str, int]) -> None:
    """Give leases back, as far as they are still ours."""
    await _queries.release(connection, orcids=list(leases), lease_nos=list(leases.values()))


async def any_connected_meanwhile(connection: AnyConnection, orcids: Collection[str]) -> bool:
    """Whether any of these iDs has a connection by now."""
    found: bool = await _queries.any_connected_meanwhile(connection, orcids=list(orcids))
    return found


async def note_progress(connection: AnyConnection, run_id: int, outcome: Mapping[str, int]) -> None:
    """Write down how far a load has come: `archive` says of what, `files` where it would go on."""
    await _queries.note_progress(connection, id=run_id, outcome=msgspec.json.encode(outcome))


async def left_at(connection: AnyConnection, job: str, archive: int) -> int:
    """Files that were dealt with when the last load of this archive was interrupted; 0 if it was not."""
    files: int | None = await _queries.left_at(connection, job=job, archive=archive)
    return files or 0
