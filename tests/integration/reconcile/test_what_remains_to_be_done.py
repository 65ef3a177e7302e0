"""What a read leaves to be done: another look where something was not heard, and none where nothing is missing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from orcid_sync.store.sync import queue
from rig.service.reconciler import LIMITED, SECOND_LOOK, Bench, O

Body = dict[str, Any]
SOON = timedelta(hours=1)
LONG = timedelta(days=5)


def _view(bench: Bench, *, modified_ms: int) -> Body:
    """The record as it is now, under that date."""
    body: Body = msgspec.json.decode(bench.view())
    body["history"]["last-modified-date"]["value"] = modified_ms
    return body


async def _read(bench: Bench, body: Body) -> str:
    """One check that is answered so."""
    bench.registry.faults.add("wrong-shape", "record", count=1, body=body)
    return await bench.check()


@pytest.mark.fault("F37")
@pytest.mark.invariant("S4")
@pytest.mark.parametrize("earlier_ms", [1, 499, 1_000])
async def test_an_answer_that_is_older_by_a_millisecond_is_older(bench: Bench, earlier_ms: int) -> None:
    """ORCID's dates have milliseconds (contract section 3.9), and two edits fit into one second."""
    await bench.connect()
    await bench.turn()
    date = (await bench.row())["registry_modified_ms"] // 1_000 * 1_000 + 60_999
    old = _view(bench, modified_ms=date - earlier_ms)
    bench.registry.edit.add_item(O, "keyword", {"content": "new"})
    assert await _read(bench, _view(bench, modified_ms=date)) == "changed"
    before = await bench.mirror()

    assert await _read(bench, old) == "failed"

    assert (await bench.row())["last_error"].startswith("stale")
    assert await bench.mirror() == before


def _without(*path: str) -> Callable[[Body], None]:
    def take_away(body: Body) -> None:
        for name in path[:-1]:
            body = body[name]
        del body[path[-1]]

    return take_away


HALVES = {
    path[-1]: _without(*path)
    for path in (("activities-summary", "works"), ("person", "keywords"), ("person", "emails"))
}
"""Answers that say nothing of a section."""


@pytest.mark.fault("F54")
@pytest.mark.invariant("S8", "L1")
@pytest.mark.parametrize("first", [True, False], ids=["first load", "check"])
@pytest.mark.parametrize("half", HALVES)
async def test_what_was_not_heard_is_asked_for_again_soon(bench: Bench, half: str, *, first: bool) -> None:
    """Half an answer is no whole one: it does not become what the next one is compared with."""
    await bench.connect()
    if not first:
        await bench.turn()
    body = msgspec.json.decode(bench.view())
    HALVES[half](body)

    assert await _read(bench, body) in {"changed", "unchanged"}

    assert (await bench.row())["body_digest"] is None
    assert timedelta() < await bench.due_in() <= SOON
    await bench.when_due()
    await bench.assert_mirrored()
    assert await bench.due_in() > LONG


@pytest.mark.invariant("S2")
@pytest.mark.parametrize("by_hand", [True, False], ids=["an operator's read", "a check"])
async def test_nothing_is_owed_after_a_whole_answer_that_nobody_announced(bench: Bench, *, by_hand: bool) -> None:
    """A notification may be older than its change; who asks by hand, or by the clock, asks about what is there."""
    await bench.connect()
    await bench.turn()
    assert await bench.due_in() > LONG, "after a first load"
    bench.registry.edit.add_item(O, "keyword", {"content": "new"})
    if by_hand:
        await queue.request_sync(bench.connection, [O])
    else:
        await bench.pass_time(await bench.due_in())

    assert await bench.turn() == "changed"

    assert (await bench.row())["second_look_at"] is None
    assert await bench.due_in() > LONG


@pytest.mark.invariant("S2")
@pytest.mark.parametrize("withheld", ["limited", "all"])
async def test_the_same_answer_shows_again_what_was_withheld(bench: Bench, withheld: str) -> None:
    """Nothing has changed at ORCID, and readers still see less than the mirror holds."""
    token = await bench.connect(scopes=LIMITED)
    await bench.turn()
    held, row = await bench.number(), await bench.row()
    await bench.connection.execute("update orcid.records set withheld = $1", withheld)

    await bench.check()

    assert (await bench.row())["body_digest"] == row["body_digest"]
    assert await bench.withheld() is None
    assert await bench.number() == held
    await bench.assert_mirrored(token=token)
    assert await bench.due_in() > SECOND_LOOK
