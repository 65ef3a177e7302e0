"""Which changes a subscription gets: the filters, one by one and together, and what cannot be judged."""

from typing import Any

import msgspec
import pytest

from orcid_sync.model.pushes.filters import (
    Filter,
    parse_external_id,
    parse_operation,
    parse_organisation,
    parse_section,
)


class Line(msgspec.Struct):
    section: str = "work"
    op: str = "updated"
    minor: bool = False


@pytest.mark.parametrize(
    ("chosen", "line", "wanted"),
    [
        ({}, Line(), True),
        ({}, Line(minor=True), False),
        ({"minor": True}, Line(minor=True), True),
        ({"sections": ["work"]}, Line(), True),
        ({"sections": ["funding", "email"]}, Line(), False),
        ({"sections": ["funding"]}, Line("record"), True),
        ({"sections": ["funding"]}, Line("record", minor=True), False),
        ({"operations": ["added", "removed"]}, Line(op="removed"), True),
        ({"operations": ["added"]}, Line(op="updated"), False),
        ({"operations": ["added"]}, Line(op="withdrawn"), True),  # whoever has it must hear that it goes
        ({"operations": ["added"], "sections": ["funding"]}, Line(op="removed"), False),
        ({"operations": ["added"], "sections": ["work"]}, Line(op="added"), True),
        ({"operations": ["added"]}, Line("record", op="removed"), True),
        ({"operations": ["added"], "sections": ["work"]}, Line("record"), True),
        ({"organisations": ["x"]}, Line(), True),
    ],
)
def test_what_a_line_alone_decides(chosen: dict[str, Any], line: Line, *, wanted: bool) -> None:
    assert Filter(**chosen).wants(line) is wanted


def work(*identifiers: tuple[str, str]) -> bytes:
    """A work with these external identifiers, as the feed has it."""
    external = [
        {"external-id-type": kind, "external-id-value": value, "external-id-normalized": {"value": value.lower()}}
        for kind, value in identifiers
    ]
    return msgspec.json.encode({"doc": {"external-ids": {"external-id": external}}, "detail": None})


def identified(value: str | None, normalized: dict[str, Any] | None) -> bytes:
    """A work whose identifier ORCID shows in another form, or in none."""
    one = {"external-id-type": "doi", "external-id-value": value, "external-id-normalized": normalized}
    return msgspec.json.encode({"doc": {"external-ids": {"external-id": [one]}}})


def job(identifier: str, source: str) -> bytes:
    """An employment at an organisation."""
    there = {"disambiguated-organization-identifier": identifier, "disambiguation-source": source}
    return msgspec.json.encode({"doc": {"organization": {"name": "X", "disambiguated-organization": there}}})


ROR = "https://ror.org/00sample0"
DOI = work(("doi", "10.5281/ZENODO.1"))
OTHER = work(("doi", "10.1234/5"), ("isbn", "978"))
HERE, THERE = job(ROR, "ROR"), job("grid.1.2", "GRID")

BY_ORGANISATION = {"organisations": [ROR, "GRID:grid.9.9"]}
BY_DOI = {"external_ids": ["doi:10.5281/"]}


@pytest.mark.parametrize(
    ("chosen", "line", "old", "new", "wanted"),
    [
        ({}, Line(), OTHER, OTHER, True),
        (BY_DOI, Line(op="added"), None, DOI, True),
        (BY_DOI, Line(op="added"), None, OTHER, False),
        (BY_DOI, Line(), DOI, OTHER, True),  # it left what is wanted: whoever has a copy must hear of it
        (BY_DOI, Line(), OTHER, DOI, True),
        (BY_DOI, Line(), OTHER, OTHER, False),
        (BY_DOI, Line(), None, OTHER, True),  # what it said before is not to be seen
        (BY_DOI, Line(op="removed"), OTHER, None, True),  # it may have had the identifier when it was sent
        (BY_DOI, Line(op="removed"), DOI, None, True),
        (BY_DOI, Line(op="removed"), None, None, True),
        (BY_DOI, Line(op="withdrawn"), None, None, True),
        (BY_DOI, Line("record"), None, OTHER, True),
        (BY_DOI, Line("record"), OTHER, OTHER, True),  # a word about the whole record
        (BY_DOI, Line(op="added"), None, identified("https://doi.org/10.5281/z", {"value": "10.5281/z"}), True),
        (BY_DOI, Line(op="added"), None, identified("10.5281/z", None), True),  # one that ORCID cannot normalise
        (BY_DOI, Line(op="added"), None, identified("https://doi.org/10.5281/z", None), False),
        (BY_DOI, Line(op="added"), None, identified(None, {"value": None}), False),
        ({"external_ids": ["doi:"]}, Line(op="added"), None, OTHER, True),
        ({"external_ids": ["do:"]}, Line(op="added"), None, OTHER, False),
        ({"external_ids": ["isbn:", "doi:10.9"]}, Line(op="added"), None, OTHER, True),
        ({"external_ids": ["doi:10.5281/zeNODO"]}, Line(op="added"), None, DOI, True),
        (BY_ORGANISATION, Line("employment", op="added"), None, HERE, True),
        (BY_ORGANISATION, Line("employment", op="added"), None, THERE, False),
        (BY_ORGANISATION, Line("employment", op="added"), None, job("grid.9.9", "GRID"), True),
        (BY_ORGANISATION, Line("employment", op="added"), None, job("grid.9.9", "RINGGOLD"), False),
        (BY_ORGANISATION, Line("employment", op="added"), None, job(ROR + "1", "ROR"), False),
        (BY_ORGANISATION, Line("work", op="added"), None, DOI, False),
        (BY_ORGANISATION | BY_DOI, Line(op="added"), None, DOI, False),
    ],
)
def test_what_contents_decide(
    chosen: dict[str, Any], line: Line, old: bytes | None, new: bytes | None, *, wanted: bool
) -> None:
    assert Filter(**chosen).wants_contents(line, old, new) is wanted


@pytest.mark.parametrize(
    ("parse", "text", "meant"),
    [
        (parse_section, "work", "work"),
        (parse_section, "record", "record"),
        (parse_section, "works", None),
        (parse_operation, "withdrawn", "withdrawn"),
        (parse_operation, "deleted", None),
        (parse_organisation, f" {ROR} ", ROR),
        (parse_organisation, "grid:grid.1.2", "GRID:grid.1.2"),
        (parse_organisation, "ROR:", None),
        (parse_organisation, " ", None),
        (parse_external_id, "DOI", "doi:"),
        (parse_external_id, "doi:10.5281/ ", "doi:10.5281/"),
        (parse_external_id, "source-work-id:a:b", "source-work-id:a:b"),
        (parse_external_id, ":10.5281/", None),
    ],
)
def test_what_people_type(parse: Any, text: str, meant: str | None) -> None:
    if meant is None:
        with pytest.raises(ValueError, match=r"\."):
            parse(text)
    else:
        assert parse(text) == meant
