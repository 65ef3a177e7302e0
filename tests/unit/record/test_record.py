"""Taking an answer apart: what cannot be stored is cleaned, what is not a record is refused, the rest survives."""

import copy
import json
import traceback
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orcid_sync.model.record.diff import RecordContent
from orcid_sync.model.record.parse_record import parse_record
from orcid_sync.model.record.sections import SECTIONS
from orcid_sync.model.wire.cleaning import clean
from orcid_sync.model.wire.groups import NO_LIST
from orcid_sync.model.wire.malformed import MalformedRecord
from orcid_sync.model.wire.set_aside import may_lose
from rig.records.sample_record import ORCID, encode, keyword, rich_record, with_keywords

# Every text that JSON can carry, also what no UTF-8 and no PostgreSQL can: NULs and lone surrogates.
TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)


@pytest.mark.fault("F46", "F47")
@pytest.mark.parametrize("dirt", [rb"\u0000", rb"\ud800", rb"\udfff\u0000", b"\xff"])
def test_dirt_is_cleaned_before_anything_is_hashed(dirt: bytes) -> None:
    body = encode(with_keywords(rich_record(), keyword(1, "@"), keyword(2, "@", **{"@": "@"})))
    dirty, cleaned = (list(parse_record(body.replace(b"@", text)).items()) for text in (dirt, clean(dirt)))
    assert [item.digest for item in dirty] == [item.digest for item in cleaned]


def everything(body: bytes) -> list[Any]:
    """All that the core makes of an answer: rows, lists and the record's own row."""
    record = parse_record(body)
    entries = [SECTIONS[item.section].entry(record.orcid, item.content) for item in record.items()]
    return [record.head, record.modified_ms, *entries]


def refusal(body: bytes) -> str | None:
    """What a log would say if the answer is refused, with the whole traceback; None if it is accepted."""
    try:
        everything(body)
    except MalformedRecord as error:
        return "".join(traceback.format_exception(error))
    return None


ODD = {
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "a number without end": b"1e400",
    "5,000 digits": b"9" * 5000,
    "nesting": b"[" * 100_000,
    "nesting, closed": b"[" * 5_000 + b"]" * 5_000,
    "objects in objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "a control character": b'"a\x01b"',
    "an unknown escape": b'"\\x41"',
    "half an escape": b'"\\u12"',
    "a leading zero": b"01",
}


@pytest.mark.fault("F48")
@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("member", ["content", "put-code", "unknown-member"])
def test_odd_json_is_a_data_error_or_survives(odd: str, member: str) -> None:
    body = encode(with_keywords(rich_record(), keyword(1, **{member: "@"}))).replace(b'"@"', ODD[odd])
    # Of what no decoder takes nothing else is lost.
    assert (refusal(body) is None) == (
        odd in ("a number without end", "5,000 digits", "nesting, closed", "objects in objects")
    )


@pytest.mark.fault("F48")
@pytest.mark.parametrize("cut", [0, 1, 100, 5_000, -1])
def test_half_an_answer_is_a_data_error(cut: int) -> None:
    with pytest.raises(MalformedRecord, match=r"^record: not JSON$"):
        parse_record(encode(rich_record())[:cut])


@pytest.mark.fault("F49")
@pytest.mark.parametrize("body", [b"[]", b"null", b'"record"', b"5", b"{}", b'{"bulk":[]}', b"\xef\xbb\xbf{}"])
def test_what_is_not_a_record_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedRecord, match=r"^record: "):
        parse_record(body)


NOTHING = ...


def with_members(record: dict[str, Any], **members: Any) -> dict[str, Any]:
    """The record with other members; NOTHING: without."""
    changed = record | {name.replace("_", "-"): value for name, value in members.items()}
    return {name: value for name, value in changed.items() if value is not NOTHING}


@pytest.mark.fault("F49")
@pytest.mark.parametrize(
    "identifier", [NOTHING, None, {}, {"path": None}, {"path": 5}, {"path": ""}, "text", []], ids=str
)
def test_a_record_of_nobody_is_refused(identifier: Any) -> None:
    with pytest.raises(MalformedRecord):
        parse_record(encode(with_members(rich_record(), orcid_identifier=identifier)))


@pytest.mark.fault("F49", "F54")
@pytest.mark.parametrize("nonsense", [NOTHING, None, [], "text", 5], ids=str)
def test_a_record_with_one_of_its_halves_says_nothing_of_the_other(nonsense: Any) -> None:
    for half in ("person", "activities-summary"):
        record = parse_record(encode(with_members(rich_record(), **{half: nonsense})))
        answered = [found.section.name for found in record.answered()]
        assert answered == [name for name, section in SECTIONS.items() if section.block != half]
    with pytest.raises(MalformedRecord):
        parse_record(encode(with_members(rich_record(), person=nonsense, activities_summary=nonsense)))


@pytest.mark.fault("F49")
@pytest.mark.parametrize(
    "nonsense", [None, [], "text", 5, {"source": 7, "claimed": "perhaps"}, {"locale": []}], ids=str
)
@pytest.mark.parametrize("member", ["history", "preferences"])
def test_a_head_without_sense_refuses_nothing(member: str, nonsense: Any) -> None:
    record = parse_record(encode({**rich_record(), member: nonsense}))
    row = RecordContent("active", "read-public", None, record.doc).row(ORCID)
    assert (row.claimed if member == "history" else row.locale) is None
    assert [item.id for item in record.items()] == [item.id for item in parse_record(encode(RICH)).items()]


# Schema mutation: any node of a good record becomes any JSON value.
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
SECRET = "Xq7SecretContent"


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all nodes."""
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy in which one node is another."""
    if not path:
        return new
    copied = copy.copy(value)
    copied[path[0]] = replaced(value[path[0]], path[1:], new)
    return copied


RICH = rich_record()
PLACES = [path for path in places(RICH) if path]


@pytest.mark.fault("F49")
@settings(max_examples=60)
@given(st.sampled_from(PLACES), VALUES)
def test_a_record_of_the_wrong_shape_parses_or_is_malformed(path: tuple[Any, ...], value: Any) -> None:
    refusal(json.dumps(replaced(RICH, path, value)).encode())  # would raise anything but MalformedRecord


def all_secret(value: Any) -> Any:
    """The same shape, but every text is one that nobody may read in a log."""
    if isinstance(value, dict):
        return {key: all_secret(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [all_secret(inner) for inner in value]
    return SECRET if isinstance(value, str) else value


# One place for each member that a record has.
MEMBERS = {path[-1]: path for path in PLACES if isinstance(path[-1], str)}


@pytest.mark.fault("F49")
@pytest.mark.parametrize("value", [None, [[SECRET]]], ids=str)
def test_why_something_is_set_aside_never_quotes_it(value: Any) -> None:
    record = {**RICH, **{half: all_secret(RICH[half]) for half in ("person", "activities-summary")}}
    reasons = set()
    for path in MEMBERS.values():
        body = json.dumps(replaced(record, path, value)).encode()
        assert SECRET not in (refusal(body) or ""), path
        if path != ("orcid-identifier", "path"):
            reasons |= {one.reason for one in parse_record(body).set_aside()} if refusal(body) is None else set()
    assert len(reasons) >= 3
    assert SECRET not in str(reasons)


def without(record: dict[str, Any], section: str, *, leave: str) -> dict[str, Any]:
    """The record with the section's container gone, null, without a list, with null for it, or with an empty one."""
    block, container = SECTIONS[section].block, SECTIONS[section].container
    if leave == "nothing":
        del record[block][container]
    elif leave == "null":
        record[block][container] = None
    else:
        inner = record[block][container]
        (name,) = (name for name, value in inner.items() if isinstance(value, list))
        inner.pop(name)
        inner |= {"no list": {}, "null list": {name: None}, "empty list": {name: []}}[leave]
    return record


@pytest.mark.fault("F49")
@pytest.mark.parametrize("section", [name for name, section in SECTIONS.items() if section.grouped])
@pytest.mark.parametrize("broken", [None, "gone"])
def test_a_group_without_its_list_is_set_aside(section: str, broken: str | None) -> None:
    """It must not be taken for an empty one: its items would seem to be gone. So looked groups of API 2.1."""
    record = rich_record()
    container = record[SECTIONS[section].block][SECTIONS[section].container]
    (groups,) = (value for value in container.values() if isinstance(value, list))
    inner = next(name for name, value in groups[0].items() if isinstance(value, list))
    groups[0][inner if broken is None else "renamed"] = groups[0].pop(inner) if broken else None

    parsed = parse_record(encode(record))
    answered = [found.section.name for found in parsed.answered()]

    assert answered == list(SECTIONS)
    (one,) = parsed.set_aside()
    assert (one.section, one.reason, one.key) == (section, NO_LIST, None)
    assert msgspec.json.decode(one.doc) == groups[0]
    assert may_lose(answered, [one]) == set(SECTIONS) - {section}
    lost = {item.id for item in parse_record(encode(RICH)).items()} - {item.id for item in parsed.items()}
    assert {name for name, _ in lost} == {section}


LISTED = [name for name in SECTIONS if name not in ("name", "biography")]


@pytest.mark.fault("F54")
@pytest.mark.parametrize("section", LISTED)
@pytest.mark.parametrize("leave", ["nothing", "null", "no list", "null list"])
def test_a_missing_section_is_not_an_empty_one(section: str, leave: str) -> None:
    record = parse_record(encode(without(rich_record(), section, leave=leave)))
    assert [found.section.name for found in record.answered()] == [name for name in SECTIONS if name != section]


@pytest.mark.fault("F54")
@pytest.mark.parametrize("section", LISTED)
def test_an_empty_section_is_empty(section: str) -> None:
    record = parse_record(encode(without(rich_record(), section, leave="empty list")))
    assert {found.section.name: len(found.all().items) for found in record.answered()}[section] == 0


@pytest.mark.fault("F54")
@pytest.mark.parametrize("section", ["name", "biography"])
@pytest.mark.parametrize(("leave", "answered"), [("nothing", False), ("null", True)])
def test_a_name_that_is_null_is_not_visible(section: str, leave: str, *, answered: bool) -> None:
    record = parse_record(encode(without(rich_record(), section, leave=leave)))
    assert {found.section.name: found.all().items for found in record.answered()}.get(section) == (
        [] if answered else None
    )


def test_white_space_around_null_is_still_null() -> None:
    body = json.dumps(without(rich_record(), "name", leave="null")).replace('"name": null', '"name" :\n null ').encode()
    assert "name" in [found.section.name for found in parse_record(body).answered()]


def test_what_belongs_to_no_item_is_kept_as_the_records_own() -> None:
    record = rich_record()
    record["future"] = {"member": 1}
    record["person"]["emoji"] = "🧪"
    own = msgspec.json.decode(parse_record(encode(record)).doc)
    assert own["future"] == {"member": 1}
    assert own["person"] == {"emoji": "🧪"}
    assert own["preferences"] == {"locale": "en"}
    assert "activities-summary" not in own
    assert "last-modified-date" not in own["history"]


@pytest.mark.fault("F49")
@pytest.mark.parametrize("block", ["", "person", "activities-summary"])
@pytest.mark.parametrize(
    ("visibility", "kept"), [("public", True), ("limited", False), ("private", False), ("ask-me", False), (None, False)]
)
def test_an_unknown_section_is_kept_only_if_all_of_it_is_public(
    block: str, visibility: str | None, *, kept: bool
) -> None:
    """Every reader may see the record's own part, whatever ORCID may add to it."""
    record = rich_record()
    items = [{"name": "one", "visibility": "public"}, {"name": "two", "visibility": visibility}]
    (record[block] if block else record)["prizes"] = {"group": [{"prize-summary": items}]}
    for body in (encode(record), json.dumps(record, indent=2).encode()):
        own = msgspec.json.decode(parse_record(body).doc)
        assert ("prizes" in (own.get(block, {}) if block else own)) == kept


def test_only_the_record_wide_date_is_not_the_records_own() -> None:
    record = rich_record()
    record["history"]["last-modified-date"]["value"] += 1
    record["person"]["last-modified-date"] = None
    record["activities-summary"]["last-modified-date"] = None
    assert parse_record(encode(record)).doc == parse_record(encode(rich_record())).doc


@pytest.mark.fault("F48")
@pytest.mark.parametrize(
    ("value", "read"), [(1700000000999, 1700000000999), (0, 0), (10**30, None), (-(10**15), None), (None, None)]
)
def test_a_record_wide_date_beyond_the_calendar_is_unknown(value: int | None, read: int | None) -> None:
    record = rich_record()
    record["history"]["last-modified-date"]["value"] = value
    assert parse_record(encode(record)).modified_ms == read


@pytest.mark.parametrize("history", [None, {}])
def test_a_record_without_history_is_a_record(history: Any) -> None:
    record = parse_record(encode({**rich_record(), "history": history}))
    assert (record.orcid, record.modified_ms) == (ORCID, None)
