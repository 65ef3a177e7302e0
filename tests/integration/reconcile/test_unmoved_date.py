"""A cache that lags: older content under the record date that was read already (contract section 3.9)."""

from datetime import timedelta

import pytest

from rig.service.reconciler import LIMITED, SECOND_LOOK, Bench, O


async def _first_look(bench: Bench) -> None:
    """An edit was announced and read right; its second look is owed."""
    assert await bench.notified() == "changed"
    await bench.assert_mirrored()


@pytest.mark.fault("F37")
@pytest.mark.invariant("S4", "S8", "L1")
async def test_what_was_added_does_not_go_under_an_unmoved_date(bench: Bench) -> None:
    """The feed says nothing, another look is owed, and the one that shows it again ends the doubt."""
    await bench.connect()
    await bench.turn()
    bench.registry.edit.add_item(O, "keyword", {"content": "new"})
    await _first_look(bench)
    head = await bench.head()
    bench.registry.faults.add("earlier", "record", orcid=O, count=1)

    assert await bench.when_due() == "held"

    assert await bench.head() == head
    assert [doubt.kind for doubt in await bench.doubts()] == ["removal"]
    assert await bench.due_in() <= SECOND_LOOK
    assert await bench.when_due() == "unchanged"
    assert not await bench.doubts()
    await bench.assert_mirrored()


@pytest.mark.fault("F37")
@pytest.mark.invariant("S4", "S8")
async def test_an_edit_is_not_taken_back_under_an_unmoved_date(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    [keyword, *_] = bench.registry.profiles.state(O).of("keyword")
    bench.registry.edit.edit_item(O, "keyword", keyword, {"content": "newer"})
    await _first_look(bench)
    head = await bench.head()
    bench.registry.faults.add("earlier", "record", orcid=O, count=1)

    assert await bench.when_due() == "held"

    assert await bench.head() == head
    assert [doubt.kind for doubt in await bench.doubts()] == ["older"]
    await bench.when_due()
    await bench.assert_mirrored()


@pytest.mark.fault("F37", "F61")
@pytest.mark.invariant("S4", "S8", "S11")
@pytest.mark.parametrize("visibility", ["limited", "private"])
async def test_what_was_hidden_stays_hidden_under_an_unmoved_date(bench: Bench, visibility: str) -> None:
    """Limited or removed just now: an older answer must not show it to everybody again."""
    token = await bench.connect(scopes=LIMITED)
    await bench.turn()
    works = bench.registry.profiles.state(O).of("work")
    work = next(code for code, item in works.items() if item.visibility == "public")
    bench.registry.edit.set_visibility(O, "work", work, visibility)
    assert await bench.notified() == "changed"
    shown = await bench.number("public")
    bench.registry.faults.add("earlier", "record", orcid=O, count=1)

    assert await bench.when_due() == "held"

    assert await bench.number("public") == shown
    assert [doubt.kind for doubt in await bench.doubts()] == ["shown"]
    await bench.when_due()
    assert await bench.number("public") == shown
    await bench.assert_mirrored(token=token)


@pytest.mark.fault("F37")
@pytest.mark.invariant("S2", "L1")
async def test_a_removal_that_a_first_look_missed_comes_when_two_looks_agree(bench: Bench) -> None:
    """The first answer was the lagging one: the removal is told under its date by all that follow."""
    await bench.connect()
    await bench.turn()
    [keyword, *_] = bench.registry.profiles.state(O).of("keyword")
    bench.registry.edit.remove_item(O, "keyword", keyword)
    bench.registry.faults.add("earlier", "record", orcid=O, count=1)
    assert await bench.notified() == "unchanged"

    assert await bench.when_due() == "held"
    assert await bench.when_due() == "changed"
    await bench.assert_mirrored()
    assert not await bench.doubts()


@pytest.mark.fault("F37")
@pytest.mark.invariant("S4")
async def test_a_moved_date_counts_at_once(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    for _ in range(2):
        [keyword, *_] = bench.registry.profiles.state(O).of("keyword")
        bench.registry.edit.remove_item(O, "keyword", keyword)
        assert await bench.notified() == "changed"
        await bench.assert_mirrored()


@pytest.mark.fault("F37")
@pytest.mark.invariant("L1")
async def test_a_date_in_the_year_9999_makes_no_later_answer_stale(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    bench.registry.edit.put_raw(O, ["history", "last-modified-date", "value"], 253_370_764_800_000)
    await bench.notified()
    bench.registry.edit.mend_record(O)
    bench.registry.edit.add_item(O, "keyword", {"content": "new"})

    assert await bench.notified() == "changed"

    await bench.pass_time(timedelta(hours=1))
    await bench.assert_mirrored()


@pytest.mark.fault("F37", "F49")
@pytest.mark.invariant("S4", "S8")
@pytest.mark.parametrize("between", ["no date", "9018", "9036"])
async def test_the_date_outlives_an_answer_that_has_none(bench: Bench, between: str) -> None:
    """An older answer that comes next is still known as older."""
    await bench.connect()
    await bench.turn()
    bench.registry.edit.add_item(O, "keyword", {"content": "new"})
    await _first_look(bench)
    if between == "no date":
        bench.registry.edit.put_raw(O, ["history", "last-modified-date"], None, announced=False)
        await bench.notified()
        bench.registry.edit.mend_record(O, announced=False)
    else:
        bench.registry.faults.add("error", "record", orcid=O, code=int(between), count=1)
        await bench.notified()
    shown = await bench.number()
    bench.registry.faults.add("earlier", "record", orcid=O, back=3 if between == "no date" else 1, count=1)

    await bench.notified()

    assert await bench.number() == shown
    await bench.when_due()
    await bench.assert_mirrored()
