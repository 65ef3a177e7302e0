"""White space and values of XML: of no meaning around a date, a number, a flag or a token, and part of a text."""

import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcid_sync.bulk.file_names import Name
from orcid_sync.bulk.parse import Unit, parse_unit, peek_modified_at
from orcid_sync.bulk.xml.shapes import Content, Leaf, Many, Object
from orcid_sync.bulk.xml.values import FORMS, collapse
from orcid_sync.model.ids import Orcid
from orcid_sync.simulator.answers.xml import to_xml
from rig.records.sample_record import rich_record
from unit.bulk.table import SHAPES, element, filled, public, read

SPACES = ("\n", " ", "\t", "&#13;\n        ", " \n\t ")
TEXTS = {"text", "wrapped"}


def spaced(xml: str, space: str) -> str:
    """The document with white space around every value."""
    inside = re.sub(r">([^<>]+)<", rf">{space}\1{space}<", xml)
    return re.sub(r'([a-z-]+)="([^"]*)"', rf'\1="{space}\2{space}"', inside)


def kept(value: Any, kind: Any, space: str) -> Any:
    """A value with white space around its texts."""
    match kind:
        case Object():
            return {member: kept(one, kind.members[member], space) for member, one in value.items()}
        case Many(item):
            return [kept(one, item, space) for one in value]
        case Content() | Leaf("text"):
            return f"{space}{value}{space}"
        case Leaf("wrapped"):
            return {"value": f"{space}{value['value']}{space}"}
    return value


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", SHAPES)
def test_white_space_around_values_is_none_of_theirs_but_of_texts_it_is(name: str, space: str) -> None:
    shape = SHAPES[name]
    value = filled(shape)
    read_back = read(spaced(element("x", value, shape), space), shape)
    assert read_back == kept(value, shape, space.replace("&#13;", "\r"))


def test_the_table_has_no_text_in_an_attribute() -> None:
    """What stands around it there would be lost: XML itself makes spaces of the ends of lines."""
    found = [kind for shape in SHAPES.values() for kind in leaves(shape) if kind.attribute and kind.form in TEXTS]
    assert found == []


def leaves(shape: Object) -> list[Leaf]:
    found: list[Leaf] = []
    for kind in shape.members.values():
        inner = kind.item if isinstance(kind, Many) else kind
        found += leaves(inner) if isinstance(inner, Object) else [inner] if isinstance(inner, Leaf) else []
    return found


@pytest.mark.parametrize("space", SPACES)
def test_a_record_with_white_space_has_the_same_items_and_dates(space: str) -> None:
    plain = to_xml("record", public(rich_record()), indented=True).decode()
    dates = re.sub(r">(\d{4}-\d\d-\d\dT[^<]+|true|false|public|self|journal-article)<", rf">{space}\1{space}<", plain)
    tokens = re.sub(r'(put-code|visibility|display-index|path)="([^"]*)"', rf'\1="{space}\2{space}"', dates)
    assert tokens.count(space) > plain.count(space) + 100
    one, other = (parse_unit(Unit("f", Name(Orcid("0009-9990-0000-0013")), text.encode())) for text in (plain, tokens))
    assert other == one, "byte by byte, digests and all"
    glance = peek_modified_at(Unit("f", None, tokens.encode()))
    assert glance == (None if "&" in space else one.modified_at)


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [
        ("moment", "2017-09-08T13:31:19.987Z\n", {"value": 1504877479987}),
        ("moment", "2001-12-31T12:00:00\n\t            ", {"value": 1009800000000}),
        ("moment", "  ", {"value": "  "}),
        ("moment", "2017-09-08T13:31:19.987Z,", {"value": "2017-09-08T13:31:19.987Z,"}),
        ("moment", "\u00a02017-09-08T13:31:19.987Z", {"value": "\u00a02017-09-08T13:31:19.987Z"}),
        ("number", "\t+11 ", 11),
        ("number", "-1", -1),
        ("number", "9223372036854775807", 2**63 - 1),
        ("number", "9223372036854775808", "9223372036854775808"),
        ("number", "1_1", "1_1"),
        ("number", "1 1", "1 1"),
        ("number", "", ""),
        ("flag", " 1\n", True),
        ("flag", "false ", False),
        ("flag", "TRUE", "TRUE"),
        ("token", " journal-article\n", "journal-article"),
        ("token", "a \t\n b", "a b"),
        ("token", "public\u00a0", "public\u00a0"),
        ("constant", "Member-referred\n", "MEMBER_REFERRED"),
        ("wrapped token", "\n 2019 ", {"value": "2019"}),
        ("wrapped", " as typed\n", {"value": " as typed\n"}),
    ],
)
def test_values(form: str, text: str, value: Any) -> None:
    """What makes no sense stays as it is: it is for the reading of JSON to pass over it."""
    made = FORMS[form](text)
    assert (made, type(made)) == (value, type(value))


@given(st.text(" \t\n\rab\u00a0\u2028\u3000é", max_size=12))
def test_a_token_has_no_white_space_of_xml_but_single_spaces(text: str) -> None:
    assert collapse(text) == " ".join(word for word in re.split("[ \t\r\n]+", text) if word)


@given(st.text(max_size=30), st.sampled_from(sorted(FORMS)))
def test_no_text_stops_anything(text: str, form: str) -> None:
    msgspec.json.encode(FORMS[form](text))
