"""What a record shows of its holder's belonging to the institution."""

from datetime import date
from typing import Any

import msgspec
import pytest

from orcid_sync.model.analysis.discovery import Affiliation, Portrait, portrait, with_shared
from orcid_sync.model.analysis.institution import Institution, OrganizationId
from orcid_sync.model.record.parse_record import parse_record
from rig.records.mirror import skeleton

ORCID = "0000-0002-1825-0097"
ROR = "https://ror.org/05gq02987"
HERE = Institution((OrganizationId("ROR", ROR),), ("example.edu",), ("Example University",))
TODAY = date(2026, 6, 15)


def year(number: int | None, month: int | None = None) -> Any:
    if number is None:
        return None
    return {"year": {"value": str(number)}, "month": {"value": f"{month:02}"} if month else None, "day": None}


def affiliated(kind: str, put_code: int, *, ror: str | None = ROR, name: str = "Somewhere", **more: Any) -> Any:
    known = {"disambiguated-organization-identifier": ror, "disambiguation-source": "ROR"} if ror else None
    item = {
        "put-code": put_code,
        "visibility": "public",
        "organization": {"name": name, "disambiguated-organization": known},
        **more,
    }
    return {"summaries": [{f"{kind}-summary": item}]}


def seen(**sections: Any) -> Portrait:
    """The portrait of a record with these groups of affiliations, and whatever else is given."""
    record = skeleton(ORCID)
    record["person"]["name"] = {"given-names": {"value": "Ada"}, "family-name": {"value": "E"}, "visibility": "public"}
    record["person"]["emails"]["email"] = sections.pop("emails", [])
    record["activities-summary"]["works"]["group"] = sections.pop("works", [])
    for kind, groups in sections.items():
        record["activities-summary"][f"{kind}s"]["affiliation-group"] = groups
    return portrait(ORCID, parse_record(msgspec.json.encode(record)).items(), HERE, TODAY)


@pytest.mark.parametrize(
    ("end", "current"),
    [
        (None, True),
        ((2026, 6), True),
        ((2027, None), True),
        ((2026, None), True),
        ((2026, 5), False),
        ((2020, None), False),
    ],
)
def test_what_has_not_ended_is_current(end: tuple[int, int | None] | None, current: bool) -> None:  # noqa: FBT001
    dates = {"start-date": year(2019), "end-date": year(*end) if end else None}
    evidence = seen(employment=[affiliated("employment", 1, **dates)]).evidence

    (one,) = evidence.affiliations
    assert one == Affiliation("employment", "Somewhere", "ROR", current, 2019, end[0] if end else None)
    assert (evidence.current, evidence.convincing) == (current, True)


def test_current_and_new_affiliations_come_first() -> None:
    groups = [
        affiliated("employment", 1, **{"start-date": year(2021), "end-date": year(2022)}),
        affiliated("employment", 2, **{"start-date": year(2001)}),
        affiliated("employment", 3, **{"start-date": year(2020)}),
    ]

    assert [one.since for one in seen(employment=groups).evidence.affiliations] == [2020, 2001, 2021]


def test_who_was_only_elsewhere_is_no_one_of_ours() -> None:
    evidence = seen(employment=[affiliated("employment", 1, ror="https://ror.org/03yrm5c26")]).evidence

    assert (evidence.convincing, evidence.current, evidence.affiliations) == (False, False, [])


def test_hidden_items_are_no_evidence() -> None:
    """Our own token is shown our own private items, too (contract section 3.4)."""
    hidden = affiliated("employment", 1)
    hidden["summaries"][0]["employment-summary"]["visibility"] = "private"
    address = {"email": "ada@example.edu", "visibility": "limited"}

    assert not seen(employment=[hidden], emails=[address]).evidence.convincing


def test_of_addresses_only_the_domain_is_kept() -> None:
    found = seen(emails=[{"email": "Ada@cs.example.edu", "visibility": "public"}])

    assert found.evidence.domains == ["example.edu"]
    assert b"ada" not in msgspec.json.encode(found.evidence).lower()
    assert found.evidence.current


def test_works_of_ones_own_are_compared() -> None:
    ids = [
        {
            "external-id-type": "doi",
            "external-id-value": "https://doi.org/10.5555/ABC",
            "external-id-relationship": "self",
        },
        {"external-id-type": "doi", "external-id-value": "10.5555/journal", "external-id-relationship": "part-of"},
        {"external-id-type": "isbn", "external-id-value": "9780306406157", "external-id-relationship": "self"},
        {"external-id-type": "doi", "external-id-value": "see 10.5555", "external-id-relationship": "self"},
    ]
    work = {"put-code": 1, "visibility": "public", "external-ids": {"external-id": ids}}
    found = seen(works=[{"work-summary": [work]}])

    assert (found.name, found.dois) == ("Ada E", ["10.5555/abc"])
    assert with_shared(found, ["10.5555/abc"]).works == 1
    assert not with_shared(found, ["10.5555/abc"]).convincing, "a work in common alone is no reason to ask"


def test_an_item_that_cannot_be_read_is_passed_over() -> None:
    broken = affiliated("employment", 1, **{"start-date": {"year": {"value": {}}}})

    assert seen(employment=[broken], education=[affiliated("education", 2)]).evidence.affiliations != []
