"""What the simulated Registry cannot render, and nonsense that it serves (contract section 12a)."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from orcid_sync.simulator.answers.bulk_documents import BulkDocuments
from orcid_sync.simulator.base.errors import Refusal
from orcid_sync.simulator.world import CLIENT_ID
from rig.simulator import OTHER, Asking, O

ERRORS = {9006: 400, 9005: 403, 9008: 500}


def add_works(ask: Asking, *titles: str) -> list[int]:
    return [ask.sim.edit.add_item(O, "work", {"title": title}) for title in titles]


def listed_works(record: Any) -> list[Any]:
    return [summary for group in record["activities-summary"]["works"]["group"] for summary in group["work-summary"]]


@pytest.mark.parametrize("error", ERRORS)
async def test_an_item_that_cannot_be_rendered_spoils_its_page_and_itself_but_not_the_record(
    ask: Asking, error: int
) -> None:
    good, bad, apart = add_works(ask, "good", "bad", "apart")
    before = ask.sim.profiles.state(O).modified_ms
    ask.sim.edit.break_item(O, "work", bad, error=error)
    expected = (ERRORS[error], error)
    assert (await ask.get(f"works/{good},{bad}")).error == expected
    assert (await ask.get(f"work/{bad}")).error == expected
    assert {work["put-code"] for work in listed_works((await ask.get("record")).json)} == {good, bad, apart}
    assert (await ask.get(f"work/summary/{bad}")).json["put-code"] == bad
    assert len((await ask.get(f"works/{good},{apart}")).json["bulk"]) == 2
    assert ask.sim.profiles.state(O).modified_ms > before, "an edit moves the date"
    ask.sim.edit.mend_item(O, "work", bad)
    assert (await ask.get(f"work/{bad}")).json["title"]["title"]["value"] == "bad"


@pytest.mark.parametrize(("form", "item_status"), [("both", 500), ("summary", 200)])
async def test_a_summary_that_cannot_be_rendered_spoils_the_record(ask: Asking, form: str, item_status: int) -> None:
    (bad,) = add_works(ask, "bad")
    ask.sim.edit.break_item(O, "work", bad, form=form)
    for path in ("record", "works", "activities"):
        assert (await ask.get(path)).error == (500, 9008), path
    assert (await ask.get(f"work/{bad}")).status == item_status
    assert (await ask.get("person")).status == 200
    with pytest.raises(Refusal):
        ask.sim.view(O, ask.token)


@pytest.mark.parametrize(
    ("section", "content"),
    [
        ("funding", {}),
        ("peer-review", {"review-group-id": "issn:1"}),
        ("research-resource", {"proposal": {"title": "p"}}),
        ("employment", {}),
    ],
)
async def test_any_activity_can_be_what_cannot_be_rendered(ask: Asking, section: str, content: dict[str, Any]) -> None:
    code = ask.sim.edit.add_item(O, section, content)
    ask.sim.edit.break_item(O, section, code, error=9006)
    assert (await ask.get(f"{section}/{code}")).error == (400, 9006)
    assert (await ask.get("record")).status == 200


async def test_what_belongs_to_the_person_has_only_one_form(ask: Asking) -> None:
    code = ask.sim.edit.add_item(O, "keyword", {"content": "k"})
    ask.sim.edit.break_item(O, "keyword", code)
    assert (await ask.get("record")).error == (500, 9008)
    assert (await ask.get("activities")).status == 200


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("endpoint", ["record", "works-bulk", "work", "person"])
async def test_a_record_that_cannot_be_rendered_fails_at_one_endpoint_alone(
    ask: Asking, endpoint: str, error: int
) -> None:
    (code,) = add_works(ask, "t")
    paths = {"record": "record", "works-bulk": f"works/{code}", "work": f"work/{code}", "person": "person"}
    ask.sim.edit.break_record(O, error=error, endpoint=endpoint)
    for name, path in paths.items():
        answer = await ask.get(path)
        assert answer.status == (ERRORS[error] if name == endpoint else 200), path
    assert (await ask("GET", f"/v3.0/{OTHER}/record")).status == 200
    ask.sim.edit.mend_record(O)
    assert (await ask.get(paths[endpoint])).status == 200


async def test_bulk_files_lack_what_cannot_be_rendered_and_hold_no_nonsense(ask: Asking, tmp_path: Path) -> None:
    good, bad = add_works(ask, "good", "bad")
    ask.sim.edit.break_item(O, "work", bad)
    ask.sim.edit.put_raw(O, ["person"], None)
    documents = BulkDocuments(ask.sim.world.renderer)
    assert (documents.summary(ask.sim.profiles.state(O)) or b"").count(b"<work:work-summary ") == 2
    assert [path.rpartition("_")[2] for path, _ in documents.activities(ask.sim.profiles.state(O))] == [f"{good}.xml"]
    ask.sim.edit.break_item(O, "work", bad, form="both")
    assert documents.summary(ask.sim.profiles.state(O)) is None
    ask.sim.write_data_file(tmp_path, activities=True)


async def test_damage_can_come_without_a_word(ask: Asking) -> None:
    (code,) = add_works(ask, "t")
    before = ask.sim.profiles.state(O)
    ask.sim.edit.break_item(O, "work", code, announced=False)
    ask.sim.edit.break_record(O, endpoint="person", announced=False)
    after = ask.sim.profiles.state(O)
    assert after.modified_ms == before.modified_ms
    assert after.of("work")[code].modified_ms == before.of("work")[code].modified_ms


async def test_damage_is_done_over_http_as_other_edits_are(ask: Asking, http: aiohttp.ClientSession) -> None:
    good, bad = add_works(ask, "good", "bad")
    for operation, body, status in (
        ("break_item", {"section": "work", "put_code": bad, "error": 9006}, 200),
        ("break_item", {"section": "work", "put_code": 1}, 400),
        ("break_item", {"section": "work", "put_code": bad, "error": 1}, 400),
        ("break_item", {"section": "work", "put_code": bad, "form": "half"}, 400),
        ("put_raw_in_item", {"section": "work", "put_code": good, "place": ["put-code"], "value": None}, 200),
        ("put_raw", {"place": ["person", "keywords"], "value": 7}, 200),
        ("leave_out", {"place": ["activities-summary", "fundings"]}, 200),
    ):
        async with http.post(f"{ask.sim.url}/_sim/edit/{operation}", json={"orcid": O, **body}) as answer:
            assert answer.status == status, (operation, body)
    record = (await ask.get("record")).json
    assert record["person"]["keywords"] == 7
    assert "fundings" not in record["activities-summary"]
    assert {work["put-code"] for work in listed_works(record)} == {None, bad}
    assert (await ask.get(f"work/{bad}")).error == (400, 9006)


WORKS = ("activities-summary", "works")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (WORKS, None),
        (WORKS, "no works"),
        ((*WORKS, "group"), {"0": []}),
        ((*WORKS, "group", 0), None),
        ((*WORKS, "group", 0, "work-summary", 0), None),
        ((*WORKS, "group", 0, "work-summary", 0, "put-code"), 1.5),
        ((*WORKS, "group", 0, "work-summary", 0, "put-code"), 2**70),
        (("history", "last-modified-date"), None),
        (("person", "unheard-of"), [1]),
    ],
)
async def test_any_value_can_stand_at_any_place_of_a_record(
    ask: Asking, place: tuple[str | int, ...], value: Any
) -> None:
    add_works(ask, "t")
    healthy = (await ask.get("record")).json
    ask.sim.edit.put_raw(O, place, value)
    found = (await ask.get("record")).json
    for step in place:
        found = found[step]
    assert found == value
    assert (await ask.get("record", accept=None)).status == 200, "XML has no place for nonsense"
    ask.sim.edit.mend_record(O)
    healed = (await ask.get("record")).json
    del healed["history"], healthy["history"]
    assert healed == healthy


async def test_lists_can_hold_one_entry_too_many_and_lack_one(ask: Asking) -> None:
    add_works(ask, "t")
    ask.sim.edit.put_raw(O, [*WORKS, "group", 1], None)
    assert (await ask.get("record")).json["activities-summary"]["works"]["group"][1:] == [None]
    ask.sim.edit.leave_out(O, [*WORKS, "group", 0])
    assert (await ask.get("record")).json["activities-summary"]["works"]["group"] == [None]
    ask.sim.edit.leave_out(O, [*WORKS, "group", 5, "last-modified-date"])
    assert (await ask.get("record")).status == 200, "a place that is not there"


async def test_nonsense_in_one_form_of_an_item(ask: Asking) -> None:
    (code,) = add_works(ask, "t")
    edit = ask.sim.edit
    edit.put_raw_in_item(O, "work", code, ["path"], f"/{OTHER}/work/{code}", form="full")
    edit.put_raw_in_item(O, "work", code, ["publication-date"], "tomorrow", form="summary")
    edit.leave_out_of_item(O, "work", code, ["title", "title"])
    (summary,) = listed_works((await ask.get("record")).json)
    assert (summary["publication-date"], summary["path"]) == ("tomorrow", f"/{O}/work/{code}")
    assert "title" not in summary["title"]
    (entry,) = (await ask.get(f"works/{code}")).json["bulk"]
    assert entry["work"]["path"] == f"/{OTHER}/work/{code}"
    assert entry["work"]["publication-date"] is None
    edit.put_raw_in_item(O, "work", code, [], None)
    assert listed_works((await ask.get("record")).json) == [None]


async def test_one_key_twice_with_different_content(ask: Asking) -> None:
    (code,) = add_works(ask, "t")
    ask.sim.edit.repeat_item(O, "work", code, {"type": "book"})
    address = ask.sim.edit.add_item(O, "email", {"email": "max@example.org"}, source=CLIENT_ID)
    ask.sim.edit.repeat_item(O, "email", address, {"email": "MAX@example.org"})
    record = (await ask.get("record")).json
    assert [(work["put-code"], work["type"]) for work in listed_works(record)] == [(code, None), (code, "book")]
    emails = [one["email"] for one in record["person"]["emails"]["email"]]
    assert emails == ["max@example.org", "MAX@example.org"]
