"""What requests try on the connect pages, and what answers give away: paths, forms, methods, names, headers, logs."""

import logging
import re
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from integration.consent.connect_service import ERIKA, Asking, asking_service, query_of
from rig.service.intake import exchange, request, status_of


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
    from orcid_sync.service.http import browser_requests

    monkeypatch.setattr(browser_requests, "FORM_SECONDS", 0.2)
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
