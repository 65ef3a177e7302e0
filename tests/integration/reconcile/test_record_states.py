"""Records that are locked, closed, merged, unknown: hidden when it is said first, gone when it is said again."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.store.consent.connections import load
from orcid_sync.store.sync import sweeps
from rig.service.reconciler import LIMITED, OTHER, SECOND_LOOK, Bench, O

Do = Callable[[Bench], Any]


def vanish(bench: Bench) -> None:
    """The Registry does not know the iD any more."""
    bench.lost = bench.registry.profiles._profiles.pop(O)


def reappear(bench: Bench) -> None:
    bench.registry.profiles._profiles[O] = bench.lost


def own_lines(changes: list[Any]) -> list[tuple[str, tuple[str, ...]]]:
    """What the feed says of the record itself."""
    return [(c["op"], tuple(c["fields"])) for c in changes if c["section"] == "record"]


async def mirrored(bench: Bench, *, scopes: tuple[str, ...] = ()) -> str | None:
    """Connect O and read it."""
    token = await bench.connect(scopes=scopes)
    await bench.turn()
    return token


PAUSES: dict[str, tuple[Do, Do]] = {
    "locked": (lambda b: b.registry.edit.lock(O), lambda b: b.registry.edit.unlock(O)),
    "unclaimed": (lambda b: b.registry.edit.unclaim(O), lambda b: b.registry.edit.claim(O)),
}


@pytest.mark.fault("F63")
@pytest.mark.invariant("S8", "S10")
@pytest.mark.parametrize(
    ("state", "hide_locked", "withheld"),
    [("locked", False, None), ("locked", True, "all"), ("unclaimed", False, "all")],
    ids=["locked and frozen", "locked and hidden", "unclaimed"],
)
async def test_a_record_that_is_not_shown_for_a_while_keeps_its_items(
    bench: Bench, state: str, withheld: str | None, *, hide_locked: bool
) -> None:
    bench.reconciler = replace(bench.reconciler, policy=replace_policy(bench, hide_locked=hide_locked))
    begin, end = PAUSES[state]
    await mirrored(bench)
    before, past, head = await bench.number(), await bench.past(), await bench.head()
    begin(bench)

    assert await bench.notified() == state

    assert ((await bench.record())["state"], await bench.withheld()) == (state, withheld)
    assert await bench.number() == before
    fields = ("state", "withheld") if withheld else ("state",)
    assert own_lines(await bench.changes(head)) == [("updated", fields)]
    assert len(await bench.changes(head)) == 1
    await bench.pass_time(SECOND_LOOK)
    assert await bench.turn() == state  # the second look says the same: nothing new
    assert await bench.head() == head + 1
    assert await bench.due_in() == pytest.approx(timedelta(days=1), abs=timedelta(minutes=1))

    end(bench)
    assert await bench.when_due() == "changed"
    assert await bench.withheld() is None
    assert await bench.past() > past  # nothing was forgotten
    await bench.assert_mirrored()


def replace_policy(bench: Bench, **members: Any) -> Any:
    from msgspec.structs import replace as changed

    return changed(bench.reconciler.policy, **members)


ENDS: dict[str, tuple[Do, str, timedelta]] = {
    "deactivated": (lambda b: b.registry.edit.deactivate(O), "record-deactivated", timedelta(days=7)),
    "deprecated": (lambda b: b.registry.edit.deprecate(O, OTHER), "record-deprecated", timedelta(days=30)),
}


@pytest.mark.fault("F62", "F63")
@pytest.mark.invariant("S8", "S11")
@pytest.mark.parametrize("state", ENDS)
async def test_what_ends_a_record_hides_it_when_said_once_and_ends_it_when_said_again(bench: Bench, state: str) -> None:
    act, reason, again_in = ENDS[state]
    await mirrored(bench)
    before, head = await bench.number(), await bench.head()
    emails = await bench.connection.fetchval("select count(*) from orcid.emails")
    act(bench)

    assert await bench.notified() == "unconfirmed"

    assert ((await bench.record())["state"], await bench.withheld()) == ("active", "all")  # hidden at once
    assert await bench.number() == before
    assert own_lines(await bench.changes(head)) == [("updated", ("withheld",))]
    assert await bench.due_in() == pytest.approx(SECOND_LOOK, abs=timedelta(seconds=30))

    head = await bench.head()
    assert await bench.notified() == "unconfirmed"  # too soon to be another answer
    assert await bench.head() == head

    await bench.pass_time(SECOND_LOOK)
    assert await bench.turn() == state

    record = await bench.record()
    assert (record["state"], record["doc"], await bench.withheld()) == (state, b"{}", None)
    assert (record["locale"], record["submitted_at"], record["access"]) == (None, None, "read-public")
    gone = [c for c in await bench.changes(head) if c["section"] != "record"]
    assert {(c["op"], c["reason"]) for c in gone} == {("removed", reason)}
    assert len(gone) == before - emails + 1
    assert [c["key"] for c in gone if c["section"] == "email"] == [""]
    assert await bench.number() == 0
    # Of all that was, only the tombstone is left in the history, and no line names an address.
    contents = await bench.connection.fetch("select side, content from orcid.change_contents where orcid = $1", O)
    assert [row["side"] for row in contents] == ["new"]
    assert await bench.connection.fetchval("select count(*) from orcid.changes where key like '%@%'") == 0
    assert await bench.due_in() == pytest.approx(again_in, abs=timedelta(minutes=1))


@pytest.mark.fault("F62", "F63")
async def test_a_record_that_ends_twice_leaves_the_last_tombstone_alone(bench: Bench) -> None:
    """The second end has no item to remove, so that no line gives its reason; it forgets all the same."""
    await mirrored(bench)
    for state, (act, _, _) in ENDS.items():
        act(bench)
        assert await bench.notified() == "unconfirmed"
        await bench.pass_time(SECOND_LOOK)
        assert await bench.turn() == state

    rows = await bench.connection.fetch("select seq, side, content from orcid.change_contents where orcid = $1", O)
    (tombstone,) = rows
    assert (tombstone["side"], msgspec.json.decode(tombstone["content"])["state"]) == ("new", "deprecated")
    last = "select seq, section, op from orcid.changes where orcid = $1 order by seq desc limit 1"
    assert tuple(await bench.connection.fetchrow(last, O)) == (tombstone["seq"], "record", "updated")


@pytest.mark.fault("F63")
async def test_a_record_that_comes_back_is_a_first_load(bench: Bench) -> None:
    await mirrored(bench)
    bench.registry.edit.deactivate(O)
    await bench.notified()
    assert await bench.when_due() == "deactivated"
    head = await bench.head()

    bench.registry.edit.reactivate(O)
    bench.registry.edit.add_item(O, "keyword", {"content": "anew"})
    assert await bench.notified() == "changed"

    changes = await bench.changes(head)
    assert {c["cause"] for c in changes} == {"first-load"}
    assert {c["op"] for c in changes if c["section"] != "record"} == {"added"}
    assert await bench.withheld() is None
    await bench.assert_mirrored()


@pytest.mark.fault("F43", "F62")
@pytest.mark.invariant("S9")
async def test_a_merged_record_names_its_primary_and_is_never_followed(bench: Bench) -> None:
    await mirrored(bench, scopes=LIMITED)
    assert await bench.webhook_rows() == ["active"]
    bench.registry.edit.deprecate(O, OTHER)

    assert await bench.notified() == "unconfirmed"
    assert (await bench.record())["primary_orcid"] is None
    assert await bench.when_due() == "deprecated"

    assert (await bench.record())["primary_orcid"] == OTHER
    assert not [one for one in bench.requests() if one.orcid == OTHER]  # nothing was asked of the primary
    assert await bench.number(orcid=Orcid(OTHER)) == 0
    # Nobody is to be called for it any more, and the sweep that looks for missing webhooks knows.
    assert (bench.registry.webhooks.of(O), await bench.webhook_rows()) == ([], [])
    assert await sweeps.mark_for_webhooks(bench.connection, overlap=SECOND_LOOK) == 0
    # What the holder granted is not taken back by a merger, nor carried over.
    known = await load(bench.connection, O)
    assert known is not None
    assert (known.state, known.access_state) == ("connected", "granted")
    assert await load(bench.connection, OTHER) is None

    head = await bench.head()
    assert await bench.when_due() == "deprecated"
    assert await bench.head() == head


@pytest.mark.fault("F62")
async def test_a_merger_that_is_undone_is_a_first_load_with_a_webhook_before_it(bench: Bench) -> None:
    await mirrored(bench)
    bench.registry.edit.deprecate(O, OTHER)
    await bench.notified()
    await bench.when_due()
    head = await bench.head()
    bench.registry.edit._set(O, _indexed(), primary_orcid=None)
    bench.registry.edit.add_item(O, "keyword", {"content": "anew"})

    assert await bench.check() == "changed"

    assert await bench.webhook_rows() == ["active"]
    ends = [one.endpoint for one in bench.requests("webhook-put", "record")]
    assert ends[-2:] == ["webhook-put", "record"]
    assert {c["cause"] for c in await bench.changes(head)} == {"first-load"}
    assert (await bench.record())["primary_orcid"] is None
    await bench.assert_mirrored()


def _indexed() -> Any:
    from orcid_sync.simulator.records.profiles import Effect

    return Effect.INDEXED


CHAIN = [Orcid(numbered_orcid(5_000_100 + number)) for number in range(4)]


@pytest.mark.fault("F62")
@pytest.mark.parametrize(
    ("mergers", "ends"),
    [
        ({}, {0: 0}),
        ({0: 1}, {0: 1, 1: 1}),
        ({0: 1, 1: 2, 2: 3}, {0: 3, 1: 3, 2: 3, 3: 3}),
        ({0: 1, 1: 0}, {0: 1, 1: 0}),  # a ring: it ends, wherever
        ({0: 0}, {0: 0}),
        ({0: 1, 1: 2, 2: 1}, {0: 2}),
    ],
)
async def test_merged_ids_lead_to_what_they_became(bench: Bench, mergers: dict[int, int], ends: dict[int, int]) -> None:
    for old, primary in mergers.items():
        await bench.connection.execute(
            "insert into orcid.records (orcid, state, access, primary_orcid)"
            " values ($1, 'deprecated', 'read-public', $2)",
            *(CHAIN[old], CHAIN[primary]),
        )
    for old, end in ends.items():
        assert await bench.connection.fetchval("select orcid.canonical_orcid($1)", CHAIN[old]) == CHAIN[end]


@pytest.mark.fault("F43")
@pytest.mark.invariant("S9")
async def test_a_redirect_that_names_nobody_is_not_believed(bench: Bench) -> None:
    await mirrored(bench)
    before = await bench.mirror()
    bench.registry.faults.add("error", "record", status=302)

    assert await bench.check() == "failed"

    assert await bench.mirror() == before


@pytest.mark.fault("F63")
@pytest.mark.invariant("S8")
async def test_404_counts_when_it_is_said_twice_far_enough_apart(bench: Bench) -> None:
    await mirrored(bench)
    before = await bench.number()
    vanish(bench)

    assert await bench.check() == "unconfirmed"
    assert ((await bench.record())["state"], await bench.withheld()) == ("active", "all")
    assert await bench.due_in() == pytest.approx(SECOND_LOOK, abs=timedelta(seconds=30))

    await bench.pass_time(SECOND_LOOK)
    assert await bench.turn() == "not-found"
    assert ((await bench.record())["state"], await bench.withheld()) == ("not-found", "all")
    assert await bench.number() == before  # not a deletion by its holder

    assert await bench.check() == "not-found"  # known by now: there is nothing to confirm
    reappear(bench)
    assert await bench.check() == "changed"
    assert await bench.withheld() is None
    await bench.assert_mirrored()


@pytest.mark.fault("F63")
@pytest.mark.invariant("S8")
async def test_404_that_comes_and_goes_never_counts_and_is_shown_again_each_time(bench: Bench) -> None:
    await mirrored(bench)
    lines = len(await bench.changes())
    for _ in range(3):
        vanish(bench)
        assert await bench.check() == "unconfirmed"
        reappear(bench)
        assert await bench.when_due() == "changed"
        assert await bench.withheld() is None
        row = await bench.row()
        assert (row["unconfirmed"], row["unconfirmed_at"], row["last_error"]) == (None, None, None)
    changes = (await bench.changes())[lines:]
    assert own_lines(changes) == [("updated", ("withheld",))] * 6
    assert len(changes) == 6
    await bench.assert_mirrored()


@pytest.mark.fault("F63")
@pytest.mark.invariant("S8")
async def test_another_closing_answer_starts_anew(bench: Bench) -> None:
    await mirrored(bench)
    vanish(bench)
    assert await bench.check() == "unconfirmed"
    reappear(bench)
    bench.registry.edit.deactivate(O)

    assert await bench.when_due() == "unconfirmed"
    assert (await bench.row())["unconfirmed"] == "deactivated"
    assert await bench.number() > 0

    assert await bench.when_due() == "deactivated"
    assert await bench.number() == 0


@pytest.mark.invariant("S8", "S10")
async def test_a_failure_between_the_two_answers_neither_confirms_nor_refutes(bench: Bench) -> None:
    await mirrored(bench)
    bench.registry.edit.deactivate(O)
    assert await bench.check() == "unconfirmed"
    bench.registry.faults.add("error", "record", status=503, count=2)

    assert await bench.check() == "failed"
    assert ((await bench.row())["unconfirmed"], await bench.withheld()) == ("deactivated", "all")

    await bench.pass_time(SECOND_LOOK)
    assert await bench.check() == "deactivated"


@pytest.mark.fault("F63")
@pytest.mark.parametrize("state", ["deactivated", "not-found"])
async def test_a_record_that_was_closed_before_it_was_read(bench: Bench, state: str) -> None:
    if state == "deactivated":
        bench.registry.edit.deactivate(O)
    else:
        vanish(bench)
    await bench.connect()

    assert await bench.turn() == "unconfirmed"
    assert await bench.record() is None
    assert await bench.when_due() == state

    assert (await bench.record())["state"] == state
    assert [c["op"] for c in await bench.changes()] == ["added"]


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
