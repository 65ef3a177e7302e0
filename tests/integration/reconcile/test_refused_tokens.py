"""Tokens that are refused: in doubt at first, revoked in the end, and never because of an outage (contract 2.6)."""

from datetime import timedelta

import pytest
import structlog

from orcid_sync.model.ids import Orcid
from orcid_sync.service.record.read_outcome import Superseded
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.consent.connections import load
from rig.service.reconciler import LIMITED, OTHER, Bench, O

DAY = timedelta(days=1)


def revoke(bench: Bench, orcid: Orcid = O) -> None:
    """The researcher takes the permission back at ORCID; nobody is told (contract section 2.6)."""
    bench.registry.token_service.disable(orcid, "USER_REVOKED")


def restore(bench: Bench) -> None:
    for token in bench.registry.token_service.tokens.values():
        token.disabled = None


async def mirrored(bench: Bench, orcid: Orcid = O) -> str | None:
    token = await bench.connect(orcid, scopes=LIMITED)
    await bench.turn(orcid)
    return token


async def doubted(bench: Bench, orcid: Orcid = O) -> timedelta:
    """Reconcile until the token is no longer merely in doubt; how long that took."""
    lapse = timedelta()
    while await bench.access_state(orcid) == "suspect":
        wait = await bench.due_in(orcid)
        await bench.pass_time(wait, orcid)
        lapse += wait
        await bench.turn(orcid)
    return lapse


@pytest.mark.fault("F56")
@pytest.mark.invariant("S10", "S11")
async def test_a_refused_token_hides_what_is_limited_and_removes_nothing(bench: Bench) -> None:
    token = await mirrored(bench)
    items, past, head = await bench.number(), await bench.past(), await bench.head()
    revoke(bench)

    assert await bench.check() == "suspect"

    assert (await bench.access_state(), await bench.withheld()) == ("suspect", "limited")
    assert (await bench.number(), await bench.past()) == (items, past + 2)
    lines = [(c["section"], c["op"], c["fields"]) for c in await bench.changes(head)]
    assert lines == [("record", "updated", ["withheld"])]
    assert await bench.due_in() == pytest.approx(timedelta(hours=1), abs=timedelta(minutes=1))
    assert "unauthorized" in (await bench.row())["last_error"]
    assert token not in (await bench.row())["last_error"]

    head = await bench.head()
    assert await bench.when_due() == "suspect"
    assert await bench.head() == head


@pytest.mark.fault("F56")
@pytest.mark.invariant("S10")
@pytest.mark.parametrize("edited", [False, True])
async def test_a_token_that_works_again_ends_the_doubt(bench: Bench, *, edited: bool) -> None:
    token = await mirrored(bench)
    revoke(bench)
    await bench.check()
    await bench.when_due()
    restore(bench)
    if edited:
        bench.registry.edit.add_item(O, "keyword", {"content": "meanwhile"}, visibility="limited")

    assert await bench.when_due() == "changed"

    assert (await bench.access_state(), await bench.withheld()) == ("granted", None)
    row = await bench.connection.fetchrow("select suspect_since, refusals from orcid_sync.connections")
    assert tuple(row) == (None, 0)
    assert await bench.noted() == [("granted", "holder", "token-file")]
    await bench.assert_mirrored(token=token)


@pytest.mark.fault("F56", "F60")
@pytest.mark.invariant("S8", "S11")
async def test_a_token_refused_for_a_day_is_revoked_and_its_items_are_withdrawn_and_forgotten(bench: Bench) -> None:
    await mirrored(bench)
    limited, public, head = await bench.number("limited"), await bench.number("public"), await bench.head()
    revoke(bench)
    assert await bench.check() == "suspect"

    lapse = await doubted(bench)

    assert DAY <= lapse < 3 * DAY
    assert await bench.access_state() == "revoked"
    assert (await bench.withheld(), await bench.number("limited")) == ("limited", limited)
    assert await bench.noted() == [("granted", "holder", "token-file"), ("revoked", "holder", "refused-token")]
    known = await load(bench.connection, O)
    assert known is not None
    assert (known.access_token, await bench.retired()) == (None, ["lost"])

    bench.registry.edit.add_item(O, "keyword", {"content": "meanwhile"})
    assert await bench.turn() == "changed"

    assert await bench.withheld() is None
    gone = [c for c in await bench.changes(head) if c["op"] in ("removed", "withdrawn")]
    assert {(c["op"], c["reason"]) for c in gone} == {("withdrawn", "access-lost")}
    assert "public" not in {c["visibility"] for c in gone if c["section"] != "email"}
    assert await bench.number("public") == public + 1
    contents = "select count(*) from orcid.change_contents x where x.visibility = 'limited' and x.side = 'old'"
    assert await bench.connection.fetchval(contents) == 0
    assert await bench.retired() == []  # revoked at ORCID, to be sure
    assert (await bench.record())["access"] == "read-public"
    await bench.assert_mirrored()

    assert await bench.when_due() == "unchanged"  # followed on, as any public record


@pytest.mark.fault("F56")
@pytest.mark.invariant("L5")
async def test_a_revocation_is_noticed_by_the_next_check_though_nobody_tells(bench: Bench) -> None:
    await mirrored(bench)
    revoke(bench)
    await bench.registry.run_delivery(after=3600)
    probe = await bench.due_in()
    assert probe <= 1.1 * bench.reconciler.policy.interval.longest

    assert await bench.when_due() == "suspect"
    assert await bench.withheld() == "limited"


@pytest.mark.fault("F56")
@pytest.mark.invariant("L5")
async def test_orcids_caches_may_hide_a_revocation_for_a_while(bench: Bench) -> None:
    await mirrored(bench)
    bench.registry.token_service.settings.revocation_lag_calls = 2
    revoke(bench)

    assert await bench.check() == "unchanged"
    assert await bench.check() == "unchanged"
    assert await bench.check() == "suspect"


@pytest.mark.fault("F56", "F57")
@pytest.mark.invariant("S8", "S10")
async def test_refusals_must_be_spread_over_a_day(bench: Bench) -> None:
    """However many notifications bring however many refusals within some hours."""
    await mirrored(bench)
    revoke(bench)
    for _ in range(6):
        assert await bench.notified() == "suspect"
        await bench.pass_time(timedelta(hours=3))
    assert await bench.access_state() == "suspect"
    await bench.pass_time(timedelta(hours=6))
    assert await bench.notified() == "revoked"


@pytest.mark.fault("F57")
@pytest.mark.invariant("S10")
@pytest.mark.parametrize("scopes", [(), LIMITED], ids=["our own token", "the holder's token"])
async def test_an_outage_of_the_token_service_changes_nothing(bench: Bench, scopes: tuple[str, ...]) -> None:
    """Our own token is refused, too: so nothing is known of the holder's."""
    token = await bench.connect(scopes=scopes)
    await bench.turn()
    before = await bench.mirror()
    bench.registry.token_service.introspection_down = True

    for _ in range(4):
        assert await bench.check() == "failed"
        await bench.pass_time(DAY)
    assert await bench.mirror() == before
    assert await bench.access_state() == ("granted" if scopes else "public")

    bench.registry.token_service.introspection_down = False
    assert await bench.check() in ("unchanged", "changed")
    assert await bench.mirror() == before
    await bench.assert_mirrored(token=token)


@pytest.mark.fault("F57")
@pytest.mark.invariant("S10")
async def test_a_client_that_orcid_disabled_loses_nothing(bench: Bench) -> None:
    token = await mirrored(bench)
    before = await bench.mirror()
    bench.registry.token_service.clients[CLIENT_ID].deactivated = True

    for _ in range(4):
        assert await bench.check() == "failed"
        await bench.pass_time(DAY)
    assert (await bench.mirror(), await bench.access_state()) == (before, "granted")

    bench.registry.token_service.clients[CLIENT_ID].deactivated = False
    assert await bench.check() == "unchanged"
    await bench.assert_mirrored(token=token)


PEOPLE = [Orcid(numbered_orcid(5_000_200 + number)) for number in range(4)]


async def many_mirrored(bench: Bench) -> None:
    for orcid in PEOPLE:
        bench.registry.add_record(orcid, works=1)
        await mirrored(bench, orcid)


@pytest.mark.fault("F57")
@pytest.mark.invariant("S10")
async def test_tokens_refused_in_numbers_revoke_nobody_however_long_it_lasts(bench: Bench) -> None:
    await many_mirrored(bench)
    for orcid in PEOPLE:
        revoke(bench, orcid)

    with structlog.testing.capture_logs() as logs:
        for _ in range(8):
            for orcid in PEOPLE:
                assert await bench.check(orcid) == "suspect"
                await bench.pass_time(DAY, orcid)

    assert {await bench.access_state(orcid) for orcid in PEOPLE} == {"suspect"}
    assert {await bench.withheld(orcid) for orcid in PEOPLE} == {"limited"}  # hidden all the while
    assert "many others" in (await bench.row(PEOPLE[0]))["last_error"]
    assert [log["refused"] for log in logs if "in numbers" in log["event"]]

    restore(bench)
    for orcid in PEOPLE:
        assert await bench.check(orcid) == "changed"
        assert (await bench.access_state(orcid), await bench.withheld(orcid)) == ("granted", None)


@pytest.mark.fault("F57")
async def test_when_the_others_work_again_the_one_who_revoked_is_known(bench: Bench) -> None:
    await many_mirrored(bench)
    for orcid in PEOPLE:
        revoke(bench, orcid)
        await bench.check(orcid)
    for orcid in PEOPLE:
        await bench.pass_time(2 * DAY, orcid)
        assert [await bench.check(orcid) for _ in range(2)] == ["suspect"] * 2
    restore(bench)
    revoke(bench, PEOPLE[0])
    for orcid in PEOPLE[1:]:
        await bench.check(orcid)

    assert await bench.check(PEOPLE[0]) == "revoked"


@pytest.mark.fault("F57")
@pytest.mark.invariant("S11")
async def test_no_outage_is_believed_for_ever(bench: Bench) -> None:
    await many_mirrored(bench)
    for orcid in PEOPLE:
        revoke(bench, orcid)
        for _ in range(3):
            await bench.check(orcid)
    for orcid in PEOPLE:
        await bench.pass_time(bench.reconciler.policy.believed_after - DAY, orcid)
        assert await bench.check(orcid) == "suspect"
        await bench.pass_time(DAY, orcid)

    assert [await bench.check(orcid) for orcid in PEOPLE] == ["revoked"] * 4


@pytest.mark.fault("F63")
@pytest.mark.invariant("S11")
async def test_a_deactivated_record_is_found_though_its_tokens_stopped_working(bench: Bench) -> None:
    """With the holder's token it answers 401 like any other (contract section 2.6): our own token can tell."""
    await mirrored(bench)
    bench.registry.edit.deactivate(O)

    assert await bench.notified() == "unconfirmed"
    assert (await bench.access_state(), await bench.withheld()) == ("granted", "all")
    assert await bench.when_due() == "deactivated"

    assert (await bench.record())["state"] == "deactivated"
    assert await bench.number() == 0
    assert (await bench.access_state(), await bench.retired()) == ("revoked", ["lost"])
    assert await bench.noted() == [("granted", "holder", "token-file"), ("revoked", "holder", "deactivated-record")]

    bench.registry.edit.reactivate(O)
    assert await bench.check() == "changed"
    assert (await bench.retired(), await bench.access_state()) == ([], "revoked")  # a new grant is needed
    await bench.assert_mirrored()


@pytest.mark.fault("F56", "F63")
@pytest.mark.invariant("S8", "S11")
async def test_a_permission_that_ends_while_the_record_is_locked_deletes_nothing(bench: Bench) -> None:
    """What the frozen mirror holds was read with more access than we have when the record comes back."""
    await mirrored(bench)
    limited, head = await bench.number("limited"), await bench.head()
    bench.registry.edit.lock(O)
    assert await bench.notified() == "locked"
    assert await bench.withheld() is None
    revoke(bench)

    assert await bench.check() == "locked"
    assert (await bench.access_state(), await bench.withheld()) == ("suspect", "limited")
    assert await bench.number("limited") == limited

    bench.registry.edit.unlock(O)
    assert await bench.check() == "suspect"
    await doubted(bench)
    assert await bench.turn() == "changed"

    gone = [c for c in await bench.changes(head) if c["op"] in ("removed", "withdrawn")]
    assert {c["reason"] for c in gone} == {"access-lost"}
    await bench.assert_mirrored()


@pytest.mark.fault("F56", "F63")
@pytest.mark.invariant("S8")
async def test_a_narrower_grant_for_a_locked_record_deletes_nothing(bench: Bench) -> None:
    await mirrored(bench)
    head = await bench.head()
    bench.registry.edit.lock(O)
    await bench.notified()
    await bench.connect(scopes=["/authenticate"])
    assert await bench.turn() == "narrowed"
    assert await bench.turn() == "locked"
    assert await bench.withheld() == "limited"
    bench.registry.edit.unlock(O)

    assert await bench.check() == "changed"

    gone = [c for c in await bench.changes(head) if c["op"] in ("removed", "withdrawn")]
    assert {c["reason"] for c in gone} == {"access-lost"}
    await bench.assert_mirrored()


@pytest.mark.fault("F64")
@pytest.mark.invariant("S8", "S10")
async def test_a_token_granted_while_the_old_one_was_refused_is_not_thrown_away(bench: Bench) -> None:
    await mirrored(bench)
    revoke(bench)
    await bench.check()
    await bench.pass_time(2 * DAY)
    await bench.check()
    await bench.connection.execute("update orcid_sync.queue set due_at = now()")
    lease = await bench.lease()
    head = await bench.head()
    token = await bench.connect(scopes=LIMITED)  # between the lease and what it finds
    bench.registry.token_service.tokens[token or ""].disabled = "USER_REVOKED"
    found = await bench.reconciler.reconcile(lease)
    assert found == "suspect"  # of the new token this is the first refusal, whatever the old one had

    bench.registry.token_service.tokens[token or ""].disabled = None
    assert await bench.when_due() == "changed"
    assert await bench.access_state() == "granted"
    assert not [c for c in await bench.changes(head) if c["op"] in ("removed", "withdrawn")]
    await bench.assert_mirrored(token=token)


@pytest.mark.fault("F64")
@pytest.mark.invariant("S8")
async def test_what_was_heard_of_a_replaced_token_is_void(bench: Bench) -> None:
    """Somebody connects while our own token is asked."""
    await mirrored(bench)
    revoke(bench)
    token = bench.registry.token_service.issue(CLIENT_ID, LIMITED, orcid=O).text
    sealed = bench.vault.seal(token, orcid=O, column="access_token")
    bench.reads.during = lambda _: bench.ask_aside(
        "update orcid_sync.tokens set access_token = $2 where orcid = $1 returning orcid", O, sealed
    )
    head = await bench.head()

    assert await bench.check() == "failed"

    assert (await bench.row())["last_error"] == f"superseded: {Superseded()}"
    assert (await bench.access_state(), await bench.withheld(), await bench.head()) == ("granted", None, head)
    bench.reads.during = lambda _: None
    assert await bench.when_due() == "unchanged"
    await bench.assert_mirrored(token=token)


async def test_of_two_people_only_the_one_who_revoked_is_in_doubt(bench: Bench) -> None:
    await mirrored(bench)
    await mirrored(bench, OTHER)
    revoke(bench)

    assert await bench.check() == "suspect"
    assert await bench.check(OTHER) == "unchanged"
    assert (await bench.access_state(OTHER), await bench.withheld(OTHER)) == ("granted", None)
