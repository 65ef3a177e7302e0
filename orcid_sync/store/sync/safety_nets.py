"""How far each net has looked. One replica at a time runs a net; if it dies, the next one takes over."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from orcid_sync.model.ids import Orcid
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.database.queries import load_queries

LEASE = timedelta(minutes=5)
"""How long a replica that died keeps a net from the others."""


class NetLost(Exception):
    """The lease of the net lapsed, and another replica has it now."""


class Sweep(Struct, frozen=True, kw_only=True):
    """One net's sweep, leased."""

    name: str
    since: datetime
    """What changed before was looked for already."""
    began_at: datetime
    reached: str
    """The last iD that was asked for."""
    lease_no: int


class Net(Struct, frozen=True, kw_only=True):
    """How far a net has looked."""

    name: str
    since: datetime
    began_at: datetime | None
    """When the sweep that is under way began; None between two."""
    reached: str
    leased: bool
    """Whether a replica is at it."""


async def load(connection: AnyConnection) -> list[Net]:
    """Every net that has ever looked."""
    return [Net(**row) async for row in load_queries(__file__).load(connection)]


async def lease(connection: AnyConnection, name: str) -> Sweep | None:
    """Begin a sweep, or go on with one that was interrupted; None if another replica is at it (invariant S17)."""
    row = await load_queries(__file__).lease(connection, name=name, lease=LEASE)
    return None if row is None else Sweep(**row)


async def reach(connection: AnyConnection, sweep: Sweep, reached: str) -> None:
    """Note how far the sweep has come, and keep the net for longer. Raises NetLost."""
    _own(
        await load_queries(__file__).reach(
            connection, name=sweep.name, lease_no=sweep.lease_no, reached=reached, lease=LEASE
        )
    )


async def finish(connection: AnyConnection, sweep: Sweep, *, since: datetime) -> None:
    """The sweep is over: the next one looks for what changes from `since` on. Raises NetLost."""
    _own(await load_queries(__file__).finish(connection, name=sweep.name, lease_no=sweep.lease_no, since=since))


async def release(connection: AnyConnection, sweep: Sweep) -> None:
    """Leave the sweep as it is to whoever comes next."""
    await load_queries(__file__).release(connection, name=sweep.name, lease_no=sweep.lease_no)


async def next_connected(connection: AnyConnection, *, after: str, limit: int) -> dict[Orcid, datetime | None]:
    """The next connected iDs in their order, with the date of each record as it was read last."""
    rows = load_queries(__file__).next_connected(connection, after=after, limit=limit)
    return {row["orcid"]: row["modified_at"] async for row in rows}


async def behind(connection: AnyConnection, listed: Mapping[Orcid, datetime]) -> list[Orcid]:
    """Of these iDs, with the dates that somebody lists, those that we follow and have read in an older state."""
    rows = load_queries(__file__).behind(connection, orcids=list(listed), dates=list(listed.values()))
    return [row["orcid"] async for row in rows]


def _own(found: bool | None) -> None:  # noqa: FBT001 - what a query returned, passed on
    if not found:
        raise NetLost
