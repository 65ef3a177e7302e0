"""Who lost the lease of a subscription writes nothing of it; and nobody writes anything of another subscription."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.pushes.delivery import Outcome, Result
from orcid_sync.service.pushes.delivery import settle
from orcid_sync.service.pushes.signed_messages import Message
from orcid_sync.store.pushes import outbox, redelivery, subscriptions
from orcid_sync.store.pushes.outbox import PushLease, PushLost, Step
from rig.push_receiver import PushBench, Receiver

ORCID = Orcid("0009-9990-0000-0013")
HOUR = timedelta(hours=1)


async def everything(connection: asyncpg.Connection) -> dict[str, list[Any]]:
    """All that is known of what is sent, with the version of each row."""
    tables = ("push_progress", "push_ranges")
    return {name: await connection.fetch(f"select *, xmin::text from orcid_sync.{name}") for name in tables}


async def let_lapse(bench: PushBench, name: str = "cris") -> None:
    await bench.connection.execute(
        "update orcid_sync.push_progress set lease_until = now()"
        " where subscription_id = (select id from orcid_sync.subscriptions where name = $1)",
        name,
    )


async def lease(bench: PushBench, name: str = "cris") -> tuple[PushLease, Message]:
    """Lease what is due, which this subscription is."""
    [one] = [one for one in await bench.lease() if one[0].name == name]
    return one


async def two_subscriptions(bench: PushBench, receiver: Receiver, *, replayed: bool) -> None:
    """With three changes to be sent, or to be sent once more."""
    for name in ("cris", "other"):
        await bench.subscribe(name, receiver.url, when_dead="pause")
    await bench.append([ORCID], 3)
    if replayed:
        await bench.drain()
        for name in ("cris", "other"):
            for first in (1, 2):
                await redelivery.replay_range(bench.connection, name, first, 3)


TOLD: dict[str, Callable[[asyncpg.Connection, PushLease], Awaitable[Any]]] = {
    "delivered": lambda connection, lease: outbox.deliver(connection, lease, lease.ends),
    "delivered in part": lambda connection, lease: outbox.deliver(connection, lease, lease.ends - 1),
    "failed": lambda connection, lease: outbox.fail(connection, lease, error="late", delay=HOUR),
    "gone": lambda connection, lease: outbox.fail(connection, lease, error="late", delay=HOUR, paused="gone"),
    "dead": lambda connection, lease: outbox.mark_dead(connection, lease, lease.ends, error="late"),
}
"""What is told to somebody who lost the lease."""
IGNORED: dict[str, Callable[[asyncpg.Connection, PushLease], Awaitable[Any]]] = {
    "given back": lambda connection, lease: outbox.release(connection, lease, delay=HOUR, error="late"),
    "passed over": lambda connection, lease: outbox.pass_over(connection, [Step(lease, lease.ends)]),
    "passed over in part": lambda connection, lease: outbox.pass_over(connection, [Step(lease, lease.ends - 1)]),
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
    """Though another subscription has a lease of that number."""
    await two_subscriptions(bench, receiver, replayed=replayed)
    late, other = sorted((one for one, _ in await bench.lease()), key=lambda one: one.name)
    await let_lapse(bench)
    present, message = await lease(bench)
    assert present.lease_no > late.lease_no == other.lease_no
    before = await everything(bench.connection)

    if what in TOLD:
        with pytest.raises(PushLost):
            await TOLD[what](bench.connection, late)
    else:
        assert not await IGNORED[what](bench.connection, late)

    assert await everything(bench.connection) == before
    await bench.delivery.deliver(present, message)
    await bench.drain()
    assert (await bench.load("cris")).reached == 3
    assert await redelivery.ranges(bench.connection, "cris") == []


@pytest.mark.invariant("S3")
@pytest.mark.parametrize("replayed", [False, True], ids=["the feed", "a part once more"])
@pytest.mark.parametrize("what", [*TOLD, *IGNORED])
async def test_who_has_the_lease_writes_nothing_of_another_subscription_or_part(
    bench: PushBench, receiver: Receiver, what: str, *, replayed: bool
) -> None:
    await two_subscriptions(bench, receiver, replayed=replayed)
    ours, other = sorted((one for one, _ in await bench.lease()), key=lambda one: one.name)
    assert ours.lease_no == other.lease_no
    before = await everything(bench.connection)

    await (TOLD | IGNORED)[what](bench.connection, ours)

    after = await everything(bench.connection)
    for table, rows in before.items():
        others = [row for row in rows if row["subscription_id"] == other.id or row.get("number") == 2]
        assert [row for row in after[table] if row in others] == others


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
