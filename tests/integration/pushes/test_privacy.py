"""What a push may say: what its view sees at the moment of each try, and nothing of whoever was erased."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.pushes.filters import Filter
from orcid_sync.model.scopes import View
from orcid_sync.service.pushes.delivery import NO_ROLE
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.consent.erasure import erase
from orcid_sync.store.database import encryption_keys, roles
from orcid_sync.store.database.encryption import Vault, VaultError
from orcid_sync.store.pushes import redelivery, subscriptions
from rig.push_receiver import VAULT, PushBench, receiving
from rig.reader_sessions import logins
from rig.records.marked_record import MARKER, marked_forms, marked_record, places
from rig.records.mirror import apply_record, fetch
from rig.records.planted_mirror import LIVES, PLANTED, build
from rig.records.sample_record import ORCID, encode

HERE = Orcid(ORCID)


@pytest.mark.invariant("S13")
@pytest.mark.fault("F49", "F60", "F61")
async def test_each_view_gets_exactly_its_feed(
    bench: PushBench, dsn: str, sample_orcids: Callable[[int], list[Orcid]]
) -> None:
    """Records of every fate, with texts that say who may read them; by filters as without."""
    world = await build(bench.database, sample_orcids(len(LIVES)))
    audiences = {"public": ["public"], "limited": ["public", "limited"]}
    reader_of = {"public": "orcid_reader", "limited": "orcid_reader_limited"}
    async with receiving() as receiver, logins(dsn, **reader_of) as sessions:
        for view, readable in audiences.items():
            for name, filter_ in (("all", Filter(minor=True)), ("some", Filter(minor=True, external_ids=["doi:10."]))):
                receiver.received.clear()
                await bench.subscribe(f"{view}-{name}", receiver.url, view=view, filter=filter_)
                await bench.drain()

                said = {text for one in receiver.received for text in PLANTED.findall(one.body.decode())}
                assert said - world.planted(*readable) == set()
                if name == "all":
                    rows = await sessions[view].fetch("select seq, op, key from orcid.change_feed order by seq")
                    lines = [(one["seq"], one["op"], one["key"]) for one in receiver.changes]
                    assert lines == [tuple(row) for row in rows]
                    assert said


@pytest.mark.invariant("S13")
async def test_what_is_hidden_between_two_tries_is_not_said_by_the_second(bench: PushBench) -> None:
    async with receiving() as receiver:
        await bench.subscribe("cris", receiver.url, filter=Filter(sections=["keyword"]))
        await bench.edit_record(ORCID, "tides")
        receiver.answers = [500]
        await bench.turn()
        await bench.edit_record(ORCID, "tides", visibility="limited")
        await bench.wait_out()
        await bench.drain()

    assert b"tides" in receiver.received[0].body
    assert all(b"tides" not in one.body for one in receiver.received[1:])
    assert receiver.changes[-1]["op"] == "withdrawn"
    assert receiver.ids[0] == receiver.ids[1]


@pytest.mark.fault("F66")
async def test_nothing_of_somebody_who_was_erased_waits_for_its_delivery(bench: PushBench) -> None:
    """Not in a message that is tried, not in one that is dead, not in one that is replayed."""
    async with receiving() as receiver:
        await connect_orcids(bench.connection, [Entry(orcid=HERE)])
        await apply_record(bench.database.worker, encode(marked_record()), marked_forms(), access="read-limited")
        last = await bench.connection.fetchval("select last from orcid_sync.feed_head")
        for name, when_dead in (("tried", "pause"), ("dead", "continue")):
            await bench.subscribe(name, receiver.url, view="limited", when_dead=when_dead)
        receiver.status = 400
        await bench.turn()
        await bench.connection.execute("update orcid_sync.push_progress set attempts = 11 where subscription_id = 2")
        await bench.wait_out()
        await bench.turn()
        assert MARKER.encode() in receiver.received[0].body
        assert (await bench.load("dead")).dead == 1

        await erase(bench.connection, HERE, by="operator", learnt="command")
        assert [name for name in await places(bench.connection) if "push" in name or "subscription" in name] == []
        receiver.received.clear()
        receiver.status = 204
        await bench.wait_out()
        await redelivery.replay_dead(bench.connection, "dead")
        await bench.drain()

    assert all(MARKER.encode() not in one.body for one in receiver.received)
    assert {change["reason"] for change in receiver.changes if change["seq"] > last} == {"erased"}
    assert receiver.changes[-1]["reason"] == "erased"


@pytest.mark.invariant("S13")
async def test_without_the_right_to_a_readers_role_nothing_is_sent(
    bench: PushBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(roles.ROLES, View.LIMITED, "a_role_that_is_missing")
    async with receiving() as receiver:
        await bench.subscribe("limited", receiver.url, view="limited")
        await bench.subscribe("public", receiver.url)
        await bench.edit_record(ORCID, "tides")
        await bench.drain()

    found = await bench.load("limited")
    assert (found.last_error, found.attempts, found.reached) == (NO_ROLE, 0, 0)
    assert (await bench.load("public")).behind == 0


@pytest.mark.invariant("S19")
async def test_secrets_are_sealed_and_their_keys_are_replaced_like_all_others(bench: PushBench, dsn: str) -> None:
    secret = await bench.subscribe("cris", "http://127.0.0.1:1/")
    new = await subscriptions.rotate_secret(bench.connection, VAULT, "cris", overlap=timedelta(hours=1))
    stored = await fetch(bench.database.worker, "select secret from orcid_sync.subscription_secrets")
    assert all("whsec" not in text and text.startswith("v1.1.") for (text,) in stored)
    both, after = Vault({"2": b"n" * 32, "1": b"k" * 32}), Vault({"2": b"n" * 32})

    [use] = [one for one in await encryption_keys.usage(bench.connection, both) if one.total]
    assert (use.key_id, use.rows) == ("1", {"subscription_secrets.secret": 2})
    with pytest.raises(VaultError):
        await encryption_keys.demand_right_key(bench.connection, Vault({"1": b"w" * 32}))
    assert [batch.replaced async for batch in encryption_keys.rotate(bench.connection, both)] == [2]

    found = await subscriptions.load(bench.connection, "cris")
    assert found is not None
    assert await subscriptions.signing_secrets(bench.connection, after, found.id) == [new, secret]


async def test_a_secret_that_does_not_open_holds_up_only_its_subscription(bench: PushBench) -> None:
    async with receiving() as receiver:
        await bench.subscribe("broken", receiver.url)
        await bench.subscribe("whole", receiver.url)
        await bench.connection.execute(
            "update orcid_sync.subscription_secrets set secret = (select secret from orcid_sync.subscription_secrets"
            " where subscription_id = 2) where subscription_id = 1"
        )
        await bench.edit_record(ORCID, "tides")
        await bench.drain()

    assert [one.message["data"]["subscription"] for one in receiver.received] == ["whole"]
    found: Any = await bench.load("broken")
    assert (found.attempts, found.behind) == (0, 2)
    assert "does not open" in found.last_error
