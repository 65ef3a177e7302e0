"""Whoever leaves is hidden at once, whether ORCID answers or not; the rest follows."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.store.consent.connections import Entry, connect_orcids, disconnect_orcids
from orcid_sync.store.database.pools import Database, statements, transaction
from orcid_sync.store.sync import queue
from rig.records.marked_record import marked_record
from rig.records.mirror import apply_record, skeleton
from rig.records.sample_record import ORCID, encode, keyword, with_keywords

HERE, OTHER = Orcid(ORCID), Orcid("0000-0002-1825-0097")


async def fill(database: Database, connection: asyncpg.Connection, record: dict[str, Any]) -> None:
    """Two people; of one this record was read."""
    await connect_orcids(connection, [Entry(orcid=HERE, access_token="sealed"), Entry(orcid=OTHER)])
    await apply_record(database.worker, encode(record), access="read-limited")


@pytest.mark.invariant("S11")
async def test_who_leaves_is_hidden_in_the_same_moment(database: Database, connection: asyncpg.Connection) -> None:
    await fill(database, connection, marked_record())
    last = await connection.fetchval("select last from orcid_sync.feed_head")

    await disconnect_orcids(connection, [HERE, OTHER])

    assert await connection.fetchval("select withheld from orcid.records") == "limited"
    [line] = await connection.fetch("select * from orcid.change_feed where seq > $1", last)
    assert (line["section"], line["op"], line["fields"]) == ("record", "updated", ["withheld"])
    old, new = (msgspec.json.decode(line[side]) for side in ("old", "new"))
    assert new == old | {"withheld": "limited"}


async def test_of_whom_all_is_public_nothing_is_hidden(database: Database, connection: asyncpg.Connection) -> None:
    await fill(database, connection, with_keywords(skeleton(HERE), keyword(1)))
    last = await connection.fetchval("select last from orcid_sync.feed_head")

    await disconnect_orcids(connection, [HERE])

    assert await connection.fetchval("select withheld from orcid.records") is None
    assert await connection.fetchval("select last from orcid_sync.feed_head") == last


@pytest.mark.fault("F64")
async def test_a_reconciliation_that_is_writing_is_waited_for(
    database: Database, connection: asyncpg.Connection, wait_until: Callable[..., Any]
) -> None:
    await fill(database, connection, marked_record())
    leases = await queue.lease_due(connection, limit=10, lease=timedelta(minutes=1))
    [lease] = [lease for lease in leases if lease.orcid == HERE]
    waiting = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with transaction(database.worker) as writing:
        await queue.hold(writing, lease)
        leaving = asyncio.create_task(disconnect_orcids(connection, [HERE]))
        async with statements(database.reader) as observer:
            await wait_until(lambda: observer.fetchval(waiting))
        assert not leaving.done()
        await writing.execute("update orcid.records set locale = 'xx'")

    assert await leaving == [HERE]

    assert await connection.fetchval("select withheld from orcid.records") == "limited"
