"""Questions for ORCID's search: whatever people give stays a value."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from orcid_sync.model.analysis.institution import Institution, OrganizationId
from orcid_sync.registry import solr_query
from orcid_sync.simulator.search.solr_query import AnyOf, Match, count_clauses, parse

NASTY = ['a" OR *:*', "a\\", '\\" OR orcid:*', "a) OR (b", "a:b", "line\nbreak", "*", "NOT a", "[* TO *]"]


@pytest.mark.parametrize("text", NASTY)
def test_a_value_never_becomes_syntax(text: str) -> None:
    """The simulated Registry's parser, which knows nothing of ours, finds the value and nothing else."""
    tree = parse(solr_query.organization_name(text))

    assert tree == Match("affiliation-org-name", text.replace("\n", " "), phrase=True)


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("ask", [solr_query.named, solr_query.work])
def test_nor_do_several(ask: object, text: str) -> None:
    tree = parse(ask(text))  # type: ignore[operator]

    assert isinstance(tree, AnyOf)
    assert {type(one) for one in tree.of} == {Match}
    assert all(one.phrase for one in tree.of if isinstance(one, Match))


def test_identifiers_are_quoted_as_the_contract_shows() -> None:
    assert (
        solr_query.organization(OrganizationId("ROR", "https://ror.org/05gq02987"))
        == 'ror-org-id:"https\\://ror.org/05gq02987"'
    )
    assert solr_query.organization(OrganizationId("RINGGOLD", "6752")) == 'ringgold-org-id:"6752"'


@pytest.mark.parametrize("given", ["10.5555/ABC", "https://doi.org/10.5555/ABC", "doi:10.5555/ABC", " 10.5555/ABC "])
def test_a_doi_is_asked_without_its_address_and_in_both_cases(given: str) -> None:
    assert 'doi-self:"10.5555/ABC"' in solr_query.work(given)
    assert 'doi-self:"10.5555/abc"' in solr_query.work(given)


def test_an_institution_is_asked_for_in_all_its_ways() -> None:
    here = Institution((OrganizationId("GRID", "grid.4991.5"),), ("example.edu",), ("Example University",))

    assert solr_query.ways_to(here) == {
        "grid.4991.5": 'grid-org-id:"grid.4991.5"',
        "@example.edu": "(email:*@example.edu OR email:*.example.edu)",
        "Example University": 'affiliation-org-name:"Example University"',
    }


def test_parts_meet_without_overlap() -> None:
    middle = datetime(2026, 8, 1, 2, 0, 0, 999_999, timezone(timedelta(hours=2)))

    assert solr_query.between("d", None, middle) == "d:[* TO 2026-08-01T00:00:00.999Z}"
    assert solr_query.between("d", middle, None) == "d:[2026-08-01T00:00:00.999Z TO *]"
    assert solr_query.date(datetime(2026, 8, 1, tzinfo=UTC)) == "2026-08-01T00:00:00.000Z"


def test_clauses_are_joined_once_each() -> None:
    assert solr_query.any_of(["a:1", "a:1"]) == "a:1"
    assert count_clauses(parse(solr_query.all_of([solr_query.any_of(["a:1", "b:2"]), "c:3"]))) == 3
