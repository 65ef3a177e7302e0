"""Whoever lost the lease of a subscription writes nothing of it any more, whatever became of its message."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.pushes.delivery import Outcome, Result
from orcid_sync.service.pushes.delivery import settle
from orcid_sync.store.database.pools import Database
from orcid_sync.store.pushes import outbox, redelivery, subscriptions
from orcid_sync.store.pushes.outbox import PushLease, PushLost, Step
from rig.push_receiver import PushBench, Receiver, push_bench, receiving

ORCID = Orcid("0009-9990-0000-0013")
HOUR = timedelta(hours=1)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


@pytest.fixture
async def bench(database: Database, connection: asyncpg.Connection) -> AsyncIterator[PushBench]:
    async with push_bench(database, connection) as opened:
        yield opened


async def everything(connection: asyncpg.Connection) -> dict[str, list[Any]]:
    """All that is known of what is sent, with the version of each row."""
    tables = ("push_progress", "push_ranges")
    return {name: await connection.fetch(f"select *, xmin::text from orcid_sync.{name}") for name in tables}


async def let_lapse(bench: PushBench) -> None:
    await bench.connection.execute("update orcid_sync.push_progress set lease_until = now()")


TOLD: dict[str, Callable[[asyncpg.Connection, PushLease], Awaitable[Any]]] = {
    "delivered": lambda connection, lease: outbox.deliver(connection, lease, lease.ends),
    "failed": lambda connection, lease: outbox.fail(connection, lease, error="late", delay=HOUR),
    "gone": lambda connection, lease: outbox.fail(connection, lease, error="late", delay=HOUR, paused="gone"),
    "dead": lambda connection, lease: outbox.mark_dead(connection, lease, lease.ends, error="late"),
}
"""What is told to somebody who lost the lease."""
IGNORED: dict[str, Callable[[asyncpg.Connection, PushLease], Awaitable[Any]]] = {
    "given back": lambda connection, lease: outbox.release(connection, lease, delay=HOUR, error="late"),
    "passed over": lambda connection, lease: outbox.pass_over(connection, [Step(lease, lease.ends)]),
    "begun": lambda connection, lease: outbox.begin(connection, [Step(lease, lease.ends)]),
}
"""What is left undone."""


@pytest.mark.fault("F17", "F19")
@pytest.mark.invariant("S3")
@pytest.mark.parametrize("replayed", [False, True], ids=["the feed", "a part once more"])
@pytest.mark.parametrize("what", [*TOLD, *IGNORED])
async def test_who_lost_the_lease_writes_nothing(
    bench: PushBench, receiver: Receiver, what: str, *, replayed: bool
) -> None:
    await bench.subscribe("cris", receiver.url, when_dead="pause")
    await bench.append([ORCID], 3)
    if replayed:
        await bench.drain()
        await redelivery.replay_range(bench.connection, "cris", 1, 3)
    [(late, _)] = await bench.lease()
    await let_lapse(bench)
    [(present, message)] = await bench.lease()
    assert present.lease_no > late.lease_no
    before = await everything(bench.connection)

    if what in TOLD:
        with pytest.raises(PushLost):
            await TOLD[what](bench.connection, late)
    else:
        assert not await IGNORED[what](bench.connection, late)

    assert await everything(bench.connection) == before
    await bench.delivery.deliver(present, message)
    assert (await bench.load("cris")).reached == 3
    assert await redelivery.ranges(bench.connection) == []


@pytest.mark.invariant("S3")
@pytest.mark.parametrize("outcome", [one for one in Outcome if one is not Outcome.DELIVERED])
async def test_a_late_failure_does_not_undo_a_delivery(bench: PushBench, receiver: Receiver, outcome: Outcome) -> None:
    """It was taken over, delivered, and the first one comes back to say that it did not work."""
    await bench.subscribe("cris", receiver.url)
    await bench.append([ORCID], 1)
    [(late, message)] = await bench.lease()
    await let_lapse(bench)
    assert await bench.turn() == 1

    with pytest.raises(PushLost):
        await settle(bench.connection, late, message, Result(outcome=outcome), chance=0.5)

    found = await bench.load("cris")
    assert (found.state, found.attempts, found.last_error, found.failing_since) == ("active", 0, None, None)
    await bench.append([ORCID], 1)
    assert await bench.turn() == 1, "nothing keeps the next one back"


@pytest.mark.invariant("S3")
async def test_an_edit_takes_the_lease_away(bench: PushBench, receiver: Receiver) -> None:
    """What is being sent may say something else now."""
    await bench.subscribe("cris", receiver.url)
    await bench.append([ORCID], 1)
    [(late, message)] = await bench.lease()
    origin = receiver.url.removesuffix("/orcid")
    wish = subscriptions.Wish(url=receiver.url, origin=origin, view="public", contents=False)
    assert await subscriptions.edit(bench.connection, "cris", wish)

    with pytest.raises(PushLost):
        await bench.delivery.deliver(late, message)

    assert (await bench.load("cris")).reached == 0
    assert await bench.turn() == 1
