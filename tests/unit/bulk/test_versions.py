"""Records of other versions are refused by name, in whatever form a file has them."""

from typing import Any

import msgspec
import pytest

from orcid_sync.bulk.parse import Parsed, Unit, parse_unit, peek_modified_at, read_each
from orcid_sync.bulk.tally import Tally
from orcid_sync.bulk.versions import OtherVersion, Traits, other_version
from orcid_sync.model.record.sections import SECTIONS
from orcid_sync.simulator.answers.xml import to_xml
from rig.records.mirror import skeleton
from rig.records.other_versions import FORMS, VERSIONS, with_schema
from rig.records.sample_record import encode, rich_record
from unit.bulk.table import public

Json = dict[str, Any]


def parsed(body: bytes) -> Parsed:
    return parse_unit(Unit("f", None, body))


def refused(body: bytes) -> str:
    with pytest.raises(OtherVersion) as caught:
        parsed(body)
    return caught.value.version


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("version", VERSIONS)
def test_other_versions_are_refused_by_name(version: str, form: str) -> None:
    assert refused(FORMS[form](version, public(rich_record()))) == version


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("version", ["v2.0", "v2.1"])
def test_a_record_of_another_version_without_items_is_refused(version: str, form: str) -> None:
    """It would be one in which everything was removed."""
    assert refused(FORMS[form](version, skeleton("0009-9990-0000-0013"))) == version


@pytest.mark.parametrize("indented", [False, True])
def test_v3_0_is_understood(*, indented: bool) -> None:
    record = public(rich_record())
    xml = to_xml("record", record, indented=indented)
    for body in (xml, with_schema("v3.0", xml), encode(record), msgspec.json.format(encode(record))):
        assert parsed(body).answered == list(SECTIONS)
        assert parsed(body).set_aside == []


@pytest.mark.parametrize("version", ["v2.0_rc3", "v2.1", "v3.0_rc1", "v3.0_rc2", "v3.1", "v4.0"])
def test_a_schema_that_is_named_is_believed(version: str) -> None:
    assert refused(with_schema(version, to_xml("record", public(rich_record())))) == version


def keeping(record: Json, *names: str) -> Json:
    """The record with these sections of activities only."""
    activities = record["activities-summary"]
    return {**record, "activities-summary": {name: activities[name] for name in names}}


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("employments",),
        ("works",),
        ("works", "fundings", "peer-reviews"),
        ("educations", "employments", "fundings", "peer-reviews", "works"),
        ("research-resources",),
    ],
)
def test_a_record_of_few_sections_is_no_older_one(names: tuple[str, ...]) -> None:
    record = keeping(public(rich_record()), *names)
    for body in (to_xml("record", record), encode(record)):
        spoken_of = {name for name, section in SECTIONS.items() if section.container in names}
        activities = {name for name, section in SECTIONS.items() if section.block == "activities-summary"}
        assert set(parsed(body).answered) & activities == spoken_of


def test_one_item_in_capitals_refuses_no_record() -> None:
    record = public(rich_record())
    record["person"]["keywords"]["keyword"][0]["visibility"] = "PUBLIC"
    assert parsed(encode(record)).not_public == 1


def test_what_people_write_is_no_version() -> None:
    record = public(rich_record())
    record["person"]["biography"]["content"] = '{"visibility": "PUBLIC"} xsi:schemaLocation="record-2.1.xsd"'
    for body in (to_xml("record", record), encode(record)):
        assert parsed(body).answered == list(SECTIONS)


@pytest.mark.parametrize(
    ("traits", "version"),
    [
        (Traits(frozenset()), None),
        (Traits(frozenset(), flat=True), "v2.1"),
        (Traits(frozenset(), flat=True, secure=False), "v2.0"),
        (Traits(frozenset({"services"}), flat=True), "v3.0_rc1"),
        (Traits(frozenset({"employments"}), grouped=True, in_capitals=True), "v3.0_rc2"),
        (Traits(frozenset({"services"}), in_capitals=True), "v3.0_rc2"),
        (Traits(frozenset({"services"}), secure=False), None),
        (Traits(frozenset({"educations", "employments", "fundings", "peer-reviews", "works"})), "v2.1"),
        (Traits(frozenset({"educations", "employments", "fundings", "peer-reviews", "works"}), grouped=True), None),
        (Traits(frozenset({"educations", "employments", "fundings", "works"})), None),
    ],
)
def test_the_layout_tells_the_version(traits: Traits, version: str | None) -> None:
    assert other_version(traits) == version


@pytest.mark.parametrize("said", ["", "1", "<b/>", "1.2; drop", "1.2" + "3" * 99, None, 7, ["1.2"]])
def test_a_version_that_is_none_is_not_quoted(said: Any) -> None:
    body = encode({"message-version": said, "orcid-profile": {}})
    assert refused(body) == "v1"


def test_a_refusal_says_what_would_be_understood() -> None:
    tally = Tally()
    tally.refuse("f.xml", OtherVersion("v2.1"))
    assert (tally.counts["refused"], tally.counts["bad"], tally.versions) == (1, 0, {"v2.1": 1})
    assert [one.what for one in tally.problems] == ["it is of ORCID's version v2.1; only v3.0 is understood"]


@pytest.mark.parametrize("version", [one for one in VERSIONS if one != "v1.2"])
def test_no_other_version_is_taken_for_current_at_a_glance(version: str) -> None:
    """It would not be counted as refused, but only if it is as old as what the mirror has."""
    assert peek_modified_at(Unit("f", None, to_xml("record", public(rich_record()), indented=True))) is not None
    assert peek_modified_at(Unit("f", None, FORMS["indented XML"](version, public(rich_record())))) is None


def test_an_error_in_place_of_a_record_is_counted_in_both_forms() -> None:
    error = {"response-code": 409, "developer-message": "locked", "error-code": 9018}
    tally = Tally()
    units = [Unit("f", None, body) for body in (encode(error), to_xml("error", error))]
    assert list(read_each(units, parse_unit, tally)) == []
    assert tally.counts == {"closed": 2}
