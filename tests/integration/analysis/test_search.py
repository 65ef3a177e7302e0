"""ORCID's search, asked for all that it finds, and from the command line."""

import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from integration.analysis.affiliated_people import ELSEWHERE, HERE, NAMED_HERE, OLD_HERE, ROR, environment, member
from orcid_sync.model.analysis.institution import Institution, parse_organization_id
from orcid_sync.model.ids import Orcid
from orcid_sync.registry import solr_query
from orcid_sync.registry.errors import BadRequest
from orcid_sync.registry.requests import Request
from orcid_sync.registry.search import Page, orcids_request, people_request
from orcid_sync.service.analysis.search import Search
from orcid_sync.store.consent import connections
from rig.service.command_line import Cli
from rig.service.reconciler import Bench

QUERY = solr_query.organization(parse_organization_id(ROR))


async def listed(bench: Bench, query: str = QUERY, *, most: int | None = None, **limits: int) -> tuple[list[str], int]:
    """Everybody who is listed, in the order in which they come, and the number that the search counts."""

    def request(url: str, query: str, *, start: int, rows: int) -> Request[Page[Orcid]]:
        assert start <= search.deepest, "no page is asked for that lies too deep"
        return orcids_request(url, query, start=start, rows=rows)

    search = Search(registry=bench.reconciler.registry, request=request, now=datetime.now(UTC), **limits)
    found, total = list[str](), 0
    async for page in search.pages(query, most=most):
        total, _ = page.total, found.extend(page.found)
    return found, total


@pytest.fixture
def people(bench: Bench) -> list[str]:
    """Nine at the institution, whose iDs were made at different times, and others."""
    here = [member(bench.registry, number) for number in range(9)]
    member(bench.registry, 100, at=ELSEWHERE)
    member(bench.registry, 101, visibility="limited")
    return sorted(here)


def searches(bench: Bench) -> int:
    return len(bench.requests("search"))


async def test_pages_are_turned(bench: Bench, people: list[str]) -> None:
    assert await listed(bench, rows=4) == (people, 9)


async def test_what_cannot_be_passed_over_is_cut_into_parts(bench: Bench, people: list[str]) -> None:
    found, total = await listed(bench, rows=2, deepest=3)

    assert (sorted(found), total) == (people, 9)
    assert len(set(found)) == len(found), "nobody is in two parts"


async def test_no_more_is_asked_than_is_wanted(bench: Bench, people: list[str]) -> None:
    found, total = await listed(bench, rows=4, most=3)

    assert (found, total) == (people[:3], 9)
    assert searches(bench) == 2, "the number, and one page"


async def test_nobody_is_an_answer(bench: Bench) -> None:
    assert await listed(bench, "given-names:nobody") == ([], 0)


async def test_those_made_in_the_same_moment_cannot_be_told_apart(bench: Bench, people: list[str]) -> None:
    moment = bench.registry.clock.now_ms() - timedelta(days=500) // timedelta(milliseconds=1)
    bench.registry.world.index._documents.clear()
    for orcid in people:
        state = bench.registry.profiles.state(orcid)
        bench.registry.world.index._states[orcid] = msgspec.structs.replace(state, submitted_ms=moment)

    found, total = await listed(bench, rows=2, deepest=3)

    assert total == 9
    assert len(found) == 4, "as far as pages may be turned"


async def test_a_bad_query_is_refused(bench: Bench) -> None:
    with pytest.raises(BadRequest):
        await listed(bench, "(a")


async def test_people_come_with_what_they_show(bench: Bench) -> None:
    orcid = member(bench.registry, 1, email="ada@cs.example.edu", until="2020")
    page = await bench.reconciler.registry.ask(lambda url: people_request(url, f"orcid:{orcid}", start=0))

    (person,) = page.found
    assert (person.orcid, person.name, page.total) == (orcid, "Person Number1", 1)
    assert (person.institutions, person.emails) == (["Example University"], ["ada@cs.example.edu"])


async def test_the_ways_to_an_institution_find_its_people(bench: Bench) -> None:
    by = {
        "ror": member(bench.registry, 1, at=HERE),
        "grid": member(bench.registry, 2, at=OLD_HERE),
        "name": member(bench.registry, 3, at=NAMED_HERE),
        "domain": member(bench.registry, 4, at=None, email="eve@cs.example.edu"),
    }
    member(bench.registry, 5, at=ELSEWHERE, email="eve@notexample.edu")
    ids = (parse_organization_id(ROR), parse_organization_id("grid.990009.1"))
    here = Institution(ids, ("example.edu",), ("Example University",))

    found = [set((await listed(bench, query))[0]) for query in solr_query.ways_to(here).values()]

    assert found == [{by["ror"]}, {by["grid"]}, {by["domain"]}, {by["ror"], by["grid"], by["name"]}]


async def test_the_command_finds_people_and_says_how_they_stand(bench: Bench, cli: Cli, people: list[str]) -> None:
    env = environment(bench.registry, institution_ror="05gq02987", institution_domains="example.edu, example.com")
    await connections.connect_orcids(bench.connection, [connections.Entry(orcid=people[0])])
    nasty = member(bench.registry, 50, at=("=cmd|'x'!A0", "X", None, "NZ", ROR, "ROR"))

    table = await cli.apart("search", "--own", "--limit", "3", env=env)
    document = await asyncio.to_thread(cli.json, "search", "--affiliation", "Example University", "--all", env=env)
    sheet = await cli.apart("search", "--own", "--all", "--format", "csv", env=env)
    lines = await cli.apart("search", "--own", "--name", "Person Number3", "--format", "ndjson", env=env)

    assert table.exit_code == 0, table.output
    assert people[0] in table.stdout
    assert "connected" in table.stdout
    assert "10 found, 3 listed. More: --limit N or --all" in table.stderr
    assert document["found"] == 9
    assert [one["orcid"] for one in document["people"]] == people
    rows = {row["orcid"]: row for row in csv.DictReader(io.StringIO(sheet.stdout))}
    assert rows[nasty]["institutions"].startswith("'=cmd"), "no spreadsheet computes it"
    assert len(rows) == 10
    assert [msgspec.json.decode(line)["orcid"] for line in lines.stdout.splitlines()] == [people[3]]


ASKED = [
    (("--doi", "https://doi.org/10.5555/SEA"), True),
    (("--doi", "10.5555/other"), False),
    (("--domain", "example.edu"), True),
    (("--domain", "xample.edu"), False),
    (("--affiliation", ROR, "--domain", "example.edu"), True),
    (("--affiliation", "grid.1.1", "--domain", "example.edu"), False),
    (("--affiliation", "grid.1.1", "--affiliation", ROR), True),
    (("family-name:number1", "AND", "given-names:person"), True),
    (("family-name:number2", "OR", "given-names:person", "--affiliation", "grid.1.1"), False),
]


async def test_all_that_is_given_must_hold_and_of_repeated_options_one(bench: Bench, cli: Cli) -> None:
    env = environment(bench.registry)
    orcid = member(bench.registry, 1, email="ada@cs.example.edu", dois=("10.5555/sea",))

    for arguments, found in ASKED:
        document = await asyncio.to_thread(cli.json, "search", *arguments, env=env)
        assert [one["orcid"] for one in document["people"]] == [orcid] * found, arguments


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "say whom to search for"),
        (("--domain", "x OR *:*"), "is not a domain"),
        (("--name", "Ada", "--format", "xml"), "--format must be one of"),
    ],
)
def test_what_cannot_be_asked_is_refused(cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    needed = ("client_id", "client_secret", "encryption_key")
    env = {f"ORCID_SYNC_{name.upper()}": "A" * 43 + "=" for name in needed}
    result = cli("search", *arguments, env=env)

    assert result.exit_code == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())


def test_an_institution_that_is_not_set_is_asked_for(cli: Cli) -> None:
    needed = ("client_id", "client_secret", "encryption_key")
    result = cli("search", "--own", env={f"ORCID_SYNC_{name.upper()}": "A" * 43 + "=" for name in needed})

    assert result.exit_code == 1
    assert "set institution_ror" in result.stderr
