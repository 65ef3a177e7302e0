"""Records that are locked, closed, merged, unknown; and records that suddenly hold far less."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from service_rig import OTHER, SECOND_LOOK, Bench, O

from orcid_sync.simulator.profiles import Effect


def _vanish(bench: Bench) -> None:
    """The Registry does not know the iD any more."""
    del bench.registry.profiles._profiles[O]


async def items(bench: Bench) -> int:
    number: int = await bench.connection.fetchval("select count(*) from orcid.items where orcid = $1", O)
    return number


STATES: dict[str, tuple[Callable[[Bench], Any], Callable[[Bench], Any], timedelta]] = {
    # what happens, how it ends, how soon the record is looked at again
    "locked": (lambda b: b.registry.edit.lock(O), lambda b: b.registry.edit.unlock(O), timedelta(days=1)),
    "unclaimed": (lambda b: b.registry.edit.unclaim(O), lambda b: b.registry.edit.claim(O), timedelta(days=1)),
}


@pytest.mark.fault("F63")
@pytest.mark.invariant("S8", "S10")
@pytest.mark.parametrize("state", STATES)
async def test_a_record_that_is_withheld_for_a_while_keeps_its_items(bench: Bench, state: str) -> None:
    begin, end, again_in = STATES[state]
    await bench.connect()
    await bench.turn()
    before, head = await items(bench), await bench.head()
    begin(bench)

    assert await bench.notified() == state

    assert (await bench.record())["state"] == state
    assert await items(bench) == before
    assert [(c["section"], c["op"], c["fields"]) for c in await bench.changes(head)] == [
        ("record", "updated", ["state"])
    ]
    await bench.pass_time(SECOND_LOOK)
    assert await bench.turn() == state  # the second look says the same: nothing new
    assert await bench.head() == head + 1
    assert await bench.due_in() == pytest.approx(again_in, abs=timedelta(minutes=1))

    end(bench)
    assert await bench.when_due() == "changed"
    await bench.assert_mirrored()


@pytest.mark.fault("F63")
async def test_a_deactivated_record_loses_its_items_and_comes_back(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    before, head = await items(bench), await bench.head()
    bench.registry.edit.deactivate(O)

    assert await bench.notified() == "deactivated"

    assert (await bench.record())["state"] == "deactivated"
    assert await items(bench) == 0
    changes = await bench.changes(head)
    assert len(changes) == before + 1
    assert {(c["op"], c["reason"]) for c in changes if c["section"] != "record"} == {("removed", "record-deactivated")}
    assert (await bench.record())["doc"] == b"{}"

    bench.registry.edit.reactivate(O)
    assert await bench.notified() == "changed"
    await bench.assert_mirrored()


@pytest.mark.fault("F43", "F62")
@pytest.mark.invariant("S9")
async def test_a_merged_record_names_its_primary_and_is_never_followed(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    head = await bench.head()
    bench.registry.edit.deprecate(O, OTHER)

    assert await bench.notified() == "deprecated"

    record = await bench.record()
    assert (record["state"], record["primary_orcid"]) == ("deprecated", OTHER)
    assert await items(bench) == 0
    reasons = {(c["op"], c["reason"]) for c in await bench.changes(head) if c["section"] != "record"}
    assert reasons == {("removed", "record-deprecated")}
    assert not [one for one in bench.requests() if one.orcid == OTHER]  # nothing was asked of the primary
    assert await bench.connection.fetchval("select count(*) from orcid.items where orcid = $1", OTHER) == 0


@pytest.mark.fault("F43")
@pytest.mark.invariant("S9")
async def test_a_redirect_that_names_nobody_is_not_believed(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    before = await bench.mirror()
    bench.registry.faults.add("error", "record", status=302)

    assert await bench.check() == "failed"

    assert await bench.mirror() == before


@pytest.mark.invariant("S8")
async def test_404_counts_when_it_is_said_twice_far_enough_apart(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    before, mirror = await items(bench), await bench.mirror()
    _vanish(bench)

    assert await bench.check() == "not-found-yet"
    assert await bench.mirror() == mirror
    assert await bench.due_in() == pytest.approx(SECOND_LOOK, abs=timedelta(seconds=30))

    await bench.notify()  # a second answer, but too soon
    assert await bench.turn() == "not-found-yet"
    assert await bench.mirror() == mirror

    await bench.pass_time(SECOND_LOOK)
    assert await bench.turn() == "not-found"
    assert (await bench.record())["state"] == "not-found"
    assert await items(bench) == before  # not a deletion by its holder


@pytest.mark.invariant("S8")
async def test_404_once_is_forgotten_when_the_record_answers_again(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    profile = bench.registry.profiles[O]
    mirror = await bench.mirror()
    _vanish(bench)
    assert await bench.check() == "not-found-yet"
    bench.registry.profiles._profiles[O] = profile

    assert await bench.when_due() == "unchanged"

    row = await bench.row()
    assert (row["unconfirmed_at"], row["last_error"]) == (None, None)
    assert await bench.mirror() == mirror


async def test_404_of_an_item_says_nothing_about_the_record(bench: Bench) -> None:
    """Between the record and its full forms something was deleted (F38); the next read tells."""
    await bench.connect()
    code = next(iter(bench.registry.profiles.state(O).of("funding")))
    bench.reads.during = lambda target: (
        bench.registry.edit.remove_item(O, "funding", code)
        if target.endpoint == "record" and code in bench.registry.profiles.state(O).of("funding")
        else None
    )

    assert await bench.turn() == "changed"

    assert (await bench.record())["state"] == "active"
    held = await bench.connection.fetchrow("select detail from orcid.fundings where put_code = $1", code)
    assert held["detail"] is None
    await bench.when_due()
    await bench.assert_mirrored()


def _keep(bench: Bench, section: str, number: int) -> dict[int, Any]:
    """All but so many items of a section disappear; returns what was there."""
    state = bench.registry.profiles.state(O)
    before = dict(state.of(section))
    shown = [code for code, item in before.items() if item.visibility == "public"]
    kept = {code: item for code, item in before.items() if code in shown[:number] or code not in shown}
    bench.registry.profiles.change(
        state.with_section(section, kept), Effect.INDEXED, at_ms=bench.registry.clock.stamp()
    )
    return before


@pytest.mark.fault("F54")
@pytest.mark.invariant("S8")
async def test_losing_most_of_a_section_is_believed_when_a_second_read_agrees(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    mirror, head = await bench.mirror(), await bench.head()
    _keep(bench, "work", 3)

    assert await bench.notified() == "held"
    assert await bench.mirror() == mirror
    assert "held" in (await bench.row())["last_error"]
    assert await bench.due_in() == pytest.approx(SECOND_LOOK, abs=timedelta(seconds=30))

    assert await bench.notified() == "held"  # agrees, but too soon to be independent
    assert await bench.mirror() == mirror

    await bench.pass_time(SECOND_LOOK)
    assert await bench.turn() == "changed"
    assert {c["op"] for c in await bench.changes(head)} <= {"removed", "updated"}
    await bench.assert_mirrored()
    assert (await bench.row())["held_digest"] is None


@pytest.mark.fault("F54")
@pytest.mark.invariant("S8")
async def test_losing_most_of_a_section_is_dropped_when_a_second_read_disagrees(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    before = _keep(bench, "work", 3)
    head = await bench.head()
    assert await bench.notified() == "held"
    state = bench.registry.profiles.state(O)
    bench.registry.profiles.change(
        state.with_section("work", before), Effect.INDEXED, at_ms=bench.registry.clock.stamp()
    )

    assert await bench.when_due() == "unchanged"

    assert await bench.head() == head
    await bench.assert_mirrored()
    assert (await bench.row())["held_digest"] is None


@pytest.mark.fault("F54")
@pytest.mark.invariant("S8")
async def test_other_removals_than_those_held_begin_anew(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    _keep(bench, "work", 4)
    assert await bench.notified() == "held"
    _keep(bench, "work", 2)

    await bench.pass_time(SECOND_LOOK)
    assert await bench.turn() == "held"  # these were never seen before

    await bench.pass_time(SECOND_LOOK)
    assert await bench.turn() == "changed"
    await bench.assert_mirrored()


@pytest.mark.invariant("S8")
@pytest.mark.parametrize("kept", [0, 6])
async def test_few_removals_are_believed_at_once(bench: Bench, kept: int) -> None:
    """Not more than five, or not more than half."""
    await bench.connect()
    await bench.turn()
    if kept == 0:
        _keep(bench, "funding", 0)
    else:
        public = sum(item.visibility == "public" for item in bench.registry.profiles.state(O).of("work").values())
        _keep(bench, "work", public - kept)

    assert await bench.notified() == "changed"
    await bench.assert_mirrored()


@pytest.mark.fault("F54")
@pytest.mark.invariant("S8")
@pytest.mark.parametrize("missing", ["works", "fundings", "keywords", "person"])
async def test_a_section_that_is_missing_is_not_an_empty_one(bench: Bench, missing: str) -> None:
    await bench.connect()
    await bench.turn()
    before, head = await items(bench), await bench.head()
    body = msgspec.json.decode(bench.view())
    for holder in (body["activities-summary"], body["person"], body):
        holder.pop(missing, None)
    bench.registry.faults.add("wrong-shape", "record", count=1, body=body)

    await bench.check()

    assert await items(bench) == before
    assert not [change for change in await bench.changes(head) if change["op"] != "updated"]
    await bench.when_due()
    await bench.assert_mirrored()
