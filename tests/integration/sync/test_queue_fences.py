"""The number of a lease is its iD's own: who lost it writes nothing, and the same number of another iD is no proof."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Applied, Lane, Settlement
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.sync import queue
from orcid_sync.store.sync.queue import Lease, LeaseLost

Verb = Callable[[asyncpg.Connection, Lease], Awaitable[Any]]

NOW, MINUTE = timedelta(), timedelta(minutes=1)
APPLIED = Applied(body_digest=b"d", access="read-public", registry_modified_ms=5)
DONE = Settlement(done=True, due_in=timedelta(days=7), applied=APPLIED)

TOLD: dict[str, Verb] = {
    "extend": lambda connection, lease: queue.extend(connection, lease, 60 * MINUTE),
    "hold": queue.hold,
    "hold alone": lambda connection, lease: queue.hold(connection, lease, alone=True),
    "settle": lambda connection, lease: queue.settle(connection, lease, DONE, grace=NOW),
}
"""Verbs that tell somebody who lost the lease."""
IGNORED: dict[str, Verb] = {
    "release": queue.release,
    "disregard": lambda connection, lease: queue.disregard(connection, lease, "read-limited"),
}
"""Verbs that are left undone then."""


async def lease(connection: asyncpg.Connection, orcid: Orcid, *, lasts: timedelta = MINUTE) -> Lease:
    """Lease this iD, whose turn it is alone."""
    await connection.execute("update orcid_sync.queue set due_at = 'infinity'")
    await connection.execute("update orcid_sync.queue set due_at = now() where orcid = $1", orcid)
    [leased] = await queue.lease_due(connection, limit=9, lease=lasts)
    return leased


@pytest.fixture
async def orcids(connection: asyncpg.Connection, sample_orcids: Callable[[int], list[Orcid]]) -> list[Orcid]:
    """Two connected iDs that were read once."""
    orcids = sample_orcids(2)
    await connect_orcids(connection, [Entry(orcid=orcid) for orcid in orcids])
    for orcid in orcids:
        await queue.settle(connection, await lease(connection, orcid), DONE, grace=NOW)
    return orcids


async def rows(connection: asyncpg.Connection) -> list[Any]:
    return list(await connection.fetch("select *, xmin::text from orcid_sync.queue order by orcid"))


@pytest.mark.fault("F17", "F19")
@pytest.mark.invariant("S3")
@pytest.mark.parametrize("verb", [*TOLD, *IGNORED])
async def test_who_lost_the_lease_writes_nothing_though_another_id_has_one_of_that_number(
    connection: asyncpg.Connection, orcids: list[Orcid], verb: str
) -> None:
    ours, theirs = orcids
    lost = await lease(connection, ours, lasts=NOW)
    await lease(connection, ours)
    assert (await lease(connection, theirs)).lease_no == lost.lease_no
    before = await rows(connection)

    if verb in TOLD:
        with pytest.raises(LeaseLost):
            await TOLD[verb](connection, lost)
    else:
        await IGNORED[verb](connection, lost)

    assert await rows(connection) == before


@pytest.mark.invariant("S3")
@pytest.mark.parametrize("verb", [*TOLD, *IGNORED])
async def test_who_has_the_lease_writes_its_own_row_alone(
    connection: asyncpg.Connection, orcids: list[Orcid], verb: str
) -> None:
    ours, theirs = orcids
    mine = await lease(connection, ours)
    assert (await lease(connection, theirs)).lease_no == mine.lease_no
    [_, other] = await rows(connection)

    await (TOLD | IGNORED)[verb](connection, mine)

    assert (await rows(connection))[1] == other


@pytest.mark.fault("F19")
@pytest.mark.invariant("S4")
@pytest.mark.parametrize("alone", [False, True])
async def test_what_a_lease_has_applied_it_does_not_apply_again(
    connection: asyncpg.Connection, orcids: list[Orcid], *, alone: bool
) -> None:
    mine = await lease(connection, orcids[0])
    await queue.hold(connection, mine, alone=alone)
    await queue.settle(connection, mine, DONE, grace=NOW)

    with pytest.raises(LeaseLost):
        await queue.hold(connection, mine, alone=alone)


async def test_what_is_due_at_this_moment_is_due(connection: asyncpg.Connection, orcids: list[Orcid]) -> None:
    """Within one transaction the moment stands still."""
    async with connection.transaction():
        await queue.mark_due(connection, orcids[:1], lane=Lane.OPERATOR)
        for _ in range(2):
            [leased] = await queue.lease_due(connection, limit=2, lease=NOW)
            assert leased.orcid == orcids[0]
