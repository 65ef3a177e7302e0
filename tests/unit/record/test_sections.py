"""The table of sections: which items an answer has, how they are told apart, and what must not depend on order."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcid_sync.model.record.diff import RecordContent
from orcid_sync.model.record.parse_record import parse_record
from orcid_sync.model.record.sections import SECTIONS, Content, Item
from rig.records.sample_record import encode, full_forms, keyword, rich_record, with_keywords, works_of

KEYS = [
    *[("name", ""), ("biography", ""), ("email", "ada.sample@example.org"), ("other-name", "11")],
    *[("keyword", "13"), ("keyword", "14"), ("address", "13"), ("researcher-url", "12"), ("external-identifier", "15")],
    *[("employment", "101"), ("employment", "102"), ("education", "103"), ("qualification", "104")],
    *[("distinction", "105"), ("invited-position", "106"), ("membership", "107"), ("membership", "109")],
    *[("service", "108"), ("work", "201"), ("work", "202"), ("work", "203"), ("funding", "301")],
    *[("peer-review", "401"), ("peer-review", "402"), ("peer-review", "403"), ("research-resource", "501")],
]


def items_of(record: dict[str, Any]) -> list[Item]:
    return list(parse_record(encode(record)).items())


def test_every_item_of_every_section_is_found() -> None:
    """Address 13 and keyword 13 among them: a put-code is unique per section only (F50)."""
    items = items_of(rich_record())
    assert [item.id for item in items] == KEYS
    assert {item.section for item in items} == set(SECTIONS)


def test_the_doc_is_the_item_as_given() -> None:
    (item,) = [item for item in items_of(rich_record()) if item.id == ("work", "203")]
    given_ = works_of(rich_record())[1]["work-summary"][0]
    assert msgspec.json.decode(item.content.doc) == given_
    assert (item.put_code, item.modified_ms, item.visibility) == (203, 1700000000522, "limited")


@pytest.mark.parametrize(
    ("key", "group", "position"),
    [
        *[(("work", "201"), 201, 0), (("work", "202"), 201, 1), (("work", "203"), 203, 0)],
        *[(("membership", "107"), 107, 0), (("membership", "109"), 107, 1), (("employment", "102"), 102, 0)],
        *[(("peer-review", "401"), 401, 0), (("peer-review", "402"), 401, 1), (("peer-review", "403"), 403, 0)],
        *[(("keyword", "13"), None, None), (("name", ""), None, None)],
    ],
)
def test_a_group_is_called_by_its_smallest_put_code(
    key: tuple[str, str], group: int | None, position: int | None
) -> None:
    (content,) = [item.content for item in items_of(rich_record()) if item.id == key]
    assert (content.group_put_code, content.group_position) == (group, position)


def test_a_group_keeps_its_name_when_another_version_is_preferred() -> None:
    record = rich_record()
    works_of(record)[0]["work-summary"].reverse()
    places = {i.key: (i.content.group_put_code, i.content.group_position) for i in items_of(record)}
    assert (places["201"], places["202"]) == ((201, 1), (201, 0))


GROUPED = [
    ("works", "group"),
    ("employments", "affiliation-group"),
    ("peer-reviews", "group"),
    ("memberships", "affiliation-group"),
]


@pytest.mark.fault("F52")
@given(st.data())
def test_no_digest_depends_on_the_order_of_groups(data: st.DataObject) -> None:
    """In 31 real states of one record, the groups of 60 % of all items moved (corpus.md section 5)."""
    record = rich_record()
    for section, member in GROUPED:
        groups = record["activities-summary"][section][member]
        record["activities-summary"][section][member] = data.draw(st.permutations(groups))
    record["person"]["keywords"]["keyword"] = data.draw(st.permutations(record["person"]["keywords"]["keyword"]))
    shuffled, before = items_of(record), items_of(rich_record())
    assert {item.id: item.digest for item in shuffled} == {item.id: item.digest for item in before}


@pytest.mark.fault("F50")
def test_equal_duplicates_collapse() -> None:
    record = with_keywords(rich_record(), keyword(7), keyword(8), keyword(7))
    assert [item.key for item in items_of(record) if item.section == "keyword"] == ["7", "8"]


@pytest.mark.fault("F50")
def test_the_same_work_in_two_groups_counts_once_with_its_first_place() -> None:
    record = rich_record()
    works_of(record).append({"work-summary": [works_of(record)[0]["work-summary"][1]]})
    works = [item for item in items_of(record) if item.section == "work"]
    assert [(work.key, work.content.group_put_code) for work in works] == [("201", 201), ("202", 201), ("203", 203)]


@pytest.mark.parametrize("written", ["7", 7.0])
def test_a_put_code_is_read_in_any_form_of_a_number(written: Any) -> None:
    items = items_of(with_keywords(rich_record(), keyword(7) | {"put-code": written}))
    assert ("keyword", "7") in [item.id for item in items]


@pytest.mark.parametrize(
    ("section", "member", "inner"),
    [
        ("fundings", "group", None),
        ("employments", "affiliation-group", "summaries"),
        ("peer-reviews", "group", "peer-review-group"),
    ],
)
def test_a_list_of_one_group_may_be_the_group(section: str, member: str, inner: str | None) -> None:
    """Converters from XML write it so."""
    record = rich_record()
    container = record["activities-summary"][section]
    (container[member],) = container[member][:1]
    if inner:
        container[member][inner] = container[member][inner][0]
    assert section in {SECTIONS[item.section].container for item in items_of(record)}


def test_a_content_is_encoded_as_the_past_tells_it() -> None:
    """The keys of record_as_of() in 0008_feed.sql; tests/integration/feed/test_changes.py compares the values."""
    content = Content(b'{"a":1}', None, 7, 0)
    assert content.encode() == b'{"group_put_code":7,"group_position":0,"doc":{"a":1},"detail":null}'
    content = Content(b'{"a":1}', b'{"b":"\xc3\xbc"}')
    assert msgspec.json.decode(content.encode()) == {
        "group_put_code": None,
        "group_position": None,
        "doc": {"a": 1},
        "detail": {"b": "ü"},
    }
    record = RecordContent("deprecated", "read-public", "0000-0002-1825-0097", b'{"x":[]}')
    assert msgspec.json.decode(record.encode()) == {
        "state": "deprecated",
        "access": "read-public",
        "primary_orcid": "0000-0002-1825-0097",
        "doc": {"x": []},
    }


@pytest.mark.parametrize("change", [{"group_put_code": 8}, {"group_position": 1}, {"doc": b'{"a": 1}'}])
def test_the_digest_tells_contents_and_places_apart(change: dict[str, Any]) -> None:
    content = Content(b'{"a":1}', None, 7, 0)
    assert msgspec.structs.replace(content, **change).digest() != content.digest()


def test_the_digest_leaves_the_full_form_alone() -> None:
    """It follows the summary's date (contract section 10, full fetch rule)."""
    content = Content(b'{"a":1}', None, 7, 0)
    assert msgspec.structs.replace(content, detail=b"{}").digest() == content.digest()


def test_every_full_form_belongs_to_a_section_that_has_one() -> None:
    assert {section for section, _ in full_forms()} == {name for name, section in SECTIONS.items() if section.detail}
