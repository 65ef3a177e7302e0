"""Tokens of record holders: the address that asks for consent, the code's one exchange, taking a token back."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from orcid_sync.registry.answers import HolderGrant
from orcid_sync.registry.errors import (
    BadRequest,
    Busy,
    ClientDisabled,
    CodeRefused,
    Malformed,
    RegistryError,
    ScopeNotGranted,
    TooLarge,
    Unavailable,
)
from orcid_sync.registry.requests import authorize_url
from rig.registry_client import CLIENT_ID, CLIENT_SECRET, Journal, chain, registry_at
from unit.registry.registry_answers import API, HTML, ORCID, TOKEN_URL, Answers

REVOKE_URL = f"{API}/oauth/revoke"
BACK = "https://orcid.example.edu/oauth/callback"
CODE, TOKEN, REFRESH = "Q70wY8", "c4n4ry-70c3n", "c4n4ry-r3fr35h"
GRANTED = {
    "access_token": TOKEN,
    "token_type": "bearer",
    "refresh_token": REFRESH,
    "expires_in": 631138518,
    "scope": "/read-limited",
    "name": "Erika Mustermann",
    "orcid": ORCID,
}


@pytest.fixture
def answers() -> Iterator[Answers]:
    with Answers() as answers:
        yield answers


@pytest.fixture
def journal() -> Journal:
    return Journal()


def granting(**changes: Any) -> tuple[int, str]:
    return 200, json.dumps({name: value for name, value in (GRANTED | changes).items() if value is not ...})


def oauth(status: int, word: str) -> tuple[int, str]:
    return status, json.dumps({"error": word, "error_description": f"Invalid: {CODE} {TOKEN}"})


def forms(answers: Answers) -> list[dict[str, list[str]]]:
    """The forms that were posted."""
    return [parse_qs(call.kwargs["data"].decode()) for calls in answers.requests.values() for call in calls]


async def test_a_code_is_exchanged_for_what_was_granted(answers: Answers, journal: Journal) -> None:
    answers.will("POST", TOKEN_URL, granting())

    async with registry_at(API, journal) as registry:
        granted = await registry.exchange_code(CODE, BACK)

    assert granted == HolderGrant(
        orcid=ORCID,
        name="Erika Mustermann",
        access_token=TOKEN,
        refresh_token=REFRESH,
        scopes=("/read-limited",),
        expires_in=631138518,
    )
    assert forms(answers) == [
        {
            "client_id": [CLIENT_ID],
            "client_secret": [CLIENT_SECRET],
            "grant_type": ["authorization_code"],
            "code": [CODE],
            "redirect_uri": [BACK],
        }
    ]
    assert answers.sent() == [("POST", "/oauth/token", None)]
    assert journal.pace == ["slot", "answered"]
    assert not any(secret in repr(granted) for secret in (TOKEN, REFRESH, "Mustermann", ORCID))


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({"name": None}, "name", ""),
        ({"name": ...}, "name", ""),
        ({"name": "  Erika\n\tM\u00fcller "}, "name", "Erika M\u00fcller"),
        ({"name": "E\x00rika\u202e \x1b[1m"}, "name", "E rika [1m"),
        ({"name": "\u0645\u06cc\u200c\u0646"}, "name", "\u0645\u06cc\u200c\u0646"),
        ({"name": "x" * 1_000}, "name", "x" * 300),
        ({"scope": "/read-limited /email/read-private"}, "scopes", ("/email/read-private", "/read-limited")),
        ({"scope": ""}, "scopes", ()),
        ({"refresh_token": None}, "refresh_token", None),
        ({"refresh_token": ...}, "refresh_token", None),
        ({"expires_in": ...}, "expires_in", None),
        ({"expires_in": 3599}, "expires_in", 3599),
        ({"expires_in": 0}, "expires_in", None),
        ({"expires_in": 10**18}, "expires_in", None),
        ({"orcid": f"https://orcid.org/{ORCID}"}, "orcid", ORCID),
    ],
)
async def test_odd_grants(answers: Answers, journal: Journal, given: dict[str, Any], name: str, value: Any) -> None:
    answers.will("POST", TOKEN_URL, granting(**given))

    async with registry_at(API, journal) as registry:
        granted = await registry.exchange_code(CODE, BACK)

    assert getattr(granted, name) == value


@pytest.mark.fault("F70", "F71", "F87")
@pytest.mark.invariant("S12", "S18")
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (oauth(400, "invalid_grant"), CodeRefused),
        (oauth(400, "invalid_request"), CodeRefused),
        (oauth(400, "unauthorized_client"), CodeRefused),
        (oauth(401, "invalid_client"), ClientDisabled),
        (oauth(401, "unauthorized"), ClientDisabled),
        (oauth(401, "unauthorized_client"), ClientDisabled),
        (oauth(400, "unsupported_grant_type"), BadRequest),
        (oauth(401, "invalid_scope"), ScopeNotGranted),
        (oauth(401, "something"), Unavailable),
        (oauth(500, "server_error"), Unavailable),
        ((503, "<h1>", HTML), Busy),
        ((429, "", {"Retry-After": "1"}), Busy),
        ((200, "<h1>", HTML), Unavailable),
        ((200, json.dumps(GRANTED)[:-1]), Unavailable),
        ((200, json.dumps(GRANTED) + " " * 70_000), TooLarge),
        ((307, "", {"Location": "https://elsewhere.example.org/"}), BadRequest),
        (granting(orcid=None), Malformed),
        (granting(orcid=...), Malformed),
        (granting(orcid="0000-0002-1825-0098"), Malformed),
        (granting(orcid=""), Malformed),
        (granting(access_token="two words"), Malformed),
        (granting(refresh_token="line\nend"), Malformed),
        (granting(access_token=...), Malformed),
        (granting(scope=None), Malformed),
        (TimeoutError(TOKEN), Unavailable),
        (aiohttp.ServerDisconnectedError(TOKEN), Unavailable),
        (ConnectionResetError(TOKEN), Unavailable),
    ],
)
async def test_a_code_is_sent_once_whatever_happens(
    answers: Answers, journal: Journal, answer: Any, error: type[RegistryError]
) -> None:
    answers.will("POST", TOKEN_URL, answer, repeat=True)

    async with registry_at(API, journal) as registry:
        with pytest.raises(error) as caught:
            await registry.exchange_code(CODE, BACK)

    assert type(caught.value) is error
    assert answers.sent() == [("POST", "/oauth/token", None)]
    assert not any(secret in chain(caught.value) for secret in (TOKEN, REFRESH, CODE, CLIENT_SECRET))


@pytest.mark.parametrize(
    ("sequence", "error"),
    [
        ([(200, "", {"Content-Type": "text/plain"})], None),
        ([(200, "{}")], None),
        ([oauth(400, "invalid_grant")], None),
        ([oauth(401, "invalid_token")], None),
        ([oauth(400, "invalid_token")], None),
        ([(502, "", HTML), (200, "")], None),
        ([TimeoutError(TOKEN), (200, "")], None),
        ([(200, "<h1>Welcome to this hotel", HTML)] * 2, Unavailable),
        ([(503, "", HTML)] * 2, Busy),
        ([oauth(500, "server_error")] * 2, Unavailable),
        ([oauth(400, "invalid_request")], BadRequest),
        ([oauth(401, "invalid_client")], ClientDisabled),
        ([(404, "", HTML)] * 2, Unavailable),
    ],
)
async def test_a_token_is_taken_back(
    answers: Answers, journal: Journal, sequence: list[Any], error: type[RegistryError] | None
) -> None:
    for answer in sequence:
        answers.will("POST", REVOKE_URL, answer)

    async with registry_at(API, journal) as registry:
        if error is None:
            await registry.revoke_token(TOKEN)
        else:
            with pytest.raises(error) as caught:
                await registry.revoke_token(TOKEN)
            assert TOKEN not in chain(caught.value)

    assert answers.sent() == [("POST", "/oauth/revoke", None)] * len(sequence)
    form = {"client_id": [CLIENT_ID], "client_secret": [CLIENT_SECRET], "token": [TOKEN]}
    assert forms(answers) == [form] * len(sequence)
    assert journal.pace.count("slot") == len(sequence)


def test_the_address_that_asks_for_consent() -> None:
    url = authorize_url(
        "https://orcid.org",
        client_id=CLIENT_ID,
        redirect_uri=BACK,
        state="a-b_c",
        lang="de",
        given_names="J\u00fcrgen & S\u00f6hne",
        family_names="",
        email="j+m@example.edu",
        show_login="false",
    )

    assert url == (
        "https://orcid.org/oauth/authorize?client_id=APP-TEST&response_type=code&scope=%2Fread-limited"
        "&redirect_uri=https%3A%2F%2Forcid.example.edu%2Foauth%2Fcallback&state=a-b_c&lang=de"
        "&given_names=J%C3%BCrgen%20%26%20S%C3%B6hne&email=j%2Bm%40example.edu&show_login=false"
    )
    assert parse_qs(urlsplit(url).query)["given_names"] == ["J\u00fcrgen & S\u00f6hne"]
