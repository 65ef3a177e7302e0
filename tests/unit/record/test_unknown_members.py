"""What of ORCID's JSON is unknown is named by its path and type, and by nothing that it says."""

from typing import Any

import msgspec
import pytest

from orcid_sync.model.record import unknown_members
from orcid_sync.model.record.parse_record import parse_record
from orcid_sync.model.record.sections import SECTIONS
from orcid_sync.model.record.unknown_members import Unknown
from rig.records.mirror import skeleton
from rig.records.sample_record import encode, full_forms, rich_record

ORCID = "0000-0002-1825-0097"

WORK: dict[str, Any] = {
    "put-code": 1,
    "path": f"/{ORCID}/work/1",
    "title": {"title": {"value": "A work"}},
    "source": {"source-orcid": {"uri": "x", "path": ORCID, "host": "orcid.org"}},
    "external-ids": {"external-id": [{"external-id-type": "doi"}, {"external-id-type": "isbn"}]},
}


def grown(value: Any, path: str, new: Any) -> bytes:
    """The document with one more member, at a path of names and numbers."""
    grown = msgspec.json.decode(msgspec.json.encode(value))
    *way, name = path.split(".")
    at = grown
    for step in way:
        at = at[int(step)] if isinstance(at, list) else at[step]
    at[name] = new
    return msgspec.json.encode(grown)


def test_nothing_of_a_whole_record_is_unknown() -> None:
    record = parse_record(encode(rich_record()))

    assert record.unknown == []
    assert unknown_members.in_record(record.doc) == []
    assert [one for item in record.items() for one in unknown_members.in_summary(item.section, item.content.doc)] == []


def test_nothing_of_a_full_form_is_unknown() -> None:
    assert [
        one for (section, _), full in full_forms().items() for one in unknown_members.in_detail(section, full)
    ] == []


@pytest.mark.parametrize(
    ("path", "new", "named", "kind"),
    [
        pytest.param("abstract", "x", "abstract", "string", id="a text"),
        pytest.param("flags", True, "flags", "boolean", id="a truth"),
        pytest.param("score", 1.5, "score", "number", id="a number"),
        pytest.param("later", None, "later", "null", id="nothing yet"),
        pytest.param("versions", [{"a": 1}], "versions", "array", id="a list, without what is in it"),
        pytest.param("title.short", {"value": "x"}, "title.short", "object", id="inside"),
        pytest.param("title.title", {"value": "x", "lang": "en"}, "title.title.lang", "string", id="in a wrapper"),
        pytest.param(
            "external-ids.external-id.1.checked", 5, "external-ids.external-id[].checked", "number", id="in a list"
        ),
        pytest.param("type", {"code": "x"}, "type.code", "string", id="an object where a text was"),
        pytest.param("put-code", [{"code": "x"}], "put-code[].code", "string", id="a list where a number was"),
        pytest.param("Ada Example <ada@example>", 1, "*", "number", id="a name that could be a value"),
        pytest.param("title.0000-0002-1825-0097", 1, "title.*", "number", id="an iD for a name"),
    ],
)
def test_an_unknown_member_is_named(path: str, new: Any, named: str, kind: str) -> None:
    assert unknown_members.in_summary("work", grown(WORK, path, new)) == [Unknown("work", named, kind)]


def test_a_member_counts_once_in_a_document() -> None:
    document = msgspec.json.decode(grown(WORK, "external-ids.external-id.0.checked", 1))
    document["external-ids"]["external-id"][1]["checked"] = 2

    assert len(unknown_members.in_summary("work", msgspec.json.encode(document))) == 1


@pytest.mark.parametrize(
    ("path", "section", "named"),
    [
        pytest.param("person.email-domains", "record", "person.email-domains", id="a section of the person"),
        pytest.param("activities-summary.datasets", "record", "activities-summary.datasets", id="a kind of activity"),
        pytest.param("person.keywords.total", "keyword", "keywords.total", id="beside a list"),
        pytest.param("activities-summary.works.total", "work", "works.total", id="beside groups"),
        pytest.param("activities-summary.works.group.0.score", "work", "works.group[].score", id="in a group"),
        pytest.param(
            "activities-summary.employments.affiliation-group.0.score",
            *("employment", "employments.affiliation-group[].score"),
            id="in a group of affiliations",
        ),
    ],
)
def test_what_is_new_around_items_is_named(path: str, section: str, named: str) -> None:
    document = skeleton(ORCID)
    document["activities-summary"]["works"]["group"] = [{"external-ids": None, "work-summary": []}]
    document["activities-summary"]["employments"]["affiliation-group"] = [{"summaries": []}]

    assert parse_record(grown(document, path, {"secret": 1})).unknown == [Unknown(section, named, "object")]


def test_a_hidden_section_that_is_new_is_named_though_it_is_not_kept() -> None:
    """The record's own part is for every reader, so a section with limited items stays out of it."""
    new = {"email-domain": [{"value": "example.org", "visibility": "limited"}]}
    record = parse_record(grown(skeleton(ORCID), "person.email-domains", new))

    assert b"example.org" not in record.doc
    assert record.unknown == [Unknown("record", "person.email-domains", "object")]


def test_a_new_member_of_the_history_is_named() -> None:
    record = parse_record(grown(skeleton(ORCID), "history.verified-phone", True))

    assert unknown_members.in_record(record.doc) == [Unknown("record", "history.verified-phone", "boolean")]


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("document", [b"null", b"{}", b"[]", b'"text"', b"1" + b"0" * 400, b'{"put-code": 1e400}'])
def test_what_is_no_object_is_not_news(section: str, document: bytes) -> None:
    assert unknown_members.in_summary(section, document) == []
    assert unknown_members.in_detail(section, document) == []


def test_nesting_without_end_is_not_news() -> None:
    assert unknown_members.in_summary("work", b'{"title":' + b'{"title":' * 5_000 + b"1" + b"}" * 5_001) == []


@pytest.mark.fault("F48")
def test_unknown_members_nested_deep_are_no_end_of_the_record() -> None:
    document = rich_record()
    document["person"]["keywords"]["new"] = 1
    document["person"]["keywords"]["keyword"][0]["odd"] = "@"
    for depth in (500, 900, 990, 5_000):
        record = parse_record(encode(document).replace(b'"@"', b"[" * depth + b"]" * depth))
        assert "13" in [item.key for item in record.items() if item.section == "keyword"]
