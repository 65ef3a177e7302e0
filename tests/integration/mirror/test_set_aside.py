"""Parts of a record that cannot be understood: set aside and named, and everything beside them is applied."""

from typing import Any

import pytest

from orcid_sync.daemon.public_listener import rules_of
from orcid_sync.model.explain.diagnosis import DiagnosisKind
from orcid_sync.service.explain.explain import Question, explain_one
from orcid_sync.service.explain.status_doubts import doubtful
from orcid_sync.store.console.overview import overview
from rig.service.reconciler import Bench, O

SECTIONS = ("work", "funding", "peer-review", "research-resource", "employment", "keyword")
NO_NUMBER = {"null": None, "a fraction": 1.5, "beyond bigint": 2**70, "a text": "abc"}


def shown(bench: Bench, section: str) -> list[int]:
    items = bench.registry.profiles.state(O).of(section)
    return [code for code, item in items.items() if item.visibility == "public"]


async def keys(bench: Bench, section: str) -> set[str]:
    rows = await bench.connection.fetch("select key from orcid.items where orcid = $1 and section = $2", O, section)
    return {row["key"] for row in rows}


def break_key(bench: Bench, section: str, put_code: int, value: Any) -> None:
    bench.registry.edit.put_raw_in_item(O, section, put_code, ["put-code"], value, form="summary")


@pytest.mark.fault("F49", "F54")
@pytest.mark.invariant("S8", "S10")
@pytest.mark.parametrize("value", NO_NUMBER)
@pytest.mark.parametrize("section", SECTIONS)
async def test_an_item_that_makes_no_sense_stays_and_all_others_go_on(bench: Bench, section: str, value: str) -> None:
    await bench.connect()
    await bench.turn()
    before = await keys(bench, section)
    sick = shown(bench, section)[0]
    break_key(bench, section, sick, NO_NUMBER[value])
    edit = bench.registry.edit
    gone = shown(bench, "external-identifier")[0]
    edit.remove_item(O, "external-identifier", gone)
    new = edit.add_item(O, "keyword", {"content": "new"})

    assert await bench.notified() == "changed"

    assert await keys(bench, section) >= before
    assert str(gone) not in await keys(bench, "external-identifier")
    assert str(new) in await keys(bench, "keyword")
    [doubt] = await bench.doubts()
    assert (doubt.kind, doubt.section, doubt.may_be) == ("item", section, (str(sick),))
    [said] = doubtful((await overview(bench.connection)).doubts)
    assert "1 part of 1 record cannot be understood" in said.sentence
    explanation = await explain_one(bench.connection, O, Question(view=None, rules=rules_of(bench.settings)))
    assert explanation.diagnosis.complaint is DiagnosisKind.SET_ASIDE
    assert section in explanation.diagnosis.sentence

    edit.mend_item(O, section, sick)
    await bench.notified()
    await bench.assert_mirrored()
    assert not await bench.doubts()


@pytest.mark.fault("F49", "F54")
@pytest.mark.invariant("S8")
@pytest.mark.parametrize("named", [True, False], ids=["its path names it", "nothing names it"])
async def test_what_goes_with_a_part_may_be_that_part_and_what_goes_later_is_gone(bench: Bench, *, named: bool) -> None:
    await bench.connect()
    await bench.turn()
    sick, hidden, later, *_ = shown(bench, "work")
    break_key(bench, "work", sick, None)
    if not named:
        bench.registry.edit.put_raw_in_item(O, "work", sick, ["path"], None, form="summary")
    bench.registry.edit.set_visibility(O, "work", hidden, "private")
    kept = {str(sick)} if named else {str(sick), str(hidden)}  # then nobody can tell which of them the part is

    await bench.notified()

    assert await keys(bench, "work") & {str(sick), str(hidden)} == kept
    bench.registry.edit.set_visibility(O, "work", later, "private")
    assert await bench.notified() == "changed"
    assert str(later) not in await keys(bench, "work")
    assert await keys(bench, "work") & {str(sick), str(hidden)} == kept
    bench.registry.edit.mend_item(O, "work", sick)
    await bench.notified()
    await bench.assert_mirrored()
    assert not await bench.doubts()
