"""The simulated Registry along contract section 12, 6 to 9: tokens, forms, states, visibility."""

from typing import Any

import aiohttp
import pytest

from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID, CLIENT_SECRET, OTHER_CLIENT_ID, OTHER_CLIENT_SECRET, PUBLIC_CLIENT_ID
from rig.simulator import DAY, OTHER, UNKNOWN, Asking, O

# 6: tokens


async def test_12_06_client_credentials(sim: SimulatedRegistry, http: aiohttp.ClientSession) -> None:
    async def grant(**form: str) -> tuple[int, Any]:
        form = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "grant_type": "client_credentials", **form}
        async with http.post(f"{sim.web_url}/oauth/token", data=form) as answer:
            return answer.status, await answer.json()

    status, granted = await grant(scope="/webhook /read-limited")
    assert status == 200
    assert granted["scope"] == "/webhook", "scopes of the other kind are dropped"
    assert granted["token_type"] == "bearer"
    assert granted["expires_in"] == 631_138_518
    assert granted["orcid"] is None
    assert granted["refresh_token"]
    for form, error in (
        ({"client_secret": "wrong"}, (401, "invalid_client")),
        ({"grant_type": "password"}, (400, "unsupported_grant_type")),
        ({"scope": "/read-limited"}, (400, "invalid_scope")),
    ):
        status, answer = await grant(**{"scope": "/webhook", **form})
        assert (status, answer["error"]) == error


async def test_12_06_every_token_that_does_not_work_gets_the_same_401_that_echoes_it(ask: Asking) -> None:
    sim = ask.sim
    revoked, expired, deactivated = (
        ask.user_token(),
        sim.token_service.issue(CLIENT_ID, ["/read-public"], seconds=60),
        None,
    )
    sim.token_service.disable(O, "USER_REVOKED")
    deactivated = ask.user_token()
    sim.clock.advance(61)
    sim.edit.deactivate(O)
    for token in (revoked, expired.text, deactivated, "no-such-token"):
        answer = await ask.get("record", token=token, accept=None)
        assert answer.status == 401
        assert answer.json == {"error": "invalid_token", "error_description": f"Invalid access token: {token}"}


async def test_12_06_an_outage_of_the_token_service_looks_the_same_to_everybody(ask: Asking) -> None:
    ask.sim.token_service.introspection_down = True
    assert (await ask.get("record")).json["error"] == "invalid_token"
    ask.sim.token_service.introspection_down = False
    assert (await ask.get("record")).status == 200


async def test_12_06_the_client_revokes_one_pair(ask: Asking, http: aiohttp.ClientSession) -> None:
    first, second = ask.user_token(), ask.user_token()
    form = {"client_id": OTHER_CLIENT_ID, "client_secret": OTHER_CLIENT_SECRET, "token": first}
    for client, secret, status in ((OTHER_CLIENT_ID, OTHER_CLIENT_SECRET, 200), (CLIENT_ID, CLIENT_SECRET, 401)):
        form |= {"client_id": client, "client_secret": secret}
        async with http.post(f"{ask.sim.web_url}/oauth/revoke", data=form) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        assert (await ask.get("record", token=first)).status == status
    assert (await ask.get("record", token=second)).status == 200


# 7: forms and addresses


async def test_12_07_xml_unless_json_and_nulls_are_written(ask: Asking) -> None:
    for accept in (None, "*/*"):
        answer = await ask.get("record", accept=accept)
        assert answer.headers["Content-Type"] == "application/xml;charset=UTF-8"
        assert b"<record:record xmlns:address=" in answer.body
    answer = await ask.get("record")
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert answer.json["person"]["biography"] is None
    assert not {"ETag", "Last-Modified"} & set(answer.headers)
    assert (await ask.get("record", accept="text/html")).status == 406


async def test_12a_nobody_may_store_an_answer(ask: Asking) -> None:
    expected = {"Cache-Control": "no-store", "Pragma": "no-cache", "Expires": "0", "X-Content-Type-Options": "nosniff"}
    for answer in (await ask.get("record"), await ask.get("work/1"), await ask.get("record", token="unknown")):
        assert {name: answer.headers.get(name) for name in expected} == expected


async def test_12a_error_9001_is_json_without_a_content_type(ask: Asking) -> None:
    for answer in (await ask("DELETE", f"/v3.0/{O}/record"), await ask.get("no-such-thing")):
        assert answer.json["error-code"] == 9001
        assert "Content-Type" not in answer.headers
    assert "Content-Type" in (await ask.get("work/1")).headers, "of other errors"


async def test_12a_no_token_is_forbidden(ask: Asking) -> None:
    answer = await ask.get("record", token=None)
    assert (answer.status, answer.json) == (403, {"error": "forbidden"})


@pytest.mark.parametrize("scopes", [["/webhook"], []])
async def test_12a_any_token_reads_what_is_public(ask: Asking, scopes: list[str]) -> None:
    token = ask.sim.token_service.issue(CLIENT_ID, scopes).text
    ask.sim.edit.add_item(O, "keyword", {"content": "shown"})
    ask.sim.edit.add_item(O, "keyword", {"content": "hidden"}, visibility="limited")
    answer = await ask.get("record", token=token)
    assert (answer.status, b"shown" in answer.body, b"hidden" in answer.body) == (200, True, False)


async def test_12_07_other_versions_are_redirected_and_plain_http_is_refused(ask: Asking) -> None:
    unversioned = await ask("GET", f"/{O}/record")
    assert (unversioned.status, unversioned.headers["Location"]) == (302, f"{ask.sim.url}/v3.0/{O}/record")
    assert (await ask("POST", f"/{O}/work")).status == 400
    candidate = await ask("GET", f"/v3.0_rc1/{O}/record")
    assert candidate.error == (308, 9056)
    assert candidate.headers["Location"] == f"{ask.sim.url}/v3.0/{O}/record"
    assert (await ask.get("record", X_Forwarded_Proto="http")).error == (400, 9012)


@pytest.mark.parametrize(
    "path", ["", "record", "person", "personal-details", "activities", "works", "email", "keywords"]
)
async def test_12_07_documents_are_parts_of_the_record(ask: Asking, path: str) -> None:
    ask.sim.edit.add_item(O, "work", {"title": "t"})
    record = (await ask.get("record")).json
    expected = {
        "person": record["person"],
        "activities": record["activities-summary"],
        "works": record["activities-summary"]["works"],
        "email": record["person"]["emails"],
        "keywords": record["person"]["keywords"],
    }
    answer = (await ask.get(path) if path else await ask("GET", f"/v3.0/{O}")).json
    assert answer == expected.get(path, answer)
    assert answer["path"].startswith(f"/{O}")


# 8: states


async def test_12_08_states_in_their_order(ask: Asking) -> None:
    edit, sim = ask.sim.edit, ask.sim
    assert (await ask("GET", f"/v3.0/{UNKNOWN}/record")).error == (404, 9016)
    assert (await ask("GET", "/v3.0/nonsense/record")).error == (404, 9016)
    assert (await ask("GET", f"/v3.0/{O}/nonsense")).error == (404, 9001)
    edit.deactivate(O)
    assert (await ask.get("record")).error == (409, 9044)
    edit.lock(O)
    assert (await ask.get("record")).error == (409, 9018)
    edit.unclaim(O)
    assert (await ask.get("record")).error == (409, 9036)
    edit.deprecate(O, OTHER)
    moved = await ask.get("record")
    assert moved.error == (301, 9007)
    assert moved.headers["Location"] == f"{sim.url}/v3.0/{OTHER}/record"
    assert OTHER in moved.json["developer-message"]


async def test_12_08_unclaimed_records_show_after_ten_days_and_to_their_maker(ask: Asking) -> None:
    ask.sim.edit.unclaim(O, creator=OTHER_CLIENT_ID)
    maker = ask.sim.token_service.issue(OTHER_CLIENT_ID, ["/read-public"]).text
    assert (await ask.get("record", token=maker)).status == 200
    assert (await ask.get("record")).error == (409, 9036)
    ask.sim.clock.advance(10 * DAY)
    assert (await ask.get("record")).status == 200
    ask.sim.edit.claim(O)
    assert (await ask.get("record")).json["history"]["claimed"] is True


async def test_12_08_deprecated_records_keep_their_tokens(ask: Asking) -> None:
    token = ask.user_token()
    ask.sim.edit.add_item(O, "email", {"email": "m@example.org"})
    ask.sim.edit.deprecate(O, OTHER)
    assert (await ask.get("record", token=token)).error == (301, 9007)
    primary = await ask("GET", f"/v3.0/{OTHER}/record")
    assert [email["email"] for email in primary.json["person"]["emails"]["email"]] == ["m@example.org"]
    assert (await ask("GET", f"/v3.0/{OTHER}/record", token=token)).error == (401, 9017)


async def test_12_08_public_bulk_reads_skip_the_test_of_the_state(ask: Asking) -> None:
    code = ask.sim.edit.add_item(O, "work", {"title": "t"})
    ask.sim.edit.lock(O)
    public = await ask("GET", f"/pub/v3.0/{O}/works/{code}", token=None)
    assert public.status == 200
    assert public.json["bulk"][0]["error"]["error-code"] == 9034
    assert (await ask("GET", f"/pub/v3.0/{O}/record", token=None)).error == (409, 9018)
    assert (await ask.get(f"works/{code}")).error == (409, 9018)


# 9: visibility


async def test_12_09_tokens_see_what_they_may(ask: Asking) -> None:
    for title, visibility, source in (
        ("public", "public", None),
        ("limited", "limited", None),
        ("private", "private", None),
        ("own", "private", CLIENT_ID),
    ):
        ask.sim.edit.add_item(O, "work", {"title": title}, visibility=visibility, source=source)

    async def titles(path: str, token: str | None) -> set[str]:
        groups = (await ask("GET", f"{path}/v3.0/{O}/works", token=token)).json["group"]
        return {group["work-summary"][0]["title"]["title"]["value"] for group in groups}

    assert await titles("/pub", None) == {"public"}
    assert await titles("/pub", ask.token) == {"public"}
    assert await titles("", ask.token) == {"public", "own"}
    assert await titles("", ask.user_token()) == {"public", "limited", "own"}
    assert await titles("", ask.user_token("/authenticate")) == {"public", "own"}
    foreign = ask.sim.token_service.issue(OTHER_CLIENT_ID, ["/read-public"]).text
    assert await titles("", foreign) == {"public"}


async def test_12_09_emails_and_names(ask: Asking) -> None:
    for email, visibility, verified in (("a", "public", True), ("b", "private", True), ("c", "public", False)):
        content = {"email": f"{email}@example.org", "verified": verified}
        ask.sim.edit.add_item(O, "email", content, visibility=visibility)

    async def emails(token: str | None) -> list[str]:
        found = (await ask.get("email", token=token)).json["email"]
        assert all(one["put-code"] is None and one["path"] is None for one in found)
        return [one["email"][0] for one in found]

    assert await emails(ask.token) == await emails(ask.user_token()) == ["a"]
    assert await emails(ask.user_token("/read-limited", "/email/read-private")) == ["a", "b"]
    ask.sim.edit.set_name(O, given_names="Max", visibility="limited")
    assert (await ask.get("person")).json["name"] is None
    named = (await ask.get("person", token=ask.user_token())).json["name"]
    assert (named["path"], named["source"], named["family-name"]) == (O, None, None)


@pytest.mark.parametrize(
    ("client", "scopes", "orcid", "error"),
    [
        (CLIENT_ID, ["/read-limited"], OTHER, (401, 9017)),
        (PUBLIC_CLIENT_ID, ["/read-public"], None, (401, 9017)),
    ],
)
async def test_12_09_tokens_that_do_not_read_this(
    ask: Asking, client: str, scopes: list[str], orcid: str | None, error: tuple[int, int]
) -> None:
    token = ask.sim.token_service.issue(client, scopes, orcid=orcid).text
    assert (await ask.get("record", token=token)).error == error


async def test_12_09_a_deactivated_client_reads_nothing(ask: Asking) -> None:
    ask.sim.token_service.clients[CLIENT_ID].deactivated = True
    assert (await ask.get("record")).error == (409, 9057)
