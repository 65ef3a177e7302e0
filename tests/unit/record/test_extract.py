"""From an item to its columns: every member that has a column, and odd values."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcid_sync.model.record import rows
from orcid_sync.model.record.extract import Entry, moment, number
from orcid_sync.model.record.parse_record import parse_record
from orcid_sync.model.record.sections import SECTIONS, ItemKey
from orcid_sync.model.wire import orcid_json
from rig.records.sample_record import ORCID, encode, full_forms, keyword, rich_record, with_keywords

FORMS = full_forms()


def entry(key: ItemKey, record: dict[str, Any] | None = None, *, with_form: bool = True) -> Entry:
    (item,) = [item for item in parse_record(encode(record or rich_record())).items() if item.id == key]
    content = msgspec.structs.replace(item.content, detail=FORMS.get(key) if with_form else None)
    return SECTIONS[item.section].entry(ORCID, content)


def said(row: msgspec.Struct) -> dict[str, Any]:
    """The columns that are not null, without those of every item."""
    general = {*rows.ItemRow.__struct_fields__, "group_put_code", "group_position", "detail"}
    values = msgspec.structs.asdict(row).items()
    return {name: value for name, value in values if value is not None and name not in general}


def at(ms: int) -> datetime:
    return datetime.fromtimestamp(1700000000 + ms / 1000, UTC)


SAMPLE_UNIVERSITY = {
    "org_name": "Sample University",
    "org_city": "Exampleton",
    "org_country": "AQ",
    "org_disambiguated_id": "https://ror.org/00sample0",
    "org_disambiguation_source": "ROR",
}

COLUMNS: dict[ItemKey, dict[str, Any]] = {
    ("name", ""): {"given_names": "Ada", "family_name": "Sample", "credit_name": "A. Sample"},
    ("biography", ""): {"content": "Ada Sample does not exist.\nShe was made up for tests. 🧪"},
    ("email", "ada.sample@example.org"): {
        "email": "ada.sample@example.org",
        "verified": True,
        "verified_at": at(7),
        "is_primary": True,
    },
    ("other-name", "11"): {"put_code": 11, "content": "Ada Beispiel"},
    ("keyword", "14"): {"put_code": 14, "content": ""},
    ("address", "13"): {"put_code": 13, "country": "AQ"},
    ("researcher-url", "12"): {"put_code": 12, "url": "https://example.org/~ada"},
    ("external-identifier", "15"): {
        "put_code": 15,
        "type": "Sample Author ID",
        "value": "000042",
        "url": "https://example.org/author/42",
        "relationship": "self",
    },
    ("employment", "101"): SAMPLE_UNIVERSITY
    | {"section": "employment", "put_code": 101, "department_name": "Department of Examples", "role_title": "Role 101"}
    | {"start_year": 2001, "start_month": 2, "start_day": 3, "url": "https://example.org/employment"},
    ("employment", "102"): {
        "section": "employment",
        "put_code": 102,
        "department_name": "Department of Examples",
        "role_title": "Role 102",
        "org_name": "Old Institute",
        "url": "https://example.org/employment",
        "start_year": 1999,
        "start_month": 0,
        "end_year": 2000,
        "end_month": 6,
        "end_day": 31,
    },
    ("distinction", "105"): {
        "section": "distinction",
        "put_code": 105,
        "role_title": "Role 105",
        "start_year": 2001,
        "start_month": 2,
        "start_day": 3,
    },
    ("membership", "107"): SAMPLE_UNIVERSITY
    | {"section": "membership", "put_code": 107, "department_name": "Department of Examples", "role_title": "Role 107"}
    | {"start_year": 0, "start_month": 1, "start_day": 1, "url": "https://example.org/membership"},
    ("work", "201"): {
        "put_code": 201,
        "type": "journal-article",
        "title": "On samples",
        "subtitle": "A study of nothing",
        "translated_title": "Über Muster",
        "translated_title_language": "de",
        "journal_title": "Journal of Made-up Results",
        "url": "https://example.org/work/201",
        "publication_year": 2020,
        "publication_month": 5,
        "publication_day": 17,
        "short_description": "Nothing was found, which was expected.",
        "language_code": "en",
        "country": "AQ",
        "citation_type": "bibtex",
        "citation_value": "@article{sample, title={On samples}}",
        "detail_modified_at": at(520),
    },
    ("work", "203"): {
        "put_code": 203,
        "type": "hologram",
        "journal_title": "Journal of Made-up Results",
        "detail_modified_at": at(522),
    },
    ("funding", "301"): {
        "put_code": 301,
        "type": "grant",
        "title": "Grant for samples",
        "url": "https://example.org/grant",
        "translated_title": "Muster-Förderung",
        "translated_title_language": "de",
        **SAMPLE_UNIVERSITY,
        "org_name": "Foundation of Samples",
        "org_disambiguation_source": "FUNDREF",
        "org_disambiguated_id": "http://dx.doi.org/10.13039/000000000",
        "start_year": 2015,
        "start_month": 3,
        "end_year": 2018,
        "end_month": 4,
        "end_day": 31,
        "organization_defined_type": "Sample scheme",
        "short_description": "Money for nothing",
        "amount_value": "1,000.50",
        "amount_currency": "EUR",
        "detail_modified_at": at(530),
    },
    ("peer-review", "401"): {
        "put_code": 401,
        "reviewer_role": "reviewer",
        "review_type": "review",
        "review_url": "https://example.org/review/401",
        "completion_year": 2021,
        "completion_month": 9,
        "review_group_id": "issn:0000-0019",
        **SAMPLE_UNIVERSITY,
        "org_name": "Editors of Samples",
        "org_region": "South",
        "subject_container_name": "Journal of Made-up Results",
        "subject_type": "journal-article",
        "subject_title": "What was reviewed",
        "subject_subtitle": "in detail",
        "subject_translated_title": "Das Begutachtete",
        "subject_translated_title_language": "de",
        "subject_url": "https://example.org/subject",
        "subject_external_id_type": "doi",
        "subject_external_id_value": "10.5555/sample.9",
        "subject_external_id_relationship": "self",
        "subject_external_id_url": "https://doi.org/10.5555/sample.9",
        "detail_modified_at": at(540),
    },
    ("research-resource", "501"): {
        "put_code": 501,
        "title": "Beam time for samples",
        "url": "https://example.org/proposal",
        "start_year": 2022,
        "start_month": 1,
        "start_day": 2,
        "end_year": 2022,
        "end_month": 2,
        "end_day": 30,
        "detail_modified_at": at(550),
    },
}


@pytest.mark.parametrize("key", COLUMNS, ids=str)
def test_every_member_finds_its_column(key: ItemKey) -> None:
    assert said(entry(key).row) == COLUMNS[key]


def test_every_shape_of_item_is_in_the_table_above() -> None:
    assert {SECTIONS[section].row for section, _ in COLUMNS} == {section.row for section in SECTIONS.values()}


def test_the_columns_that_every_item_has() -> None:
    row = entry(("work", "201")).row
    general = {name: getattr(row, name) for name in rows.ItemRow.__struct_fields__ if name not in ("doc", "digest")}
    assert general == {
        "orcid": ORCID,
        "visibility": "public",
        "display_index": 7,
        "source_client_id": "APP-SAMPLE0000000001",
        "source_orcid": None,
        "source_name": "Sample University",
        "assertion_origin_client_id": None,
        "assertion_origin_orcid": ORCID,
        "assertion_origin_name": "Ada Sample",
        "created_at": at(20),
        "modified_at": at(520),
    }


def test_identifiers_of_a_work() -> None:
    assert entry(("work", "201")).external_ids == [
        rows.ExternalId(
            *(0, 1, "doi", "10.5555/SAMPLE.1", "10.5555/sample.1", True, None),
            *("https://doi.org/10.5555/sample.1", "self"),
        ),
        rows.ExternalId(0, 2, "issn", "0000-0019", None, None, "resolution", None, "part-of"),
    ]


def test_contributors_of_a_work() -> None:
    software = "http://credit.niso.org/contributor-roles/software/"
    assert entry(("work", "201")).contributors == [
        rows.Contributor(1, ORCID, "Ada Sample", None, "first", "author"),
        rows.Contributor(2, "0009-9990-0000-0021", "Bob Placeholder", "bob@example.org", "additional", software),
        rows.Contributor(3, None, "Nobody", None, None, None),
    ]


def test_lists_of_a_research_resource() -> None:
    resource = entry(("research-resource", "501"))
    assert [(host.resource_item, host.position, host.org_name) for host in resource.hosts] == [
        *[(0, 1, "Sample Beamline"), (0, 2, "Second Host"), (1, 1, "Detector Group")]
    ]
    assert [(one.resource_item, one.position, one.value) for one in resource.external_ids] == [
        *[(0, 1, "P-9"), (1, 1, "DET-1")]
    ]
    assert resource.items == [
        rows.ResourceItem(1, "Detector", "equipment", "https://example.org/detector"),
        rows.ResourceItem(2, "Beam", "infrastructures", None),
    ]


def test_the_list_of_resources_may_be_wrapped_as_in_xml() -> None:
    (item,) = [item for item in parse_record(encode(rich_record())).items() if item.section == "research-resource"]
    form = msgspec.json.decode(FORMS["research-resource", "501"])
    form["resource-items"] = {"resource-item": form.pop("resource-item")}
    wrapped = SECTIONS["research-resource"].entry(ORCID, msgspec.structs.replace(item.content, detail=encode(form)))
    assert wrapped.items == entry(("research-resource", "501")).items


def test_a_text_may_come_without_its_wrapper() -> None:
    """As in ORCID's samples of what to send; a text "null" is a text."""
    record = rich_record()
    record["person"]["name"]["given-names"] = "null"
    record["person"]["name"]["family-name"] = {"value": "null"}
    assert said(entry(("name", ""), record).row) == {
        "given_names": "null",
        "family_name": "null",
        "credit_name": "A. Sample",
    }


@pytest.mark.parametrize("key", FORMS, ids=str)
def test_without_its_full_form_an_item_says_what_its_summary_says(key: ItemKey) -> None:
    alone, full = entry(key, with_form=False), entry(key)
    assert said(alone.row).items() <= said(full.row).items()
    assert (alone.contributors, alone.items, alone.row.detail_modified_at) == ([], [], None)  # type: ignore[attr-defined]


def test_a_works_subtitle_is_that_of_its_full_form_and_its_title_that_of_its_summary() -> None:
    """Only the full form has a subtitle (contract section 3.6); the summary was heard last."""
    (item,) = [item for item in parse_record(encode(rich_record())).items() if item.id == ("work", "201")]
    form = {"title": {"title": {"value": "Full"}, "subtitle": {"value": "of words"}, "translated-title": None}}
    for summary, title in (({"title": {"value": "Summary"}, "subtitle": None}, "Summary"), (None, "Full")):
        doc = msgspec.json.decode(item.content.doc)
        content = msgspec.structs.replace(item.content, doc=encode({**doc, "title": summary}), detail=encode(form))
        row = SECTIONS["work"].entry(ORCID, content).row
        assert (row.title, row.subtitle) == (title, "of words")  # type: ignore[attr-defined]


def test_unknown_members_and_values_survive() -> None:
    record = with_keywords(rich_record(), keyword(1, visibility="ask-me-later", **{"future-member": {"a": [1]}}))
    row = entry(("keyword", "1"), record).row
    assert row.visibility == "ask-me-later"
    assert msgspec.json.decode(row.doc)["future-member"] == {"a": [1]}


@pytest.mark.parametrize(
    ("part", "column"),
    [
        *[("2012", 2012), ("0", 0), ("00", 0), ("1929", 1929), ("9999", 9999), (2012, 2012), ("-5", -5)],
        *[("10000", None), ("soon", None), ("", None), ("20.5", None), (None, None), ("9" * 5000, None)],
    ],
)
def test_odd_years_survive_in_the_doc_and_where_possible_in_the_column(part: Any, column: int | None) -> None:
    record = rich_record()
    (group,) = record["activities-summary"]["educations"]["affiliation-group"]
    group["summaries"][0]["education-summary"]["start-date"]["year"]["value"] = part
    row = entry(("education", "103"), record).row
    assert row.start_year == column  # type: ignore[attr-defined]
    assert msgspec.json.decode(row.doc)["start-date"]["year"]["value"] == part


@pytest.mark.fault("F48")
@pytest.mark.parametrize("date", [None, {"year": None, "month": None, "day": None}, {}, {"year": {"value": None}}])
def test_a_date_without_parts_is_none(date: Any) -> None:
    record = rich_record()
    (group,) = record["activities-summary"]["educations"]["affiliation-group"]
    group["summaries"][0]["education-summary"]["start-date"] = date
    row = entry(("education", "103"), record).row
    assert (row.start_year, row.start_month, row.start_day) == (None, None, None)  # type: ignore[attr-defined]


FIRST = round(datetime(1900, 1, 1, tzinfo=UTC).timestamp() * 1000)
END = round(datetime(9999, 1, 1, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.fault("F48")
@given(st.integers() | st.integers(FIRST - 9, FIRST + 9) | st.integers(END - 9, END + 9) | st.none())
def test_a_time_that_no_record_can_have_is_none(ms: int | None) -> None:
    """From 1900 to 9998; PostgreSQL's calendar is wider."""
    time = moment(orcid_json.Timestamp(ms))
    assert (time is not None) == (ms is not None and FIRST <= ms < END)
    assert time is None or round(time.timestamp() * 1000) == ms


@pytest.mark.fault("F48")
@pytest.mark.parametrize(
    ("ms", "makes_sense"),
    [(FIRST, True), (FIRST - 1, False), (END - 1, True), (END, False), (-62135596800000, False), (10**30, False)],
)
def test_the_first_and_the_last_time_that_a_record_can_have(ms: int, *, makes_sense: bool) -> None:
    """PostgreSQL's driver stores the first moment of the year 1 as -infinity."""
    assert (moment(orcid_json.Timestamp(ms)) is not None) == makes_sense


@given(st.text(max_size=25) | st.integers(), st.integers(0, 2**31))
def test_a_number_is_within_its_limits_or_none(text: str | int, limit: int) -> None:
    value = number(text, limit=limit)
    assert value is None or (abs(value) <= limit and value == int(text))
