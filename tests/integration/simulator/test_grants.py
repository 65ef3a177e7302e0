"""The simulated Registry along contract section 12, 6: codes, refresh tokens, revocation (sections 2.4 to 2.8)."""

from typing import Any

import aiohttp
import pytest

from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID, OTHER_CLIENT_ID, OTHER_CLIENT_SECRET
from rig.researcher import Researcher, Tokens, asking, granted, outcome
from rig.simulator import DAY, OTHER, Asking, O


async def test_12_06_a_code_that_comes_back_kills_its_token(
    sim: SimulatedRegistry, max_: Researcher, tokens: Tokens, ask: Asking
) -> None:
    earlier = await granted(sim, max_, tokens)
    back = outcome(await max_.decide(asking(sim)))
    _, second = await tokens.by_code(back["code"])
    status, answer = await tokens.by_code(back["code"])
    assert (status, answer["error"]) == (400, "invalid_grant")
    assert "Reused authorization code" in answer["error_description"]
    assert sim.token_service.tokens[second["access_token"]].disabled == "AUTH_CODE_REUSED"
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
    assert len(sim.token_service.active(O, CLIENT_ID)) == 1
    status, answer = await tokens.by_code(back["code"])
    assert (status, "Reused" in answer["error_description"]) == (400, True)
    assert not sim.token_service.active(O, CLIENT_ID)


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
    ask.sim.token_service.settings.revocation_lag_calls = calls
    token = ask.user_token()
    assert ask.sim.edit.revoke_access(O, CLIENT_ID) == 1
    assert not ask.sim.token_service.active(O, CLIENT_ID)
    got = [(await ask.get("record", token=token)).status for _ in range(5)]
    assert got == [200] * calls + [401] * (5 - calls)
