"""What people try who were not asked: forged and stolen states, codes of others, addresses, forms, names, sizes."""

import asyncio
import hmac
import logging
import re
import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from connect_rig import ERIKA, MAX, STRANGER, Asking, Seen, asking_service, browser, query_of
from intake_rig import exchange, request, status_of

from orcid_sync.service.consent import signed_tokens as tickets_module

pytest_plugins = ("connect_rig",)

OVER = "This step is over"


async def callback(asking: Asking, **query: str) -> str:
    text = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    return f"{asking.url}/oauth/callback?{text}"


@pytest.mark.fault("F69")
@pytest.mark.invariant("S15", "S18")
@pytest.mark.parametrize("state", ["", "forged", "A" * 43, "A" * 5_000, "\u0661" * 43, "A" * 42 + "\n", None])
async def test_a_forged_state_leads_nowhere(asking: Asking, state: str | None) -> None:
    await asking.browser.press(await asking.invite())
    query = {"code": "abc123"} | ({} if state is None else {"state": state})

    answer = await asking.browser.get(await callback(asking, **query))

    if len(state or "") > 1_000:
        assert answer.status == 400, "longer than any address of ours"
    else:
        assert (answer.status, answer.location) == (303, f"{asking.url}/oauth/over")
        assert (await asking.browser.get(answer.location)).title == OVER
    assert asking.exchanges() == []
    assert await asking.nothing_happened()


@pytest.mark.fault("F69")
@pytest.mark.invariant("S18")
async def test_a_state_belongs_to_the_browser_that_began(asking: Asking) -> None:
    back = await asking.browser.decide(await asking.browser.press(await asking.invite()), ERIKA)

    async with browser() as stranger:
        assert (await stranger.follow(back)).title == OVER
        stranger.http.cookie_jar.update_cookies({"orcid-sync-browser": secrets.token_urlsafe(32)})
        assert (await stranger.follow(back)).title == OVER

    assert (await asking.browser.follow(back)).title == OVER, "a wrong browser has used it up"
    assert asking.exchanges() == []
    assert await asking.nothing_happened()


@pytest.mark.fault("F69", "F70")
async def test_a_state_is_good_for_ten_minutes_and_once(asking: Asking) -> None:
    link = await asking.invite()
    late = await asking.browser.decide(await asking.browser.press(link), ERIKA)
    await asking.connection.execute("update orcid_sync.consent_flows set began_at = now() - interval '601 seconds'")
    assert (await asking.browser.follow(late)).title == OVER
    assert asking.exchanges() == []

    back = await asking.browser.decide(await asking.browser.press(link), ERIKA)
    assert (await asking.browser.follow(back)).status == 200
    reloaded = await asking.browser.follow(back)
    assert reloaded.title == OVER
    assert f'href="{asking.url}/connected"' in reloaded.text, "whoever goes back in the history finds the way out"
    assert asking.exchanges() == [200]
    assert [token.disabled for token in asking.tokens(ERIKA)] == [None]


@pytest.mark.fault("F70")
@pytest.mark.invariant("S18")
async def test_two_returns_at_once_exchange_the_code_once(asking: Asking) -> None:
    back = await asking.browser.decide(await asking.browser.press(await asking.invite()), ERIKA)

    answers = await asyncio.gather(*(asking.browser.get(back) for _ in range(8)))

    leading = sorted(urlsplit(answer.location).path for answer in answers)
    assert leading == ["/connected"] + ["/oauth/over"] * 7
    assert asking.exchanges() == [200]
    assert [token.disabled for token in asking.tokens(ERIKA)] == [None]


async def all_at_once(asking: Asking, wait_until: Any, returns: list[Awaitable[Seen]]) -> list[Seen]:
    """Let them come back together: each waits for a lock before the first may go on."""
    waiting = "select count(*) from pg_locks where not granted and pid <> pg_backend_pid()"
    async with asking.connection.transaction():
        await asking.connection.execute("lock table orcid_sync.invitations in exclusive mode")
        pages = asyncio.gather(*returns)
        await wait_until(lambda: asking.connection.fetchval(f"select ({waiting}) >= $1", len(returns)))
    return await pages


@pytest.mark.fault("F64")
async def test_two_grants_of_one_id_at_once_bind_one_person(asking: Asking, wait_until: Any) -> None:
    links = [await asking.invite(f"p{number}") for number in range(3)]
    async with browser() as one, browser() as two, browser() as three:
        browsers = [one, two, three]
        backs = [
            await opened.decide(await opened.press(link), ERIKA) for opened, link in zip(browsers, links, strict=True)
        ]
        returns = [opened.get(back) for opened, back in zip(browsers, backs, strict=True)]
        answers = await all_at_once(asking, wait_until, returns)

    ends = sorted(urlsplit(answer.location).path.rpartition("/")[2] for answer in answers)
    assert ends == ["connected", "taken", "taken"]
    bound = "select count(*) from orcid_sync.invitations where granted_orcid is not null"
    assert await asking.connection.fetchval(bound) == 1
    assert await asking.connection.fetchval("select count(*) from orcid_sync.tokens") == 1
    assert await asking.connection.fetchval("select count(*) from orcid_sync.retired_tokens") == 2


@pytest.mark.fault("F64")
async def test_two_ids_for_one_invitation_at_once_bind_one(asking: Asking, wait_until: Any) -> None:
    link = await asking.invite()
    async with browser() as one, browser() as two:
        backs = [await one.decide(await one.press(link), ERIKA), await two.decide(await two.press(link), MAX)]
        answers = await all_at_once(asking, wait_until, [one.get(backs[0]), two.get(backs[1])])

    ends = sorted(urlsplit(answer.location).path.rpartition("/")[2] for answer in answers)
    assert ends == ["connected", "used"]
    [token] = await asking.connection.fetch("select orcid from orcid_sync.tokens")
    assert (await asking.invitation())["granted_orcid"] == token["orcid"]


@pytest.mark.fault("F70", "F71")
@pytest.mark.invariant("S18")
async def test_codes_of_others_connect_nobody_but_their_holder(asking: Asking) -> None:
    """A code that was caught elsewhere, with a state of one's own: of an invitation that expects somebody."""
    link = await asking.invite("p1", orcid=ERIKA)
    async with browser() as stranger:
        theirs = await stranger.decide(await stranger.press(await asking.invite("p2")), STRANGER)
    mine = await asking.browser.press(link)
    stolen = await callback(asking, code=query_of(theirs)["code"], state=query_of(mine)["state"])

    page = await asking.browser.follow(stolen + f"&orcid={ERIKA}&name=Erika")

    assert page.title == "This is another ORCID iD than expected"
    assert await asking.connection.fetchval("select count(*) from orcid_sync.tokens") == 0
    assert (await asking.invitation("p1"))["granted_orcid"] is None


@pytest.mark.fault("F70")
async def test_a_code_that_was_used_is_not_sent_again_by_us(asking: Asking) -> None:
    link = await asking.invite()
    back = await asking.browser.decide(await asking.browser.press(link), ERIKA)
    await asking.browser.follow(back)
    state = query_of(await asking.browser.press(link))["state"]

    page = await asking.browser.follow(await callback(asking, code=query_of(back)["code"], state=state))

    # Only whoever holds a fresh state of an invitation can make us send a code, and only one.
    assert page.title == "ORCID has ended the sign-in"
    assert asking.exchanges() == [200, 400]


TAMPERED: list[tuple[str, Callable[[str], str]]] = [
    ("another number", lambda token: "2" + token[1:]),
    ("a later end", lambda token: re.sub(r"\.(\d)", r".9", token, count=1)),
    ("another signature", lambda token: token[:-1] + ("A" if token[-1] != "A" else "E")),
    ("no signature", lambda token: token.rpartition(".")[0]),
    ("cut", lambda token: token[:-5]),
    ("longer", lambda token: token + "A"),
    ("a leading zero", lambda token: "0" + token),
    ("nothing but a name", lambda _: "admin"),
]


@pytest.mark.invariant("S15")
@pytest.mark.parametrize(("how", "change"), TAMPERED, ids=[how for how, _ in TAMPERED])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_tampered_invitation_is_not_followed(
    asking: Asking, how: str, change: Callable[[str], str], method: str
) -> None:
    link = await asking.invite()
    base, _, token = link.rpartition("/")
    used = "select pg_stat_clear_snapshot(), xact_commit from pg_stat_database where datname = current_database()"
    await asking.connection.execute("select pg_stat_force_next_flush()")
    before = (await asking.connection.fetchrow(used))["xact_commit"]

    answers = [await asking.browser.send(method, f"{base}/{change(token)}") for _ in range(20)]
    answers.append(await asking.browser.send(method, f"{base}/{change(token)}/denied"))

    assert {answer.status for answer in answers} == {404}
    assert {answer.title for answer in answers[:-1]} == {"This link is not complete"}
    assert await asking.connection.fetchval("select opened_at from orcid_sync.invitations") is None
    await asking.connection.execute("select pg_stat_force_next_flush()")
    assert (await asking.connection.fetchrow(used))["xact_commit"] - before < 15, "the database was not asked"


async def test_an_invitation_of_another_environment_is_none(asking: Asking) -> None:
    from orcid_sync.service.consent.signed_tokens import Link, Tickets
    from orcid_sync.store.database.encryption import Vault

    await asking.invite()
    elsewhere = Tickets(Vault(asking.settings.key_ring).derive, "production").invitation(Link(1, 9_999_999_999))

    assert (await asking.browser.get(f"{asking.url}/connect/{elsewhere}")).status == 404


async def test_signatures_are_compared_in_constant_time(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []

    def compare_digest(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    monkeypatch.setattr(
        tickets_module, "hmac", type("Hmac", (), {"compare_digest": compare_digest, "digest": hmac.digest})
    )
    link = await asking.invite()

    await asking.browser.get(link)
    await asking.browser.get(link[:-1] + ("A" if link[-1] != "A" else "E"))

    assert [one == other for one, other in compared] == [True, False]
    assert {len(one) for pair in compared for one in pair} == {43}


@pytest.mark.fault("F73", "F96")
async def test_nothing_that_a_request_says_decides_where_we_lead(asking: Asking) -> None:
    evil = "https://evil.example"
    hostile = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Referer": evil, "Forwarded": "host=evil"}
    link = await asking.invite()
    orcid = asking.registry.web_url

    address = await asking.browser.press(f"{link}?next={evil}&redirect_uri={evil}&return_to={evil}", headers=hostile)
    back = await asking.browser.decide(address, ERIKA)
    returned = await asking.browser.get(f"{back}&next={evil}&redirect_uri={evil}", headers=hostile)
    assert address.startswith(f"{orcid}/oauth/authorize?")
    assert query_of(address)["redirect_uri"] == f"{asking.url}/oauth/callback"
    assert returned.location == f"{asking.url}/connected"
    page = await asking.browser.get(returned.location)
    assert "evil" not in address + page.text


MARKUP = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7 * 7 }}{institution}"


@pytest.mark.fault("F72")
async def test_names_stay_text(asking: Asking) -> None:
    asking.registry.edit.set_name(ERIKA, given_names=MARKUP, family_name=MARKUP)
    link = await asking.invite(given_names=MARKUP, family_names=MARKUP, email=f"{MARKUP}@x", lang="en")

    welcome, page = await asking.browser.get(link), await asking.browser.connect(link, ERIKA)

    for seen in (welcome, page):
        assert "<script" not in seen.text
        assert "<img" not in seen.text
        assert "&lt;script&gt;alert(1)" in seen.text
        assert "{{ 7 * 7 }}{institution}" in seen.text, "neither a template nor a text with braces"
    assert page.title == "Your ORCID iD is connected"


@pytest.mark.fault("F72", "F93")
@pytest.mark.parametrize(
    "query",
    [
        "error=<script>&error_description=<script>",
        "error=access_denied%00&error_description=" + "x" * 2_000,
        "error=" + "x" * 3_000,
        "code=" + "x" * 3_000,
        "code=",
        "code=a%20b",
        "code=a%0D%0ASet-Cookie:x=1",
        "code=one&code=two",
        "&".join(f"x{number}=1" for number in range(100)),
        "code=%ff%fe",
    ],
)
async def test_odd_answers_of_orcid_are_neither_shown_nor_sent_on(asking: Asking, query: str) -> None:
    state = query_of(await asking.browser.press(await asking.invite()))["state"]

    returned = await asking.browser.get(f"{asking.url}/oauth/callback?state={state}&{query}")
    page = await asking.browser.get(returned.location)

    assert returned.status == 303
    assert page.title in {"ORCID has ended the sign-in", OVER}
    assert not any(sign in page.text for sign in ("<script>", "&lt;script", "xxxx", "one"[:0] or "Set-Cookie"))
    assert asking.exchanges() == []
    assert await asking.nothing_happened()


async def connected(asking: Asking) -> Seen:
    return await asking.browser.connect(await asking.invite(), ERIKA)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"guard": ""},
        {"guard": "A" * 43},
        {"guard": "\u0661" * 43},
    ],
)
async def test_only_the_page_itself_can_end_the_connection(asking: Asking, form: dict[str, str]) -> None:
    await connected(asking)

    answer = await asking.browser.send("POST", f"{asking.url}/connected", data={"choice": "erase", **form})

    assert (answer.status, answer.title) == (403, "Please sign in again")
    assert await asking.connection.fetchval("select state from orcid_sync.connections") == "connected"


async def test_a_guard_belongs_to_its_session(asking: Asking) -> None:
    page = await connected(asking)
    async with browser() as other:
        theirs = await other.connect(await asking.invite("p2"), MAX)
        form = {"choice": "erase", **page.fields}
        answer = await other.send("POST", f"{asking.url}/connected", data=form)

    assert theirs.fields != page.fields
    assert answer.status == 403
    states = await asking.connection.fetch("select state from orcid_sync.connections")
    assert [row["state"] for row in states] == ["connected"] * 2


@pytest.mark.parametrize("choice", [None, "", "everything", "freeze&choice=erase"])
async def test_without_a_choice_nothing_is_ended(asking: Asking, choice: str | None) -> None:
    page = await connected(asking)
    body = f"guard={page.fields['guard']}" + (f"&choice={choice}" if choice is not None else "")

    answer = await asking.browser.send("POST", f"{asking.url}/connected", data=body)

    assert answer.status in {303, 403}
    assert await asking.connection.fetchval("select state from orcid_sync.connections") == "connected"


@pytest.mark.parametrize("cookie", ["", "x", f"1.{ERIKA}.9999999999." + "A" * 43, f"1.{STRANGER}.1.", "\u0661"])
async def test_a_forged_session_shows_nothing(asking: Asking, cookie: str) -> None:
    await connected(asking)
    async with browser() as stranger:
        headers = {"Cookie": f"orcid-sync-session={cookie}"}
        page = await stranger.get(f"{asking.url}/connected", headers=headers)

    assert (page.status, page.title) == (403, "Please sign in again")
    assert ERIKA not in page.text


async def test_a_session_ends_after_half_an_hour(asking: Asking) -> None:
    from datetime import UTC, datetime

    from orcid_sync.service.consent.signed_tokens import Session

    await connected(asking)
    now = int(datetime.now(UTC).timestamp())
    for ends, status in ((now + 60, 200), (now - 1, 403)):
        session = asking.tickets.session(Session(1, ERIKA, ends))
        async with browser() as opened:
            headers = {"Cookie": f"orcid-sync-session={session}"}
            assert (await opened.get(f"{asking.url}/connected", headers=headers)).status == status
    kept = next(cookie for cookie in asking.browser.http.cookie_jar if cookie.key == "orcid-sync-session")
    assert kept["max-age"] == "1800"


async def test_another_site_cannot_set_out_in_somebodys_place(asking: Asking) -> None:
    link = await asking.invite()

    for site in ("cross-site", "same-site"):
        answer = await asking.browser.send("POST", link, headers={"Sec-Fetch-Site": site})
        assert (answer.status, answer.location) == (303, link)
        assert "Set-Cookie" not in answer.headers
    assert (await asking.browser.press(link, headers={"Sec-Fetch-Site": "same-origin"})).startswith("http")


PATHS = [
    "/connect",
    "/connect/",
    "/connect/%2e%2e/%2e%2e/etc/passwd",
    "/connect/../connected",
    "/connect//",
    "/connect/a/b/c",
    "/connect/a%00b",
    "/connect/\u0661",
    "/connect/" + "a" * 200,
    "/connect/1.2.3;/granted",
    "/oauth",
    "/oauth/",
    "/oauth/callback/",
    "/oauth/callback%2f",
    "/oauth/authorize",
    "/connected/",
    "/connected/x",
    "/disconnected",
    "/disconnected/frozen",
    "/disconnected/unknown/en",
    "/disconnected/frozen/../en",
    "/templates/style.css",
    "/favicon.ico",
    "//connect/x",
    "/CONNECT/x",
]


@pytest.mark.fault("F94")
@pytest.mark.invariant("S15")
async def test_every_other_path_gets_the_same_empty_404(asking: Asking) -> None:
    answers = [
        await exchange(asking.settings.public_port, request(quote(path, safe="/%.;"), method="GET")) for path in PATHS
    ]

    heads = {re.sub(rb"Date: [^\r]*\r\n", b"", answer) for answer in answers}
    assert len(heads) == 1
    assert status_of(heads.pop()) == 404


@pytest.mark.fault("F93")
async def test_forms_are_small(asking: Asking) -> None:
    link = await asking.invite()
    path, port = link.removeprefix(asking.url), asking.settings.public_port

    announced = await exchange(port, request(path, headers="Content-Length: 5000\r\n"))
    gigabyte = await exchange(port, request(path, headers="Content-Length: 1000000000\r\n"))
    chunks = b"".join(b"400\r\n" + b"x" * 1024 + b"\r\n" for _ in range(6)) + b"0\r\n\r\n"
    chunked = await exchange(port, request(path, headers="Transfer-Encoding: chunked\r\n") + chunks)
    callback_body = await exchange(port, request("/oauth/callback", headers="Content-Length: 0\r\n"))

    assert [status_of(answer) for answer in (announced, gigabyte)] == [413, 413]
    assert status_of(chunked) == 303, "back to the invitation, unread"
    assert link.encode() in chunked
    assert status_of(callback_body) == 405
    assert await asking.connection.fetchval("select count(*) from orcid_sync.consent_flows") == 0


@pytest.mark.fault("F92")
async def test_a_form_that_does_not_come_to_its_end_is_given_up(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orcid_sync.service.http import browser_requests as browsers

    monkeypatch.setattr(browsers, "FORM_SECONDS", 0.2)
    link = await asking.invite()

    sent = request(link.removeprefix(asking.url), headers="Content-Length: 100\r\n") + b"way="
    answer = await exchange(asking.settings.public_port, sent)

    assert status_of(answer) == 303
    assert link.encode() in answer


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("connect", "HEAD", 200),
        ("connect", "PUT", 405),
        ("connect", "OPTIONS", 405),
        ("connect", "TRACE", 405),
        ("oauth/over", "HEAD", 405),
        ("oauth/callback", "POST", 405),
        ("connected", "HEAD", 403),
        ("connected", "DELETE", 405),
        ("disconnected/frozen/en", "HEAD", 200),
        ("disconnected/frozen/en", "POST", 405),
    ],
)
async def test_methods(asking: Asking, path: str, method: str, status: int) -> None:
    link = await asking.invite()

    answer = await asking.browser.send(method, link if path == "connect" else f"{asking.url}/{path}")

    assert (answer.status, answer.text) == (status, "")
    assert await asking.connection.fetchval("select opened_at from orcid_sync.invitations") is None


HEADERS = {
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Server": "orcid-sync",
}


@pytest.mark.fault("F74")
async def test_every_page_is_kept_to_itself(asking: Asking) -> None:
    link = await asking.invite()
    address = await asking.browser.press(link)
    seen = [
        await asking.browser.get(link),
        await asking.browser.send("POST", link),
        await asking.browser.get(await asking.browser.decide(address, ERIKA)),
        await asking.browser.get(f"{asking.url}/connected"),
        await asking.browser.get(f"{link}/denied"),
        await asking.browser.get(f"{asking.url}/connect/x"),
        await asking.browser.get(f"{asking.url}/oauth/over"),
    ]

    for answer in seen:
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
        assert policy.pop("style-src").startswith("'sha256-")
        assert policy == {
            "default-src": "'none'",
            "form-action": f"'self' {asking.registry.web_url}",
            "frame-ancestors": "'none'",
            "base-uri": "'none'",
        }
        assert "Strict-Transport-Security" not in answer.headers, "plain http on loopback"
        assert not re.search(r"<script|<img|<link|<iframe|javascript:| on\w+=| style=", answer.text)
        assert not re.search(r"src=|url\(|@import", answer.text)


async def test_over_https_cookies_belong_to_this_host_alone(registry: Any, dsn: str, connection: Any) -> None:
    async with asking_service(registry, dsn, connection, public_url="https://orcid.example.edu/people") as asking:
        link = await asking.invite()
        local = f"http://127.0.0.1:{asking.settings.public_port}{urlsplit(link).path.removeprefix('/people')}"

        answer = await asking.browser.send("POST", local)
        page = await asking.browser.get(local)

    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-orcid-sync-browser=")
    assert all(part in cookie for part in ("; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"))
    assert "Domain" not in cookie
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert query_of(answer.location)["redirect_uri"] == "https://orcid.example.edu/people/oauth/callback"
    assert f'action="{link}"' in page.text


@pytest.mark.fault("F74", "F86", "F87")
@pytest.mark.invariant("S12")
async def test_logs_name_routes_and_outcomes_alone(
    asking: Asking, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    link = await asking.invite(given_names="Erika", email="erika@example.edu")
    address = await asking.browser.press(link)
    back = await asking.browser.decide(address, ERIKA)
    await asking.browser.follow(back)
    asking.registry.faults.add("wrong-shape", "token-code", body={"access_token": "c4n4ry"})
    await asking.browser.connect(link, ERIKA)

    shown = capsys.readouterr()
    logged = shown.out + shown.err + caplog.text
    cookies = asking.browser.cookies().values()
    hidden = [*query_of(address).values(), *query_of(back).values(), *cookies, link.rpartition("/")[2]]
    private = [value for value in hidden if len(value) >= 6 and value not in {asking.settings.client_id, ERIKA}]
    assert "consent" in logged
    assert "route" in logged
    assert [value for value in [*private, "erika@", "Mustermann", "c4n4ry"] if value in logged] == []


async def test_what_the_database_holds_of_a_flow_brings_nobody_back(asking: Asking) -> None:
    address = await asking.browser.press(await asking.invite())

    row = str(await asking.row("select * from orcid_sync.consent_flows"))

    assert query_of(address)["state"] not in row
    assert asking.browser.cookies()["orcid-sync-browser"] not in row
