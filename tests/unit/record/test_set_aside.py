"""What cannot be understood is set aside and named; everything else of the record is as if it were not there."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orcid_sync.model.record.parse_record import Record, parse_record
from orcid_sync.model.record.sections import SECTIONS, Item
from orcid_sync.model.wire.groups import NO_LIST, OTHER_KIND
from orcid_sync.model.wire.set_aside import (
    DOUBLE,
    NO_EMAIL,
    NO_PUT_CODE,
    NOT_AN_OBJECT,
    SetAside,
    may_lose,
)
from rig.records.sample_record import encode, keyword, rich_record, with_keywords

Json = dict[str, Any]
ENTIRE = parse_record(encode(rich_record()))
WITH_KEYS = [name for name, section in SECTIONS.items() if section.key_column is not None]
GROUPED = [name for name, section in SECTIONS.items() if section.grouped]


def container(record: Json, section: str) -> Json:
    return record[SECTIONS[section].block][SECTIONS[section].container]


def lists_in(record: Json, section: str) -> list[list[Any]]:
    """The lists on the way to the first item of a section, the outermost first."""
    node, lists = container(record, section), []
    for name in SECTIONS[section].groups.path:
        lists.append(node[name])
        (node, *_) = node[name]
    return lists


def first_item(record: Json, section: str) -> Json:
    (first, *_) = lists_in(record, section)[-1]
    return first.get(f"{section}-summary", first)


def found_in(record: Json) -> tuple[dict[tuple[str, str], Item], list[SetAside]]:
    parsed = parse_record(json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode())
    return {item.id: item for item in parsed.items()}, parsed.set_aside()


def keys_of(record: Record) -> set[tuple[str, str]]:
    return {item.id for item in record.items()}


BEYOND = [None, "x", "", 2**63, -(2**63), 10**30, 1.5, True, [1], {"value": 1}]


@pytest.mark.fault("F49", "F50")
@pytest.mark.parametrize("broken", BEYOND, ids=str)
@pytest.mark.parametrize("section", [name for name in WITH_KEYS if name != "email"])
def test_an_item_without_a_put_code_is_set_aside(section: str, broken: Any) -> None:
    record = rich_record()
    item = first_item(record, section)
    key, item["put-code"] = (section, str(item["put-code"])), broken

    items, (aside,) = found_in(record)

    assert set(items) == keys_of(ENTIRE) - {key}
    assert (aside.section, aside.reason, aside.key) == (section, NO_PUT_CODE, None)
    assert json.loads(aside.doc) == item


@pytest.mark.fault("F49")
@pytest.mark.parametrize("section", [name for name in WITH_KEYS if name != "email"])
def test_an_item_whose_put_code_is_missing_is_set_aside(section: str) -> None:
    record = rich_record()
    del first_item(record, section)["put-code"]

    items, (aside,) = found_in(record)

    assert (len(items), aside.reason) == (len(keys_of(ENTIRE)) - 1, NO_PUT_CODE)


@pytest.mark.fault("F49")
@pytest.mark.parametrize("broken", [None, "", 5, [], {"value": "a@example.org"}], ids=str)
def test_an_email_without_an_address_is_set_aside(broken: Any) -> None:
    record = rich_record()
    first_item(record, "email")["email"] = broken

    items, (aside,) = found_in(record)

    assert set(items) == {key for key in keys_of(ENTIRE) if key[0] != "email"}
    assert (aside.section, aside.reason, aside.key) == ("email", NO_EMAIL, None)


@pytest.mark.fault("F49")
@pytest.mark.parametrize("nonsense", [None, 5, "text", True, []], ids=str)
@pytest.mark.parametrize("section", WITH_KEYS)
def test_what_is_no_item_in_a_list_is_set_aside(section: str, nonsense: Any) -> None:
    record = rich_record()
    affiliation = SECTIONS[section].table == "affiliations"
    lists_in(record, section)[-1].append({f"{section}-summary": nonsense} if affiliation else nonsense)

    items, (aside,) = found_in(record)

    assert {key: item.digest for key, item in items.items()} == {item.id: item.digest for item in ENTIRE.items()}
    assert (aside.section, aside.reason, aside.key) == (section, NOT_AN_OBJECT, None)
    assert json.loads(aside.doc) == nonsense


@pytest.mark.fault("F49")
@pytest.mark.parametrize("nonsense", [{}, {"hobby-summary": {"put-code": 1}}, None, 5, []], ids=str)
def test_an_affiliation_of_another_kind_is_set_aside(nonsense: Any) -> None:
    record = rich_record()
    lists_in(record, "employment")[-1].append(nonsense)

    items, (aside,) = found_in(record)

    assert set(items) == keys_of(ENTIRE)
    assert (aside.section, aside.reason, aside.key) == ("employment", OTHER_KIND, None)


@pytest.mark.fault("F49")
@pytest.mark.parametrize("nonsense", [None, 5, "text", [], {}, {"summaries": None, "work-summary": 5}], ids=str)
@pytest.mark.parametrize("section", GROUPED)
def test_what_is_no_group_is_set_aside(section: str, nonsense: Any) -> None:
    record = rich_record()
    lists_in(record, section)[0].append(nonsense)

    items, (aside,) = found_in(record)

    assert {key: item.digest for key, item in items.items()} == {item.id: item.digest for item in ENTIRE.items()}
    assert (aside.section, aside.reason, aside.key) == (section, NO_LIST, None)
    assert json.loads(aside.doc) == nonsense


@pytest.mark.fault("F54")
@pytest.mark.parametrize("nonsense", [[], "text", 5, True], ids=str)
@pytest.mark.parametrize("section", SECTIONS)
def test_a_container_that_is_no_object_does_not_speak_of_its_section(section: str, nonsense: Any) -> None:
    record = rich_record()
    record[SECTIONS[section].block][SECTIONS[section].container] = nonsense
    parsed = parse_record(encode(record))

    assert [found.section.name for found in parsed.answered()] == [name for name in SECTIONS if name != section]
    assert parsed.set_aside() == []


AT = 1700000000000
OLD, NEW = {"value": AT}, {"value": AT + 1}
DOUBLES = {
    "the newest": [{"last-modified-date": NEW}, {"last-modified-date": OLD}, {"last-modified-date": None}],
    "the newest, whoever sees it": [
        {"last-modified-date": NEW, "visibility": "public"},
        {"last-modified-date": OLD, "visibility": "private"},
    ],
    "of equal dates the least visible": [
        {"visibility": "private"},
        {"visibility": "limited"},
        {"visibility": "public"},
    ],
    "unknown visibilities are private": [{"visibility": None}, {"visibility": "limited"}],
    "of those the smallest": [{"content": "a"}, {"content": "b"}, {"content": "c"}],
}
"""The best of them first."""


@pytest.mark.fault("F50")
@pytest.mark.parametrize("name", DOUBLES)
def test_of_several_items_of_one_key_one_is_taken_in_whatever_order_they_come(name: str) -> None:
    common = keyword(7, **{"last-modified-date": OLD})
    best, *others = [common | one for one in DOUBLES[name]]
    for order in itertools.permutations([best, *others, best, *others]):
        items, aside = found_in(with_keywords(rich_record(), *order, keyword(8)))
        assert json.loads(items["keyword", "7"].content.doc) == best
        assert ("keyword", "8") in items
        assert {(one.key, one.reason) for one in aside} == {("7", DOUBLE)}
        assert sorted(map(str, (json.loads(one.doc) for one in aside))) == sorted(map(str, others))
        assert may_lose(SECTIONS, aside) == set(SECTIONS)


@pytest.mark.fault("F50")
def test_one_email_in_two_cases_is_one_item() -> None:
    record = rich_record()
    (email,) = record["person"]["emails"]["email"]
    both = [email | {"email": "A@Example.org"}, email | {"email": "a@example.org", "visibility": "limited"}]
    record["person"]["emails"]["email"] = both

    items, (aside,) = found_in(record)

    assert items["email", "a@example.org"].visibility == "limited"
    assert (aside.section, aside.reason, aside.key) == ("email", DOUBLE, "a@example.org")


def test_nonsense_of_one_wording_may_be_several_items() -> None:
    _, aside = found_in(with_keywords(rich_record(), *[None, None, 5]))  # type: ignore[list-item]
    assert [one.doc for one in aside] == [b"null", b"null", b"5"]
    assert len({one.digest for one in aside}) == 3


def test_the_same_nonsense_in_two_sections_is_told_apart() -> None:
    assert SetAside("keyword", b"null", "").digest != SetAside("address", b"null", "").digest


def test_what_is_set_aside_fits_the_database() -> None:
    (aside,) = parse_record(encode(with_keywords(rich_record(), "@")).replace(b"@", rb"\u0000")).set_aside()  # type: ignore[arg-type]
    assert aside.doc == rb'"\ufffd"'


ANYTHING = [None, True, 0, -1, 1.5, 2**63, 10**30, "", "text", "1700000000000", [], [None], {}, {"value": 5}, [{}]]


def leaves(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all nodes below this one."""
    for key, inner in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield (*path, key)
        yield from leaves(inner, (*path, key))


@pytest.mark.fault("F49", "F50")
@settings(max_examples=150)
@given(st.data())
def test_damage_to_one_item_touches_no_other(data: st.DataObject) -> None:
    """Whatever stands anywhere in an item: the others are as before, and it is among them or set aside."""
    record = rich_record()
    section = data.draw(st.sampled_from(list(SECTIONS)))
    item = container(record, section) if SECTIONS[section].key_column is None else first_item(record, section)
    path = data.draw(st.sampled_from(list(leaves(item))))
    before = {one.id: one for one in ENTIRE.items()}
    key = next(one.id for one in before.values() if json.loads(one.content.doc) == item)
    node = item
    for name in path[:-1]:
        node = node[name]
    node[path[-1]] = data.draw(st.sampled_from(ANYTHING))

    items, aside = found_in(record)

    expected = {one: before[one].content.doc for one in before if one != key}
    others = {one: items[one].content.doc for one in items if one in expected}
    assert others == expected
    (became,) = [one.content for one in items.values() if one.id not in expected] or aside
    assert json.loads(became.doc) == item
    for one in items.values():
        SECTIONS[one.section].entry("0000-0002-1825-0097", one.content)
