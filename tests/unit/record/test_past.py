"""How two moments of a record differ, field by field."""

from typing import Any

import msgspec
import pytest

from orcid_sync.model.record.past import Difference, FieldChange, Past, decode_past, differences
from rig.records.sample_record import ORCID


def work(key: int = 1, title: str = "A work", *, doi: str | None = None, **members: Any) -> Past:
    """A work as the history has it."""
    listed = [{"external-id-type": "doi", "external-id-value": doi, "external-id-relationship": "self"}] if doi else []
    document = {
        "put-code": key,
        "title": {"title": {"value": title}},
        "external-ids": {"external-id": listed},
        "visibility": "public",
        "display-index": "0",
        **members,
    }
    said = {"doc": document, "detail": None, "group_put_code": key, "group_position": 0}
    return decode_past("work", str(key), msgspec.json.encode(said), None)


def record(state: str = "active", **doc: Any) -> Past:
    said = {"state": state, "access": "read-public", "primary_orcid": None, "doc": doc}
    return decode_past("record", "", msgspec.json.encode(said), None)


def forgotten(reason: str | None = "access-lost") -> Past:
    return decode_past("work", "1", None, reason)


def compared(old: list[Past], new: list[Past]) -> list[Difference]:
    return differences(ORCID, {one.id: one for one in old}, {one.id: one for one in new})


def test_what_is_the_same_is_no_difference() -> None:
    assert compared([record(), work()], [record(), work()]) == []
    assert compared([work(x=1.0)], [work(x=1)]) == [], "written differently"


def test_additions_and_removals_come_by_section_and_title() -> None:
    found = compared([work(1, "Old")], [work(3, "B"), work(2, "A"), record("locked")])

    assert [(one.section, one.op, one.title) for one in found] == [
        ("record", "added", ""),
        ("work", "added", "A"),
        ("work", "added", "B"),
        ("work", "removed", "Old"),
    ]


def test_fields_are_named_with_both_values() -> None:
    [found] = compared([work(title="Old", doi="10.1/a")], [work(title="New", doi="10.1/b")])

    assert (found.op, found.title, found.minor) == ("updated", "New", False)
    assert found.fields[0] == FieldChange("title", "Old", "New")
    ids = {change.name: change for change in found.fields}["external_ids"]
    assert [one["value"] for one in [*ids.before, *ids.after]] == ["10.1/a", "10.1/b"]
    assert "position" not in ids.before[0]


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        (work(), work(**{"display-index": "3"}), "display_index"),
        (work(**{"new-member": 1}), work(**{"new-member": 2}), "doc: new-member"),
    ],
)
def test_what_says_nothing_new_is_minor(old: Past, new: Past, name: str) -> None:
    [found] = compared([old], [new])

    assert ([change.name for change in found.fields], found.minor) == ([name], True)


def test_the_record_itself_has_fields_too() -> None:
    [found] = compared([record()], [record("locked")])

    assert (found.section, found.fields) == ("record", [FieldChange("state", "active", "locked")])


@pytest.mark.parametrize(
    ("old", "new", "op", "title"),
    [
        ([forgotten()], [], "removed", ""),
        ([], [forgotten()], "added", ""),
        ([forgotten()], [work(title="New")], "unknown", "New"),
        ([work(title="Old")], [forgotten()], "unknown", "Old"),
        ([forgotten()], [forgotten()], "unknown", ""),
    ],
)
def test_what_is_forgotten_is_said_as_such(old: list[Past], new: list[Past], op: str, title: str) -> None:
    [found] = compared(old, new)

    assert (found.op, found.title, found.fields) == (op, title, [])
    assert found.forgotten == "the permission to see it ended"
    assert compared([forgotten(None)], [])[0].forgotten == "the reason is not known"


def test_a_section_that_this_version_does_not_know_is_compared_by_its_documents() -> None:
    old, new = (
        decode_past("of-the-future", "1", msgspec.json.encode({"doc": {"content": text}}), None) for text in "ab"
    )

    [found] = compared([old], [new])

    assert found.fields == [FieldChange("doc: content", "a", "b")]
