"""Pushes: signed, at least once, in the order of the feed, within bounds; what dies, and comes back."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from standardwebhooks import WebhookVerificationError

from orcid_sync.model.ids import Orcid
from orcid_sync.model.pushes.delivery import CIRCUIT, TRIES
from orcid_sync.store.pushes import redelivery, subscriptions
from orcid_sync.store.pushes.outbox import PushLost
from rig.push_receiver import VAULT, PushBench, Receiver, receiving

ORCID = "0009-9990-0000-0013"

Samples = Callable[[int], list[Orcid]]


async def test_a_message_says_what_changed_and_is_signed(bench: PushBench, receiver: Receiver) -> None:
    secret = await bench.subscribe("cris", receiver.url)
    await bench.edit_record(ORCID, "tides")

    assert await bench.drain() == 1

    [received] = receiver.received
    message = received.verify(secret)
    assert (message["type"], message["data"]["after"], message["data"]["to"]) == ("orcid.changes", 0, 2)
    record, item = message["data"]["changes"]
    assert (record["section"], item["section"], item["op"], item["orcid"]) == ("record", "keyword", "added", ORCID)
    assert (item["old"], item["new"]["doc"]["content"]) == (None, "tides")
    assert received.headers["Content-Type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        received.verify(subscriptions.new_secret())
    assert (await bench.load("cris")).behind == 0
    assert await bench.drain() == 0


@pytest.mark.invariant("S6")
async def test_all_changes_come_once_in_order_and_in_bounded_messages(
    bench: PushBench, receiver: Receiver, sample_orcids: Samples
) -> None:
    await bench.subscribe("cris", receiver.url)
    await bench.append(sample_orcids(3), 650)
    await bench.append(sample_orcids(3), 12, content="y" * 100_000)
    await bench.append(sample_orcids(3), 1, content="z" * 300_000)

    await bench.drain()

    assert receiver.seqs == list(range(1, 664))
    assert max(len(one.seqs) for one in receiver.received) == 100
    assert max(len(one.body) for one in receiver.received) < 280_000
    too_large = receiver.changes[-1]
    assert (too_large["too_large"], too_large["new"]) == (True, None)


@pytest.mark.invariant("S6")
async def test_a_failed_message_is_repeated_as_it_was_and_nothing_overtakes_it(
    bench: PushBench, receiver: Receiver
) -> None:
    await bench.subscribe("cris", receiver.url)
    await bench.edit_record(ORCID, "tides")
    receiver.answers = [500, 302, 404]
    for _ in range(4):
        await bench.wait_out()
        await bench.turn()
        await bench.edit_record(ORCID, "tides", f"more {len(receiver.received)}")

    assert len(set(receiver.ids)) == 1
    assert len({one.body for one in receiver.received}) == 1
    await bench.drain()
    assert receiver.seqs == [1, 2] * 4 + list(range(3, await head(bench) + 1))


async def head(bench: PushBench) -> int:
    last: int = await bench.connection.fetchval("select last from orcid_sync.feed_head")
    return last


@pytest.mark.fault("F15")
async def test_what_a_killed_sender_had_begun_is_sent_again_under_the_same_id(
    bench: PushBench, receiver: Receiver
) -> None:
    """It was received, and the sender died before it could write that down; meanwhile the feed has grown."""
    await bench.subscribe("cris", receiver.url)
    await bench.edit_record(ORCID, "tides")
    [(lease, message)] = await bench.lease()
    await bench.delivery.courier.post(lease.url, message.body, {"webhook-id": message.id})
    await bench.edit_record(ORCID, "tides", "moon")
    assert await bench.turn() == 0, "somebody is at it"

    await bench.connection.execute("update orcid_sync.push_progress set lease_until = now()")
    await bench.turn()

    assert receiver.ids == [message.id] * 2
    with pytest.raises(PushLost):
        await bench.delivery.deliver(lease, message)
    await bench.drain()
    assert receiver.seqs[-1] == await head(bench)


async def test_replicas_never_send_for_the_same_subscription(bench: PushBench, receiver: Receiver) -> None:
    for number in range(10):
        await bench.subscribe(f"cris-{number}", receiver.url)
    await bench.edit_record(ORCID, "tides")

    ours, theirs = await bench.lease(doubtful=6), await bench.lease()

    assert sorted(lease.name for lease, _ in [*ours, *theirs]) == [f"cris-{number}" for number in range(10)]
    assert (len(ours), len(theirs)) == (6, 4)


@pytest.mark.parametrize("when_dead", ["pause", "continue"])
async def test_a_message_that_fails_for_days_is_dead(bench: PushBench, receiver: Receiver, when_dead: str) -> None:
    await bench.subscribe("cris", receiver.url, when_dead=when_dead)
    await bench.edit_record(ORCID, "tides")
    receiver.answers = [400] * TRIES
    await bench.fail_until_dead(TRIES)
    await bench.edit_record(ORCID, "moon")
    await bench.wait_out()

    found = await bench.load("cris")
    assert len(receiver.received) == TRIES
    assert (found.state, found.dead, found.last_error) == (
        "stopped" if when_dead == "pause" else "active",
        1,
        "status 400",
    )
    [dead] = await redelivery.ranges(bench.connection, "cris")
    assert (dead.state, dead.from_seq, dead.to_seq, dead.error) == ("dead", 1, 2, "status 400")

    await bench.drain()
    later = receiver.seqs[2 * TRIES :]
    if when_dead == "pause":
        assert later == []
        assert await subscriptions.resume(bench.connection, "cris")
    else:
        assert later == [3]
        assert await redelivery.replay_dead(bench.connection, "cris") == [1]
    await bench.drain()
    assert receiver.seqs[2 * TRIES :] == ([1, 2, 3] if when_dead == "pause" else [3, 1, 2])
    assert await redelivery.ranges(bench.connection, "cris") == []
    replayed = next(one for one in receiver.received[TRIES:] if one.message["data"]["replay"])
    assert replayed.id not in receiver.ids[:TRIES]


async def test_what_was_delivered_can_be_sent_again(bench: PushBench, receiver: Receiver) -> None:
    await bench.subscribe("cris", receiver.url)
    await bench.append([ORCID], 30)
    await bench.drain()

    assert await redelivery.replay_range(bench.connection, "cris", 11, 1 << 62) == (11, 30)
    assert await redelivery.replay_range(bench.connection, "cris", 31, 40) is None
    await bench.append([ORCID], 1)
    await bench.drain()

    assert receiver.seqs == [*range(1, 31), *range(11, 31), 31]
    assert len(set(receiver.ids)) == 3


async def test_dead_messages_can_be_given_up(bench: PushBench, receiver: Receiver) -> None:
    await bench.subscribe("cris", receiver.url, when_dead="continue")
    await bench.edit_record(ORCID, "tides")
    receiver.answers = [400] * TRIES
    await bench.fail_until_dead(TRIES)

    assert await redelivery.discard_dead(bench.connection, "cris", 2) == []
    assert await redelivery.discard_dead(bench.connection, "cris") == [1]
    assert await redelivery.replay_dead(bench.connection, "cris") == []


async def test_a_receiver_that_is_gone_is_not_asked_again(bench: PushBench, receiver: Receiver) -> None:
    await bench.subscribe("cris", receiver.url)
    await bench.edit_record(ORCID, "tides")
    receiver.status = 410
    await bench.fail_until_dead()

    found = await bench.load("cris")
    assert (len(receiver.received), found.paused, found.behind, found.dead) == (1, "gone", 2, 0)
    receiver.status = 200
    await subscriptions.resume(bench.connection, "cris")
    await bench.drain()
    assert receiver.seqs == [1, 2, 1, 2]


async def test_a_receiver_that_wants_time_gets_it(bench: PushBench, receiver: Receiver) -> None:
    await bench.subscribe("cris", receiver.url)
    await bench.edit_record(ORCID, "tides")
    receiver.status, receiver.headers = 503, {"Retry-After": "3600"}
    await bench.turn()

    found = await bench.load("cris")
    assert found.failing_since is not None
    assert timedelta(minutes=59) < found.due_at - found.failing_since < timedelta(minutes=61)
    assert await bench.delivery.seconds_to_next() == pytest.approx(3_600, abs=60)


async def test_while_an_endpoint_is_down_one_message_at_a_time_tries_it(bench: PushBench, receiver: Receiver) -> None:
    for number in range(12):
        await bench.subscribe(f"cris-{number:02}", f"{receiver.url}/{number}")
    async with receiving() as other:
        await bench.subscribe("other", other.url)
        await bench.edit_record(ORCID, "tides")
        receiver.status = 502
        for lease, message in (await bench.lease())[: CIRCUIT + 1]:
            await bench.delivery.deliver(lease, message)
        await bench.connection.execute(
            "update orcid_sync.push_progress set due_at = now(), lease_until = now(), lease_no = lease_no + 1"
        )

        assert [lease.name for lease, _ in await bench.lease()] == ["other"], "it is left alone for a while"
        await bench.wait_out()
        await bench.connection.execute("update orcid_sync.push_progress set lease_until = now()")
        probes = [lease.name for lease, _ in await bench.lease()]
        assert len(probes) == 2
        assert "other" in probes
        assert await bench.turn() == 0, "one tries"

    receiver.status = 204
    await bench.connection.execute("update orcid_sync.push_progress set lease_until = now()")
    await bench.wait_out()
    await subscriptions.remove(bench.connection, "other")
    assert await bench.turn() == 1
    await bench.wait_out()
    assert await bench.turn() == 11, "it answers: all go on"
    assert await bench.connection.fetchval("select count(*) from orcid_sync.push_endpoints") == 0


async def test_while_a_secret_is_replaced_both_sign(bench: PushBench, receiver: Receiver) -> None:
    old = await bench.subscribe("cris", receiver.url)
    new = await subscriptions.rotate_secret(bench.connection, VAULT, "cris", overlap=timedelta(hours=1))
    assert new is not None
    await bench.edit_record(ORCID, "tides")
    await bench.drain()
    for secret in (old, new):
        assert receiver.received[-1].verify(secret)

    await bench.connection.execute("update orcid_sync.subscription_secrets set ends_at = now() where number = 1")
    await bench.edit_record(ORCID, "moon")
    await bench.drain()
    assert receiver.received[-1].verify(new)
    with pytest.raises(WebhookVerificationError):
        receiver.received[-1].verify(old)
    assert await subscriptions.drop_ended_secrets(bench.connection) == 1


@pytest.mark.invariant("S20")
@pytest.mark.parametrize("rewound", [False, True], ids=["a new epoch", "rewound"])
async def test_a_feed_that_lost_its_history_says_so_before_anything_else(
    bench: PushBench, receiver: Receiver, *, rewound: bool
) -> None:
    secret = await bench.subscribe("cris", receiver.url)
    await bench.edit_record(ORCID, "tides")
    await bench.drain()
    if rewound:
        for table in ("changes", "change_contents"):
            await bench.connection.execute(f"delete from orcid.{table} where seq > 1")
        await bench.connection.execute("update orcid_sync.feed_head set last = 1")
    else:
        await bench.connection.execute("select orcid_sync.new_epoch()")
        await bench.edit_record(ORCID, "moon")

    await bench.drain()

    message = receiver.received[1].verify(secret)
    last, epoch = await bench.connection.fetchrow("select last, epoch::text from orcid_sync.feed_head")
    assert (message["type"], message["data"]["epoch"], message["data"]["to"]) == ("orcid.resync", epoch, last)
    await bench.edit_record(ORCID, "stars")
    await bench.drain()
    assert receiver.received[-1].seqs[-1] == await head(bench)
    assert receiver.received[-1].message["data"]["epoch"] == epoch
    assert (await bench.load("cris")).current


async def test_an_edit_counts_for_what_is_being_tried(bench: PushBench, receiver: Receiver) -> None:
    await bench.subscribe("cris", receiver.url)
    await bench.edit_record(ORCID, "tides")
    receiver.answers = [500]
    await bench.turn()
    async with receiving() as other:
        wish = subscriptions.Wish(url=other.url, origin=other.url.removesuffix("/orcid"), view="public", contents=False)
        assert await subscriptions.edit(bench.connection, "cris", wish)
        await bench.drain()

        [received] = other.received
        assert received.id != receiver.received[0].id
        assert received.seqs == [1, 2]
        assert all("new" not in change for change in other.changes)


async def test_filters_move_the_position_over_what_is_not_wanted(
    bench: PushBench, receiver: Receiver, sample_orcids: Samples
) -> None:
    from orcid_sync.model.pushes.filters import Filter

    await bench.subscribe("works", receiver.url, filter=Filter(sections=["work"]))
    await bench.append(sample_orcids(2), 1_200)

    assert await bench.drain() == 0

    found = await bench.load("works")
    assert (found.reached, found.behind, receiver.received) == (1_200, 0, [])
