"""The thirty questions, each asked of one mirrored institute by somebody with the public view."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from integration.analysis import institute
from integration.analysis.institute import ADA, BOB, CY, DOT, EVE, YEAR
from orcid_sync.cli.analysis.questions import render_markdown
from orcid_sync.model.scopes import View
from orcid_sync.store.analysis.questions import Question, load_questions
from orcid_sync.store.database.pools import connect
from orcid_sync.store.database.roles import become
from rig.service.command_line import Cli

PAGE = Path(__file__).parents[3] / "deploy" / "docs" / "questions.md"
QUESTIONS = load_questions()

UNIVERSITY = ("https://ror.org/00sim0001", "University of Nowhere")
NONE = ("address", "distinction", "email", "invited-position", "membership", "other-name", "qualification")
NOTHING_YET = (*NONE, "research-resource", "researcher-url", "service")
PERCENT = {0: Decimal("0.0"), 20: Decimal("20.0"), 40: Decimal("40.0"), 50: Decimal("50.0"), 80: Decimal("80.0")}

ANSWERS: dict[int, list[tuple[Any, ...]]] = {
    1: [("connected", "active", 5), ("connected", "locked", 1), ("connected", "not read yet", 1)],
    2: [(date(2026, 1, 1), 2, 2), (date(2026, 2, 1), 1, 3), (date(2026, 4, 1), 3, 6)],
    3: [("read-public", 4, PERCENT[80]), ("read-limited", 1, PERCENT[20])],
    4: [
        ("employment", PERCENT[80], 4, 2, 2),
        ("name", PERCENT[80], 4, 0, 0),
        ("work", PERCENT[80], 4, 4, 1),
        ("education", PERCENT[40], 2, 2, 0),
        ("funding", PERCENT[40], 2, 1, 1),
        ("peer-review", PERCENT[40], 2, 0, 2),
        ("biography", PERCENT[20], 1, 0, 0),
        ("external-identifier", PERCENT[20], 1, 0, 1),
        ("keyword", PERCENT[20], 1, 1, 0),
        *((section, PERCENT[0], 0, 0, 0) for section in NOTHING_YET),
    ],
    5: [
        (DOT, "Dot Leer", 1, ["present employment", "education", "works", "keywords", "biography"]),
        (EVE, None, 2, ["name", "education", "keywords", "biography"]),
        (BOB, "Bob Muster", 3, ["education", "keywords", "biography"]),
        (CY, "Cy", 3, ["present employment", "keywords", "biography"]),
        (ADA, "Ada Sample", 6, []),
    ],
    6: [(DOT, "Dot Leer", date(2026, 1, 1))],
    7: [(*UNIVERSITY, 2), (None, "Laboratory", 1)],
    8: [(CY, "Cy", "University of Nowhere", 2010), (DOT, "Dot Leer", None, None)],
    9: [
        ("external-identifier", 0, 1, Decimal("100.0")),
        ("peer-review", 0, 4, Decimal("100.0")),
        ("employment", 2, 2, PERCENT[50]),
        ("funding", 2, 1, Decimal("33.3")),
        ("work", 8, 2, PERCENT[20]),
        ("education", 2, 0, PERCENT[0]),
        ("keyword", 2, 0, PERCENT[0]),
    ],
    10: [
        ("Review Service", "peer-review", 4, 2),
        ("HR System", "employment", 2, 2),
        ("Index", "work", 2, 1),
        ("Funder Portal", "funding", 1, 1),
        ("Index", "external-identifier", 1, 1),
    ],
    11: [
        (BOB, "Bob Muster", "University of Nowhere", "Postdoc", 2018),
        (EVE, None, "Laboratory", "Engineer", 2020),
    ],
    12: [(YEAR, 2, 3), (2020, 4, 6), (2019, 1, 1), (2001, 1, 1)],
    13: [("journal-article", 1, 0), ("preprint", 1, 1)],
    14: [("doi", "10.5555/paper", "On tides", 2020, 3), ("arxiv", "2601.00001", "Waves", YEAR, 2)],
    15: [
        (ADA, "Ada Sample", BOB, "Bob Muster", 2, 2020, YEAR),
        (ADA, "Ada Sample", CY, "Cy", 1, 2020, 2020),
        (BOB, "Bob Muster", CY, "Cy", 1, 2021, 2021),
    ],
    16: [(ADA, "Ada Sample", 2, 2), (BOB, "Bob Muster", 2, 2), (CY, "Cy", 2, 1)],
    17: [
        (
            *("doi", "10.5555/paper", ["year"], ["On <i>Tides</i>", "On tides"]),
            *([2020, 2021], ["journal-article"], [ADA, BOB, CY]),
        )
    ],
    18: [(CY, 1007, "lecture-speech", "A talk", 2001), (CY, 1008, "journal-article", "A note", 2020)],
    19: [
        (YEAR, 2, 1, PERCENT[50]),
        (2020, 4, 2, PERCENT[50]),
        (2019, 1, 0, PERCENT[0]),
        (2001, 1, 0, PERCENT[0]),
    ],
    20: [(CY, "work", 1008, "doi", "note1")],
    21: [("Acta", 3, YEAR), ("Journal of Tides", 1, 2020)],
    22: [("arxiv", "2601.00001", "Waves", YEAR, [ADA, BOB])],
    23: [("https://ror.org/00sim0009", "The Research Council", 2, 2), (None, "Placeholder Trust", 1, 1)],
    24: [(ADA, "Ada Sample", "Tides", "Research Council", date(YEAR - 1, 1, 1), date(YEAR + 1, 1, 1), None, None)],
    25: [(BOB, 1003, "A boat", "Placeholder Trust", "holder")],
    26: [(ADA, "Ada Sample", YEAR, 1), (BOB, "Bob Muster", YEAR, 1), (ADA, "Ada Sample", YEAR - 1, 2)],
    27: [("University of Nowhere", "issn:1234-5679", 4, 2)],
    28: [
        ("Laboratory", None, None, 1, 1),
        ("Placeholder Trust", None, None, 1, 1),
        ("Universität Musterstadt", "ringgold", "990003", 1, 1),
    ],
    29: [("keyword", "added", 1, 1), ("work", "added", 1, 1)],
    30: [(7, 6, 5, 6, 1)],
}


@pytest.fixture(scope="module")
def mirrored(server: str, template: str) -> Iterator[str]:
    """DSN of the institute's database, only to be read."""
    name = f"{template}_institute"
    dsn = urlsplit(server)._replace(path=f"/{name}").geturl()

    async def on_server(statement: str) -> None:
        async with connect(server) as connection:
            await connection.execute(statement)

    with ThreadPoolExecutor(1) as thread:  # the loop of the tests is another thread's
        thread.submit(asyncio.run, on_server(f"create database {name} template {template}")).result()
        thread.submit(asyncio.run, institute.found(dsn)).result()
        yield dsn
        thread.submit(asyncio.run, on_server(f"drop database {name} with (force)")).result()


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
async def test_the_answer_is_right(mirrored: str, question: Question) -> None:
    async with connect(mirrored) as connection, connection.transaction(readonly=True):
        await become(connection, View.PUBLIC)
        rows = await connection.fetch(question.sql)
    assert [tuple(row) for row in rows] == ANSWERS[question.number]


def test_there_are_thirty_in_order_and_none_digs_in_json() -> None:
    assert [question.number for question in QUESTIONS] == list(range(1, 31))
    assert len({question.name for question in QUESTIONS}) == 30
    assert [q.name for q in QUESTIONS if re.search(r"->|jsonb|\bdoc\b|\bdetail\b", q.sql)] == []
    assert [q.name for q in QUESTIONS if not q.title.endswith("?") or "orcid_sync." in q.sql] == []


def test_the_page_has_them_all() -> None:
    """After a change of a question: orcid-sync questions list --markdown > deploy/docs/questions.md."""
    assert render_markdown() == PAGE.read_text("utf-8")


async def test_questions_are_listed_shown_and_answered(mirrored: str, cli: Cli) -> None:
    env = {"DATABASE_URL": mirrored}
    listed = await cli.apart("questions", "list", env=env)
    assert "employers" in listed.stdout
    assert "Who employs our people now?" in listed.stdout
    assert len(msgspec.json.decode((await cli.apart("questions", "list", "--json", env=env)).stdout)) == 30
    shown = await cli.apart("questions", "show", "employers", env=env)
    assert shown.stdout.startswith("-- Who employs our people now?\n")
    assert "from orcid.current_affiliations" in shown.stdout
    answered = await cli.apart("questions", "run", "7", env=env)
    assert re.search(r"https://ror\.org/00sim0001 +University of Nowhere +2", answered.stdout), answered.output
    told = await cli.apart("questions", "run", "contradictions", "--json", env=env)
    assert [row["conflicts"] for row in msgspec.json.decode(told.stdout)] == [["year"]]
    unknown = await cli.apart("questions", "run", "31", env=env)
    assert (unknown.exit_code, "there is no question 31" in unknown.output) == (2, True)


UNSEEN: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "grants of the council": (
        (
            "select grant_number, title, people, holders, end_date from orcid.grants"
            " where funder_ror = 'https://ror.org/00sim0009' order by 1"
        ),
        [("T-0", "More tides", 1, [BOB], date(2014, 12, 31)), ("T-1", "Tides", 1, [ADA], date(YEAR + 1, 12, 31))],
    ),
    "what happened lately": (
        "select section, op, title from orcid.change_log where at > now() - interval '30 days' order by seq",
        [("keyword", "added", "currents"), ("work", "added", "Late results")],
    ),
    "who claims a DOI": (
        (
            "select distinct orcid from orcid.external_ids"
            " where identifier = orcid.normal_identifier('doi', 'https://doi.org/10.5555/Paper') order by 1"
        ),
        [(ADA,), (BOB,), (CY,)],
    ),
    "where people studied": (
        (
            "select country, count(distinct orcid) from orcid.item_organisations where section = 'education'"
            " group by 1 order by 1"
        ),
        [("DE", 1), ("NZ", 1)],
    ),
    "publications by employer": (
        (
            "select e.employer_ror, count(distinct (c.identifier_type, c.identifier)) from orcid.people e"
            " join orcid.publication_claims c using (orcid) where e.employer_ror is not null group by 1"
        ),
        [("https://ror.org/00sim0001", 4)],
    ),
}
"""More that can be asked without JSON, and what the institute answers."""


@pytest.mark.parametrize("name", UNSEEN)
async def test_other_questions_need_no_json_either(mirrored: str, name: str) -> None:
    query, answer = UNSEEN[name]
    async with connect(mirrored) as connection, connection.transaction(readonly=True):
        await become(connection, View.PUBLIC)
        assert [tuple(row) for row in await connection.fetch(query)] == answer
