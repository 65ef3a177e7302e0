"""By what an institution is recognised: identifiers in all their forms, domains, names only where nothing else is."""

import pytest

from orcid_sync.model.analysis.institution import (
    Institution,
    InvalidInstitutionId,
    OrganizationId,
    identified,
    parse_domain,
    parse_organization_id,
)

ROR = OrganizationId("ROR", "https://ror.org/05gq02987")
HERE = Institution((ROR, OrganizationId("RINGGOLD", "6752")), ("example.edu",), ("Example University",))


@pytest.mark.parametrize(
    ("text", "source", "value"),
    [
        ("https://ror.org/05gq02987", "ROR", "https://ror.org/05gq02987"),
        (" http://ROR.org/05GQ02987/ ", "ROR", "https://ror.org/05gq02987"),
        ("ror:05gq02987", "ROR", "https://ror.org/05gq02987"),
        ("05gq02987", "ROR", "https://ror.org/05gq02987"),
        ("grid.40263.33", "GRID", "grid.40263.33"),
        ("GRID:grid.4991.5", "GRID", "grid.4991.5"),
        ("ringgold:006752", "RINGGOLD", "6752"),
        ("fundref:100007803", "FUNDREF", "100007803"),
        ("https://doi.org/10.13039/100007803", "FUNDREF", "100007803"),
    ],
)
def test_identifiers_are_read_in_all_their_forms(text: str, source: str, value: str) -> None:
    known = parse_organization_id(text)

    assert known == OrganizationId(source, value)
    assert parse_organization_id(str(known)) == known


@pytest.mark.parametrize("text", ["", "Example University", "https://ror.org/", "1234", "grid.x", "ror:0", "05gq0298٧"])
def test_what_is_no_identifier_is_refused(text: str) -> None:
    with pytest.raises(InvalidInstitutionId, match="is not an identifier of an organisation"):
        parse_organization_id(text)


@pytest.mark.parametrize(
    ("source", "value", "found"),
    [
        ("ROR", "https://ror.org/05gq02987", True),
        ("ror", "05gq02987", True),
        ("RINGGOLD", "6752", True),
        ("FUNDREF", "http://dx.doi.org/10.13039/6752", False),
        ("GRID", "05gq02987", False),
        ("LEI", "6752", False),
    ],
)
def test_an_items_organisation_is_compared_in_one_form(source: str, value: str, found: bool) -> None:  # noqa: FBT001
    known = identified(source, value)

    assert (known in HERE.ids) is found


@pytest.mark.parametrize(
    ("source", "value", "name", "by"),
    [
        ("ROR", "https://ror.org/05gq02987", "Whatever", "ROR"),
        (None, None, " EXAMPLE university", "name"),
        ("ROR", "https://ror.org/03yrm5c26", "Example University", None),
        (None, None, "Another Example University", None),
        (None, None, None, None),
    ],
)
def test_another_identifier_counts_more_than_a_name(
    source: str | None, value: str | None, name: str | None, by: str | None
) -> None:
    assert HERE.recognises(source, value, name) == by


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("ada@example.edu", "example.edu"),
        ("Ada@CS.Example.EDU", "example.edu"),
        ("ada@notexample.edu", None),
        ("ada@example.edu.example.org", None),
        ("example.edu@example.org", None),
    ],
)
def test_an_address_belongs_to_a_domain_or_one_below_it(address: str, domain: str | None) -> None:
    assert HERE.owns(address) == domain


@pytest.mark.parametrize("text", ["example.edu", " @Example.EDU.", "cs.example.edu"])
def test_domains_are_read(text: str) -> None:
    assert parse_domain(text).endswith("example.edu")


@pytest.mark.parametrize("text", ["", "edu", "*.example.edu", "a@example.edu", "example.edu OR *:*", "exa mple.edu"])
def test_what_is_no_domain_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a domain"):
        parse_domain(text)
