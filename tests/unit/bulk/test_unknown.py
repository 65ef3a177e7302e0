"""What no table knows: told as the same in a JSON would be, and never taken for the end of a section."""

import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from orcid_sync.bulk.parse import Parsed, Unit, parse_unit
from orcid_sync.bulk.xml import documents, strays
from orcid_sync.bulk.xml.documents import Strays, parse_document
from orcid_sync.bulk.xml.full_forms import FULL
from orcid_sync.model.record import unknown_members
from orcid_sync.model.record.sections import SECTIONS
from orcid_sync.model.wire.set_aside import may_lose
from orcid_sync.simulator.answers.xml import to_xml
from rig.records.sample_record import encode, full_forms, rich_record
from unit.bulk.table import public

Json = dict[str, Any]


def parsed(body: bytes) -> Parsed:
    return parse_unit(Unit("f", None, body))


def parsed_in_both_forms(record: Json) -> list[Parsed]:
    return [parsed(to_xml("record", record, indented=True)), parsed(encode(record))]


def affiliation(record: Json, *, kind: str = "employment") -> Json:
    return record["activities-summary"][f"{kind}s"]["affiliation-group"][0]["summaries"][0][f"{kind}-summary"]  # type: ignore[no-any-return]


def work(record: Json) -> Json:
    return record["activities-summary"]["works"]["group"][0]["work-summary"][0]  # type: ignore[no-any-return]


PLACES: dict[str, tuple[Callable[[Json], Json], str, str]] = {
    "an item": (work, "work", "new"),
    "an item of a person": (lambda record: record["person"]["keywords"]["keyword"][0], "keyword", "new"),
    "an organisation": (lambda record: affiliation(record)["organization"], "employment", "organization.new"),
    "a list in an item": (
        lambda record: work(record)["external-ids"]["external-id"][0],
        "work",
        "external-ids.external-id[].new",
    ),
    "the name": (lambda record: record["person"]["name"], "name", "new"),
    "the record": (lambda record: record, "record", "new"),
    "the history": (lambda record: record["history"], "record", "history.new"),
    "a half": (lambda record: record["person"], "record", "person.new"),
    "a section": (lambda record: record["person"]["keywords"], "keyword", "keywords.new"),
    "a group": (
        lambda record: record["activities-summary"]["works"]["group"][0],
        "work",
        "works.group[].new",
    ),
    "a group of a group": (
        lambda record: record["activities-summary"]["peer-reviews"]["group"][0]["peer-review-group"][0],
        "peer-review",
        "peer-reviews.group[].peer-review-group[].new",
    ),
}


@pytest.mark.parametrize("value", ["a text", {"deep": "er"}])
@pytest.mark.parametrize("place", PLACES)
def test_unknown_elements_are_told_as_unknown_members_are(place: str, value: Any) -> None:
    find, section, path = PLACES[place]
    record = public(rich_record())
    find(record)["new"] = value
    for one in parsed_in_both_forms(record):
        assert [(found.section, found.path) for found in one.unknown] == [(section, path)]
        assert one.unknown[0].kind == ("string" if isinstance(value, str) else "object")


def test_unknown_attributes_are_told() -> None:
    xml = to_xml("record", public(rich_record())).decode()
    marked = xml.replace("<keyword:keyword ", '<keyword:keyword since="v4" x:y="z" xmlns:x="urn:x" ').encode()
    assert {(one.section, one.path, one.kind) for one in parsed(marked).unknown} == {("keyword", "since", "string")}


def test_marks_in_a_text_are_told_for_the_text_is_not_whole() -> None:
    xml = to_xml("record", public(rich_record())).decode()
    marked = xml.replace("Exampleton", "Example<common:i>ton</common:i>").encode()
    assert {one.path.rpartition(".")[2] for one in parsed(marked).unknown} == {"i"}


def test_nothing_is_unknown_in_what_is_known() -> None:
    for one in parsed_in_both_forms(public(rich_record())):
        assert one.unknown == []


@pytest.mark.parametrize(("section", "put_code"), full_forms())
def test_unknown_elements_of_full_forms_are_told(section: str, put_code: str) -> None:
    form = msgspec.json.decode(full_forms()[section, put_code])
    form["new"] = "a text"
    root = parse_document(to_xml(section, form))[1]
    found: Strays = []
    documents.encode(root, FULL[section], found)
    told = strays.named(section, root, FULL[section], found)
    assert unknown_members.member(section, "", "new", "string") in told


AROUND = ("a section", "a group", "a group of a group")


@pytest.mark.fault("F54")
@pytest.mark.parametrize("place", AROUND)
def test_what_stands_around_items_could_be_items(place: str) -> None:
    find, section, _ = PLACES[place]
    record = public(rich_record())
    whole = parsed(encode(record))
    find(record)["new"] = [{"put-code": 5}, {"put-code": 6}]
    for one in parsed_in_both_forms(record):
        assert {found.section for found in one.set_aside} == {section}
        assert may_lose(one.answered, one.set_aside) == set(SECTIONS) - {section}
        assert [item.id for item in one.items] == [item.id for item in whole.items], "what is known is read"


GROUPED = [name for name, section in SECTIONS.items() if section.grouped]
LISTED = [name for name, section in SECTIONS.items() if section.key_column is not None and not section.grouped]


@pytest.mark.fault("F54")
@pytest.mark.parametrize("name", [*GROUPED, *LISTED])
def test_a_section_of_an_unknown_layout_is_not_empty(name: str) -> None:
    """Its children have other names: in XML it would look as if it had none."""
    record = public(rich_record())
    section = SECTIONS[name]
    container = record[section.block][section.container]
    (member,) = [one for one, value in container.items() if isinstance(value, list)]
    container[f"all-{member}"] = container.pop(member)
    for one in parsed_in_both_forms(record):
        assert not [item for item in one.items if item.section == name]
        assert name not in may_lose(one.answered, one.set_aside)
        assert {found.section for found in one.set_aside} == {name}
        assert set(SECTIONS) - {name} <= may_lose(one.answered, one.set_aside)


@pytest.mark.fault("F54")
@pytest.mark.parametrize("inside", ["nothing that has a tag", "<x:employment xmlns:x='urn:x'/>", "<activities:x/>"])
def test_a_section_with_something_else_in_it_is_not_empty(inside: str) -> None:
    record = public(rich_record())
    record["activities-summary"]["employments"] = {"path": "/0009-9990-0000-0013/employments"}
    xml = to_xml("record", record).decode()
    empty = re.compile("<activities:employments([^>]*)/>")
    assert "employment" in may_lose(parsed(xml.encode()).answered, [])
    one = parsed(empty.sub(rf"<activities:employments\1>{inside}</activities:employments>", xml).encode())
    assert "employment" not in may_lose(one.answered, one.set_aside)


def test_a_section_that_is_there_twice_is_read_twice() -> None:
    xml = to_xml("record", public(rich_record()), indented=True).decode()
    start, end = xml.index("<keyword:keywords"), xml.index("</keyword:keywords>") + len("</keyword:keywords>")
    first = xml[start:end]
    second = first.replace('put-code="', 'put-code="99')
    keywords = {item.key for item in parsed(xml.encode()).items if item.section == "keyword"}
    both = parsed(f"{xml[:start]}{first}{second}{xml[end:]}".encode())
    assert {item.key for item in both.items if item.section == "keyword"} == keywords | {f"99{key}" for key in keywords}
