"""What is a change and what is not: contents are compared, never dates (contract section 3.9)."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcid_sync.model.record import diff
from orcid_sync.model.record.diff import MINOR, Change, Known, RecordContent
from orcid_sync.model.record.parse_record import parse_record
from orcid_sync.model.record.removals import removal
from orcid_sync.model.record.sections import SECTIONS, Content, Item, ItemKey
from rig.records.sample_record import ORCID, encode, full_forms, keyword, rich_record, set_in, with_keywords, works_of

FORMS = full_forms()
Json = dict[str, Any]


def items_of(record: Json) -> dict[ItemKey, Item]:
    return {item.id: item for item in parse_record(encode(record)).items()}


def content_of(item: Item) -> Content:
    return diff.with_detail(item.content, FORMS.get(item.id))


def known(record: Json) -> dict[ItemKey, Known]:
    """What a mirror of this record holds."""
    held = {}
    for item in items_of(record).values():
        row = SECTIONS[item.section].entry(ORCID, content_of(item)).row
        held[item.id] = Known(item.digest, item.visibility, getattr(row, "detail_modified_at", None))
    return held


def compare(old: Json, new: Json) -> diff.Comparison:
    record = parse_record(encode(new))
    return diff.compare(known(old), [found.section.name for found in record.answered()], record.items(), {})


def changes(old: Json, new: Json, details: dict[ItemKey, bytes] | None = None) -> dict[ItemKey, Change | None]:
    """The change of each item that moved; of one whose bytes moved but not its content, None."""
    before, after, details = items_of(old), items_of(new), details or {}
    comparison = diff.compare(known(old), SECTIONS, after.values(), details)
    return {
        item.id: diff.update(ORCID, item, content_of(before[item.id]), details.get(item.id))[1]
        for item in comparison.moved
    }


def test_a_record_and_itself() -> None:
    comparison = compare(rich_record(), rich_record())
    assert (comparison.added, comparison.moved, comparison.gone) == ([], [], [])


@pytest.mark.fault("F52")
@given(st.data())
def test_the_order_of_groups_is_no_difference(data: st.DataObject) -> None:
    record = rich_record()
    for name in ("works", "employments", "memberships", "peer-reviews"):
        container = record["activities-summary"][name]
        member = "group" if "group" in container else "affiliation-group"
        container[member] = data.draw(st.permutations(container[member]))
    comparison = compare(rich_record(), record)
    assert (comparison.added, comparison.moved, comparison.gone) == ([], [], [])


def test_items_come_and_go() -> None:
    record = with_keywords(rich_record(), keyword(14, "", **{"display-index": -1}), keyword(15))
    del works_of(record)[1]
    comparison = compare(rich_record(), record)
    assert [item.id for item in comparison.added] == [("keyword", "15")]
    assert sorted(comparison.gone) == [("keyword", "13"), ("work", "203")]


@pytest.mark.fault("F54")
@pytest.mark.parametrize("leave", [None, {}, {"group": None}])
def test_what_an_answer_does_not_speak_of_is_not_gone(leave: Any) -> None:
    record = rich_record()
    record["activities-summary"]["works"] = leave
    assert compare(rich_record(), record).gone == []


@pytest.mark.fault("F54")
def test_what_an_answer_lists_no_longer_is_gone() -> None:
    record = rich_record()
    record["activities-summary"]["works"]["group"] = []
    assert compare(rich_record(), record).gone == [("work", "201"), ("work", "202"), ("work", "203")]


def test_the_same_content_written_otherwise_is_no_change() -> None:
    """Other white space, other order of members, escapes, the same number in another form."""
    record = rich_record()
    original = encode(with_keywords(record, keyword(1, "ü/ü", weight=100)))
    rewritten = original.replace("ü/ü".encode(), rb"\u00fc\/\u00fc").replace(b'"weight":100', b'"weight" : 1.0e2')
    assert rewritten != original
    (before,) = [item for item in parse_record(original).items() if item.section == "keyword"]
    (after,) = [item for item in parse_record(rewritten).items() if item.section == "keyword"]
    assert before.digest != after.digest
    update, change = diff.update(ORCID, after, before.content, None)
    assert (change, update.fields) == (None, ())


@pytest.mark.fault("F48")
@pytest.mark.parametrize(
    ("old", "new", "equal"),
    [
        *[(b"1e400", b"1" + b"0" * 400, True), (b"1e400", b"1e401", False), (b"1.50", b"1.5", True)],
        *[(b"0.1", b"0.1000000000000000055511151231257827", False), (b"1e99999999999999999999", b"1", False)],
        *[(b"9" * 5000, b"9" * 5001, False), (b"[" * 5000, b"[" * 5000, False)],
    ],
    ids=str,
)
def test_odd_numbers_are_compared_exactly_or_taken_for_different(old: bytes, new: bytes, *, equal: bool) -> None:
    assert diff.same_json(old, new) == equal


WORK = ("activities-summary", "works", "group", 0, "work-summary", 0)
JOB = ("activities-summary", "employments", "affiliation-group", 0, "summaries", 0, "employment-summary")
FUNDING = ("activities-summary", "fundings", "group", 0, "funding-summary", 0)
WORD = ("person", "keywords", "keyword", 0)
DOI = (*WORK, "external-ids", "external-id", 0)

# What the holder or an organisation did, or ORCID on its own: key of the item, fields, whether minor.
TOLD: list[tuple[Callable[[Json], None], ItemKey, tuple[str, ...], bool]] = [
    (set_in(*WORD, "content", to="other"), ("keyword", "13"), ("content",), False),
    (set_in(*WORD, "display-index", to=9), ("keyword", "13"), ("display_index",), True),
    (set_in(*WORD, "visibility", to="limited"), ("keyword", "13"), ("visibility",), False),
    (set_in(*WORD, "last-modified-date", "value", to=1), ("keyword", "13"), ("modified_at",), True),
    (set_in(*WORD, "created-date", "value", to=1), ("keyword", "13"), ("created_at",), True),
    (set_in(*WORD, "source", "source-name", "value", to="New"), ("keyword", "13"), ("source_name",), True),
    (set_in(*WORD, "future-member", to=1), ("keyword", "13"), ("doc",), True),
    (set_in("person", "name", "credit-name", to=None), ("name", ""), ("credit_name",), False),
    (set_in(*JOB, "end-date", to={"year": {"value": "2020"}}), ("employment", "101"), ("end_year",), False),
    (set_in(*JOB, "organization", to=None), ("employment", "101"), ("org_name", "org_city", "org_country"), False),
    (set_in(*JOB, "source", "assertion-origin-name", to=None), ("employment", "101"), ("assertion_origin_name",), True),
    (set_in(*WORK, "title", "title", "value", to="Other"), ("work", "201"), ("title",), False),
    (set_in(*WORK, "type", to="a-new-type"), ("work", "201"), ("type",), False),
    (set_in(*WORK, "external-ids", to=None), ("work", "201"), ("external_ids",), False),
    (set_in(*DOI, "external-id-value", to="10.5555/other"), ("work", "201"), ("external_ids",), False),
    (set_in(*DOI, "external-id-normalized", to=None), ("work", "201"), ("external_ids.normalized",), True),
    (set_in(*FUNDING, "type", to="award"), ("funding", "301"), ("type",), False),
]


@pytest.mark.fault("F52")
@pytest.mark.parametrize(("alter", "key", "fields", "minor"), TOLD)
def test_a_change_names_its_fields(
    alter: Callable[[Json], None], key: ItemKey, fields: tuple[str, ...], *, minor: bool
) -> None:
    record = rich_record()
    alter(record)
    told = changes(rich_record(), record)
    assert list(told) == [key]
    change = told[key]
    assert change is not None
    assert (change.op, change.fields[: len(fields)], change.minor) == ("updated", fields, minor)


def test_preferring_another_version_is_minor() -> None:
    record = rich_record()
    works_of(record)[0]["work-summary"].reverse()
    told = changes(rich_record(), record)
    assert {key: change and (change.fields, change.minor) for key, change in told.items()} == {
        ("work", "201"): (("group_position",), True),
        ("work", "202"): (("group_position",), True),
    }


def test_moving_to_another_group_is_minor() -> None:
    """Seen 27 times in 32 states of one record, without a date moving (corpus.md section 1)."""
    record = rich_record()
    first, second = works_of(record)
    second["work-summary"].append(first["work-summary"].pop())
    told = changes(rich_record(), record)
    assert {key: change and (change.fields, change.minor) for key, change in told.items()} == {
        ("work", "202"): (("group_put_code",), True),
        ("work", "203"): (("group_put_code",), True),
    }


def edited(key: ItemKey, alter: Callable[[Json], None]) -> dict[ItemKey, bytes]:
    form = msgspec.json.decode(FORMS[key])
    alter(form)
    return {key: encode(form)}


WRITER = ("contributors", "contributor", 0)


@pytest.mark.parametrize(
    ("key", "alter", "fields", "minor"),
    [
        (("work", "201"), set_in("short-description", to="x"), ("short_description",), False),
        (("work", "201"), set_in(*WRITER, "credit-name", "value", to="x"), ("contributors",), False),
        (("funding", "301"), set_in(*WRITER, "credit-name", "value", to="x"), ("contributors.credit_name",), True),
        (("funding", "301"), set_in("contributors", to=None), ("contributors",), False),
        (("funding", "301"), set_in("amount", "value", to="2"), ("amount_value",), False),
        (("peer-review", "401"), set_in("subject-name", "title", "value", to="x"), ("subject_title",), False),
        (("research-resource", "501"), set_in("resource-item", to=[]), ("external_ids", "hosts", "items"), False),
        (("work", "201"), set_in("future-member", to="x"), ("doc",), True),
    ],
)
def test_a_change_of_the_full_form(
    key: ItemKey, alter: Callable[[Json], None], fields: tuple[str, ...], *, minor: bool
) -> None:
    change = changes(rich_record(), rich_record(), edited(key, alter))[key]
    assert change is not None
    assert (change.fields, change.minor) == (fields, minor)


@pytest.mark.parametrize("key", FORMS, ids=str)
def test_a_full_form_that_is_the_same_is_no_change(key: ItemKey) -> None:
    assert changes(rich_record(), rich_record(), {key: FORMS[key]}) == {key: None}


def test_a_full_form_that_could_not_be_read_again_stays() -> None:
    record = rich_record()
    set_in(*WORK, "title", "title", "value", to="Other")(record)
    change = changes(rich_record(), record)["work", "201"]
    assert change is not None
    assert isinstance(change.new, Content)
    assert change.new.detail == FORMS["work", "201"]


DATE = 1700000000520


@pytest.mark.parametrize(
    ("section", "held", "wanted"),
    [
        ("work", None, True),
        ("work", Known(b""), True),
        ("work", Known(b"", None, datetime.fromtimestamp(DATE / 1000, UTC)), False),
        ("work", Known(b"", None, datetime.fromtimestamp(DATE / 1000 + 0.001, UTC)), True),
        ("employment", None, False),
        ("keyword", None, False),
    ],
)
def test_the_full_form_is_read_when_new_or_moved(section: str, held: Known | None, *, wanted: bool) -> None:
    item = Item(section, "201", 201, DATE, "public", Content(b"{}"), b"")
    assert diff.wants_detail(held, item) == wanted


@pytest.mark.parametrize(
    ("held", "removed", "much"),
    [
        ({"work": 0}, {}, False),
        ({"work": 5}, {"work": 5}, False),  # so few may well be meant
        ({"work": 6}, {"work": 6}, True),
        ({"work": 11}, {"work": 6}, True),
        ({"work": 12}, {"work": 6}, False),  # exactly half
        ({"work": 13}, {"work": 6}, False),
        ({"work": 100, "keyword": 10}, {"work": 50, "keyword": 5}, False),
        ({"work": 100, "keyword": 10}, {"keyword": 6}, True),
        ({"work": 3, "employment": 3, "keyword": 3}, {"work": 3, "employment": 3, "keyword": 3}, False),
    ],
)
def test_an_answer_that_lost_most_of_a_section(held: dict[str, int], removed: dict[str, int], *, much: bool) -> None:
    keys = {(section, str(n)): Known(b"") for section, count in held.items() for n in range(count)}
    gone = [(section, str(n)) for section, count in removed.items() for n in range(count)]
    assert bool(diff.shrinking(keys, gone)) == much


AT = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("reason", "op"), [("removed", "removed"), ("record-deactivated", "removed"), ("access-lost", "withdrawn")]
)
def test_a_removal_says_why_and_what_it_was(reason: str, op: str) -> None:
    old = Content(b"{}")
    change = removal(("keyword", "13"), Known(b"", "limited"), old, reason=reason, at=AT)
    assert change == Change("keyword", "13", op, "limited", reason, (), AT, old, None, "limited")
    assert not change.minor


RECORD = RecordContent("active", "read-public", None, b'{"preferences":{"locale":"en"}}')


@pytest.mark.parametrize(
    ("new", "fields", "minor"),
    [
        ({"state": "locked"}, ("state",), False),
        ({"access": "read-limited"}, ("access",), False),
        ({"withheld": "all"}, ("withheld",), False),
        ({"state": "deprecated", "primary_orcid": ORCID}, ("state", "primary_orcid"), False),
        ({"doc": b'{"preferences":{"locale":"de"}}'}, ("locale",), False),
        ({"doc": b'{"preferences":{"locale":"en"},"future":1}'}, ("doc",), True),
    ],
)
def test_a_change_of_the_record_itself(new: Json, fields: tuple[str, ...], *, minor: bool) -> None:
    change = diff.record_change(ORCID, RECORD, msgspec.structs.replace(RECORD, **new), AT)
    assert change is not None
    assert (change.section, change.key, change.op, change.fields, change.minor) == (
        *("record", "", "updated", fields, minor),
    )


def test_a_record_that_says_the_same_is_no_change() -> None:
    same = msgspec.structs.replace(RECORD, doc=b'{"preferences": {"locale": "en"}}')
    assert diff.record_change(ORCID, RECORD, same, AT) is None


def test_a_new_record_is_added() -> None:
    change = diff.record_change(ORCID, None, RECORD, AT)
    assert change is not None
    assert (change.op, change.old, change.new) == ("added", None, RECORD)


def test_a_change_of_nothing_is_not_minor() -> None:
    """Additions and removals have no fields; they matter."""
    assert not Change("work", "1", "added").minor
    assert Change("work", "1", "updated", fields=("doc", *sorted(MINOR))).minor
    assert not Change("work", "1", "updated", fields=("doc", "title")).minor


def test_every_minor_field_exists() -> None:
    columns = {name for section in SECTIONS.values() for name in section.row.__struct_fields__}
    assert {field for field in MINOR if "." not in field} <= columns
