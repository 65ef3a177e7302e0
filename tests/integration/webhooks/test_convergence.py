"""What SQL says of all iDs at once is what the model says of each; and sweeps mark no more than they should."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.webhooks.registration import HookState, steps
from orcid_sync.store.consent.connections import Entry, connect_orcids, disconnect_orcids
from orcid_sync.store.sync import sweeps
from orcid_sync.store.webhooks import convergence, generations, inventory
from rig.service.webhook_inventory import present, registered

Sample = Callable[[int], list[Orcid]]

OVERLAP = timedelta(minutes=15)
STATES = [None, *HookState]
ONE, TWO = "https://one.example.edu", "https://two.example.edu"

SETTLED = "update orcid_sync.queue set leased_gen = gen, done_gen = gen, due_at = now() + interval '1 day', lane = 3"


async def scatter(connection: asyncpg.Connection, orcids: list[Orcid], chance: random.Random) -> None:
    """Webhooks in every state and age, of three generations, for people who are followed, left, or merged."""
    await connect_orcids(connection, [Entry(orcid=orcid) for orcid in orcids])
    numbers = [await present(connection, version, address) for version, address in ((1, ONE), (1, TWO), (2, TWO))]
    for orcid in orcids:
        for number in numbers:
            if (state := chance.choice(STATES)) is not None:
                await inventory.begin(connection, orcid, number, state)
    await connection.execute(
        "update orcid_sync.webhooks set registered_at = now() - random() * interval '30 minutes' where random() < 0.8"
    )
    await connection.execute(
        "insert into orcid.records (orcid, state, access)"
        " select orcid, 'deprecated', 'read-public' from orcid_sync.connections where random() < 0.1"
    )
    await disconnect_orcids(connection, chance.sample(orcids, len(orcids) // 5))


SITUATIONS = {
    "untried": "select 1",
    "working": "update orcid_sync.callback_generations set last_called_at = now()",
    "given up": "update orcid_sync.callback_generations set given_up_at = now() where present_since is null",
    "off": "update orcid_sync.callback_generations set present_since = null",
}


@pytest.mark.invariant("S16")
@pytest.mark.parametrize("situation", SITUATIONS)
async def test_sql_and_the_model_agree(connection: asyncpg.Connection, sample_orcids: Sample, situation: str) -> None:
    chance = random.Random(situation)
    await scatter(connection, sample_orcids(150), chance)
    await connection.execute(SITUATIONS[situation])
    await connection.execute("update orcid_sync.callback_generations set derivable = public_url = $1", TWO)
    known = {one.number for one in await generations.load(connection) if one.derivable}

    said: dict[str, set[tuple[str, int]]] = {}
    for row in await connection.fetch("select * from orcid_sync.webhook_work($1)", OVERLAP):
        said.setdefault(row["orcid"], set()).add((row["act"], row["generation"]))

    merged = {row["orcid"] for row in await connection.fetch("select orcid from orcid.records")}
    seen = set[str]()
    for row in await connection.fetch("select orcid, state from orcid_sync.connections"):
        hooks = await inventory.hooks(connection, row["orcid"])
        wanted = row["state"] == "connected" and row["orcid"] not in merged
        expected = {
            (step.act.value, step.generation.number)
            for step in steps(hooks, wanted=wanted, known=known, own=None, overlap=OVERLAP)
        }
        assert {pair for pair in said.get(row["orcid"], set()) if pair[0] not in ("wait", "lost")} == expected
        seen |= {act for act, _ in said.get(row["orcid"], set())}
    assert seen >= {"remove", "lost"}
    assert (situation == "off") == (seen == {"remove", "lost"})


async def settled(connection: asyncpg.Connection, orcids: list[Orcid], generation: int) -> None:
    """These are followed, have their webhook, and nothing is to be done."""
    await connect_orcids(connection, [Entry(orcid=orcid) for orcid in orcids])
    for orcid in orcids:
        await registered(connection, orcid, generation)
    await connection.execute(SETTLED)


async def due(connection: asyncpg.Connection) -> list[tuple[str, int]]:
    """Who waits for their turn, and in which lane."""
    rows = await connection.fetch("select orcid, lane from orcid_sync.queue where gen > leased_gen order by orcid")
    return [(row["orcid"], row["lane"]) for row in rows]


async def test_a_sweep_marks_what_lacks_its_webhook_and_never_more_than_the_lane_may_hold(
    connection: asyncpg.Connection, sample_orcids: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    orcids = sample_orcids(6)
    await settled(connection, orcids, await present(connection, 1))
    assert await sweeps.mark_for_webhooks(connection, overlap=OVERLAP) == 0
    await present(connection, 2)
    monkeypatch.setattr(sweeps, "WEBHOOKS_AT_ONCE", 4)

    assert await sweeps.mark_for_webhooks(connection, overlap=OVERLAP) == 4
    assert await sweeps.mark_for_webhooks(connection, overlap=OVERLAP) == 0, "as many as may wait, do"
    assert {lane for _, lane in await due(connection)} == {4}
    await connection.execute("update orcid_sync.queue set leased_gen = gen, due_at = now() + '1 h' where lane = 4")
    assert await sweeps.mark_for_webhooks(connection, overlap=OVERLAP) == 4


LEFT_ALONE = {
    "is being reconciled": "update orcid_sync.queue set lease_until = now() + interval '1 minute'",
    "fails and is tried again": "update orcid_sync.queue set attempts = 1",
    "waits for its turn": "update orcid_sync.queue set gen = gen + 1",
    "was refused": "update orcid_sync.webhooks set state = 'registering', requested_at = now() - interval '9 d'",
    "was begun a moment ago": "update orcid_sync.webhooks set state = 'reviving', requested_at = now()",
    "is as it should be": "select 1",
}


@pytest.mark.parametrize("case", LEFT_ALONE)
async def test_a_sweep_leaves_alone_who(connection: asyncpg.Connection, sample_orcids: Sample, case: str) -> None:
    [orcid] = sample_orcids(1)
    number = await present(connection, 1)
    await settled(connection, [orcid], number)
    if not LEFT_ALONE[case].startswith(("select", "update orcid_sync.webhooks")):
        await connection.execute(
            "update orcid_sync.webhooks set state = 'reviving', requested_at = now() - interval '9 d'"
        )
    await connection.execute(LEFT_ALONE[case])

    assert await sweeps.mark_for_webhooks(connection, overlap=OVERLAP) == 0


async def test_what_was_begun_and_forgotten_is_taken_up_after_a_day(
    connection: asyncpg.Connection, sample_orcids: Sample
) -> None:
    orcids = sample_orcids(3)
    await settled(connection, orcids, await present(connection, 1))
    for orcid, state in zip(orcids, ("reviving", "verifying", "removing"), strict=True):
        await connection.execute(
            "update orcid_sync.webhooks set state = $1, requested_at = now() - interval '25 h' where orcid = $2",
            state,
            orcid,
        )

    assert await sweeps.mark_for_webhooks(connection, overlap=OVERLAP) == 3


CHOICES = {
    "of these iDs": (lambda orcids: {"orcids": orcids[:2]}, {0, 1}),
    "under suspicion": (lambda _: {"suspect": True}, {1, 3}),
    "both": (lambda orcids: {"suspect": True, "orcids": orcids[:2]}, {1}),
    "not heard of since yesterday": (lambda _: {"not_alive_since": datetime.now(UTC) - timedelta(days=1)}, {2, 3}),
    "not more than": (lambda _: {"limit": 2}, None),
}


@pytest.mark.fault("F99")
@pytest.mark.parametrize("case", CHOICES)
async def test_webhooks_are_chosen_to_be_revived(
    connection: asyncpg.Connection, sample_orcids: Sample, case: str
) -> None:
    orcids = sample_orcids(5)
    number = await present(connection, 1)
    await settled(connection, orcids, number)
    await connection.execute(
        "update orcid_sync.webhooks set suspect_since = now() where orcid = any($1)", [orcids[1], orcids[3]]
    )
    await connection.execute(
        "update orcid_sync.webhooks set registered_at = now() - interval '9 d' where orcid = any($1)", orcids[1:]
    )
    await connection.execute("update orcid_sync.webhooks set last_called_at = now() where orcid = $1", orcids[1])
    await connection.execute("update orcid_sync.webhooks set state = 'registering' where orcid = $1", orcids[4])
    choose, expected = CHOICES[case]

    chosen = await inventory.revive(connection, **{"limit": 10, **choose(orcids)})

    marked = {
        hook.orcid for orcid in orcids for hook in await inventory.load(connection, orcid) if hook.state == "reviving"
    }
    assert set(chosen) == marked
    assert len(chosen) == 2 if expected is None else {orcids.index(orcid) for orcid in chosen} == expected
    assert await due(connection) == [(orcid, 4) for orcid in sorted(chosen)]
    assert await inventory.revive(connection, **{"limit": 10, **choose(orcids), "orcids": chosen}) == []


async def test_what_is_verified_may_be_revived_and_not_the_other_way_round(
    connection: asyncpg.Connection, sample_orcids: Sample
) -> None:
    [orcid] = sample_orcids(1)
    await settled(connection, [orcid], await present(connection, 1))
    now = await connection.fetchval("select now()")

    assert await inventory.verify(connection, limit=9, since=now) == [orcid]
    assert await inventory.revive(connection, limit=9) == [orcid]
    assert await inventory.verify(connection, limit=9, since=now) == []


async def test_who_left_is_not_revived(connection: asyncpg.Connection, sample_orcids: Sample) -> None:
    orcids = sample_orcids(2)
    await settled(connection, orcids, await present(connection, 1))
    await disconnect_orcids(connection, orcids[:1])
    await present(connection, 1, "https://elsewhere.example.edu")

    assert await inventory.revive(connection, limit=9) == [], "only webhooks of the present generation"
    await present(connection, 1)
    assert await inventory.revive(connection, limit=9) == orcids[1:]


async def test_marking_all_takes_up_what_failed_or_was_refused_only_if_asked(
    connection: asyncpg.Connection, sample_orcids: Sample
) -> None:
    orcids = sample_orcids(4)
    await settled(connection, orcids[1:], await present(connection, 1))
    await connect_orcids(connection, [Entry(orcid=orcids[0])])
    await connection.execute(SETTLED)
    await connection.execute("update orcid_sync.webhooks set state = 'registering' where orcid = $1", orcids[1])
    await connection.execute("update orcid_sync.webhooks set state = 'reviving' where orcid = $1", orcids[2])
    await connection.execute("update orcid_sync.queue set gen = gen + 1, attempts = 1 where orcid = $1", orcids[2])

    assert await convergence.visits(connection, overlap=OVERLAP) == convergence.Visits(total=3, waiting=0, failing=1)
    assert await convergence.mark_all(connection, overlap=OVERLAP, again=False) == 1
    assert await convergence.mark_all(connection, overlap=OVERLAP, again=False) == 0
    assert await convergence.mark_all(connection, overlap=OVERLAP, again=True) == 2


async def test_the_process_that_starts_last_decides(connection: asyncpg.Connection) -> None:
    first, second = await present(connection, 1), await present(connection, 2)
    assert (await generations.load(connection))[0].present_since is None
    since = (await generations.load(connection))[1].present_since

    assert await present(connection, 2) == second
    assert (await generations.load(connection))[1].present_since == since, "another process with the same settings"
    assert await present(connection, 1) == first, "somebody went back"
    assert [one.is_present for one in await generations.load(connection)] == [True, False]
    await generations.announce(connection, proofs={2: b"two"}, public_url="", key_version=None)
    assert [(one.is_present, one.derivable) for one in await generations.load(connection)] == [
        (False, False),
        (False, True),
    ]


async def test_a_secret_that_was_replaced_without_a_new_version_is_refused(connection: asyncpg.Connection) -> None:
    """All notifications would be refused, and removing webhooks by it would only seem to work (contract 1.4)."""
    await present(connection, 1)

    with pytest.raises(generations.WrongSecret, match="version 1 is not the one"):
        await generations.announce(connection, proofs={1: b"other"}, public_url="https://new.example", key_version=1)

    assert len(await generations.load(connection)) == 1
    await generations.announce(connection, proofs={2: b"other"}, public_url="https://new.example", key_version=2)
    with pytest.raises(generations.WrongSecret, match="version 1, 2 is not the one"):
        await generations.check(connection, {1: b"x", 2: b"y"})


async def test_the_webhooks_from_before_addresses_were_written_down_get_the_present_one(
    connection: asyncpg.Connection, sample_orcids: Sample
) -> None:
    await connection.execute(
        "insert into orcid_sync.callback_generations (key_version, public_url) values (1, ''), (3, '')"
    )
    [orcid] = sample_orcids(1)
    await settled(connection, [orcid], 1)

    assert await present(connection, 1) == 1

    known = await generations.load(connection)
    assert [(one.public_url, one.derivable) for one in known] == [
        ("https://orcid.example.edu", True),
        ("https://orcid.example.edu", False),
    ]
    assert await convergence.visits(connection, overlap=OVERLAP) == convergence.Visits(0, 0, 0)


CALLS = {
    "its version": ([(2, "proxy.internal:8080")], {2}),
    "its host, where versions are the same": ([(1, "one.example.edu")], {1}),
    "each of two": ([(1, "one.example.edu"), (1, "two.example.edu"), (2, "x")], {1, 2, 3}),
    "none, by another name": ([(1, "proxy.internal:8080")], set()),
    "none, of a version that nobody knows": ([(7, "one.example.edu")], set()),
}


@pytest.mark.parametrize("case", CALLS)
async def test_a_call_is_noted_with_the_generation_that_it_was_made_to(
    connection: asyncpg.Connection, case: str
) -> None:
    numbers = [await present(connection, version, address) for version, address in ((1, ONE), (2, TWO), (1, TWO))]
    calls, expected = CALLS[case]

    await generations.note_calls(connection, calls)

    called = {one.number for one in await generations.load(connection) if one.last_called_at}
    assert called == {numbers[place - 1] for place in expected}
    first = {one.number: one.first_called_at for one in await generations.load(connection)}
    await generations.note_calls(connection, calls)
    assert {one.number: one.first_called_at for one in await generations.load(connection)} == first
