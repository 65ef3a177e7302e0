"""What goes wrong on the way from the Registry: nothing of it reaches the mirror, all of it heals by itself."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from orcid_sync.model.sync.schedule import STALE_TRIES
from rig.service.reconciler import OTHER, SECOND_LOOK, Bench, O

FAULTS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    # the faults of reliability.md: kind at the simulator, endpoint, options, kind of the failure as operators see it
    "F31 429": ("error", "record", {"status": 429}, "busy"),
    "F31 503": ("error", "record", {"status": 503}, "busy"),
    "F32 500": ("error", "record", {"status": 500}, "unrenderable"),
    "F32 502 page": ("error", "record", {"status": 502}, "unavailable"),
    "F32 504 page": ("error", "record", {"status": 504}, "unavailable"),
    "F32 404 page": ("error", "record", {"status": 404}, "unavailable"),  # of a proxy: proves nothing
    "F32 403 page": ("error", "record", {"status": 403}, "unavailable"),
    "F32 HTML with 200": ("html", "record", {}, "unrenderable"),
    "F33 connection refused in the middle": ("reset", "record", {}, "unavailable"),
    "F34 slow drip": ("slow-drip", "record", {"seconds": 10}, "unavailable"),
    "F34 silence": ("timeout", "record", {"seconds": 10}, "unavailable"),
    "F35 half the body": ("truncated", "record", {}, "unrenderable"),
    "F35 less than promised": ("wrong-length", "record", {}, "unavailable"),
    "F39 works": ("error", "works-bulk", {"status": 500}, "unrenderable"),
    "F39 works cut off": ("truncated", "works-bulk", {}, "unrenderable"),
    "F39 funding": ("error", "funding", {"status": 500}, "unrenderable"),
    "F39 peer review": ("html", "peer-review", {}, "unrenderable"),
    "F49 another shape": ("wrong-shape", "record", {}, "malformed"),
    "F49 a list": ("wrong-shape", "record", {"body": []}, "malformed"),
    "F49 null": ("wrong-shape", "record", {"body": None}, "malformed"),
    "F49 works of another shape": ("wrong-shape", "works-bulk", {"body": {"bulk": 7}}, "malformed"),
    "F53 another iD's record": ("wrong-record", "record", {"other": OTHER}, "wrong_record"),
}


@pytest.mark.fault("F31", "F32", "F33", "F34", "F35", "F39", "F49", "F53")
@pytest.mark.invariant("S8", "S9", "S10", "L1")
@pytest.mark.parametrize("name", FAULTS)
async def test_a_bad_answer_changes_nothing_and_heals(bench: Bench, name: str) -> None:
    kind, endpoint, options, shown = FAULTS[name]
    await bench.connect()
    await bench.turn()
    before = await bench.mirror()
    edit = bench.registry.edit
    state = bench.registry.profiles.state(O)
    edit.edit_item(O, "work", next(iter(state.of("work"))), {"title": "Mended"})
    for section, link in (("funding", "url"), ("peer-review", "review-url")):
        edit.edit_item(O, section, next(iter(state.of(section))), {link: "https://example.org/new"})
    edit.add_item(O, "keyword", {"content": "new"})
    bench.registry.faults.add(kind, endpoint, orcid=O, **options)

    assert await bench.notified() == "failed"

    assert bench.registry.faults.fired[kind] >= 1
    assert await bench.mirror() == before
    row = await bench.row()
    assert row["done_gen"] < row["gen"]  # the notification is still owed a read
    assert row["lane"] == 0
    assert row["attempts"] == 1
    assert row["last_error"].startswith(shown), row["last_error"]
    assert timedelta(0) < await bench.due_in() < timedelta(hours=1)

    bench.registry.faults.clear()
    assert await bench.when_due() == "changed"
    await bench.assert_mirrored()
    row = await bench.row()
    assert (row["attempts"], row["last_error"], row["done_gen"]) == (0, None, row["gen"])


@pytest.mark.fault("F24", "F41")
async def test_tries_become_rarer_and_each_asks_at_most_twice(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    bench.registry.faults.add("error", "record", status=500)
    asked, waits = len(bench.requests("record")), []

    await bench.check()
    for _ in range(6):
        waits.append(await bench.due_in())
        await bench.when_due()

    assert len(bench.requests("record")) - asked == 2 * 7
    assert waits == sorted(waits)
    assert waits[-1] > 10 * waits[0]
    assert (await bench.row())["attempts"] == 7


@pytest.mark.fault("F37")
@pytest.mark.invariant("S4")
async def test_an_answer_older_than_the_mirror_is_refused(bench: Bench) -> None:
    """A replica that lags behind, showing the old date as well."""
    await bench.connect()
    await bench.turn()
    old = msgspec.json.decode(bench.view())
    bench.registry.edit.add_item(O, "keyword", {"content": "new"})
    await bench.notified()
    await bench.assert_mirrored()
    before = await bench.mirror()
    bench.registry.faults.add("wrong-shape", "record", body=old)

    assert await bench.check() == "failed"

    assert (await bench.row())["last_error"].startswith("stale")
    assert await bench.mirror() == before
    bench.registry.faults.clear()
    assert await bench.when_due() == "unchanged"
    await bench.assert_mirrored()


@pytest.mark.fault("F37")
@pytest.mark.invariant("L1")
async def test_an_older_date_that_stays_is_believed_after_some_hours(bench: Bench) -> None:
    """The Registry restored a backup: its word counts in the end."""
    await bench.connect()
    await bench.turn()
    old = msgspec.json.decode(bench.view())
    bench.registry.edit.add_item(O, "keyword", {"content": "new"})
    await bench.notified()
    await bench.pass_time(SECOND_LOOK)
    await bench.turn()
    bench.registry.faults.add("wrong-shape", "record", body=old)
    head = await bench.head()

    waited = timedelta()
    assert await bench.check() == "failed"
    for _ in range(STALE_TRIES - 1):
        waited += await bench.due_in()
        assert await bench.when_due() == "failed"
    assert await bench.when_due() == "changed"

    assert waited > timedelta(hours=2)
    assert [(c["section"], c["op"]) for c in await bench.changes(head)] == [("keyword", "removed")]


@pytest.mark.fault("F37")
@pytest.mark.invariant("S2", "L1")
async def test_old_content_under_a_new_date_is_healed_by_the_second_look(bench: Bench) -> None:
    """ORCID's caches may show the new date with old content for a quarter of an hour (contract section 3.9)."""
    await bench.connect()
    await bench.turn()
    code = next(c for c, item in bench.registry.profiles.state(O).of("funding").items() if item.visibility == "public")
    bench.registry.clock.advance(10)
    bench.registry.edit.edit_item(O, "funding", code, {"title": "Mended"})
    bench.registry.faults.add("stale", "record", seconds=5)

    await bench.notified()

    held = await bench.connection.fetchval("select title from orcid.fundings where put_code = $1", code)
    assert held != "Mended"
    assert (await bench.row())["registry_modified_ms"] == bench.registry.profiles.state(O).modified_ms
    assert await bench.due_in() == pytest.approx(SECOND_LOOK, abs=timedelta(seconds=30))

    bench.registry.clock.advance(SECOND_LOOK.total_seconds() + 1)  # nobody asked meanwhile: the cache lets go
    assert await bench.when_due() == "changed"
    await bench.assert_mirrored()
    changes = await bench.changes()
    assert changes[-1]["cause"] == "second-look"


@pytest.mark.fault("F38")
@pytest.mark.invariant("S8", "L1")
async def test_an_edit_between_the_record_and_its_full_forms_is_healed_by_its_notification(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    code = next(c for c, i in bench.registry.profiles.state(O).of("work").items() if i.visibility == "public")
    edit = bench.registry.edit
    edit.edit_item(O, "work", code, {"title": "First"})
    torn = iter([lambda: edit.edit_item(O, "work", code, {"title": "Second", "short-description": "Second"})])
    bench.reads.during = lambda target: next(torn, lambda: None)() if target.endpoint == "record" else None

    assert await bench.notified() == "changed"  # a summary of the first, a full form of the second

    assert await bench.notified() == "changed"
    await bench.assert_mirrored()


@pytest.mark.fault("F37", "F38")
@pytest.mark.invariant("L1")
async def test_an_old_full_form_beside_a_new_summary_is_read_again_by_the_second_look(bench: Bench) -> None:
    """The record's body does not change any more: that alone must not pass for knowing all of it."""
    await bench.connect()
    await bench.turn()
    code = next(c for c, i in bench.registry.profiles.state(O).of("work").items() if i.visibility == "public")
    bench.registry.clock.advance(3600)
    bench.registry.edit.edit_item(O, "work", code, {"short-description": "New"})
    bench.registry.clock.advance(1)
    bench.registry.faults.add("stale", "works-bulk", seconds=60, sections=["work"], count=1)

    assert await bench.notified() == "changed"  # the new summary, the old full form
    assert bench.registry.faults.fired["stale"] == 1

    assert await bench.when_due() == "changed"
    await bench.assert_mirrored()


@pytest.mark.fault("F38")
@pytest.mark.invariant("S8", "L1")
async def test_a_work_deleted_between_the_record_and_its_full_form_goes_with_its_notification(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    edit, head = bench.registry.edit, await bench.head()
    code = edit.add_item(O, "work", {"title": "Short-lived", "type": "other"})
    torn = iter([lambda: edit.remove_item(O, "work", code)])
    bench.reads.during = lambda target: next(torn, lambda: None)() if target.endpoint == "record" else None

    await bench.notified()
    assert [c["op"] for c in await bench.changes(head)] == ["added"]  # as the record said

    await bench.notified()
    assert [c["op"] for c in await bench.changes(head)] == ["added", "removed"]
    await bench.assert_mirrored()


@pytest.mark.fault("F53")
@pytest.mark.invariant("S9")
async def test_another_ids_record_is_filed_nowhere(bench: Bench) -> None:
    await bench.connect()
    bench.registry.faults.add("wrong-record", "record", other=OTHER)

    assert await bench.turn() == "failed"

    assert await bench.connection.fetchval("select count(*) from orcid.records") == 0
    assert await bench.connection.fetchval("select count(*) from orcid.items") == 0


@pytest.mark.fault("F46", "F47", "F51")
@pytest.mark.invariant("S7", "L2")
async def test_texts_that_postgresql_refuses_are_mirrored_and_do_not_change_by_being_read_again(bench: Bench) -> None:
    await bench.connect()
    odd = "nul \x00, lone \ud800, pair \U0001f9ea, backslash \\u0000, " + "x" * 1_000_000
    bench.registry.edit.add_item(O, "keyword", {"content": odd})

    assert await bench.turn() == "changed"
    head = await bench.head()
    await bench.connection.execute("update orcid_sync.queue set body_digest = null")
    assert await bench.check() == "unchanged"

    assert await bench.head() == head
    kept = await bench.connection.fetchval("select content from orcid.keywords order by length(content) desc limit 1")
    assert kept.startswith("nul \ufffd, lone \ufffd, pair \U0001f9ea, backslash \\u0000, x")
