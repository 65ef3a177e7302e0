"""The query language of the simulated search index: contract section 6."""

from datetime import UTC, datetime

import pytest

from orcid_sync.simulator.search.solr_dates import moment
from orcid_sync.simulator.search.solr_match import compiled, date
from orcid_sync.simulator.search.solr_query import QuerySyntax, count_clauses, parse

NOW = round(datetime(2026, 3, 31, 12, 30, 15, 500_000, UTC).timestamp() * 1000)
DOCUMENT = {
    "orcid": ["0000-0000-4000-000X"],
    "given-names": ["Zoë Marie"],
    "family-name": ["Mustermann"],
    "email": ["zoe@lab.example.org"],
    "affiliation-org-name": ["University of Somewhere", "Institute X"],
    "ror-org-id": ["https://ror.org/000000001"],
    "doi-self": ["10.5555/ABC-1"],
    "profile-last-modified-date": [date(NOW - 3_600_000)],
    "text": ["Zoë Marie", "Mustermann"],
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("*:*", True),
        ("given-names:zoe", True),
        ("given-names:ZOË", True),
        ("given-names:mari", False),
        ("given-names:mari*", True),
        ("given-names:m?rie", True),
        ('given-names:"zoe marie"', True),
        ('given-names:"marie zoe"', False),
        ("given-names:(anna OR zoe)", True),
        ("given-names:(anna AND zoe)", False),
        ("given-names:(anna zoe)", True),
        ("mustermann", True),
        ("musterfrau mustermann", True),
        ("musterfrau AND mustermann", False),
        ("mustermann AND NOT given-names:anna", True),
        ("mustermann NOT given-names:zoe", False),
        ("mustermann -given-names:zoe", False),
        ("+mustermann +given-names:zoe", True),
        ("+mustermann +given-names:anna", False),
        ("-given-names:anna", True),
        ("family-name:mustermann && (given-names:anna || given-names:zoe)", True),
        ("NOT (given-names:anna OR given-names:zoe)", False),
        ("a AND b OR mustermann", True),
        ("mustermann OR a AND b", True),
        ("email:*@lab.example.org", True),
        ("email:*@*.EXAMPLE.org", True),
        ("email:*@example.org", False),
        ("e-mail-domain:example.org", False),
        ("biography:*", False),
        ("email:*", True),
        (r'ror-org-id:"https\://ror.org/000000001"', True),
        ('ror-org-id:"https://ror.org/000000001"', True),
        (r"ror-org-id:https\:\/\/ror.org\/000000001", True),
        ("ror-org-id:https", False),
        ('affiliation-org-name:"university of somewhere"', True),
        ('affiliation-org-name:"somewhere institute"', False),
        ("doi-self:10.5555/abc-1", True),
        ('doi-self:"10.5555/abc-1"', True),
        ("doi-part-of:10.5555/abc-1", False),
        ("orcid:0000-0000-4000-000x", True),
        ("orcid:(0000-0000-4000-0014 OR 0000-0000-4000-000X)", True),
        ("orcid:[0000-0000-4000-0000 TO 0000-0000-4000-0014]", True),
        ("orcid:{0000-0000-4000-000X TO *]", False),
        ("profile-last-modified-date:[2026-03-31T11:30:15.500Z TO NOW]", True),
        ("profile-last-modified-date:{2026-03-31T11:30:15.500Z TO NOW]", False),
        ("profile-last-modified-date:[NOW-1HOUR TO *]", True),
        ("profile-last-modified-date:[NOW-30MINUTES TO NOW]", False),
        ("profile-last-modified-date:[* TO NOW-1DAY]", False),
        ("profile-last-modified-date:[NOW-1DAY TO NOW] AND orcid:(0000-0000-4000-000X)", True),
        ("profile-submission-date:[* TO NOW]", False),
    ],
)
def test_queries(query: str, found: bool) -> None:  # noqa: FBT001
    assert compiled(parse(query), now_ms=NOW)(DOCUMENT) is found


@pytest.mark.parametrize(
    "query",
    [
        *(
            "",
            "(",
            "a AND",
            "AND a",
            "a OR OR b",
            "a)",
            "given-names:",
            'a "b',
            "[a TO b",
            "NOT",
            "given-names:(a",
            "{",
        ),
        *("profile-last-modified-date:[yesterday TO NOW]", "profile-last-modified-date:[NOW-1FORTNIGHT TO NOW]"),
        *("profile-last-modified-date:2026", "(" * 60 + "a" + ")" * 60),
    ],
)
def test_malformed_queries(query: str) -> None:
    with pytest.raises(QuerySyntax):
        compiled(parse(query), now_ms=NOW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("NOW", "2026-03-31T12:30:15.500Z"),
        ("NOW-1DAY", "2026-03-30T12:30:15.500Z"),
        ("NOW-15MINUTES", "2026-03-31T12:15:15.500Z"),
        ("NOW-1MONTH", "2026-02-28T12:30:15.500Z"),
        ("NOW-15MONTHS", "2024-12-31T12:30:15.500Z"),
        ("NOW+1YEAR", "2027-03-31T12:30:15.500Z"),
        ("NOW/DAY", "2026-03-31T00:00:00Z"),
        ("NOW/MONTH+2DAYS-1SECOND", "2026-03-02T23:59:59Z"),
        ("NOW/HOUR", "2026-03-31T12:00:00Z"),
        ("NOW/YEAR", "2026-01-01T00:00:00Z"),
        ("2026-01-31T00:00:00Z+1MONTH", "2026-02-28T00:00:00Z"),
        ("2026-08-01T00:00:00.250Z", "2026-08-01T00:00:00.250Z"),
    ],
)
def test_moments(text: str, expected: str) -> None:
    assert moment(text, now_ms=NOW) == round(datetime.fromisoformat(expected).timestamp() * 1000)


@pytest.mark.parametrize("text", ["", "now", "2026-08-01", "NOW-DAY", "NOW-1", "NOW/WEEK", "2026-13-01T00:00:00Z"])
def test_moments_that_are_none(text: str) -> None:
    with pytest.raises(ValueError):
        moment(text, now_ms=NOW)


def test_clauses_are_counted() -> None:
    assert count_clauses(parse("orcid:(a OR b OR c) AND NOT x:[1 TO 2]")) == 4
