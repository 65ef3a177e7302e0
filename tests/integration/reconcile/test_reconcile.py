"""Reconciling a record: first load, nothing new, each kind of edit, and which requests that takes."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.sections import SECTIONS
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.samples.record_builder import big_record
from orcid_sync.simulator.world import CLIENT_ID
from rig.service.reconciler import OTHER, Bench, O

EXTENSIVE = Orcid(numbered_orcid(5_000_003))


@pytest.mark.invariant("S5", "L1")
async def test_a_first_load_mirrors_every_section_with_its_full_forms(bench: Bench) -> None:
    await bench.connect()

    assert await bench.turn() == "changed"

    await bench.assert_mirrored()
    changes = await bench.changes()
    assert {change["section"] for change in changes} == {*SECTIONS, "record"}  # the record has something in each
    assert {(change["op"], change["cause"]) for change in changes} == {("added", "first-load")}
    assert [change["seq"] for change in changes] == list(range(1, len(changes) + 1))
    row = await bench.row()
    assert (row["done_gen"], row["attempts"], row["last_error"]) == (row["gen"], 0, None)
    assert row["second_look_at"] is None  # nothing was notified


async def test_the_subtitle_of_a_work_comes_with_its_full_form_and_stays(bench: Bench) -> None:
    code = bench.registry.edit.add_item(O, "work", {"title": {"title": "A title", "subtitle": "and more of it"}})

    async def subtitle() -> Any:
        return await bench.connection.fetchval("select subtitle from orcid.works where put_code = $1", code)

    await bench.connect()
    await bench.turn()
    assert await subtitle() == "and more of it"
    bench.registry.edit.recurate_item(O, "work", code, {"journal-title": "A journal"})  # no date moves
    assert await bench.check() == "changed"
    assert await subtitle() == "and more of it"


@pytest.mark.invariant("S7")
async def test_reading_the_same_again_writes_only_the_queue_row(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    before, webhooks = await bench.mirror(), await bench.webhook_rows()
    bench.reads.clear()
    await bench.connection.execute("vacuum analyze orcid_sync.queue")

    lsn = await bench.connection.fetchval("select pg_current_wal_insert_lsn()")
    assert await bench.check() == "unchanged"
    wal = await bench.connection.fetchval("select pg_current_wal_insert_lsn() - $1::pg_lsn", lsn)

    assert await bench.mirror() == before  # with xmin: no row was even rewritten
    assert await bench.webhook_rows() == webhooks
    assert [target.endpoint for target in bench.reads.targets] == ["record"]
    assert wal < 8192  # the queue row, the pace, nothing of a record with a hundred items
    row = await bench.row()
    assert row["verified_at"] == await bench.connection.fetchval("select max(verified_at) from orcid_sync.queue")
    assert row["due_at"] > row["verified_at"]


def _add_work(bench: Bench) -> Any:
    return bench.registry.edit.add_item(O, "work", {"title": "A new one", "type": "other"})


def _first(bench: Bench, section: str) -> int:
    """A public item of the researcher's."""
    items = bench.registry.profiles.state(O).of(section).values()
    return next(item.put_code for item in items if item.visibility == "public" and item.source.orcid == O)


def _edit(section: str, **content: Any) -> Callable[[Bench], None]:
    return lambda bench: bench.registry.edit.edit_item(O, section, _first(bench, section), content)


def _hide(section: str) -> Callable[[Bench], None]:
    return lambda bench: bench.registry.edit.set_visibility(O, section, _first(bench, section), "private")


Summary = tuple[str, str, str | None, bool]
EDITS: dict[str, tuple[Callable[[Bench], Any], set[Summary], set[str]]] = {
    # what is edited: the edit, (section, op, reason, minor) of the changes, the fields that must be named
    "a work is added": (_add_work, {("work", "added", None, False)}, set()),
    "a work's title is mended": (_edit("work", title="Mended"), {("work", "updated", None, False)}, {"title"}),
    "what only the full form has": (
        _edit("work", **{"short-description": "Said only in full."}),
        {("work", "updated", None, False)},
        {"short_description"},
    ),
    "a work is deleted": (
        lambda bench: bench.registry.edit.remove_item(O, "work", _first(bench, "work")),
        {("work", "removed", "removed", False)},
        set(),
    ),
    "a keyword is hidden": (_hide("keyword"), {("keyword", "removed", "removed", False)}, set()),
    "a job ends": (
        _edit("employment", **{"end-date": "2031-07-31"}),
        {("employment", "updated", None, False)},
        {"end_year", "end_month", "end_day"},
    ),
    "the name changes": (
        lambda bench: bench.registry.edit.set_name(O, given_names="Erika", family_name="Musterfrau"),
        {("name", "updated", None, False)},
        {"given_names", "family_name", "credit_name"},
    ),
    "the biography goes": (
        lambda bench: bench.registry.edit.remove_single(O, "biography"),
        {("biography", "removed", "removed", False)},
        set(),
    ),
    "an e-mail address is added": (
        lambda bench: bench.registry.edit.add_item(O, "email", {"email": "New@example.org"}),
        {("email", "added", None, False)},
        set(),
    ),
    "another order of display": (
        lambda bench: bench.registry.edit.set_display_index(O, "keyword", _first(bench, "keyword"), 77),
        {("keyword", "updated", None, True)},
        {"display_index", "modified_at"},
    ),
    "a source renamed, no date moved": (
        lambda bench: bench.registry.edit.recurate_item(
            O, "employment", _first(bench, "employment"), {"department-name": "Recurated"}
        ),
        {("employment", "updated", None, False)},
        {"department_name"},
    ),
    "the account's language": (
        lambda bench: bench.registry.edit.set_locale(O, "cs"),
        {("record", "updated", None, False)},
        {"locale"},
    ),
    "something that nobody sees": (lambda bench: bench.registry.edit.change_settings(O), set(), set()),
}


@pytest.mark.invariant("S7", "L1")
@pytest.mark.parametrize("name", EDITS)
async def test_an_edit_becomes_exactly_its_change(bench: Bench, name: str) -> None:
    edit, expected, fields = EDITS[name]
    await bench.connect()
    await bench.turn()
    head = await bench.head()
    edit(bench)

    assert await bench.notified() == ("changed" if expected else "unchanged")

    changes = await bench.changes(head)
    assert {(c["section"], c["op"], c["reason"], c["minor"]) for c in changes if not _renaming(c)} == expected
    named = {field for change in changes for field in change["fields"] if not _renaming(change)}
    assert fields <= named <= fields | {"modified_at", "detail_modified_at", "last_modified_at"}
    assert {change["cause"] for change in changes} <= {"notification"}
    await bench.assert_mirrored()


def _renaming(change: Any) -> bool:
    """The researcher's name is also the name of the source of all that is the researcher's own."""
    return change["minor"] and set(change["fields"]) <= {"source_name", "assertion_origin_name", "group_position"}


async def test_a_new_work_takes_one_bulk_call_with_just_its_put_code(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    new = _add_work(bench)
    bench.reads.clear()

    await bench.notified()

    assert [target.endpoint for target in bench.reads.targets] == ["record", "works-bulk"]
    assert bench.reads.codes() == [[new]]


async def test_250_works_are_read_in_three_calls_of_distinct_put_codes(bench: Bench) -> None:
    big_record(bench.registry.profiles, EXTENSIVE, works=250)
    await bench.connect(EXTENSIVE)

    await bench.turn(EXTENSIVE)

    calls = bench.reads.codes()
    assert [len(codes) for codes in calls] == [100, 100, 50]
    assert len({code for codes in calls for code in codes}) == 250
    await bench.assert_mirrored(EXTENSIVE)


@pytest.mark.parametrize(
    ("section", "content"),
    [
        ("funding", {"short-description": "Said only in full.", "title": "New title"}),
        ("peer-review", {"subject-name": "Said only in full.", "reviewer-role": "editor"}),
        ("research-resource", {"proposal": {"title": "New title", "hosts": [], "external-ids": []}}),
    ],
)
async def test_full_forms_of_other_sections_are_read_when_new_or_moved(
    bench: Bench, section: str, content: dict[str, Any]
) -> None:
    await bench.connect()
    await bench.turn()
    bench.reads.clear()
    code = next(iter(bench.registry.profiles.state(O).of(section)))
    bench.registry.edit.edit_item(O, section, code, content)

    assert await bench.notified() == "changed"

    assert bench.reads.codes(section) == [[code]]
    assert {target.endpoint for target in bench.reads.targets} == {"record", section}
    await bench.assert_mirrored()


@pytest.mark.fault("F40")
@pytest.mark.invariant("S8")
async def test_a_work_that_bulk_does_not_answer_is_kept_and_asked_for_again(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    head, code = await bench.head(), _first(bench, "work")
    bench.registry.edit.edit_item(O, "work", code, {"title": "Mended", "short-description": "In full"})
    refused = {"bulk": [{"error": {"response-code": 400, "error-code": 9034, "developer-message": str(code)}}]}
    bench.registry.faults.add("wrong-shape", "works-bulk", count=1, body=refused)

    assert await bench.notified() == "changed"

    assert [(c["section"], c["op"]) for c in await bench.changes(head)] == [("work", "updated")]  # the summary's news
    assert (await bench.row())["body_digest"] is None  # the next answer is compared even if it is the same
    bench.reads.clear()
    assert await bench.when_due() == "changed"
    assert bench.reads.codes() == [[code]]
    await bench.assert_mirrored()


@pytest.mark.fault("F40")
@pytest.mark.invariant("S8")
async def test_a_new_work_that_bulk_does_not_answer_is_mirrored_from_its_summary(bench: Bench) -> None:
    await bench.connect()
    refused = {"bulk": [{"error": {"response-code": 403, "error-code": 9013}}]}
    bench.registry.faults.add("wrong-shape", "works-bulk", count=1, body=refused)

    await bench.turn()

    works = await bench.connection.fetch("select detail from orcid.works where orcid = $1", O)
    assert works
    assert all(row["detail"] is None for row in works)
    assert await bench.due_in() <= bench.reconciler.policy.second_look
    await bench.when_due()
    await bench.assert_mirrored()


async def test_names_of_sources_move_without_a_date(bench: Bench) -> None:
    """A renamed client shows in the items that it asserted; no date moves (contract section 3.9)."""
    await bench.connect()
    await bench.turn()
    head = await bench.head()
    bench.registry.edit.rename_client(CLIENT_ID, "Renamed University")

    assert await bench.check() == "changed"

    changes = await bench.changes(head)
    assert changes
    assert all(change["minor"] and change["op"] == "updated" for change in changes)
    assert {change["cause"] for change in changes} == {"check"}


async def test_two_records_do_not_touch_each_other(bench: Bench) -> None:
    await bench.connect()
    await bench.connect(OTHER)
    await bench.turn()
    before = await bench.mirror(O)

    await bench.turn(OTHER)

    assert await bench.mirror(O) == before
    await bench.assert_mirrored(OTHER)


async def test_a_change_says_what_was_and_what_is(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    code = _first(bench, "keyword")
    old = bench.registry.profiles.state(O).of("keyword")[code].content["content"]
    head = await bench.head()
    bench.registry.edit.edit_item(O, "keyword", code, {"content": "something else"})

    await bench.notified()

    contents = await bench.connection.fetchrow("select old, new from orcid.change_feed where seq = $1", head + 1)
    said = [msgspec.json.decode(contents[side])["doc"]["content"] for side in ("old", "new")]
    assert said == [old, "something else"]
