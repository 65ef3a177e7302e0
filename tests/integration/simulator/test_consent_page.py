"""The simulated Registry along contract section 12, 6: the page that asks for consent (section 2.4)."""

from typing import Any

import aiohttp
import pytest

from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID, OTHER_CLIENT_ID
from rig.researcher import BACK, Page, Researcher, Tokens, asking, granted, outcome
from rig.simulator import OTHER, UNKNOWN, Asking, O


async def test_12_06_consent_code_token_record(
    sim: SimulatedRegistry, max_: Researcher, tokens: Tokens, ask: Asking
) -> None:
    sim.edit.add_item(O, "work", {"title": "hidden"}, visibility="limited")
    sim.world.indexer.run()
    back = outcome(await max_.decide(asking(sim, state="a&b=c")))
    assert back.keys() == {"code", "state"}
    assert (len(back["code"]), back["state"]) == (6, "a&b=c")
    before = sim.profiles.state(O).modified_ms
    status, answer = await tokens.by_code(back["code"])
    assert status == 200
    assert answer.pop("access_token") != answer.pop("refresh_token")
    assert answer.pop("expires_in") == pytest.approx(631_138_518, abs=1)
    assert answer == {"token_type": "bearer", "scope": "/read-limited", "orcid": O, "name": "Max Mustermann"}
    assert sim.profiles.state(O).modified_ms > before, "a grant moves the record's date"
    assert not sim.profiles.waiting, "and is not announced"
    token = next(iter(sim.token_service.active(O, CLIENT_ID)))
    assert len((await ask.get("works", token=token.text)).json["group"]) == 1


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"client_id": "APP-NOBODY"}, "invalid_client"),
        ({"client_id": None}, "invalid_client"),
        ({"redirect_uri": BACK + "/"}, "redirect_uri_mismatch"),
        ({"redirect_uri": "http://localhost:8080/oauth/callback?next=1"}, "redirect_uri_mismatch"),
        ({"redirect_uri": "http://localhost.evil.example/oauth/callback"}, "redirect_uri_mismatch"),
        ({"redirect_uri": "https://hub.example/oauth/callback"}, "redirect_uri_mismatch"),
        ({"redirect_uri": None}, "redirect_uri_mismatch"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "/read-everything"}, "invalid_scope"),
        ({"scope": "/webhook"}, "invalid_scope"),
        ({"scope": None}, "invalid_scope"),
    ],
)
async def test_12_06_what_is_wrong_with_the_request_is_said_at_orcid(
    sim: SimulatedRegistry, max_: Researcher, parameters: dict[str, str | None], word: str
) -> None:
    page = await max_.decide(asking(sim, **parameters))
    assert isinstance(page, Page)
    assert (page.status, page.action, page.alert) == (400, "", True)
    assert word in page.text
    assert [consent.outcome for consent in sim.journal.consents] == ["wrong-request"]


async def test_12_06_registered_addresses_lead_back_letter_by_letter(max_: Researcher) -> None:
    registered = "https://hub.example/x/oauth/callback?a=b"
    async with SimulatedRegistry(redirect_uris=[registered]) as sim:
        sim.edit.create_record(O)
        location = await max_.decide(asking(sim, redirect_uri=registered))
        assert isinstance(location, str)
        assert location.startswith(f"{registered}&code=")
        for other in (registered.upper(), f"{registered}&x=1", registered[:-1]):
            page = await max_.open(asking(sim, redirect_uri=other))
            assert (isinstance(page, Page) and page.status) == 400, other


async def test_12_06_denial(sim: SimulatedRegistry, max_: Researcher) -> None:
    back = outcome(await max_.decide(asking(sim, state="s"), "deny"))
    assert back == {"error": "access_denied", "error_description": "User denied access", "state": "s"}
    assert not sim.grants.codes


@pytest.mark.parametrize(
    ("happens", "name", "sentence"),
    [
        (lambda _: None, UNKNOWN, "no record"),
        (lambda _: None, "", "no record"),
        (lambda edit: edit.deactivate(O), O, "deactivated"),
        (lambda edit: edit.lock(O), O, "locked"),
        (lambda edit: edit.unclaim(O), O, "not claimed"),
        (lambda edit: edit.deprecate(O, OTHER), O, OTHER),
    ],
)
async def test_12_06_who_cannot_sign_in_is_told_so(
    sim: SimulatedRegistry, max_: Researcher, happens: Any, name: str, sentence: str
) -> None:
    happens(sim.edit)
    page = await max_.decide(asking(sim), orcid=name)
    assert isinstance(page, Page)
    assert page.alert
    assert sentence in page.text
    assert page.fields["client_id"] == CLIENT_ID, "the form is there for another try"


@pytest.mark.parametrize("name", [O, f"https://sandbox.orcid.org/{O}", "M@example.org"])
async def test_12_06_sign_in_by_id_address_or_email(sim: SimulatedRegistry, max_: Researcher, name: str) -> None:
    sim.edit.add_item(O, "email", {"email": "m@example.org"}, visibility="private")
    await max_.decide(asking(sim), orcid=name)
    assert [code.orcid for code in sim.grants.codes.values()] == [O]


async def test_12_06_the_form_is_prefilled_and_the_customisation_is_in_the_journal(
    sim: SimulatedRegistry, max_: Researcher
) -> None:
    custom = {"given_names": "Zoë", "family_names": "O'Nobody", "email": "a+b@example.org", "show_login": "false"}
    page = await max_.open(asking(sim, orcid=O, lang="de", nonce="n", **custom))
    assert isinstance(page, Page)
    assert page.fields["orcid"] == O
    assert "Zoë O&#39;Nobody a+b@example.org" in page.text
    seen = sim.journal.consents[-1]
    assert (seen.outcome, seen.orcid) == ("page", None)
    assert seen.parameters.items() >= {**custom, "lang": "de", "orcid": O}.items()
    assert not sim.profiles.waiting, "nobody is signed in whose language it could be"


async def test_12_06_lang_sets_the_language_and_announces_the_record(sim: SimulatedRegistry, max_: Researcher) -> None:
    await max_.decide(asking(sim, lang="de"))
    assert sim.profiles.state(O).locale == "de"
    assert O in sim.profiles.waiting
    sim.browsers.sign_in(OTHER)
    async with aiohttp.ClientSession() as http:
        await Researcher(http).open(asking(sim, lang="fr"))
    assert sim.profiles.state(OTHER).locale == "fr", "opening the page is enough for those who are signed in"
    await max_.decide(asking(sim, lang="tlh"))
    assert sim.profiles.state(O).locale == "de"


@pytest.mark.parametrize(
    ("parameters", "shown"),
    [
        ({}, False),
        ({"lang": "en"}, False),
        ({"prompt": "confirm"}, True),
        ({"prompt": "login"}, True),
        ({"scope": "/read-limited /email/read-private"}, True),
        ({"client_id": OTHER_CLIENT_ID}, True),
    ],
)
async def test_12_06_the_same_consent_is_not_asked_for_twice(
    sim: SimulatedRegistry, max_: Researcher, tokens: Tokens, parameters: dict[str, str], shown: Any
) -> None:
    await granted(sim, max_, tokens)
    assert isinstance(await max_.open(asking(sim, **parameters)), Page) is shown


async def test_12_06_consent_is_asked_for_again_after_it_ended(
    sim: SimulatedRegistry, max_: Researcher, tokens: Tokens, http: aiohttp.ClientSession
) -> None:
    await granted(sim, max_, tokens)
    assert isinstance(await Researcher(http).open(asking(sim)), Page), "nobody is signed in in this browser"
    assert sim.edit.revoke_access(O, CLIENT_ID) == 1
    assert isinstance(await max_.open(asking(sim)), Page)


async def test_12_06_a_test_signs_somebody_in(
    sim: SimulatedRegistry, http: aiohttp.ClientSession, tokens: Tokens
) -> None:
    browser = Researcher(http)
    for path, body, expected in (
        ("signed-in", {"orcid": O}, {"signed_in": O}),
        (f"clients/{CLIENT_ID}", {"redirect_uris": ["https://hub.example/cb"], "local_callbacks": False}, None),
    ):
        async with http.post(f"{sim.url}/_sim/{path}", json=body) as answer:
            assert expected in (None, await answer.json())
    back = outcome(await browser.decide(asking(sim, redirect_uri="https://hub.example/cb")))
    status, answer = await tokens.by_code(back["code"], redirect_uri="https://hub.example/cb")
    assert (status, answer["orcid"]) == (200, O)
    assert isinstance(await browser.open(asking(sim)), Page), "the local callback is registered no more"
    async with http.get(f"{sim.url}/_sim/secrets") as known:
        assert {back["code"], answer["access_token"], answer["refresh_token"]} <= set(await known.json())
    async with http.get(f"{sim.url}/_sim/consents") as steps:
        assert [step["outcome"] for step in await steps.json()] == ["page", "allowed", "wrong-request"]
    async with http.post(f"{sim.url}/_sim/signed-in", json={"orcid": None}) as answer:
        assert await answer.json() == {"signed_in": None}


async def test_12_06_signing_out(sim: SimulatedRegistry, max_: Researcher, tokens: Tokens) -> None:
    await granted(sim, max_, tokens)
    for address in ("userStatus.json?logUserOut=true", "userStatus.json"):
        page = await max_.open(f"{sim.web_url}/{address}")
        assert isinstance(page, Page)
        assert page.text == '{"loggedIn":false}'
    assert isinstance(await max_.open(asking(sim)), Page)


@pytest.mark.parametrize(("box", "scope"), [("yes", "/email/read-private /read-limited"), (None, "/read-limited")])
async def test_12_06_private_emails_may_be_unticked(
    sim: SimulatedRegistry, max_: Researcher, tokens: Tokens, box: Any, scope: str
) -> None:
    address = asking(sim, scope="/read-limited /email/read-private profile")
    back = outcome(await max_.decide(address, **{"private-emails": box}))
    assert (await tokens.by_code(back["code"]))[1]["scope"] == scope
