"""Records that suddenly hold far less: held until a second read agrees, or an operator says so."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from orcid_sync.simulator.records.profiles import Effect
from rig.service.command_line import Cli
from rig.service.reconciler import OTHER, SECOND_LOOK, Bench, O


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
    before, head = await bench.number(), await bench.head()
    _keep(bench, "work", 3)

    assert await bench.notified() == "held"
    assert "held" in (await bench.row())["last_error"]
    assert await bench.due_in() == pytest.approx(SECOND_LOOK, abs=timedelta(seconds=30))

    assert await bench.notified() == "held"  # agrees, but too soon to be independent
    assert (await bench.number(), await bench.head()) == (before, head)

    await bench.pass_time(SECOND_LOOK)
    assert await bench.turn() == "changed"
    assert {c["op"] for c in await bench.changes(head)} <= {"removed", "updated"}
    await bench.assert_mirrored()
    assert not await bench.doubts()


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
    assert not await bench.doubts()


@pytest.mark.fault("F54")
@pytest.mark.invariant("S8")
async def test_each_removal_waits_for_itself(bench: Bench) -> None:
    """Who deletes on and on is not waited for: what two reads lack is gone, what is new waits its own turn."""
    await bench.connect()
    await bench.turn()
    _keep(bench, "work", 12)
    assert await bench.notified() == "held"
    first = {doubt.key for doubt in await bench.doubts("removal")}
    _keep(bench, "work", 11)
    await bench.pass_time(SECOND_LOOK)
    head = await bench.head()

    assert await bench.turn() == "changed"

    assert {one["key"] for one in await bench.changes(head) if one["op"] == "removed"} == first
    [last] = await bench.doubts("removal")
    assert last.key not in first
    assert await bench.when_due() == "changed"
    await bench.assert_mirrored()


@pytest.mark.fault("F54")
@pytest.mark.invariant("S8")
async def test_nothing_else_waits_with_the_removals_of_a_shrinking_section(bench: Bench) -> None:
    """What is added to it, what changes in it, and what goes elsewhere is applied by the first read."""
    await bench.connect()
    await bench.turn()
    works = {key for key in await bench.mirror() if key[0] == "work"}
    _keep(bench, "work", 3)
    state, edit = bench.registry.profiles.state(O), bench.registry.edit
    moved = next(code for code, item in state.of("work").items() if item.visibility == "public")
    gone = next(code for code, item in state.of("keyword").items() if item.visibility == "public")
    edit.edit_item(O, "work", moved, {"journal-title": {"value": "Another journal"}})
    edit.remove_item(O, "keyword", gone)
    head = await bench.head()

    assert await bench.notified() == "changed"

    said = {(one["section"], one["key"]): one["op"] for one in await bench.changes(head)}
    assert said == {("work", str(moved)): "updated", ("keyword", str(gone)): "removed"}
    assert {key for key in await bench.mirror() if key[0] == "work"} == works
    assert len(await bench.doubts("removal")) > 5
    await bench.when_due()
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
    before, head = await bench.number(), await bench.head()
    body = msgspec.json.decode(bench.view())
    for holder in (body["activities-summary"], body["person"], body):
        holder.pop(missing, None)
    bench.registry.faults.add("wrong-shape", "record", count=1, body=body)

    await bench.check()

    assert await bench.number() == before
    assert not [change for change in await bench.changes(head) if change["op"] != "updated"]
    await bench.when_due()
    await bench.assert_mirrored()


@pytest.fixture
def command(cli_on: Any, bench: Bench) -> Cli:
    """The command line on the bench's database."""
    return cli_on(bench.database.dsn)  # type: ignore[no-any-return]


async def hold(bench: Bench) -> None:
    """Have removals of works held."""
    await bench.connect()
    await bench.turn()
    _keep(bench, "work", 3)
    assert await bench.notified() == "held"


def outcomes(stdout: str) -> list[tuple[str, str]]:
    said = [msgspec.json.decode(line) for line in stdout.splitlines()]
    return [(one["orcid"], one["outcome"]) for one in said]


@pytest.mark.fault("F54")
async def test_what_is_held_can_be_looked_at(bench: Bench, command: Cli) -> None:
    assert "Nothing waits for a second read" in (await command.apart("holds", "list")).stdout
    await hold(bench)
    lost = {"work": len(await bench.doubts("removal"))}

    listed = msgspec.json.decode((await command.apart("holds", "list", "--json")).stdout)
    assert [(one["orcid"], one["removals"], one["released"]) for one in listed] == [(O, lost, False)]
    assert lost["work"] > 5

    shown = (await command.apart("holds", "list")).stdout
    assert O in shown
    assert f"{lost['work']} work" in shown


@pytest.mark.fault("F54")
@pytest.mark.invariant("S8")
async def test_a_released_hold_is_applied_by_the_next_read_that_says_the_same(bench: Bench, command: Cli) -> None:
    await hold(bench)
    mirror = await bench.mirror()

    result = await command.apart("holds", "release", O, "--json")

    assert (result.exit_code, outcomes(result.stdout)) == (0, [(O, "released")])
    assert await bench.mirror() == mirror  # an operator's word is not an answer of the Registry's
    assert await bench.turn() == "changed"  # at once, in the operator's lane
    await bench.assert_mirrored()
    assert not await bench.doubts()


@pytest.mark.fault("F54")
@pytest.mark.invariant("S8")
async def test_a_release_is_for_what_was_held_and_for_nothing_else(bench: Bench, command: Cli) -> None:
    await hold(bench)
    released = {doubt.key for doubt in await bench.doubts("removal")}
    await command.apart("holds", "release", O)
    _keep(bench, "work", 1)  # more is gone now than what was agreed to
    head = await bench.head()

    assert await bench.turn() == "changed"
    assert {one["key"] for one in await bench.changes(head) if one["op"] == "removed"} == released
    assert [doubt.released for doubt in await bench.doubts("removal")] == [False, False]


@pytest.mark.fault("F54")
async def test_a_release_survives_failures(bench: Bench, command: Cli) -> None:
    await hold(bench)
    await command.apart("holds", "release", O)
    bench.registry.faults.add("error", "record", status=503, count=2)

    assert await bench.turn() == "failed"
    assert await bench.check() == "changed"


@pytest.mark.fault("F54")
@pytest.mark.invariant("S8")
async def test_a_discarded_hold_is_read_afresh(bench: Bench, command: Cli) -> None:
    await hold(bench)
    since = (await bench.doubts("removal"))[0].since

    result = await command.apart("holds", "discard", O)

    assert (result.exit_code, result.stdout) == (0, f"{O}  discarded\n")
    assert not await bench.doubts()
    assert await bench.turn() == "held"  # as much is gone as before: it begins anew
    assert (await bench.doubts("removal"))[0].since > since
    await bench.pass_time(SECOND_LOOK)
    assert await bench.turn() == "changed"


@pytest.mark.parametrize("verb", ["release", "discard"])
async def test_who_holds_nothing_is_told_so(bench: Bench, command: Cli, verb: str) -> None:
    await hold(bench)

    result = await command.apart("holds", verb, O, OTHER, "--json")

    done = {"release": "released", "discard": "discarded"}[verb]
    assert outcomes(result.stdout) == [(O, done), (OTHER, "holds nothing")]
    assert (result.exit_code, "orcid-sync holds list" in result.stderr) == (1, True)
    assert (await command.apart("holds", verb, "0000-0002-1825-0098")).exit_code == 2


@pytest.mark.fault("F54")
@pytest.mark.invariant("S8")
async def test_an_unknown_record_in_between_begins_the_hold_anew(bench: Bench) -> None:
    """Two reads must agree; one in between that said something else breaks the agreement."""
    await hold(bench)
    profile = bench.registry.profiles._profiles.pop(O)
    assert await bench.check() == "unconfirmed"
    assert not await bench.doubts()
    bench.registry.profiles._profiles[O] = profile

    assert await bench.when_due() == "changed"  # it is shown again
    assert (await bench.row())["unconfirmed"] is None
    assert len(await bench.doubts("removal")) > 5
    await bench.pass_time(SECOND_LOOK)
    assert await bench.turn() == "changed"
    assert await bench.withheld() is None
    await bench.assert_mirrored()
