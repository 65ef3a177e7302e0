"""Parts of the feed that are sent once more: from their first position to their very last."""

import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.pushes.delivery import CIRCUIT, MOST_CHANGES, TRIES
from orcid_sync.model.pushes.filters import Filter
from orcid_sync.service.pushes.compose import PAGE
from orcid_sync.store.pushes import outbox, redelivery, subscriptions
from rig.push_receiver import PushBench, Receiver, receiving

ORCID = Orcid("0009-9990-0000-0013")
TO_THE_END = 1 << 62


async def delivered(bench: PushBench, receiver: Receiver, number: int, **wish: object) -> None:
    """A subscription that has had so many changes."""
    await bench.subscribe("cris", receiver.url, **wish)
    await bench.append([ORCID], number)
    await bench.drain()
    receiver.received.clear()


@pytest.mark.invariant("S6")
@pytest.mark.parametrize("begins", [1, 2, 3])
async def test_a_part_that_ends_just_behind_a_message_is_sent_to_its_end(
    bench: PushBench, receiver: Receiver, begins: int
) -> None:
    """Its last message has one change, two, or none: a full one ends where the part does."""
    await delivered(bench, receiver, MOST_CHANGES + 2)

    assert await redelivery.replay_range(bench.connection, "cris", begins, TO_THE_END) == (begins, MOST_CHANGES + 2)
    await bench.drain()

    assert receiver.seqs == list(range(begins, MOST_CHANGES + 3))
    assert await redelivery.ranges(bench.connection) == []


@pytest.mark.invariant("S6")
@pytest.mark.parametrize("begins", [1, 2, 3])
async def test_a_part_that_ends_just_behind_what_is_not_wanted_is_sent_to_its_end(
    bench: PushBench, receiver: Receiver, begins: int
) -> None:
    """What is passed over is looked at page by page."""
    last = PAGE + 2
    await delivered(bench, receiver, last, filter=Filter(sections=["work"]))
    await bench.connection.execute("update orcid.changes set section = 'work' where seq = $1", last)

    assert await redelivery.replay_range(bench.connection, "cris", begins, TO_THE_END) == (begins, last)
    await bench.drain()

    assert receiver.seqs == [last]
    assert await redelivery.ranges(bench.connection) == []


@pytest.mark.parametrize("number", [1, PAGE, PAGE + 1])
async def test_a_part_of_which_nothing_is_wanted_comes_to_its_end(
    bench: PushBench, receiver: Receiver, number: int
) -> None:
    await delivered(bench, receiver, number, filter=Filter(sections=["work"]))

    assert await redelivery.replay_range(bench.connection, "cris", 1, TO_THE_END) == (1, number)
    assert await bench.drain() == 0

    assert await redelivery.ranges(bench.connection) == []


@pytest.mark.parametrize(
    ("first", "last", "sent"),
    [
        (3, 5, (3, 5)),
        (5, 5, (5, 5)),
        (9, 12, (9, 10)),  # as far as it has come
        (10, 10, (10, 10)),
        (11, 12, None),
        (5, 4, None),
    ],
)
async def test_a_part_is_as_large_as_it_was_asked_for(
    bench: PushBench, receiver: Receiver, first: int, last: int, sent: tuple[int, int] | None
) -> None:
    await delivered(bench, receiver, 10)

    assert await redelivery.replay_range(bench.connection, "cris", first, last) == sent
    await bench.drain()

    assert receiver.seqs == ([] if sent is None else list(range(sent[0], sent[1] + 1)))


async def test_parts_are_sent_one_after_the_other_and_another_subscription_has_none(
    bench: PushBench, receiver: Receiver
) -> None:
    async with receiving() as other:
        await bench.subscribe("other", other.url)
        await delivered(bench, receiver, 10)
        other.received.clear()
        for part in ((7, 8), (2, 3)):
            await redelivery.replay_range(bench.connection, "cris", *part)
        assert [one.number for one in await redelivery.ranges(bench.connection, "cris")] == [1, 2]
        assert await redelivery.ranges(bench.connection, "other") == []

        await bench.drain()

        assert receiver.seqs == [7, 8, 2, 3]
        assert all(one.message["data"]["replay"] for one in receiver.received)
        assert other.received == []


@pytest.mark.parametrize("how", ["a part", "what is dead"])
async def test_what_is_sent_again_is_sent_at_once_and_hurries_nobody_else(
    bench: PushBench, receiver: Receiver, how: str
) -> None:
    """Both receivers failed, and are waited for; of one it is known that it works again."""
    async with receiving() as other:
        for name, url in (("cris", receiver.url), ("other", other.url)):
            await bench.subscribe(name, url, when_dead="continue")
        await bench.append([ORCID], 1)
        for one in (receiver, other):
            one.answers = [400] * TRIES if how == "what is dead" else []
        await bench.fail_until_dead(TRIES)
        await bench.append([ORCID], 1)
        for one in (receiver, other):
            one.answers = [500]
        await bench.turn()
        for one in (receiver, other):
            one.received.clear()

        if how == "what is dead":
            assert await redelivery.replay_dead(bench.connection, "cris") == [1]
        else:
            assert await redelivery.replay_range(bench.connection, "cris", 1, 1) == (1, 1)
        await bench.drain()

        assert (receiver.seqs, other.seqs) == ([1, 2], [])


@pytest.mark.invariant("S6")
async def test_what_is_sent_for_the_second_time_is_not_taken_for_the_first_time(
    bench: PushBench, receiver: Receiver
) -> None:
    """A receiver may ignore an id that it has seen: who asks for a part twice wants it twice."""
    await delivered(bench, receiver, 3)
    for _ in range(2):
        await redelivery.replay_range(bench.connection, "cris", 1, 3)
        await bench.drain()

    assert receiver.seqs == [1, 2, 3] * 2
    assert len(set(receiver.ids)) == 2


@pytest.mark.invariant("S6")
async def test_what_dies_for_the_second_time_is_not_taken_for_what_died_first(
    bench: PushBench, receiver: Receiver
) -> None:
    await bench.subscribe("cris", receiver.url, when_dead="continue")
    for number in (1, 2):
        await bench.append([ORCID], 1)
        receiver.answers = [400] * TRIES
        await bench.fail_until_dead(TRIES)
        assert await redelivery.replay_dead(bench.connection, "cris") == [number]
        await bench.drain()

    assert await redelivery.ranges(bench.connection) == []


async def test_parts_are_numbered_by_subscription(bench: PushBench, receiver: Receiver) -> None:
    await delivered(bench, receiver, 3)
    await bench.subscribe("other", receiver.url)
    await bench.drain()

    for name in ("cris", "cris", "other"):
        await redelivery.replay_range(bench.connection, name, 1, 1)

    assert [(one.name, one.number) for one in await redelivery.ranges(bench.connection)] == [
        ("cris", 1),
        ("cris", 2),
        ("other", 1),
    ]


async def test_a_part_that_was_sent_again_moves_nothing_else(bench: PushBench, receiver: Receiver) -> None:
    await delivered(bench, receiver, 10)
    await redelivery.replay_range(bench.connection, "cris", 2, 3)

    await bench.drain()

    found = await bench.load("cris")
    assert (found.reached, found.behind, found.replaying, found.dead) == (10, 0, 0, 0)


@pytest.mark.parametrize("number", [1, 2])
async def test_one_dead_message_of_several_is_replayed_or_given_up(
    bench: PushBench, receiver: Receiver, number: int
) -> None:
    """By its number, and of this subscription alone."""
    async with receiving() as other:
        for name, url in (("cris", receiver.url), ("other", other.url)):
            await bench.subscribe(name, url, when_dead="continue")
        for one in (receiver, other):
            one.answers = [400] * 2 * TRIES
        for _ in range(2):
            await bench.append([ORCID], 1)
            await bench.fail_until_dead(TRIES)
        for one in (receiver, other):
            one.received.clear()
            one.answers.clear()
        kept = 3 - number

        assert await redelivery.replay_dead(bench.connection, "cris", number) == [number]
        await bench.drain()
        assert (receiver.seqs, other.seqs) == ([number], [])
        assert await redelivery.discard_dead(bench.connection, "cris", number) == []
        assert await redelivery.discard_dead(bench.connection, "other", number) == [number]

        left = [(one.name, one.number, one.state) for one in await redelivery.ranges(bench.connection)]
        assert left == [("cris", kept, "dead"), ("other", kept, "dead")]


async def test_what_is_being_sent_again_is_not_given_up_as_dead(bench: PushBench, receiver: Receiver) -> None:
    await delivered(bench, receiver, 10)
    await redelivery.replay_range(bench.connection, "cris", 2, 3)

    assert await redelivery.discard_dead(bench.connection, "cris") == []
    assert await redelivery.replay_dead(bench.connection, "cris") == []

    await bench.drain()
    assert receiver.seqs == [2, 3]


async def test_a_part_that_dies_waits_where_it_was(bench: PushBench, receiver: Receiver) -> None:
    await delivered(bench, receiver, 10, when_dead="continue")
    await redelivery.replay_range(bench.connection, "cris", 2, 3)
    receiver.answers = [400] * TRIES
    await bench.fail_until_dead(TRIES)
    await bench.append([ORCID], 1)
    receiver.received.clear()

    await bench.drain()

    assert receiver.seqs == [11], "what comes after it goes on"
    [dead] = await redelivery.ranges(bench.connection, "cris")
    assert (dead.state, dead.from_seq, dead.to_seq, dead.error) == ("dead", 2, 3, "status 400")
    assert (await bench.load("cris")).reached == 11


async def test_resuming_replays_what_stopped_it_and_only_that(bench: PushBench, receiver: Receiver) -> None:
    async with receiving() as other:
        for name, url in (("cris", receiver.url), ("other", other.url)):
            await bench.subscribe(name, url, when_dead="pause")
        await bench.append([ORCID], 1)
        receiver.answers, other.answers = [400] * TRIES, [400] * TRIES
        await bench.fail_until_dead(TRIES)
        receiver.received.clear()
        other.received.clear()

        assert await subscriptions.resume(bench.connection, "cris")
        await bench.drain()

        assert (receiver.seqs, other.seqs) == ([1], [])
        assert (await bench.load("other")).state == "stopped"


@pytest.mark.invariant("S20")
async def test_a_subscription_that_starts_again_leaves_the_parts_of_others_alone(
    bench: PushBench, receiver: Receiver
) -> None:
    """The other one began in the new history of the feed: its part means what it meant."""
    async with receiving() as other:
        await delivered(bench, receiver, 2)
        await bench.connection.execute("select orcid_sync.new_epoch()")
        await bench.subscribe("other", other.url, after=2)
        await redelivery.replay_range(bench.connection, "other", 1, 2)

        receiver.status, other.status = 204, 500
        await bench.drain()

        assert [one.message["type"] for one in receiver.received] == ["orcid.resync"]
        assert [one.name for one in await redelivery.ranges(bench.connection)] == ["other"]


async def test_an_endpoint_that_is_down_is_left_alone_by_itself(bench: PushBench) -> None:
    """One that failed once is tried as before."""
    await outbox.note_endpoint(bench.connection, "https://sound.example.org", alive=False)
    for _ in range(CIRCUIT):
        await outbox.note_endpoint(bench.connection, "https://down.example.org", alive=False)

    paused = "select origin from orcid_sync.push_endpoints where paused_until > now()"
    assert [row["origin"] for row in await bench.connection.fetch(paused)] == ["https://down.example.org"]
