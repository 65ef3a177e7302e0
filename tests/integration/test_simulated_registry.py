"""The simulated Registry over HTTP, walked along the acceptance list of contract section 12.

The names of the tests carry its numbers.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import yarl
from aiohttp import web

from orcid_sync.simulator import (
    CLIENT_ID,
    CLIENT_SECRET,
    OTHER_CLIENT_ID,
    OTHER_CLIENT_SECRET,
    SimulatedRegistry,
    numbered_orcid,
    serve_simulator,
)
from orcid_sync.simulator.limits import DailyQuota, RateLimit
from orcid_sync.simulator.webhooks import Sending
from orcid_sync.simulator.world import PUBLIC_CLIENT_ID

O = numbered_orcid(4_000_001)  # noqa: E741 - the iD of the one record in most tests
OTHER = numbered_orcid(4_000_002)
UNKNOWN = numbered_orcid(4_000_003)
CALLBACK = "https://hub.example/hooks/a?b=c#d"
JSON = "application/json"
DAY = 86_400


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedRegistry]:
    async with SimulatedRegistry(start_ms=1_790_000_000_000) as registry:
        for orcid, name in ((O, "Max"), (OTHER, "Erika")):
            registry.edit.create_record(orcid, given_names=name, family_name="Mustermann")
        yield registry


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        session._retry_connection = False  # aiohttp repeats GET, PUT and DELETE by itself when a connection breaks
        yield session


class Reply:
    """An answer that was read to its end."""

    def __init__(self, answer: aiohttp.ClientResponse, body: bytes) -> None:
        self.status, self.headers, self.body = answer.status, answer.headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, int]:
        return self.status, self.json["error-code"]


class Asking:
    """A client of the simulated Registry that adds nothing of its own to a request."""

    def __init__(self, sim: SimulatedRegistry, http: aiohttp.ClientSession) -> None:
        self.sim, self.http = sim, http
        self.token: str | None = sim.desk.issue(CLIENT_ID, ["/read-public", "/webhook"]).text

    async def __call__(
        self, method: str, path: str, *, token: str | None = "", accept: str | None = JSON, **headers: str
    ) -> Reply:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if bearer := self.token if token == "" else token:
            sent["Authorization"] = f"Bearer {bearer}"
        if accept is not None:
            sent["Accept"] = accept
        address = yarl.URL(self.sim.url + path, encoded=True)
        skip = ("Accept", "Content-Type")
        async with self.http.request(
            method, address, headers=sent, allow_redirects=False, skip_auto_headers=skip
        ) as answer:
            return Reply(answer, await answer.read())

    async def get(self, path: str, **options: Any) -> Reply:
        return await self("GET", f"/v3.0/{O}/{path}", **options)

    async def hook(self, method: str, *, orcid: str = O, uri: str = CALLBACK, **options: Any) -> Reply:
        return await self(method, f"/{orcid}/webhook/{quote(uri, safe='')}", **options)

    def user_token(self, *scopes: str, orcid: str = O) -> str:
        return self.sim.desk.issue(CLIENT_ID, scopes or ("/read-limited",), orcid=orcid).text


@pytest.fixture
def ask(sim: SimulatedRegistry, http: aiohttp.ClientSession) -> Asking:
    return Asking(sim, http)


class Hub:
    """An endpoint for notifications that answers as it is told and remembers what came."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status: int | None = 204
        self.url = ""
        self.called = asyncio.Event()

    async def handle(self, request: web.Request) -> web.Response:
        self.calls.append((request.method, request.raw_path, dict(request.headers), await request.read()))
        self.called.set()
        if self.status is None:
            await asyncio.sleep(60)
        if self.status == 302:
            return web.Response(status=302, headers={"Location": self.url + "/elsewhere"})
        return web.Response(status=self.status or 200)


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    hub, app = Hub(), web.Application()
    app.router.add_route("*", "/{path:.*}", hub.handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield hub
    await runner.cleanup()


def registered(sim: SimulatedRegistry, hub: Hub, orcid: str = O) -> str:
    """Register a webhook of ours on an iD; its address."""
    uri = f"{hub.url}/hooks/{orcid}"
    assert sim.webhooks.put(orcid, quote(uri, safe=""), CLIENT_ID)
    return uri


# 1, 2: registrations


async def test_12_01_put_hook_created_then_unchanged_then_removed_then_gone(ask: Asking) -> None:
    created = await ask.hook("PUT")
    assert (created.status, created.body) == (201, b"")
    assert created.headers["Location"] == f"{ask.sim.url}/{O}/webhook/{quote(CALLBACK, safe='')}"
    again = await ask.hook("PUT")
    assert (again.status, again.body) == (204, b"")
    assert ask.sim.webhooks.of(O)[0].uri == CALLBACK
    assert (await ask.hook("DELETE")).status == 204
    assert (await ask.hook("DELETE")).error == (404, 9028)


async def test_12_01_a_foreign_hook_is_unchanged_by_put_and_safe_from_delete(ask: Asking) -> None:
    await ask.hook("PUT")
    foreign = ask.sim.desk.issue(OTHER_CLIENT_ID, ["/webhook"]).text
    assert (await ask.hook("PUT", token=foreign)).status == 204
    assert ask.sim.webhooks.of(O)[0].client_id == CLIENT_ID
    assert (await ask.hook("DELETE", token=foreign)).error == (403, 9014)


@pytest.mark.parametrize(
    ("orcid", "uri", "headers", "error"),
    [
        (UNKNOWN, CALLBACK, {}, (404, 9011)),
        (O, "https://hub.example/a b", {}, (400, 9012)),
        (O, CALLBACK, {"Content_Type": "application/octet-stream"}, (415, 9001)),
    ],
)
async def test_12_01_registrations_that_are_refused(
    ask: Asking, orcid: str, uri: str, headers: dict[str, str], error: tuple[int, int]
) -> None:
    assert (await ask.hook("PUT", orcid=orcid, uri=uri, **headers)).error == error


async def test_12_01_a_token_without_the_scope_registers_nothing(ask: Asking) -> None:
    reading = ask.sim.desk.issue(CLIENT_ID, ["/read-public"]).text
    assert (await ask.hook("PUT", token=reading)).error == (403, 9038)
    assert (await ask.hook("PUT", token=None)).json["error"] == "unauthorized"
    assert (await ask.hook("PUT", Content_Type=JSON)).status == 201


async def test_12_01_errors_are_xml_unless_json_is_accepted(ask: Asking) -> None:
    answer = await ask.hook("DELETE", accept=None)
    assert answer.status == 404
    assert b'<error:error xmlns:error="http://www.orcid.org/ns/error">' in answer.body
    assert b"<error-code>9028</error-code>" in answer.body


async def test_12_02_hooks_cannot_be_listed_and_have_no_version(ask: Asking) -> None:
    await ask.hook("PUT")
    assert (await ask.hook("GET")).status == 405
    assert (await ask("PUT", f"/v3.0/{O}/webhook/{quote(CALLBACK, safe='')}")).status == 404


@pytest.mark.parametrize("state", ["lock", "deactivate", "unclaim"])
async def test_12_02_the_records_state_does_not_matter_for_hooks(ask: Asking, state: str) -> None:
    getattr(ask.sim.edit, state)(O)
    assert (await ask.hook("PUT")).status == 201
    assert (await ask.hook("DELETE")).status == 204


# 3, 4, 5: delivery


async def test_12_03_a_change_goes_through_three_stages_to_an_empty_post(sim: SimulatedRegistry, hub: Hub) -> None:
    registered(sim, hub)
    assert await sim.run_delivery() == 0, "registration alone announces nothing"
    sim.edit.add_item(O, "keyword", {"content": "k"})
    assert sim.profiles[O].indexing_status == "PENDING"
    assert await sim.run_delivery() == 1
    assert sim.profiles[O].indexing_status == "DONE"
    method, path, headers, body = hub.calls[0]
    assert (method, path, body) == ("POST", f"/hooks/{O}", b"")
    assert headers.keys() == {"Host", "User-Agent", "Content-Length"}
    assert headers["Content-Length"] == "0"
    assert headers["User-Agent"].startswith("Java-http-client/17")
    assert await sim.run_delivery(after=DAY) == 0, "said once"


async def test_12_03_the_indexer_waits_between_two_changes_of_one_record(sim: SimulatedRegistry, hub: Hub) -> None:
    registered(sim, hub)
    for calls, after in ((1, 0), (0, 100), (1, 201)):
        sim.edit.add_item(O, "keyword", {"content": "k"})
        assert await sim.run_delivery(after=after) == calls


async def test_12_03_reindexed_records_do_not_wait(sim: SimulatedRegistry, hub: Hub) -> None:
    registered(sim, hub)
    sim.edit.set_locale(O, "de")
    assert await sim.run_delivery() == 1
    sim.edit.lock(O)
    assert await sim.run_delivery() == 1


@pytest.mark.parametrize(("status", "failures"), [(200, 0), (202, 0), (302, 1), (404, 1), (500, 1)])
async def test_12_03_only_2xx_is_success(sim: SimulatedRegistry, hub: Hub, status: int, failures: int) -> None:
    registered(sim, hub)
    hub.status = status
    sim.edit.set_locale(O, "de")
    assert await sim.run_delivery() == 1
    assert len(hub.calls) == 1, "redirects are not followed"
    assert sim.webhooks.of(O)[0].sending.failures == failures


async def test_12_03_a_change_in_the_very_moment_of_the_last_call_is_still_due(
    sim: SimulatedRegistry, hub: Hub
) -> None:
    registered(sim, hub)
    row = sim.webhooks.of(O)[0]
    moment = sim.clock.stamp()
    row.sending, row.profile_modified_ms = Sending(last_sent_ms=moment), moment
    assert await sim.world.delivery.run_hooks() == 1
    row.sending, row.profile_modified_ms = Sending(last_sent_ms=moment), moment - 1
    assert await sim.world.delivery.run_hooks() == 0


async def test_12_03_an_endpoint_that_says_nothing_has_failed(sim: SimulatedRegistry, hub: Hub) -> None:
    registered(sim, hub)
    sim.settings.timeout, hub.status = 0.05, None
    sim.edit.set_locale(O, "de")
    await sim.run_delivery()
    assert sim.webhooks.of(O)[0].sending.failures == 1
    assert sim.journal.notifications[-1].status is None


async def test_12_03_backoff_is_linear_and_death_is_silent(sim: SimulatedRegistry, hub: Hub) -> None:
    uri = registered(sim, hub)
    sim.settings.max_attempts, hub.status = 4, 500
    sim.edit.set_locale(O, "de")
    calls = [await sim.run_delivery()]
    calls += [await sim.run_delivery(after=wait) for wait in (599, 2, 1199, 2, 1799, 2, DAY)]
    assert calls == [1, 0, 1, 0, 1, 0, 1, 0]
    hub.status = 204
    sim.edit.set_locale(O, "fr")
    assert await sim.run_delivery(after=DAY) == 0, "a new change does not wake it"
    assert not sim.webhooks.put(O, quote(uri, safe=""), CLIENT_ID)
    assert await sim.run_delivery(after=DAY) == 0, "nor does a PUT"
    sim.webhooks.delete(O, quote(uri, safe=""), CLIENT_ID)
    registered(sim, hub)
    sim.edit.set_locale(O, "ja")
    assert await sim.run_delivery(after=DAY) == 1, "DELETE and PUT do"


async def test_12_03_calls_are_made_in_parallel_and_counted(sim: SimulatedRegistry, hub: Hub) -> None:
    orcids = [numbered_orcid(4_100_000 + number) for number in range(100)]
    for orcid in orcids:
        sim.edit.create_record(orcid)
        registered(sim, hub, orcid)
        sim.edit.set_locale(orcid, "de")
    assert await sim.run_delivery() == len(hub.calls) == 100
    assert {path for _, path, _, _ in hub.calls} == {f"/hooks/{orcid}" for orcid in orcids}


async def test_12_03_one_429_stalls_all_hooks_of_the_client_for_the_run(sim: SimulatedRegistry, hub: Hub) -> None:
    sim.settings.threads, hub.status = 1, 429
    for orcid in (O, OTHER):
        registered(sim, hub, orcid)
        sim.edit.set_locale(orcid, "de")
    assert await sim.run_delivery() == 1
    hub.status = 204
    assert await sim.run_delivery(after=601) == 2


async def test_12_03_a_change_before_the_answer_and_propagated_after_it_is_never_announced(
    sim: SimulatedRegistry, hub: Hub
) -> None:
    registered(sim, hub)
    sim.edit.set_locale(O, "de")
    sim.world.delivery.run_indexer()
    sim.edit.set_locale(O, "fr")  # t2: pending while the call is made
    assert await sim.world.delivery.run_hooks() == 1
    assert await sim.run_delivery(after=DAY) == 0
    assert sim.profiles[O].indexing_status == "DONE"


async def test_12_03_time_passes_with_the_jobs_at_their_periods(sim: SimulatedRegistry, hub: Hub) -> None:
    registered(sim, hub)
    hub.status = 500
    sim.edit.set_locale(O, "de")
    assert await sim.advance(3 * 3600) == 6, "0, 10, 30, 60, 100, 150 minutes and what the period of the job adds"
    before = sim.clock.now_ms()
    await sim.advance(10)
    assert sim.clock.now_ms() == pytest.approx(before + 10_000, abs=5)


@pytest.mark.parametrize(
    ("deed", "announced", "dated"),
    [
        (lambda sim, _: sim.edit.add_item(O, "email", {"email": "p@example.org"}, visibility="private"), 1, True),
        (lambda sim, work: sim.edit.set_visibility(O, "work", work, "private"), 1, True),
        (lambda sim, _: sim.edit.set_locale(O, "de"), 1, True),
        (lambda sim, _: sim.edit.lock(O), 1, True),
        (lambda sim, _: sim.profiles.reindex(O), 1, False),
        (lambda sim, work: sim.edit.set_display_index(O, "work", work, 7), 0, True),
        (lambda sim, _: sim.edit.change_settings(O), 0, True),
        (lambda sim, _: sim.desk.disable(O, "USER_REVOKED"), 0, False),
        (lambda sim, _: sim.edit.rename_client(CLIENT_ID, "x"), 0, False),
        (lambda sim, work: sim.edit.recurate_item(O, "work", work, {"url": "https://example.org/x"}), 0, False),
    ],
)
async def test_12_04_what_fires_and_what_moves_the_date(
    sim: SimulatedRegistry,
    hub: Hub,
    deed: Any,
    announced: int,
    dated: bool,  # noqa: FBT001 - a table's column
) -> None:
    work = sim.edit.add_item(O, "work", {"title": "t"})
    await sim.run_delivery()
    sim.clock.advance(DAY)
    registered(sim, hub)
    if deed.__code__.co_names[1:2] == ("reindex",):
        sim.edit.set_locale(O, "en")
        await sim.run_delivery()
        hub.calls.clear()
        sim.webhooks.of(O)[0].sending = Sending()
    before = sim.profiles.state(O).modified_ms
    deed(sim, work)
    assert await sim.run_delivery(after=DAY) == announced
    assert (sim.profiles.state(O).modified_ms > before) == dated


async def test_12_05_replica_lag_calls_twice(sim: SimulatedRegistry, hub: Hub) -> None:
    registered(sim, hub)
    sim.settings.replica_lag, sim.settings.iterations = 60, 2
    sim.edit.set_locale(O, "de")
    assert await sim.run_delivery() == 2


@pytest.mark.parametrize(
    ("kind", "options", "calls_now", "calls_later"),
    [
        ("duplicate", {"times": 3}, 3, 0),
        ("lost", {}, 0, 0),
        ("delayed", {"seconds": 7200}, 0, 1),
        ("lost-answer", {}, 1, 1),
    ],
)
async def test_12_05_notifications_go_astray(
    sim: SimulatedRegistry, hub: Hub, kind: str, options: dict[str, Any], calls_now: int, calls_later: int
) -> None:
    registered(sim, hub)
    sim.faults.add(kind, "notification", count=1, **options)
    sim.edit.set_locale(O, "de")
    await sim.run_delivery()
    assert len(hub.calls) == calls_now
    await sim.run_delivery(after=3600)
    await sim.run_delivery(after=3601)
    assert len(hub.calls) == calls_now + calls_later
    assert sim.faults.fired[kind] == 1


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
    revoked, expired, deactivated = ask.user_token(), sim.desk.issue(CLIENT_ID, ["/read-public"], seconds=60), None
    sim.desk.disable(O, "USER_REVOKED")
    deactivated = ask.user_token()
    sim.clock.advance(61)
    sim.edit.deactivate(O)
    for token in (revoked, expired.text, deactivated, "no-such-token"):
        answer = await ask.get("record", token=token, accept=None)
        assert answer.status == 401
        assert answer.json == {"error": "invalid_token", "error_description": f"Invalid access token: {token}"}


async def test_12_06_an_outage_of_the_token_service_looks_the_same_to_everybody(ask: Asking) -> None:
    ask.sim.desk.introspection_down = True
    assert (await ask.get("record")).json["error"] == "invalid_token"
    ask.sim.desk.introspection_down = False
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
        assert b"<record:record xmlns:record=" in answer.body
    answer = await ask.get("record")
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert answer.json["person"]["biography"] is None
    assert not {"ETag", "Last-Modified", "Cache-Control"} & set(answer.headers)
    assert (await ask.get("record", accept="text/html")).status == 406


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
    maker = ask.sim.desk.issue(OTHER_CLIENT_ID, ["/read-public"]).text
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
    foreign = ask.sim.desk.issue(OTHER_CLIENT_ID, ["/read-public"]).text
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
        (CLIENT_ID, ["/webhook"], None, (403, 9038)),
    ],
)
async def test_12_09_tokens_that_do_not_read_this(
    ask: Asking, client: str, scopes: list[str], orcid: str | None, error: tuple[int, int]
) -> None:
    token = ask.sim.desk.issue(client, scopes, orcid=orcid).text
    assert (await ask.get("record", token=token)).error == error


async def test_12_09_a_deactivated_client_reads_nothing(ask: Asking) -> None:
    ask.sim.desk.clients[CLIENT_ID].deactivated = True
    assert (await ask.get("record")).error == (409, 9057)


# 10, 11: items


async def test_12_10_full_items_and_their_summaries(ask: Asking) -> None:
    edit = ask.sim.edit
    work = edit.add_item(O, "work", {"title": "t", "short-description": "s"}, display_index=3)
    full, summary = (await ask.get(f"work/{work}")).json, (await ask.get(f"work/summary/{work}")).json
    assert "display-index" not in full
    assert full["short-description"] == "s"
    assert summary["display-index"] == "3"
    resource = edit.add_item(
        O, "research-resource", {"proposal": {"title": "p"}, "resource-item": [{"resource-name": "r"}]}
    )
    assert (await ask.get(f"research-resource/{resource}")).json["resource-item"][0]["resource-name"] == "r"
    review = edit.add_item(O, "peer-review", {"review-group-id": "issn:1", "review-completion-date": "2020"})
    assert (await ask.get(f"peer-review/{review}")).json["review-completion-date"]["year"] == {"value": "2020"}
    assert (await ask.get(f"peer-review/summary/{review}")).json["completion-date"]["year"] == {"value": "2020"}
    keyword = edit.add_item(O, "keyword", {"content": "k"}, display_index=2)
    assert (await ask.get(f"keywords/{keyword}")).json["display-index"] == 2


async def test_12_10_reads_of_single_items_that_fail(ask: Asking) -> None:
    job = ask.sim.edit.add_item(O, "employment", {"role-title": "r"})
    hidden = ask.sim.edit.add_item(O, "work", {"title": "t"}, visibility="private")
    limited = ask.sim.edit.add_item(O, "work", {"title": "t"}, visibility="limited")
    for path, error in (
        (f"education/{job}", (400, 9006)),
        ("employment/999999", (404, 9016)),
        ("employment/abc", (400, 9034)),
        (f"work/{hidden}", (403, 9013)),
        (f"work/{limited}", (403, 9038)),
        ("biography", (404, 9041)),
    ):
        assert (await ask.get(path)).error == error, path
    assert (await ask("GET", f"/pub/v3.0/{O}/work/{hidden}", token=None)).error == (403, 9039)
    assert (await ask("GET", f"/pub/v3.0/{O}/work/abc", token=None)).status == 404


async def test_12_11_bulk_works_have_an_order_of_their_own_and_name_what_is_missing_last(ask: Asking) -> None:
    codes = [ask.sim.edit.add_item(O, "work", {"title": str(number)}) for number in range(60)]
    hidden = ask.sim.edit.add_item(O, "work", {"title": "hidden"}, visibility="private")
    asked = [999_999, *codes, hidden]
    answer = await ask.get("works/" + ",".join(map(str, asked)))
    assert answer.status == 200
    bulk = answer.json["bulk"]
    returned = [entry["work"]["put-code"] for entry in bulk if "work" in entry]
    assert sorted(returned) == codes
    assert returned != codes
    errors = [entry["error"] for entry in bulk if "error" in entry]
    assert [error["error-code"] for error in errors] == [9013, 9034]
    assert bulk[-1]["error"]["error-code"] == 9034
    assert "999999" in bulk[-1]["error"]["developer-message"]
    assert str(hidden) not in json.dumps(errors)


async def test_12_11_bulk_works_repeated_too_many_or_no_numbers(ask: Asking) -> None:
    code = ask.sim.edit.add_item(O, "work", {"title": "t"})
    repeated = (await ask.get(f"works/{code},{code}")).json["bulk"]
    assert [next(iter(entry)) for entry in repeated] == ["work", "error"]
    assert (await ask.get("works/" + ",".join(map(str, range(1, 102))))).error == (400, 9042)
    assert (await ask.get("works/1,x")).error == (400, 9006)


# 12, 13: dates and stale reads


async def test_12_12_the_records_date_moves_for_invisible_reasons_only_for_the_record(ask: Asking) -> None:
    before = (await ask.get("record")).json
    ask.sim.edit.change_settings(O)
    ask.sim.edit.add_item(O, "keyword", {"content": "hidden"}, visibility="private")
    after = (await ask.get("record")).json
    assert after.pop("history")["last-modified-date"] != before.pop("history")["last-modified-date"]
    assert after == before


async def test_12_12_sources_and_organisations_drift_without_any_date(ask: Asking) -> None:
    code = ask.sim.edit.add_item(O, "employment", {"organization": ("Old Name",)}, source=CLIENT_ID)
    before = await ask.get("record")
    ask.sim.edit.rename_client(CLIENT_ID, "Renamed University")
    renamed = await ask.get("record")
    assert renamed.body == before.body.replace(b"Simulated University", b"Renamed University") != before.body
    ask.sim.edit.recurate_item(O, "employment", code, {"organization": ("New Name",)})
    assert (await ask.get("record")).body == renamed.body.replace(b"Old Name", b"New Name") != renamed.body


async def test_12_13_a_further_change_gives_the_cache_a_new_key(ask: Asking) -> None:
    ask.sim.faults.add("stale", "works", seconds=300, sections=["work"])
    ask.sim.clock.advance(3600)
    ask.sim.edit.add_item(O, "work", {"title": "first"})
    assert b"first" not in (await ask.get("works")).body
    ask.sim.clock.advance(301)
    assert b"first" not in (await ask.get("works")).body
    ask.sim.edit.add_item(O, "work", {"title": "second"})
    works = (await ask.get("works")).body
    assert b"first" in works, "the replica has caught up with the first change"
    assert b"second" not in works


async def test_12_13_stale_content_under_a_new_date_lives_as_long_as_it_is_polled(ask: Asking) -> None:
    ask.sim.faults.add("stale", "record", seconds=300, sections=["work"])
    ask.sim.clock.advance(3600)
    code = ask.sim.edit.add_item(O, "work", {"title": "t"})

    async def fresh() -> bool:
        record = (await ask.get("record")).json
        assert record["history"]["last-modified-date"]["value"] == ask.sim.profiles.state(O).modified_ms
        return str(code) in json.dumps(record["activities-summary"]["works"])

    for _ in range(5):
        assert not await fresh()
        ask.sim.clock.advance(14 * 60)
    ask.sim.clock.advance(60)
    assert await fresh(), "after 15 minutes in which nobody asked"


# 14: limits


async def test_12_14_the_rate_limit_queues_then_answers_a_page(ask: Asking) -> None:
    ask.sim.world.rate_limit = RateLimit(rate=500, queue=20)
    replies = await asyncio.gather(*(ask.get("record") for _ in range(60)))
    refused = [reply for reply in replies if reply.status == 503]
    assert {reply.status for reply in replies} == {200, 503}
    assert refused[0].headers["Content-Type"] == "text/html"
    assert b"<html>" in refused[0].body


async def test_12_14_the_daily_quota_of_anonymous_readers_is_plain_text(ask: Asking) -> None:
    ask.sim.world.quota = DailyQuota(limit=1)
    path = f"/pub/v3.0/{O}/record"
    statuses = [(await ask("GET", path, token=None)).status for _ in range(2)]
    assert statuses == [200, 429]
    refused = await ask("GET", path, token=None)
    assert refused.headers["Content-Type"].startswith("text/plain")
    assert (await ask("GET", path)).status == 200, "a known client is never blocked"
    assert (await ask("GET", path, token=None, X_Forwarded_For="192.0.2.9, 198.51.100.1")).status == 200


# Faults of requests, and the control over HTTP


@pytest.mark.parametrize(
    ("kind", "options", "status", "body"),
    [
        ("delay", {"seconds": 0.01}, 200, b"orcid-identifier"),
        ("slow-drip", {"seconds": 0.01}, 200, b"orcid-identifier"),
        ("error", {"status": 429}, 429, b"Too Many"),
        ("error", {"status": 500}, 500, b"9008"),
        ("error", {"status": 500, "html": True}, 500, b"<html>"),
        ("error", {"status": 502}, 502, b"<html>"),
        ("error", {"status": 503}, 503, b"<html>"),
        ("error", {"status": 504}, 504, b"<html>"),
        ("html", {}, 200, b"<html>"),
        ("truncated", {}, 200, b"orcid-identifier"),
        ("wrong-shape", {}, 200, b"unexpected"),
        ("wrong-record", {}, 200, OTHER.encode()),
        ("reset", {}, None, b""),
        ("lost-answer", {}, None, b""),
        ("timeout", {"seconds": 0.01}, None, b""),
        ("wrong-length", {}, None, b""),
    ],
)
async def test_faults_of_requests(
    ask: Asking, kind: str, options: dict[str, Any], status: int | None, body: bytes
) -> None:
    ask.sim.faults.add(kind, "record", count=1, **options)
    if status is None:
        with pytest.raises(aiohttp.ClientError):
            await ask.get("record")
    else:
        answer = await ask.get("record")
        assert answer.status == status
        assert body in answer.body
        if kind == "truncated":
            with pytest.raises(json.JSONDecodeError):
                answer.json  # noqa: B018 - reading it is the test
    assert ask.sim.faults.fired[kind] == 1
    healed = await ask.get("record")
    assert healed.json["orcid-identifier"]["path"] == O
    assert [request.faults for request in ask.sim.journal.reads_of(O)] == [(kind,), ()]


async def test_a_lost_answer_has_done_what_was_asked(ask: Asking) -> None:
    ask.sim.faults.add("lost-answer", "webhook-put", count=1)
    with pytest.raises(aiohttp.ClientError):
        await ask.hook("PUT")
    assert (await ask.hook("PUT")).status == 204


async def test_everything_can_be_controlled_over_http(ask: Asking, hub: Hub) -> None:
    async def control(method: str, path: str, **body: Any) -> Any:
        async with ask.http.request(method, f"{ask.sim.url}/_sim/{path}", json=body or None) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    orcid = numbered_orcid(4_000_009)
    await control("POST", "records", orcid=orcid, works=3)
    assert orcid in await control("GET", "records")
    added = await control(
        "POST", "edit/add_item", orcid=orcid, section="work", content={"title": "t"}, source=CLIENT_ID
    )
    await control(
        "POST", "edit/set_visibility", orcid=orcid, section="work", put_code=added["result"], visibility="private"
    )
    token = (await control("POST", "tokens", client_id=CLIENT_ID, scopes=["/read-limited"], orcid=orcid))[
        "access_token"
    ]
    view = await control("GET", f"view/{orcid}?token={token}")
    assert len(view["activities-summary"]["works"]["group"]) >= 2
    registered(ask.sim, hub, orcid)
    await control("POST", "edit/set_locale", orcid=orcid, locale="de")
    await control("POST", "faults", kind="duplicate", endpoint="notification", count=1)
    assert (await control("POST", "deliver"))["calls"] == 2
    assert (await control("GET", "faults"))["fired"] == {"duplicate": 1}
    notifications = await control("GET", f"notifications?orcid={orcid}")
    assert [one["success"] for one in notifications] == [True, True]
    assert (await control("GET", f"webhooks?orcid={orcid}"))[0]["sending"]["failures"] == 0
    assert len(await control("GET", f"history/{orcid}")) == 4
    first = await control("GET", f"view/{orcid}?token={token}&version=0")
    assert len(first["activities-summary"]["works"]["group"]) < len(view["activities-summary"]["works"]["group"])
    assert (await control("POST", "clock/advance", seconds=3600))["calls"] == 0
    await control("POST", "switches", max_attempts=3, introspection_down=True)
    assert ask.sim.settings.max_attempts == 3
    assert (await ask.get("record")).status == 401
    assert (await control("GET", "requests"))[-1]["status"] == 401
    assert (await control("POST", "tokens/revoke", orcid=orcid))["revoked"] == 1
    assert len(await control("POST", "random-edits", count=5, seed=1)) == 5


async def test_texts_that_postgresql_refuses_can_be_served(ask: Asking) -> None:
    text = "nul \x00 and half a pair \ud800"
    body = json.dumps({"orcid": O, "section": "work", "content": {"title": text}})
    async with ask.http.post(f"{ask.sim.url}/_sim/edit/add_item", data=body) as answer:
        code = (await answer.json())["result"]
    assert (await ask.get(f"work/{code}")).json["title"]["title"]["value"] == text
    assert b"half a pair" in (await ask.get(f"work/{code}", accept=None)).body


async def test_control_says_what_was_wrong(ask: Asking) -> None:
    for path, body in (("edit/explode", {}), ("edit/lock", {"orcid": UNKNOWN}), ("faults", {"kind": "nonsense"})):
        async with ask.http.post(f"{ask.sim.url}/_sim/{path}", json=body) as answer:
            assert answer.status == 400
            assert (await answer.json())["error"]


async def test_jobs_run_in_the_background_as_time_passes(hub: Hub) -> None:
    sim = SimulatedRegistry(speed=1000)
    sim.settings.indexer_period = sim.settings.hook_period = 1
    await sim.start(deliver=True)
    try:
        sim.edit.create_record(O)
        registered(sim, hub)
        sim.edit.set_locale(O, "de")
        async with asyncio.timeout(5):
            await hub.called.wait()
    finally:
        await sim.stop()


async def test_a_simulation_edits_its_records_until_it_is_cancelled() -> None:
    started: asyncio.Future[SimulatedRegistry] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve_simulator(port=0, records=5, edits_per_minute=60_000, limited=False, ready=started.set_result)
    )
    sim = await started
    async with asyncio.timeout(5):
        while sum(sim.profiles.state(orcid).version for orcid in sim.profiles) < 20:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving


async def test_it_runs_as_a_process_of_its_own(http: aiohttp.ClientSession) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orcid_sync.simulator", "--port", "0", "--records", "3"), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        line = (await process.stdout.readline()).decode()
        address = next(word for word in line.split() if word.startswith("http://"))
        async with http.get(f"{address}/_sim/records") as answer:
            assert len(await answer.json()) == 3
    finally:
        process.terminate()
        await process.wait()
