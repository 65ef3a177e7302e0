"""The simulated Registry along contract section 12, 6: consent, codes, refreshing, revoking (section 2)."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from researcher import Page, Researcher, outcome
from simulator_rig import DAY, OTHER, UNKNOWN, Asking, O

from orcid_sync.simulator import CLIENT_ID, CLIENT_SECRET, OTHER_CLIENT_ID, OTHER_CLIENT_SECRET, SimulatedRegistry

pytest_plugins = ("simulator_rig",)

BACK = "http://localhost:8080/oauth/callback"


@pytest.fixture
async def max_(sim: SimulatedRegistry) -> AsyncIterator[Researcher]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Researcher(http, O)


def asking(sim: SimulatedRegistry, **parameters: str | None) -> str:
    given = {"client_id": CLIENT_ID, "response_type": "code", "scope": "/read-limited", "redirect_uri": BACK}
    kept = {name: value for name, value in {**given, **parameters}.items() if value is not None}
    return f"{sim.web_url}/oauth/authorize?{urlencode(kept)}"


class Tokens:
    """The token endpoint as a client uses it."""

    def __init__(self, sim: SimulatedRegistry, http: aiohttp.ClientSession) -> None:
        self._sim, self._http = sim, http

    async def __call__(self, **form: str | None) -> tuple[int, Any]:
        whole = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **form}
        sent = {name: value for name, value in whole.items() if value is not None}
        async with self._http.post(f"{self._sim.web_url}/oauth/token", data=sent) as answer:
            return answer.status, await answer.json()

    async def by_code(self, code: str, /, **form: str | None) -> tuple[int, Any]:
        return await self(**{"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, **form})

    async def by_refresh(self, text: str, /, **form: str | None) -> tuple[int, Any]:
        return await self(grant_type="refresh_token", refresh_token=text, **form)


@pytest.fixture
def tokens(sim: SimulatedRegistry, http: aiohttp.ClientSession) -> Tokens:
    return Tokens(sim, http)


async def granted(sim: SimulatedRegistry, researcher: Researcher, tokens: Tokens, **parameters: str) -> Any:
    back = outcome(await researcher.decide(asking(sim, prompt="confirm", **parameters)))
    status, answer = await tokens.by_code(back["code"])
    assert status == 200
    return answer


async def test_12_06_consent_code_token_record(
    sim: SimulatedRegistry, max_: Researcher, tokens: Tokens, ask: Asking
) -> None:
    sim.edit.add_item(O, "work", {"title": "hidden"}, visibility="limited")
    sim.world.delivery.run_indexer()
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
    token = next(iter(sim.desk.active(O, CLIENT_ID)))
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
        assert isinstance(await max_.open(asking(sim, redirect_uri=registered.upper())), Page)


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
        ("redirect-uris", {"client_id": CLIENT_ID, "redirect_uris": ["https://hub.example/cb"]}, None),
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


async def test_12_06_a_code_that_comes_back_kills_its_token(
    sim: SimulatedRegistry, max_: Researcher, tokens: Tokens, ask: Asking
) -> None:
    earlier = await granted(sim, max_, tokens)
    back = outcome(await max_.decide(asking(sim)))
    _, second = await tokens.by_code(back["code"])
    status, answer = await tokens.by_code(back["code"])
    assert (status, answer["error"]) == (400, "invalid_grant")
    assert "Reused authorization code" in answer["error_description"]
    assert sim.desk.tokens[second["access_token"]].disabled == "AUTH_CODE_REUSED"
    assert (await ask.get("record", token=second["access_token"])).status == 401
    assert (await ask.get("record", token=earlier["access_token"])).status == 200, "earlier grants stay"


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client"),
        ({"client_secret": None}, 401, "unauthorized_client"),
        ({"client_id": OTHER_CLIENT_ID, "client_secret": OTHER_CLIENT_SECRET}, 400, "invalid_grant"),
        ({"redirect_uri": "http://localhost/oauth/callback"}, 400, "invalid_grant"),
        ({"redirect_uri": None}, 400, "invalid_grant"),
        ({"code": "abcdef"}, 400, "invalid_grant"),
        ({"code": None}, 400, "invalid_request"),
        ({"grant_type": None}, 400, "unsupported_grant_type"),
    ],
)
async def test_12_06_an_exchange_that_fails_leaves_the_code_alone(
    sim: SimulatedRegistry,
    max_: Researcher,
    tokens: Tokens,
    form: dict[str, str | None],
    status: int,
    error: str,
) -> None:
    back = outcome(await max_.decide(asking(sim)))
    got, answer = await tokens.by_code(back["code"], **form)
    assert (got, answer["error"]) == (status, error)
    assert answer.keys() == {"error", "error_description"}
    assert (await tokens.by_code(back["code"]))[0] == 200


@pytest.mark.parametrize(
    ("happens", "error"),
    [
        (lambda sim: sim.clock.advance(DAY), "invalid_grant"),
        (lambda sim: sim.edit.deactivate(O), "unauthorized_client"),
        (lambda sim: sim.edit.deprecate(O, OTHER), "unauthorized_client"),
    ],
)
async def test_12_06_a_code_does_not_outlive_its_day_nor_its_record(
    sim: SimulatedRegistry, max_: Researcher, tokens: Tokens, happens: Any, error: str
) -> None:
    back = outcome(await max_.decide(asking(sim)))
    happens(sim)
    status, answer = await tokens.by_code(back["code"])
    assert (status, answer["error"]) == (400, error)


async def test_12_06_refreshing_ends_the_old_pair_and_keeps_its_expiry(
    sim: SimulatedRegistry, max_: Researcher, tokens: Tokens, ask: Asking
) -> None:
    old = await granted(sim, max_, tokens, scope="/read-limited /authenticate")
    sim.clock.advance(DAY)
    status, new = await tokens.by_refresh(old["refresh_token"], scope="/read-limited")
    assert status == 200
    assert new["expires_in"] == pytest.approx(old["expires_in"] - DAY, abs=1)
    assert (new["scope"], new["orcid"]) == ("/read-limited", O)
    assert (await ask.get("record", token=old["access_token"])).status == 401
    assert (await ask.get("record", token=new["access_token"])).status == 200
    wider = await tokens.by_refresh(new["refresh_token"], scope="/read-limited /authenticate")
    assert (wider[0], wider[1]["error"]) == (400, "invalid_scope")
    other = {"client_id": OTHER_CLIENT_ID, "client_secret": OTHER_CLIENT_SECRET}
    for refused in (
        await tokens.by_refresh(old["refresh_token"]),
        await tokens.by_refresh("unknown"),
        await tokens.by_refresh(new["refresh_token"], **other),
    ):
        assert (refused[0], refused[1]["error"]) == (400, "invalid_grant")


async def test_12_06_short_grants_end_after_an_hour(
    sim: SimulatedRegistry, max_: Researcher, tokens: Tokens, ask: Asking, http: aiohttp.ClientSession
) -> None:
    async with http.post(f"{sim.url}/_sim/switches", json={"short_grants": True, "grants_announced": True}) as answer:
        assert answer.status == 200
    grant = await granted(sim, max_, tokens)
    assert grant["expires_in"] == 3599
    assert O in sim.profiles.waiting, "as until July 2026"
    assert (await ask.get("record", token=grant["access_token"])).status == 200
    sim.clock.advance(3600)
    assert (await ask.get("record", token=grant["access_token"])).status == 401


async def test_12_06_a_name_that_is_hidden_is_empty(sim: SimulatedRegistry, max_: Researcher, tokens: Tokens) -> None:
    sim.edit.set_name(O, given_names="Max", visibility="limited")
    assert (await granted(sim, max_, tokens))["name"] == ""


async def test_12_06_a_lost_answer_costs_the_token(sim: SimulatedRegistry, max_: Researcher, tokens: Tokens) -> None:
    back = outcome(await max_.decide(asking(sim)))
    sim.faults.add("lost-answer", "token-code", count=1)
    with pytest.raises(aiohttp.ClientError):
        await tokens.by_code(back["code"])
    assert len(sim.desk.active(O, CLIENT_ID)) == 1
    status, answer = await tokens.by_code(back["code"])
    assert (status, "Reused" in answer["error_description"]) == (400, True)
    assert not sim.desk.active(O, CLIENT_ID)


@pytest.mark.parametrize("endpoint", ["token-code", "token*", "revoke", "authorize"])
async def test_12_06_faults_of_the_web_host(sim: SimulatedRegistry, http: aiohttp.ClientSession, endpoint: str) -> None:
    sim.faults.add("error", endpoint, status=502)
    form = {"grant_type": "authorization_code"}
    path = "authorize" if endpoint == "authorize" else "revoke" if endpoint == "revoke" else "token"
    async with http.post(f"{sim.web_url}/oauth/{path}", data=form) as answer:
        assert (answer.status, answer.content_type) == (502, "text/html")
    assert sim.journal.requests[-1].faults == ("error",)


@pytest.mark.parametrize("calls", [0, 1, 3])
async def test_12_06_a_revoked_token_may_go_on_being_answered(ask: Asking, calls: int) -> None:
    ask.sim.desk.settings.revocation_lag_calls = calls
    token = ask.user_token()
    assert ask.sim.edit.revoke_access(O, CLIENT_ID) == 1
    assert not ask.sim.desk.active(O, CLIENT_ID)
    got = [(await ask.get("record", token=token)).status for _ in range(5)]
    assert got == [200] * calls + [401] * (5 - calls)
