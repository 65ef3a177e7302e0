"""The simulated Registry along contract section 12, 15: search (section 6)."""

import csv
import io
from typing import Any
from urllib.parse import urlencode

import pytest

from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.world import OTHER_CLIENT_ID
from rig.simulator import DAY, OTHER, Asking, O

SEARCH = "/v3.0/search"


async def found(ask: Asking, q: str, **options: Any) -> list[str]:
    answer = (await ask("GET", f"{SEARCH}?{urlencode({'q': q, 'sort': 'orcid asc', **options})}")).json
    return [one["orcid-identifier"]["path"] for one in answer["result"] or []]


def indexed(ask: Asking, *, after: float = 0) -> None:
    """Let the indexer run, and time pass for the index."""
    ask.sim.clock.advance(600)
    ask.sim.world.indexer.run()
    ask.sim.clock.advance(after)


@pytest.mark.parametrize("host", ["", "/pub"])
async def test_12_15_answers(ask: Asking, host: str) -> None:
    hit = await ask("GET", f"{host}{SEARCH}?q=given-names:max")
    identifier = {"uri": f"https://sandbox.orcid.org/{O}", "path": O, "host": "sandbox.orcid.org"}
    assert (hit.status, hit.json) == (200, {"result": [{"orcid-identifier": identifier}], "num-found": 1})
    miss = await ask("GET", f"{host}{SEARCH}?q=given-names:nobody")
    assert (miss.status, miss.json) == (200, {"result": None, "num-found": 0})
    beyond = await ask("GET", f"{host}{SEARCH}?q=given-names:max&start=1")
    assert beyond.json == {"result": None, "num-found": 1}, "a page beyond the end is null, too"
    xml = await ask("GET", f"{host}{SEARCH}?q=given-names:max", accept=None)
    assert xml.headers["Content-Type"] == "application/xml;charset=UTF-8"


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ("q=*:*&rows=1001", (400, 9012)),
        ("q=*:*&rows=-1", (400, 9012)),
        ("q=*:*&rows=many", (400, 9012)),
        ("q=*:*&start=x", (400, 9012)),
        ("q=*:*&start=10001", (400, 9043)),
        ("q=(a", (400, 9012)),
        ("q=profile-last-modified-date:[x%20TO%20NOW]", (400, 9012)),
        ("q=*:*&sort=orcid", (400, 9012)),
        (f"q={'+'.join(['a'] * 1025)}", (400, 9012)),
    ],
)
async def test_12_15_bad_requests(ask: Asking, query: str, error: tuple[int, int]) -> None:
    answer = await ask("GET", f"/pub{SEARCH}?{query}", token=None)
    assert answer.error == error


async def test_12_15_who_may_search(ask: Asking) -> None:
    for path, token, status in (
        (f"/pub{SEARCH}", None, 200),
        (f"/pub{SEARCH}", ask.token, 200),
        (SEARCH, ask.token, 200),
        (SEARCH, None, 403),
        (SEARCH, "unknown", 401),
    ):
        assert (await ask("GET", f"{path}?q=*:*", token=token)).status == status
    deep = await ask("GET", f"{SEARCH}?q=*:*&start=10001")
    assert deep.json == {"result": None, "num-found": 2}, "with credentials there is no limit to start"
    assert (await ask("POST", f"{SEARCH}?q=*:*")).error == (405, 9001)
    assert (await ask("GET", f"{SEARCH}?q=*:*", accept="text/plain")).status == 406
    assert (await ask("GET", SEARCH)).json["num-found"] == 0


@pytest.mark.parametrize(("length", "status"), [(8_190, 200), (8_191, 414), (20_000, 414)])
async def test_12_15_addresses_have_a_longest_length(ask: Asking, length: int, status: int) -> None:
    start = f"{SEARCH}?q=given-names:max&x="
    answer = await ask("GET", start + "y" * (length - len(start)))
    assert (answer.status, answer.headers["Content-Type"].startswith("text/html")) == (status, status == 414)


async def test_12_15_only_what_is_public_is_found(ask: Asking) -> None:
    edit = ask.sim.edit
    ror = "https://ror.org/000000001"
    for orcid, visibility in ((O, "public"), (OTHER, "limited")):
        edit.add_item(
            orcid,
            "employment",
            {"organization": ("Institute X", "Town", None, "DE", ror, "ROR"), "start-date": "2001"},
            visibility=visibility,
            source=OTHER_CLIENT_ID,
        )
        edit.add_item(orcid, "email", {"email": "a@lab.example.org"}, visibility=visibility)
        edit.add_item(
            orcid,
            "work",
            {"title": "On nothing", "external-ids": [("doi", "10.5555/1", "self")]},
            visibility=visibility,
        )
    indexed(ask)
    for query in (
        f'ror-org-id:"{ror}"',
        "affiliation-org-name:institute",
        "current-institution-affiliation-name:(institute AND x)",
        "email:*@lab.example.org",
        "doi-self:10.5555/1",
        "digital-object-ids:10.5555/1",
        'work-titles:"on nothing"',
        "grid-org-id:* OR doi-self:*",
    ):
        assert await found(ask, query) == [O], query


@pytest.mark.parametrize(
    ("scheme", "identifier", "field"),
    [("GRID", "grid.0.0", "grid-org-id"), ("RINGGOLD", "000", "ringgold-org-id"), ("FUNDREF", "1", "fundref-org-id")],
)
@pytest.mark.parametrize("section", ["employment", "funding"])
async def test_12_15_organisations_by_their_identifiers(
    ask: Asking, section: str, scheme: str, identifier: str, field: str
) -> None:
    organization = ("Institute X", "Town", None, "DE", identifier, scheme)
    content = {"organization": organization}
    ask.sim.edit.add_item(O, section, content if section == "employment" else {**content, "title": "t"})
    indexed(ask)
    assert await found(ask, f"{field}:{identifier}") == [O]


async def test_12_15_dates_move_with_the_indexer_and_not_before(ask: Asking) -> None:
    ask.sim.clock.advance(DAY)
    since = "profile-last-modified-date:[NOW-10MINUTES TO NOW]"
    ask.sim.edit.add_item(O, "work", {"title": "t"}, visibility="private")
    assert await found(ask, since) == []
    ask.sim.world.indexer.run()
    assert await found(ask, since) == [O], "the date moves for what nobody sees"
    ask.sim.edit.change_settings(OTHER)
    indexed(ask)
    assert await found(ask, since) == [], "what is not announced is not indexed (display order, settings)"
    listed = f"profile-last-modified-date:[NOW-1DAY TO NOW] AND orcid:({OTHER} OR {O})"
    assert await found(ask, listed) == [O]


async def test_12_15_the_index_lags_stalls_and_catches_up(ask: Asking) -> None:
    settings = ask.sim.index.settings
    ask.sim.clock.advance(DAY)
    settings.index_lag = 3_600
    ask.sim.edit.set_name(O, given_names="Moritz")
    indexed(ask)
    ask.sim.clock.advance(60)
    ask.sim.edit.set_name(O, given_names="Later")
    assert await found(ask, "given-names:moritz") == []
    ask.sim.clock.advance(3_540)
    ask.sim.clock.advance(60)
    ask.sim.edit.set_name(O, given_names="Too late")
    assert await found(ask, "given-names:later") == [O], "as the record was when the index read it"
    assert await found(ask, "given-names:(max OR moritz OR too)") == []
    settings.index_stalled = True
    ask.sim.edit.set_name(O, given_names="Max")
    indexed(ask, after=DAY)
    assert await found(ask, "given-names:max") == []
    settings.index_stalled = False
    assert await found(ask, "given-names:max") == [O]
    settings.omitted = [O]
    assert await found(ask, f"orcid:{O}") == []


async def test_12_15_a_stalled_indexer_stalls_the_index(ask: Asking) -> None:
    ask.sim.settings.broker_down = True
    ask.sim.edit.set_name(O, given_names="Moritz")
    indexed(ask, after=DAY)
    assert await found(ask, "given-names:moritz") == []


@pytest.mark.parametrize(
    "happens",
    [
        lambda edit: edit.lock(O),
        lambda edit: edit.deactivate(O),
        lambda edit: edit.deprecate(O, OTHER),
        lambda edit: edit.set_name(O, given_names="Max", visibility="limited"),
    ],
)
async def test_12_15_what_is_hidden_leaves_the_index(ask: Asking, happens: Any) -> None:
    happens(ask.sim.edit)
    assert await found(ask, "given-names:max") == [O]
    indexed(ask)
    assert await found(ask, "given-names:max") == []


async def test_12_15_pages_by_score_overlap_and_by_id_they_do_not(ask: Asking) -> None:
    everybody = {O, OTHER}
    for number in range(60):
        everybody.add(orcid := numbered_orcid(4_100_000 + number))
        ask.sim.add_record(orcid, works=0, employments=0, fundings=0)

    async def pages(**options: str) -> list[str]:
        collected: list[str] = []
        for start in range(0, 62, 20):
            query = urlencode({"q": "*:*", "rows": 20, "start": start, **options})
            answer = (await ask("GET", f"{SEARCH}?{query}")).json
            assert answer["num-found"] == 62
            collected += [one["orcid-identifier"]["path"] for one in answer["result"]]
        return collected

    assert await pages(sort="orcid asc") == sorted(everybody)
    assert await pages(sort="orcid desc") == sorted(everybody, reverse=True)
    assert set(await pages()) < everybody, "some are on two pages, some on none"
    ask.sim.index.settings.unstable_pages = False
    assert set(await pages()) == everybody


async def test_12_15_expanded(ask: Asking) -> None:
    edit = ask.sim.edit
    edit.set_name(O, given_names="Max", family_name="Mustermann", credit_name="M. M.")
    edit.add_item(O, "other-name", {"content": "Maxim"})
    edit.add_item(O, "email", {"email": "m@example.org"})
    for name, end in (("Z Institute", None), ("A Institute", "2001")):
        edit.add_item(O, "employment", {"organization": (name, "Town", None, "DE"), "end-date": end})
    indexed(ask)
    answer = await ask("GET", f"/v3.0/expanded-search?q=orcid:{O}")
    assert answer.json == {
        "expanded-result": [
            {
                "orcid-id": O,
                "given-names": "Max",
                "family-names": "Mustermann",
                "credit-name": "M. M.",
                "other-name": ["Maxim"],
                "email": ["m@example.org"],
                "institution-name": ["A Institute", "Z Institute"],
            }
        ],
        "num-found": 1,
    }
    assert (await ask("GET", "/v3.0/expanded-search?q=nobody")).json == {"expanded-result": None, "num-found": 0}


async def test_12_15_csv(ask: Asking) -> None:
    ask.sim.edit.set_name(O, given_names='Max, "the" one', family_name="Mustermann")
    indexed(ask)
    path = f"/pub/v3.0/csv-search?q=orcid:({O}%20OR%20{OTHER})&sort=orcid%20asc&fl=orcid,given-names,secret"
    answer = await ask("GET", path, token=None, accept="text/csv")
    assert answer.headers["Content-Type"] == "text/csv;charset=UTF-8"
    rows = list(csv.reader(io.StringIO(answer.body.decode())))
    assert rows == [["orcid", "given-names"], [O, 'Max, "the" one'], [OTHER, "Erika"]]
    assert (await ask("GET", path, token=None, accept="application/json")).error == (406, 9001)


async def test_12_15_a_filter_query_is_passed_through(ask: Asking) -> None:
    assert await found(ask, "family-name:mustermann", fq="given-names:max") == [O]
