"""Identifiers in one form, whoever wrote them: what PostgreSQL computes, against ORCID's own rules."""

from typing import Any

import asyncpg

from orcid_sync.simulator.records.identifiers import normalised

ONE_WORK = {
    "doi": {
        "10.5555/sample.1": [
            *("10.5555/SAMPLE.1", " 10.5555/sample.1 ", "doi:10.5555/Sample.1", "DOI: 10.5555/sample.1."),
            *("https://doi.org/10.5555/sample.1", "http://dx.doi.org/10.5555%2Fsample.1", "10.5555/sample.1, Fig. 2"),
        ],
        "10.1002/(sici)1(1998)49:8<693::aid-x>3.0.co;2-o": [
            *("10.1002/(SICI)1(1998)49:8<693::AID-X>3.0.CO;2-O",),
            *("https://doi.org/10.1002/(SICI)1(1998)49:8&lt;693::AID-X&gt;3.0.CO;2-O",),
        ],
        None: ["", "10.5555", "not a DOI", "book1", None],
    },
    "pmid": {
        "29599649": [
            *("29599649", " 29599649", "0029599649", "PMID: 29599649", "pmid:29599649"),
            *("https://pubmed.ncbi.nlm.nih.gov/29599649/", "https://www.ncbi.nlm.nih.gov/pubmed/29599649"),
        ],
        None: ["PMC29599649", "10.5555/29599649", "29599649.1", "0", ""],
    },
    "pmc": {"PMC123": ["123", "PMC123", "pmc0123", "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC123/"], None: ["x"]},
    "arxiv": {
        "2601.00001": [
            *("2601.00001", "arXiv:2601.00001", "ARXIV:2601.00001v2", "https://arxiv.org/abs/2601.00001v12"),
            *("https://arxiv.org/pdf/2601.00001.pdf", "2601.00001\n", "arXiv:2601.00001v1 [math.GT]"),
        ],
        "0704.0001": ["0704.0001", "arXiv:0704.0001v3"],
        "hep-th/9901001": ["hep-th/9901001", "arXiv:hep-th/9901001v1", "https://arxiv.org/abs/hep-th/9901001"],
        "math/0309136": ["math.GT/0309136", "math/0309136"],
        None: ["2601.000012345", "10.5555/12345678", "arXiv", ""],
    },
    "isbn": {
        "9780306406157": [
            *("978-0-306-40615-7", "9780306406157", "0-306-40615-2", "0306406152", "ISBN 0 306 40615 2"),
            *("978-0306406157 (hardback)", "ISBN-13: 978-0-306-40615-7"),
        ],
        "9780804429573": ["080442957X", "0-8044-2957-x", "978-0-8044-2957-3"],
        None: ["978", "not-a-number", "03064061521", "97803064061571", ""],
    },
    "issn": {"1234-567X": ["1234567x", "1234-567X", "ISSN 1234-567X"], None: ["1234-567", "12345-6789"]},
    "grant_number": {"AB 12/c": ["AB 12/c", " AB 12/c\n"], None: ["", "  ", None]},
}
"""The form by type, and the ways to write it."""

CASES = [(kind, given, form) for kind, forms in ONE_WORK.items() for form, many in forms.items() for given in many]


async def forms_of(connection: asyncpg.Connection, function: str, pairs: list[tuple[str, Any]]) -> list[str | None]:
    rows = await connection.fetch(
        f"select {function}(kind, value) from unnest($1::text[], $2::text[]) with ordinality as t (kind, value, n)"
        " order by n",
        [kind for kind, _ in pairs],
        [value for _, value in pairs],
    )
    return [row[0] for row in rows]


async def test_identifiers_have_one_form(connection: asyncpg.Connection) -> None:
    found = await forms_of(connection, "orcid.normal_identifier", [(kind, given) for kind, given, _ in CASES])
    wrong = [(*case, form) for case, form in zip(CASES, found, strict=True) if form != case[2]]
    assert wrong == []
    # What is in that form stays in it.
    stable = [(kind, form) for kind, _, form in CASES if form is not None]
    assert await forms_of(connection, "orcid.normal_identifier", stable) == [form for _, form in stable]


async def test_orcids_own_normal_form_leads_to_the_same(connection: asyncpg.Connection) -> None:
    """Contract section 3.6: external-id-normalized, where there is one, means the same identifier."""
    theirs = [(kind, given, normal) for kind, given, _ in CASES if given and (normal := normalised(kind, given))]
    ours = await forms_of(connection, "orcid.normal_identifier", [(kind, given) for kind, given, _ in theirs])
    of_theirs = await forms_of(connection, "orcid.normal_identifier", [(kind, normal) for kind, _, normal in theirs])
    differ = [case for case, one, other in zip(theirs, ours, of_theirs, strict=True) if one and one != other]
    assert differ == []
    assert len(theirs) > 20


STORED = [
    ("doi", "see 10.5555/A", "10.5555/b", "10.5555/b"),
    ("doi", "10.5555/A", None, "10.5555/a"),
    ("doi", "10.5555/A", "nonsense", "10.5555/a"),
    ("isbn", "0306406152", "0306406152", "9780306406157"),
    (None, "x", None, "x"),
    ("doi", None, None, None),
]
"""Type, what the source says, what ORCID makes of it, what is stored as the identifier."""


async def test_the_column_prefers_what_orcid_says(connection: asyncpg.Connection) -> None:
    await connection.execute(
        "insert into orcid.records (orcid, state, access) values ('0009-9990-0000-0013', 'active', 'read-public')"
    )
    insert = (
        "insert into orcid.external_ids (orcid, section, put_code, position, type, value, normalized)"
        " values ('0009-9990-0000-0013', 'work', 1, $1, $2, $3, $4) returning identifier"
    )
    found = [await connection.fetchval(insert, n, *columns) for n, (*columns, _) in enumerate(STORED)]
    assert found == [identifier for *_, identifier in STORED]


ORGANISATIONS = {
    "ROR": {"https://ror.org/05gq02987": ["https://ror.org/05gq02987", "05GQ02987", "ror.org/05gq02987"], None: ["x"]},
    "GRID": {"grid.40263.33": ["grid.40263.33", "https://www.grid.ac/institutes/grid.40263.33", "GRID.40263.33"]},
    "FUNDREF": {"501100001659": ["501100001659", "http://dx.doi.org/10.13039/501100001659"], None: ["10.5555/1"]},
    "ISNI": {"0000000419369094": ["0000 0004 1936 9094", "https://isni.org/isni/0000000419369094"]},
    "WIKIDATA": {"Q49114": ["Q49114", "http://www.wikidata.org/entity/Q49114"]},
    "RINGGOLD": {"6752": ["6752", " 06752 "], None: ["n/a"]},
    "LEI": {"5299000": ["5299000"], None: [""]},
}


async def test_organisations_have_one_form(connection: asyncpg.Connection) -> None:
    forms = [(kind, form, given) for kind, known in ORGANISATIONS.items() for form, given in known.items()]
    cases = [(kind, one, form) for kind, form, given in forms for one in given]
    found = await forms_of(connection, "orcid.normal_organisation_id", [(kind, given) for kind, given, _ in cases])
    assert [(*case, form) for case, form in zip(cases, found, strict=True) if form != case[2]] == []


async def test_dates_that_are_not_whole(connection: asyncpg.Connection) -> None:
    days = [(2024, 2, None, "2024-02-29"), (2023, 2, 31, "2023-02-28"), (2020, None, 7, "2020-12-31")]
    days += [(2020, 0, 1, "2020-12-31"), (2020, 5, 17, "2020-05-17"), (0, 1, 1, None), (None, 1, 1, None)]
    query = "select orcid.latest_date($1::smallint, $2::smallint, $3::smallint)::text"
    assert [await connection.fetchval(query, *parts) for *parts, _ in days] == [latest for *_, latest in days]


AMOUNTS = {
    "1234": "1234",
    " 1,234.56 ": "1234.56",
    "1.234,56": "1234.56",
    "1 234 567": "1234567",
    "1'000": "1000",
    "99,5": "99.5",
    "1.234": "1234",
    "about 5": None,
    "1,23,4": None,
    "-5": None,
    "": None,
}


async def test_amounts_that_were_typed(connection: asyncpg.Connection) -> None:
    found = {said: await connection.fetchval("select orcid.amount($1)::text", said) for said in AMOUNTS}
    assert found == AMOUNTS
