"""Letting iDs go: every token is revoked at ORCID, what was not public leaves the mirror and its history."""

from typing import Any

import pytest

from orcid_sync.service.consent.disconnect import UNREMOVABLE
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.consent import connections
from orcid_sync.store.consent.connections import Entry, load
from orcid_sync.store.consent.erasure import erase
from rig.service.reconciler import LIMITED, Bench, O


def working(bench: Bench) -> list[str]:
    """The holder's tokens that still work at the Registry."""
    return [token.text for token in bench.registry.token_service.active(O, CLIENT_ID)]


async def state(bench: Bench) -> str:
    known = await load(bench.connection, O)
    assert known is not None
    return known.state


@pytest.mark.fault("F60", "F65")
@pytest.mark.invariant("S11", "S16")
async def test_leaving_revokes_every_token_and_keeps_only_what_is_public(bench: Bench) -> None:
    for _ in range(3):  # each authorisation adds a token (contract section 2.4)
        await bench.connect(scopes=LIMITED)
    assert len(working(bench)) == 3
    await bench.turn()
    public = await bench.number("public")
    head = await bench.head()
    await bench.disconnect()

    assert await bench.turn() == "disconnected"

    assert (working(bench), await bench.retired()) == ([], [])
    assert (bench.registry.webhooks.of(O), await bench.webhook_rows()) == ([], [])
    assert (await state(bench), await bench.number(), await bench.number("public")) == ("disconnected", public, public)
    gone = [c for c in await bench.changes(head) if c["op"] != "added" and c["section"] != "record"]
    assert {(c["op"], c["reason"]) for c in gone} == {("withdrawn", "access-lost")}
    hidden = "select count(*) from orcid.change_contents where visibility is distinct from 'public'"
    assert await bench.connection.fetchval(hidden) == 0
    record = await bench.record()
    assert (record["state"], record["access"], record["withheld"]) == ("active", "read-public", None)


@pytest.mark.fault("F60", "F65")
@pytest.mark.invariant("S11")
@pytest.mark.parametrize("endpoint", ["revoke", "webhook-delete"])
async def test_what_is_not_public_goes_though_the_registry_is_away(bench: Bench, endpoint: str) -> None:
    """And what has to be done at ORCID is repeated until it is confirmed."""
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    public = await bench.number("public")
    await bench.disconnect()
    bench.registry.faults.add("error", endpoint, count=4, status=503)

    for _ in range(2):
        assert await bench.when_due() == "failed"
        assert (await bench.number(), await state(bench)) == (public, "disconnecting")
        # Neither waits for the other.
        assert len(working(bench)) == (endpoint == "revoke")
        assert len(bench.registry.webhooks.of(O)) == (endpoint == "webhook-delete")

    assert await bench.when_due() == "disconnected"
    assert (working(bench), await bench.retired(), await bench.webhook_rows()) == ([], [], [])


@pytest.mark.fault("F65")
@pytest.mark.invariant("S11")
async def test_a_revocation_whose_answer_was_lost_is_repeated(bench: Bench) -> None:
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    await bench.disconnect()
    bench.registry.faults.add("lost-answer", "revoke", count=2)

    assert await bench.turn() == "failed"
    assert (working(bench), await bench.retired()) == ([], ["disconnected"])
    assert await bench.when_due() == "disconnected"  # ORCID does not know the token any more: done


@pytest.mark.fault("F60")
@pytest.mark.invariant("S11")
async def test_a_token_that_was_replaced_is_revoked_in_passing(bench: Bench) -> None:
    old = await bench.connect(scopes=LIMITED)
    await bench.turn()
    token = await bench.connect(scopes=LIMITED)
    assert await bench.retired() == ["replaced"]

    await bench.turn()

    assert (await bench.retired(), working(bench)) == ([], [token])
    assert bench.registry.token_service.tokens[old or ""].disabled == "CLIENT_REVOKED"
    await bench.assert_mirrored(token=token)


async def test_a_replaced_token_that_is_in_use_again_is_only_taken_from_the_list(bench: Bench) -> None:
    token = await bench.connect(scopes=LIMITED)
    await bench.turn()
    again = bench.vault.seal(token or "", orcid=O, column="access_token")
    await bench.connection.execute(
        "insert into orcid_sync.retired_tokens (orcid, access_token, reason) values ($1, $2, 'replaced')", O, again
    )

    assert await bench.check() == "unchanged"

    assert (await bench.retired(), working(bench), bench.requests("revoke")) == ([], [token], [])


async def test_a_revocation_that_only_a_person_can_put_right_does_not_stop_the_mirror(bench: Bench) -> None:
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    await bench.connection.execute(
        "insert into orcid_sync.retired_tokens (orcid, access_token, reason) values ($1, 'v1.lost.x', 'replaced')", O
    )
    bench.registry.edit.add_item(O, "keyword", {"content": "anew"})

    assert await bench.notified() == "changed"
    assert await bench.retired() == ["replaced"]  # its key may come back
    assert await bench.side_steps() == {"revocation": (1, "vault")}

    await bench.disconnect()
    assert await bench.turn() == "failed"
    assert (await state(bench), await bench.webhook_rows()) == ("disconnecting", [])
    assert (await bench.row())["last_error"] == "disconnecting: still at ORCID: a token"


@pytest.mark.fault("F64", "F65")
@pytest.mark.invariant("S11", "S16")
async def test_what_was_erased_is_revoked_and_unregistered_too(bench: Bench) -> None:
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    await erase(bench.connection, O, by="holder", learnt="disconnect-page")

    assert await bench.turn() == "disconnected"

    assert (working(bench), await bench.retired(), await bench.webhook_rows()) == ([], [], [])
    assert (await state(bench), await bench.number(), await bench.record()) == ("disconnected", 0, None)


@pytest.mark.fault("F64")
@pytest.mark.invariant("S8", "S11")
async def test_a_disconnection_during_a_read_ends_with_what_is_public(bench: Bench) -> None:
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    bench.registry.edit.add_item(O, "keyword", {"content": "confidential"}, visibility="limited")
    await bench.notify()
    lease = await bench.lease()
    disconnected: list[Any] = []

    def disconnect_meanwhile(_: Any) -> None:
        if not disconnected:
            disconnected.append(
                bench.ask_aside(
                    "update orcid_sync.connections set state = 'disconnecting' where orcid = $1 returning orcid", O
                )
            )
            bench.ask_aside("update orcid_sync.queue set gen = gen + 1, due_at = now() where orcid = $1 returning 1", O)

    bench.reads.during = disconnect_meanwhile
    await bench.reconciler.reconcile(lease)

    assert await bench.when_due() == "disconnected"
    assert await bench.number("limited") == 0


@pytest.mark.fault("F64")
@pytest.mark.invariant("S8")
async def test_who_connects_again_in_the_middle_loses_nothing(bench: Bench) -> None:
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    await bench.disconnect()
    lease = await bench.lease()
    token = await bench.connect(scopes=LIMITED)
    head = await bench.head()

    await bench.reconciler.reconcile(lease)
    if await bench.due_in() < bench.reconciler.grace * 2:
        await bench.when_due()

    assert await state(bench) == "connected"
    assert not [c for c in await bench.changes(head) if c["op"] in ("removed", "withdrawn")]
    assert working(bench) == [token]
    await bench.assert_mirrored(token=token)


@pytest.mark.fault("F64")
@pytest.mark.invariant("S8", "L1")
async def test_who_connects_again_before_all_was_revoked_gets_everything_back(bench: Bench) -> None:
    """What was not public went at once; ORCID answers as before, and that must not count as unchanged."""
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    await bench.disconnect()
    bench.registry.faults.add("error", "revoke", count=2, status=503)
    assert await bench.when_due() == "failed"
    assert await bench.number("limited") == 0
    token = await bench.connect(scopes=LIMITED)

    await bench.when_due()

    await bench.assert_mirrored(token=token)


async def test_webhooks_that_cannot_be_removed_are_said_to_be_left(bench: Bench) -> None:
    """Its secret was replaced, so nobody knows its address any more."""
    await bench.connect(scopes=LIMITED)
    await bench.turn()
    await bench.connection.execute("update orcid_sync.callback_generations set key_version = 99")
    await bench.disconnect()

    assert await bench.turn() == "failed"

    assert (await bench.row())["last_error"] == f"disconnecting: still at ORCID: {UNREMOVABLE}"
    assert (await state(bench), working(bench), await bench.number("limited")) == ("disconnecting", [], 0)


@pytest.mark.fault("F60")
@pytest.mark.invariant("S11")
async def test_the_past_of_our_own_hidden_entries_goes_too(bench: Bench) -> None:
    """They were never more than we could see without a permission, and they went before their holder did."""
    await bench.connect()
    await bench.turn()
    hidden = await bench.connection.fetch("select put_code from orcid.works where visibility <> 'public'")
    assert hidden
    for row in hidden:
        bench.registry.edit.remove_item(O, "work", row["put_code"])
    await bench.check()
    await bench.disconnect()

    assert await bench.turn() == "disconnected"

    left = "select count(*) from orcid.change_contents where visibility is distinct from 'public'"
    assert await bench.connection.fetchval(left) == 0


async def test_a_token_that_nobody_asked_for_is_revoked(bench: Bench) -> None:
    token = bench.registry.token_service.issue(CLIENT_ID, LIMITED, orcid=O).text
    sealed = bench.vault.seal(token, orcid=O, column="access_token")
    await connections.retire_unwanted(bench.connection, O, sealed)

    assert await bench.turn() == "disconnected"

    assert (working(bench), await bench.retired(), await state(bench)) == ([], [], "disconnected")


async def test_the_same_token_handed_to_us_twice_is_not_revoked(bench: Bench) -> None:
    token = bench.registry.token_service.issue(CLIENT_ID, LIMITED, orcid=O).text
    for _ in range(2):
        sealed = bench.vault.seal(token, orcid=O, column="access_token")
        await connections.connect_orcids(bench.connection, [Entry(orcid=O, access_token=sealed, scopes=LIMITED)])

    assert await bench.turn() == "changed"

    assert (working(bench), await bench.retired()) == ([token], [])
