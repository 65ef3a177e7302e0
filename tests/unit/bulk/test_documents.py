"""XML as ORCID's JSON: the same record in both forms gives the same rows, entry by entry of the table."""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orcid_sync.bulk.file_names import Name
from orcid_sync.bulk.parse import Closed, Parsed, Unit, make_new, parse_unit, peek_modified_at
from orcid_sync.bulk.xml import documents
from orcid_sync.bulk.xml.documents import Unreadable, parse_document
from orcid_sync.bulk.xml.full_forms import FULL
from orcid_sync.bulk.xml.shapes import TEXT, Content, Leaf, Many, Object
from orcid_sync.bulk.xml.summaries import LAYOUTS
from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.sections import SECTIONS
from orcid_sync.model.wire.malformed import MalformedRecord
from orcid_sync.simulator.answers.xml import to_xml
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID
from rig.records.sample_record import encode, full_forms, rich_record
from unit.bulk.table import SHAPES, element, filled, public, read

ORCID = Orcid("0009-9990-0000-0013")


def parsed(body: bytes) -> Parsed:
    return parse_unit(Unit("f", None, body))


def values(one: Parsed) -> list[tuple[Any, ...]]:
    """What the items say, whatever the order of their members."""
    return [(item.id, msgspec.json.decode(item.content.doc), *group(item)) for item in one.items]


def group(item: Any) -> tuple[Any, ...]:
    return (item.modified_ms, item.content.group_put_code, item.content.group_position)


def record_xml(**edits: str) -> bytes:
    """A small record as XML, with texts replaced."""
    text = to_xml("record", public(rich_record()), indented=True).decode()
    for old, new in edits.items():
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def test_simulated_records_are_equal_byte_by_byte_in_both_forms() -> None:
    """Order of members, wrapping, nulls: the digests are the same. The simulator writes its XML by rules of its own."""
    sim = SimulatedRegistry()
    token = sim.token_service.issue(CLIENT_ID, ["/read-public"]).text
    for orcid in sim.add_samples(40):
        view = sim.view(orcid, token)
        assert parsed(to_xml("record", view, indented=True)) == parsed(msgspec.json.encode(view))


def test_a_record_in_which_every_section_says_something() -> None:
    record = public(rich_record())
    from_xml, from_json = parsed(to_xml("record", record, indented=True)), parsed(encode(record))

    assert {item.section for item in from_xml.items} == set(SECTIONS)
    assert values(from_xml) == values(from_json)
    assert from_xml.answered == from_json.answered == list(SECTIONS)
    assert (from_xml.content, from_xml.modified_ms) == (from_json.content, from_json.modified_ms)
    digest = {"digest": b"", "doc": b""}
    for one, other in zip(make_new(from_xml).entries, make_new(from_json).entries, strict=True):
        rows = [msgspec.structs.replace(entry.row, **digest) for _, entry in (one, other)]
        assert rows[0] == rows[1]
        assert msgspec.structs.replace(one[1], row=rows[0]) == msgspec.structs.replace(other[1], row=rows[0])


@pytest.mark.parametrize(("section", "put_code"), full_forms())
def test_full_forms(section: str, put_code: str) -> None:
    form = msgspec.json.decode(full_forms()[section, put_code])
    for contributor in (form.get("contributors") or {"contributor": []})["contributor"] if section == "funding" else ():
        contributor["contributor-attributes"].pop("contributor-sequence")  # which fundings do not have

    name, root = parse_document(to_xml(section, form, indented=True))

    assert name == section
    assert msgspec.json.decode(documents.encode(root, FULL[section], [])) == form


def entries(shape: Object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The places of all leaves of the table under a shape."""
    for member, kind in shape.members.items():
        inner = kind.item if isinstance(kind, Many) else kind
        if isinstance(inner, Object):
            yield from entries(inner, (*path, member))
        else:
            yield (*path, member)


def without(shape: Object, path: tuple[str, ...]) -> Object:
    """The table without one entry: the member is there, but read from where it is not."""
    member, *rest = path
    kind = shape.members[member]
    if rest:
        if isinstance(kind, Many):
            changed: Any = replace(kind, item=without(kind.item, tuple(rest)))
        else:
            assert isinstance(kind, Object)
            changed = without(kind, tuple(rest))
    else:
        changed = TEXT if isinstance(kind, Leaf) and kind.attribute else Leaf("text", attribute=True)
    return Object({**shape.members, member: changed})


@pytest.mark.parametrize("name", SHAPES)
def test_every_entry_of_the_table_counts(name: str) -> None:
    """Whatever entry is taken away, something is not read any more."""
    shape = SHAPES[name]
    value = filled(shape)
    xml = element("x", value, shape)
    assert read(xml, shape) == value
    for path in entries(shape):
        assert read(xml, without(shape, path)) != value, f"{name}: {path} is read although the table lacks it"


@pytest.mark.parametrize("name", SHAPES)
def test_absent_elements_are_null_and_absent_lists_empty(name: str) -> None:
    shape = SHAPES[name]
    empty = {member: [] if isinstance(kind, Many) else None for member, kind in shape.members.items()}
    empty |= {member: "" for member, kind in shape.members.items() if isinstance(kind, Content)}
    assert read("<c:x></c:x>", shape) == empty


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(blacklist_categories=("Cs",)), max_size=60))
def test_any_text_that_xml_can_carry_comes_through(text: str) -> None:
    carried = "".join(one for one in text if one in "\t\n\r" or (one >= " " and one not in "\ufffe\uffff"))
    keyword = {**public(rich_record()["person"]["keywords"]["keyword"][0]), "content": carried}

    _, root = parse_document(to_xml("keyword", keyword))

    assert msgspec.json.decode(documents.encode(root, LAYOUTS["keyword"].item, [])) == keyword


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        ("2018-02-26T18:38:06.808Z", 1519670286808),
        ("2018-02-26T18:38:06.8Z", 1519670286800),
        ("2018-02-26T18:38:06Z", 1519670286000),
        ("2018-02-26T18:38:06", 1519670286000),
        ("2018-02-26T19:38:06.808+01:00", 1519670286808),
        ("1969-12-31T23:59:59.999Z", -1),
    ],
)
def test_dates(written: str, milliseconds: int) -> None:
    assert read(f"<c:x><c:created-date>{written}</c:created-date></c:x>", LAYOUTS["email"].item)["created-date"] == {
        "value": milliseconds
    }


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\n", b"\xef\xbb\xbf\r\n  "])
def test_what_stands_before_a_document_is_none_of_its(before: bytes) -> None:
    for body in (record_xml(), encode(public(rich_record()))):
        assert parsed(before + body) == parsed(body)


def test_an_error_in_place_of_a_record_is_recognised() -> None:
    error = {"response-code": 409, "developer-message": "locked", "error-code": 9018}
    with pytest.raises(Closed):
        parsed(to_xml("error", error, indented=True))


def test_what_the_table_does_not_know_is_passed_over() -> None:
    """Elements and attributes that ORCID adds one day, comments, instructions and marked sections."""
    plain, added = (
        record_xml(),
        record_xml(
            **{
                "<common:organization>": "<common:new><common:deep/></common:new><!-- y --><common:organization>",
                "<preferences:locale>": "<?php echo ?><preferences:locale>",
                "Exampleton": "<![CDATA[Exampleton]]>",
            }
        ),
    )
    assert msgspec.structs.replace(parsed(added), unknown=[]) == parsed(plain)
    assert {one.path for one in parsed(added).unknown} == {"new", "proposal.hosts.new"}


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


@pytest.mark.fault("F51")
@pytest.mark.parametrize(
    ("xml", "said"),
    [
        (b"", "not well-formed"),
        (b"nothing", "not well-formed"),
        (record_xml()[:-300], "not well-formed"),
        (record_xml().replace(b"</person:person>", b""), "not well-formed"),
        (b"\xff\xfe" + record_xml().decode().encode("utf-16-le"), "not well-formed"),
        (record_xml().replace(b"Exampleton", b"\xc3("), "not well-formed"),
        (b"<a/>", "not of ORCID"),
        (b'<record xmlns="http://www.orcid.org.example/ns/record"/>', "not of ORCID"),
        (to_xml("person", rich_record()["person"]), "a person"),
        (f'<!DOCTYPE r [<!ENTITY l0 "ha">{LAUGHS}]><r>&l9;</r>'.encode(), "declares a document type"),
        (b'<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><r>&e;</r>', "declares a document type"),
        (b'<!DOCTYPE r SYSTEM "http://127.0.0.1:1/x.dtd"><r/>', "declares a document type"),
        ("<!DOCTYPE r [<!ENTITY e 'x'>]><r>&e;</r>".encode("utf-16"), "not well-formed"),
        (b'<?xml version="1.0" encoding="utf-7"?>+ADwAIQ-DOCTYPE r+AD4-<r/>', "not well-formed"),
        (b"<r>&undeclared;</r>", "not well-formed"),
        (b"<a>" * 10_000, "not well-formed"),
        (b"<a>" + b"x" * 11_000_000 + b"</a>", "not well-formed"),
        (b"<r>" + b"<a/>" * 4_000_001 + b"</r>", "larger than any record"),
        (b"<r>" + b" " * (64 << 20) + b"</r>", "larger than any record"),
    ],
    ids=range(19),
)
def test_files_from_anywhere_do_no_harm(xml: bytes, said: str) -> None:
    began = time.monotonic()
    with pytest.raises(Unreadable, match=said):
        parsed(xml)
    assert time.monotonic() - began < 5, "it took long"


@pytest.mark.fault("F49")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<history:claimed>true", "<history:claimed>perhaps"),
        ("2023-11-14T22:13:20.510Z", "the day before"),
        ("2023-11-14T22:13:20.510Z", "2023-13-14T22:13:20.510Z"),
    ],
)
def test_what_makes_no_sense_is_null_and_the_rest_is_there(old: str, new: str) -> None:
    whole, odd = parsed(record_xml()), parsed(record_xml(**{old: new}))
    assert [item.id for item in odd.items] == [item.id for item in whole.items]
    assert odd.set_aside == []
    assert len(make_new(odd).entries) == len(whole.items)


@pytest.mark.fault("F49")
@pytest.mark.parametrize("number", ["eleven", "", "1_1", "\u0661\u0661", "11.5", "9223372036854775808", "-", "0x11"])
def test_an_item_without_a_number_is_set_aside_and_the_rest_is_there(number: str) -> None:
    whole, odd = parsed(record_xml()), parsed(record_xml(**{'put-code="11"': f'put-code="{number}"'}))
    lost = {item.id for item in whole.items} - {item.id for item in odd.items}
    assert lost == {("other-name", "11")}
    assert [one.section for one in odd.set_aside] == ["other-name"]
    assert odd.answered == whole.answered


@pytest.mark.fault("F54")
@pytest.mark.parametrize("half", ["person", "activities-summary"])
def test_half_a_record_says_nothing_of_the_other_half(half: str) -> None:
    record = public(rich_record())
    del record[half]
    there = [name for name, section in SECTIONS.items() if section.block != half]
    for body in (to_xml("record", record), encode(record)):
        assert parsed(body).answered == there
        assert {item.section for item in parsed(body).items} == set(there)


def test_neither_half_is_no_record() -> None:
    record = {name: value for name, value in rich_record().items() if name not in ("person", "activities-summary")}
    for body in (to_xml("record", record), encode(record)):
        with pytest.raises(MalformedRecord, match="are missing"):
            parsed(body)


@pytest.mark.parametrize(
    ("xml", "milliseconds"),
    [
        (record_xml(), 1_700_000_000_999),
        (record_xml(**{"common:last-modified-date": "c:last-modified-date"}), None),
        (record_xml(**{">2023-11-14T22:13:20.999Z</common": ">yesterday</common"}), None),
        (record_xml(**{">2023-11-14T22:13:20.999Z</common": ">2023-99-14T22:13:29Z</common"}), None),
        (b"<error:error/>", None),
        (b"", None),
        (encode(rich_record()), None),
    ],
    ids=range(7),
)
def test_a_glance_finds_the_date_or_nothing(xml: bytes, milliseconds: int | None) -> None:
    found = peek_modified_at(Unit("f", None, xml))
    assert (found and round(found.timestamp() * 1000)) == milliseconds


def test_only_what_is_public_is_taken() -> None:
    """A file that somebody made of what only the holder's permission shows would be a leak."""
    record = rich_record()
    hidden = {item.id for item in parsed(encode(public(record))).items} - {
        item.id for item in parsed(encode(record)).items
    }
    assert len(hidden) > 1
    assert {item.visibility for item in parsed(to_xml("record", record)).items} == {"public"}


def test_the_record_of_another_id_than_the_name_says_is_refused() -> None:
    name = Name(Orcid("0009-9990-0000-0021"))
    for body in (record_xml(), encode(public(rich_record()))):
        with pytest.raises(Unreadable, match="it is the record of another iD"):
            parse_unit(Unit("f", name, body))
        assert parse_unit(Unit("f", Name(ORCID), body)).orcid == ORCID
