"""Full forms that cannot be read: what the summaries say is applied, and what is missing is asked for by itself."""

from datetime import timedelta
from typing import Any

import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.service.record.full_forms import PATIENCE
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.samples.record_builder import big_record
from orcid_sync.store.sync import queue
from rig.service.reconciler import OTHER, Bench, O

EXTENSIVE = Orcid(numbered_orcid(5_000_004))
ELSEWHERE = "https://example.org/new"
FULL = ("works-bulk", "funding", "peer-review", "research-resource")
"""Endpoints where the service reads full forms."""

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "500/9008": ("error", {"code": 9008}),
    "400/9006": ("error", {"code": 9006}),
    "403/9005": ("error", {"code": 9005}),
    "401/9017": ("error", {"code": 9017}),
    "409/9044, closed": ("error", {"code": 9044}),
    "409/9018, locked": ("error", {"code": 9018}),
    "301/9007, merged": ("error", {"code": 9007, "detail": f"https://orcid.org/{OTHER}"}),
    "404/9016, unknown": ("error", {"code": 9016}),
    "400/9034, no such item": ("error", {"code": 9034}),
    "429": ("error", {"status": 429}),
    "503": ("error", {"status": 503}),
    "504 page": ("error", {"status": 504, "html": True}),
    "403 page": ("error", {"status": 403, "html": True}),
    "HTML with 200": ("html", {}),
    "a list": ("list", {}),
    "null": ("wrong-shape", {"body": None}),
    "a number where the works belong": ("wrong-shape", {"body": {"bulk": 7}}),
    "another item's number": ("wrong-put-code", {"value": 7}),
    "another record's path": ("foreign-path", {"other": OTHER}),
    "cut off": ("truncated", {}),
    "empty": ("empty", {}),
    "with a byte order mark": ("bom", {}),
    "silence": ("timeout", {"seconds": 10}),
    "a lost connection": ("reset", {}),
}


@pytest.mark.fault("F38", "F39", "F40", "F49", "F53")
@pytest.mark.invariant("S8", "S9", "S10")
@pytest.mark.parametrize("way", WAYS)
async def test_what_the_summaries_say_is_applied_though_no_full_form_is_read(bench: Bench, way: str) -> None:
    """Additions, changes, removals, of the sick sections and of all others; and in the end all heals."""
    kind, options = WAYS[way]
    await bench.connect()
    await bench.turn()
    edit, state = bench.registry.edit, bench.registry.profiles.state(O)
    for section, link in (("work", "url"), ("funding", "url"), ("peer-review", "review-url")):
        shown = [code for code, item in state.of(section).items() if item.visibility == "public"]
        edit.edit_item(O, section, shown[0], {link: ELSEWHERE})
        if len(shown) > 1:
            edit.remove_item(O, section, shown[1])
    edit.add_item(O, "work", {"title": "A new one", "type": "book"})
    edit.add_item(O, "keyword", {"content": "new"})
    for endpoint in FULL:
        bench.registry.faults.add(kind, endpoint, orcid=O, **options)

    assert await bench.notified() == "changed"

    assert bench.registry.faults.fired[kind] >= 1
    await bench.assert_summaries_mirrored()
    assert (await bench.record())["state"] == "active"
    assert {doubt.section for doubt in await bench.doubts("full-form")} >= {"work"}
    assert not await bench.doubts("removal", "section", "item")
    row = await bench.row()
    assert (row["attempts"], row["last_error"], row["done_gen"]) == (0, None, row["gen"])
    assert timedelta(0) < await bench.due_in() < timedelta(days=8)

    bench.registry.faults.clear()
    await bench.pass_time(timedelta(days=8))
    assert await bench.turn() == "changed"
    await bench.assert_mirrored()
    assert not await bench.doubts()


@pytest.mark.fault("F39")
async def test_a_page_that_fails_is_halved_until_the_sick_work_stands_alone(bench: Bench) -> None:
    """All others have their full form after one read, and the sick one is asked for by itself from then on."""
    await bench.connect()
    works = bench.registry.profiles.state(O).of("work")
    sick = next(code for code, item in works.items() if item.visibility == "public")
    bench.registry.edit.break_item(O, "work", sick, announced=False)

    assert await bench.turn() == "changed"

    [doubt] = await bench.doubts()
    assert (doubt.kind, doubt.section, doubt.key) == ("full-form", "work", str(sick))
    assert doubt.reason == "ORCID cannot show the works asked for (HTTP 500, error-code 9008)"  # the record is shown
    query = "select key from orcid.items where orcid = $1 and section = 'work' and detail is null"
    assert [row["key"] for row in await bench.connection.fetch(query, O)] == [str(sick)]
    bench.reads.clear()
    asked = len(bench.requests())
    await bench.when_due()
    assert not bench.reads.codes()  # of healthy ones: the sick one is asked for alone
    assert {one.endpoint for one in bench.requests()[asked:]} == {"record", "works-bulk"}
    bench.registry.edit.mend_item(O, "work", sick)
    assert await bench.when_due() == "changed"
    await bench.assert_mirrored()


@pytest.mark.fault("F24", "F39", "F41")
@pytest.mark.parametrize("broken", [1, 3, 20, 120])
async def test_however_many_are_sick_the_requests_are_bounded_and_the_healthy_come(bench: Bench, broken: int) -> None:
    """Of 120 works: each read gives up after some failures, and after some reads only the sick are missing."""
    big_record(bench.registry.profiles, EXTENSIVE, works=120)
    codes = sorted(bench.registry.profiles.state(EXTENSIVE).of("work"))
    sick = set(codes[:: 120 // broken][:broken])
    for code in sick:
        bench.registry.edit.break_item(EXTENSIVE, "work", code, announced=False)
    await bench.connect(EXTENSIVE)
    for _ in range(20):
        unread = await bench.doubts("full-form", orcid=EXTENSIVE)
        if {int(doubt.key) for doubt in unread} == sick and all("not asked" not in doubt.reason for doubt in unread):
            return
        asked = len(bench.requests("works-bulk"))
        await bench.when_due(EXTENSIVE)  # the first time: the first load
        failed = [one for one in bench.requests("works-bulk")[asked:] if one.status != 200]
        assert len(failed) <= 2 * PATIENCE  # each is sent twice at most
    raise AssertionError("the healthy works did not come")


@pytest.mark.fault("F24")
async def test_a_full_form_that_fails_is_asked_for_ever_more_rarely_and_at_once_after_a_new_edit(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    [funding, *_] = bench.registry.profiles.state(O).of("funding")
    bench.registry.edit.edit_item(O, "funding", funding, {"url": ELSEWHERE})
    bench.registry.faults.add("error", "funding", orcid=O, code=9008)
    await bench.notified()
    waits = []
    for _ in range(7):
        [doubt] = await bench.doubts()
        assert doubt.due_at is not None
        waits.append(doubt.due_at)
        bench.reads.clear()
        await bench.notified()  # another reason to read the record is none to ask for this
        assert not [target for target in bench.reads.targets if target.endpoint == "funding"]
        await bench.pass_time(timedelta(days=1))
        await bench.turn()
    assert (await bench.doubts())[0].attempts == 8

    bench.registry.faults.clear()
    bench.registry.edit.edit_item(O, "funding", funding, {"url": f"{ELSEWHERE}/2"})
    assert await bench.notified() == "changed"
    await bench.assert_mirrored()


async def test_an_operators_read_asks_for_everything(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    [funding, *_] = bench.registry.profiles.state(O).of("funding")
    bench.registry.edit.edit_item(O, "funding", funding, {"url": ELSEWHERE})
    bench.registry.faults.add("error", "funding", orcid=O, code=9008)
    await bench.notified()
    bench.registry.faults.clear()

    await queue.request_sync(bench.connection, [O])
    assert await bench.turn() == "changed"
    await bench.assert_mirrored()


@pytest.mark.fault("F37", "F38")
@pytest.mark.invariant("L1")
async def test_a_full_form_of_an_older_edit_is_asked_for_until_it_is_right(bench: Bench) -> None:
    """Also if the second look meets the same cache (contract section 3.9)."""
    await bench.connect()
    await bench.turn()
    [funding, *_] = bench.registry.profiles.state(O).of("funding")
    before = bench.full(O, "funding", funding)
    bench.registry.edit.edit_item(O, "funding", funding, {"url": ELSEWHERE})
    bench.registry.faults.add("answer", "funding", orcid=O, body=before, content_type="application/json")

    assert await bench.notified() == "changed"  # as far as the summary goes
    for _ in range(3):
        assert [doubt.kind for doubt in await bench.doubts()] == ["full-form"]
        assert await bench.due_in() < timedelta(hours=3)
        await bench.when_due()
    bench.registry.faults.clear()
    for _ in range(2):
        await bench.when_due()
    assert not await bench.doubts()
    await bench.assert_mirrored()


@pytest.mark.fault("F39")
async def test_a_pause_in_the_middle_keeps_what_was_heard(bench: Bench) -> None:
    """The circuit opens, or the day's budget ends, after the record was read: the summaries are applied."""
    await bench.connect()
    await bench.turn()
    edit, state = bench.registry.edit, bench.registry.profiles.state(O)
    edit.edit_item(O, "work", next(iter(state.of("work"))), {"url": ELSEWHERE})
    edit.add_item(O, "keyword", {"content": "new"})
    bench.registry.faults.add("error", "works-bulk", orcid=O, status=429, retry_after=600)

    assert await bench.notified() == "changed"

    assert [doubt.kind for doubt in await bench.doubts()] == ["full-form"]
    await bench.assert_summaries_mirrored()


@pytest.mark.fault("F24", "F39")
@pytest.mark.parametrize("way", ["503", "429", "401 page", "504 page", "silence"])
async def test_nothing_waits_behind_the_one_full_form_that_never_comes(bench: Bench, way: str) -> None:
    """What may say that the next request will fare no better may also be the answer for this one item, always."""
    kind, options = {**WAYS, "401 page": ("error", {"status": 401, "html": True})}[way]
    sick = min(bench.registry.profiles.state(O).of("funding"))
    bench.registry.faults.add(kind, "funding", orcid=O, put_code=sick, **options)
    await bench.connect()
    await bench.turn()
    for _ in range(3):
        await bench.when_due()

    [doubt] = await bench.doubts()
    assert (doubt.kind, doubt.section, doubt.key) == ("full-form", "funding", str(sick))
    assert await bench.due_in() > timedelta(minutes=5)  # the record is not read ever again for it
