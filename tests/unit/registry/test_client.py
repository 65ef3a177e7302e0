"""Odd answers and failures of the transport: what is repeated, what the pace hears, which token is used."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from orcid_sync.model.sync.registry_health import Sign
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.registry.errors import (
    BadRequest,
    Busy,
    ClientDisabled,
    Forbidden,
    Locked,
    Malformed,
    NotFound,
    Paused,
    RegistryError,
    ScopeNotGranted,
    Unauthorized,
    Unavailable,
    Unrenderable,
    UsedUp,
)
from orcid_sync.registry.pace import NOBODY
from rig.registry_client import Journal, chain, registry_at
from unit.registry.registry_answers import (
    API,
    HTML,
    ORCID,
    RECORD,
    RECORD_URL,
    TEXT,
    TOKEN_URL,
    USER_TOKEN,
    Answers,
)


@pytest.fixture
def journal() -> Journal:
    return Journal(stored={"/read-public": "own-token", "/webhook": "hook-token"})


@pytest.fixture
def answers() -> Iterator[Answers]:
    with Answers() as answers:
        yield answers


def refusal(status: int, code: int, headers: dict[str, str] | None = None) -> tuple[Any, ...]:
    return status, json.dumps({"response-code": status, "error-code": code}), headers or {}


INVALID = (401, json.dumps({"error": "invalid_token", "error_description": f"Invalid access token: {USER_TOKEN}"}))
OK = (200, RECORD)

SEQUENCES = [
    # answers, error, what the pace hears, what the metrics hear
    ([OK], None, ["slot", "answered"], ["200"]),
    ([refusal(404, 9016)], NotFound, ["slot", "answered"], ["404"]),
    ([refusal(409, 9018)], Locked, ["slot", "answered"], ["409"]),
    ([INVALID], Unauthorized, ["slot"], ["401"]),
    ([(302, "", {"Location": "/x"})], BadRequest, ["slot", "answered"], ["302"]),
    ([(200, "[]")], Malformed, ["slot", "unshown"], ["malformed"]),
    ([(503, "<h1>", HTML), OK], None, ["slot", "crowded", "slot", "answered"], ["503", "200"]),
    ([(429, "slow down", TEXT)] * 2, Busy, ["slot", ("limited", 0.0)] * 2, ["429", "429"]),
    ([(429, "You have exceeded the Daily Quota of …", TEXT)], UsedUp, ["slot", "used up"], ["429"]),
    (
        [(503, "You have exceeded the daily quota of …", TEXT), OK],
        None,
        ["slot", "crowded", "slot", "answered"],
        ["503", "200"],
    ),
    ([(429, "", {"Retry-After": "3"}), OK], None, ["slot", ("limited", 3.0), "slot", "answered"], ["429", "200"]),
    ([(503, "", {"Retry-After": "120"})], Busy, ["slot", ("limited", 120.0)], ["503"]),
    ([refusal(500, 9008), OK], None, ["slot", "unshown", "slot", "answered"], ["500", "200"]),
    ([refusal(500, 9008)] * 2, Unrenderable, ["slot", "unshown"] * 2, ["500", "500"]),
    ([refusal(503, 9008)] * 2, Unrenderable, ["slot", "unshown"] * 2, ["503", "503"]),
    ([refusal(400, 9006)], Unrenderable, ["slot", "unshown"], ["400"]),
    ([refusal(403, 9005)], Unrenderable, ["slot", "unshown"], ["403"]),
    ([(502, "<h1>", HTML)] * 2, Unavailable, ["slot", "away"] * 2, ["502", "502"]),
    ([(500, "<h1>", HTML)] * 2, Unavailable, ["slot", "away"] * 2, ["500", "500"]),
    ([(404, "<h1>", HTML)] * 2, Unavailable, ["slot", "away"] * 2, ["404", "404"]),
    ([(200, "<h1>Oops</h1>", HTML)] * 2, Unrenderable, ["slot", "unshown"] * 2, ["unrenderable"] * 2),
    ([(200, RECORD[:-1])] * 2, Unrenderable, ["slot", "unshown"] * 2, ["unrenderable"] * 2),
    ([(200, "\ufeff" + RECORD)] * 2, Unrenderable, ["slot", "unshown"] * 2, ["unrenderable"] * 2),
    ([TimeoutError(), refusal(404, 9016)], NotFound, ["slot", "away", "slot", "answered"], ["unavailable", "404"]),
]


@pytest.mark.fault("F31", "F32", "F41")
@pytest.mark.invariant("S14")
@pytest.mark.parametrize(("sequence", "error", "pace", "observed"), SEQUENCES)
async def test_what_is_repeated_and_reported(
    answers: Answers,
    journal: Journal,
    sequence: list[Any],
    error: type[RegistryError] | None,
    pace: list[Any],
    observed: list[str],
) -> None:
    for answer in sequence:
        answers.will("GET", RECORD_URL, answer)

    async with registry_at(API, journal) as registry:
        if error is None:
            async with registry.record(ORCID, USER_TOKEN) as body:
                assert body == RECORD.encode()
        else:
            with pytest.raises(error) as caught:
                async with registry.record(ORCID, USER_TOKEN):
                    pass
            assert type(caught.value) is error

    assert journal.pace == pace
    assert journal.observed == [("record", status) for status in observed]
    assert answers.sent() == [("GET", f"/v3.0/{ORCID}/record", f"Bearer {USER_TOKEN}")] * len(sequence)


class Pausing(Journal):
    """A pace in which a pause begins after so many sendings."""

    left = 1

    async def slot(self, lane: Lane) -> bool:
        if self.pace.count("slot") == self.left:
            raise Paused
        return await super().slot(lane)


PAUSED = [
    ([refusal(500, 9008)], Unrenderable),
    ([TimeoutError()], Unavailable),
    ([(503, "<h1>", HTML)], Busy),
    ([(429, "", TEXT)], Busy),
    ([], Paused),
]


@pytest.mark.fault("F41")
@pytest.mark.parametrize(("sequence", "error"), PAUSED)
async def test_what_was_heard_before_a_pause_is_what_is_said(
    answers: Answers, sequence: list[Any], error: type[RegistryError]
) -> None:
    journal = Pausing()
    journal.left = len(sequence)
    for answer in sequence:
        answers.will("GET", RECORD_URL, answer)

    async with registry_at(API, journal) as registry:
        with pytest.raises(RegistryError) as caught:
            async with registry.record(ORCID, USER_TOKEN):
                pass

    assert type(caught.value) is error
    assert journal.abouts == [ORCID] * len(sequence)


class Doubting(Journal):
    """A pace that wants the fixed question asked first."""

    probes: list[str]

    async def slot(self, lane: Lane) -> bool:
        await super().slot(lane)
        return len(self.probes) < len(self.pace) and self.pace.count("slot") == 1

    async def heard(self, sign: Sign, about: str, *, silence: float = 0.0, probe: bool = False) -> None:
        if probe:
            self.probes.append(f"{sign.value} {about}")
        else:
            await super().heard(sign, about, silence=silence)


async def test_a_new_token_of_ours_that_is_refused_too_is_the_registrys_trouble(answers: Answers) -> None:
    """Contract section 2.6: the check of tokens is away. A holder's question would be heard, if theirs are not."""
    journal = Doubting(stored={"/read-public": "own-token"})
    journal.probes = ["none yet"] * 99
    for _ in range(2):
        answers.will("GET", RECORD_URL, INVALID)
    answers.will("POST", TOKEN_URL, grant("second"))
    answers.will("GET", f"{API}/v3.0/{NOBODY}/record", INVALID, repeat=True)
    answers.will("GET", RECORD_URL, OK)

    async with registry_at(API, journal) as registry:
        with pytest.raises(Unavailable):
            await read(registry)
        assert journal.pace.count("away") == 2
        journal.pace, journal.probes = [], []
        await read(registry)

    assert journal.probes == [f"away {NOBODY}"]


PROBES = [
    (refusal(404, 9016), "answered"),
    (INVALID, "answered"),
    (refusal(500, 9008), "unshown"),
    ((200, "<h1>", HTML), "unshown"),
    ((503, "<h1>", HTML), "crowded"),
    (TimeoutError(), "away"),
]


@pytest.mark.fault("F33")
@pytest.mark.parametrize("token", [USER_TOKEN, None])
@pytest.mark.parametrize(("answer", "sign"), PROBES)
async def test_when_it_is_doubted_the_fixed_question_is_asked_first_with_the_same_token(
    answers: Answers, answer: Any, sign: str, token: str | None
) -> None:
    journal = Doubting(stored={"/read-public": "own-token"})
    journal.probes = []
    answers.will("GET", f"{API}/v3.0/{NOBODY}/record", answer)
    answers.will("GET", RECORD_URL, OK)

    async with registry_at(API, journal) as registry, registry.record(ORCID, token):
        pass

    assert journal.probes == [f"{sign} {NOBODY}"]
    assert [sent[2] for sent in answers.sent()] == [f"Bearer {token or 'own-token'}"] * 2


def request_info() -> aiohttp.RequestInfo:
    headers = CIMultiDictProxy(CIMultiDict({"Authorization": f"Bearer {USER_TOKEN}"}))
    return aiohttp.RequestInfo(URL(RECORD_URL), "GET", headers, URL(RECORD_URL))


FAILURES = [
    TimeoutError(USER_TOKEN),
    ConnectionResetError(USER_TOKEN),
    OSError(5, USER_TOKEN),
    aiohttp.ServerTimeoutError(USER_TOKEN),
    aiohttp.ServerDisconnectedError(USER_TOKEN),
    aiohttp.ClientPayloadError(USER_TOKEN),
    aiohttp.ClientConnectionError(USER_TOKEN),
    aiohttp.ClientOSError(5, USER_TOKEN),
    aiohttp.ClientError(USER_TOKEN),
    aiohttp.InvalidURL(f"https://x/{USER_TOKEN}"),
    aiohttp.TooManyRedirects(request_info(), ()),
    aiohttp.ClientResponseError(request_info(), (), status=400, message=USER_TOKEN),
    aiohttp.ContentTypeError(request_info(), ()),
    aiohttp.http_exceptions.HttpProcessingError(message=USER_TOKEN),
]


@pytest.mark.fault("F33", "F87")
@pytest.mark.invariant("S12")
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_failures_of_the_transport_show_no_secret(answers: Answers, journal: Journal, failure: Exception) -> None:
    answers.will("GET", RECORD_URL, failure, repeat=True)

    async with registry_at(API, journal) as registry:
        with pytest.raises(Unavailable) as caught:
            async with registry.record(ORCID, USER_TOKEN):
                pass

    assert USER_TOKEN not in chain(caught.value)
    assert journal.pace == ["slot", "away"] * 2


def grant(token: str, scope: str = "/read-public") -> tuple[int, str]:
    return 200, json.dumps({"access_token": token, "token_type": "bearer", "expires_in": 631138518, "scope": scope})


async def read(registry: Any) -> None:
    async with registry.record(ORCID):
        pass


async def test_our_own_token_is_fetched_once_and_kept(answers: Answers) -> None:
    journal = Journal()
    answers.will("POST", TOKEN_URL, grant("first"))
    answers.will("GET", RECORD_URL, OK, repeat=True)

    async with registry_at(API, journal) as registry:
        await asyncio.gather(*(read(registry) for _ in range(5)))
    async with registry_at(API, journal) as registry:
        await read(registry)

    assert journal.stored == {"/read-public": "first"}
    assert journal.expiry == {"/read-public": 631138518}
    assert Counter(answers.sent()) == {
        ("POST", "/oauth/token", None): 1,
        ("GET", f"/v3.0/{ORCID}/record", "Bearer first"): 6,
    }


async def test_a_refused_token_of_ours_is_replaced_once(answers: Answers, journal: Journal) -> None:
    answers.will("GET", RECORD_URL, INVALID)
    answers.will("POST", TOKEN_URL, grant("second"))
    answers.will("GET", RECORD_URL, OK)

    async with registry_at(API, journal) as registry:
        await read(registry)

    assert journal.stored["/read-public"] == "second"
    assert [token for _, _, token in answers.sent() if token] == ["Bearer own-token", "Bearer second"]


async def test_an_outage_of_the_token_check_costs_one_token_and_concludes_nothing(
    answers: Answers, journal: Journal
) -> None:
    """Contract section 2.6: introspection is down, so every token is refused."""
    for _ in range(4):
        answers.will("GET", RECORD_URL, INVALID)
    answers.will("POST", TOKEN_URL, grant("second"), repeat=True)

    async with registry_at(API, journal) as registry:
        for _ in range(3):
            with pytest.raises(Unavailable):
                await read(registry)
        answers.will("GET", RECORD_URL, OK)
        await read(registry)
        answers.will("GET", RECORD_URL, INVALID)  # and much later it is really revoked
        answers.will("GET", RECORD_URL, OK)
        await read(registry)

    assert len([call for call in answers.sent() if call[0] == "POST"]) == 2


async def test_a_token_that_a_replica_replaced_is_taken_from_the_store(answers: Answers, journal: Journal) -> None:
    answers.will("GET", RECORD_URL, OK)
    answers.will("GET", RECORD_URL, INVALID)
    answers.will("GET", RECORD_URL, OK)

    async with registry_at(API, journal) as registry:
        await read(registry)
        journal.stored["/read-public"] = "of-a-replica"
        await read(registry)

    assert [token for _, _, token in answers.sent()] == ["Bearer own-token"] * 2 + ["Bearer of-a-replica"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (grant("t", "/read-public /other"), ScopeNotGranted),
        ((400, '{"error":"invalid_scope"}'), ScopeNotGranted),
        ((401, '{"error":"invalid_client"}'), ClientDisabled),
        ((401, '{"error":"unauthorized"}'), ClientDisabled),
        ((302, ""), BadRequest),
        ((200, '{"scope":"/webhook"}'), Malformed),
        ((503, "", HTML), Busy),
        ((500, "", HTML), Unavailable),
    ],
)
async def test_without_a_token_nothing_is_asked(answers: Answers, answer: Any, error: type[RegistryError]) -> None:
    journal = Journal()
    answers.will("POST", TOKEN_URL, answer, repeat=True)

    async with registry_at(API, journal) as registry:
        with pytest.raises(error) as caught:
            await registry.register_webhook(ORCID, "https://hub.example.org/1")

    assert not journal.stored
    assert {method for method, _, _ in answers.sent()} == {"POST"}
    assert "client-s3cr3t" not in chain(caught.value)


async def test_a_users_token_is_never_replaced_by_ours(answers: Answers, journal: Journal) -> None:
    answers.will("GET", RECORD_URL, INVALID, repeat=True)

    async with registry_at(API, journal) as registry:
        with pytest.raises(Unauthorized):
            async with registry.record(ORCID, USER_TOKEN):
                pass
        with pytest.raises(Unauthorized):
            async with registry.record(ORCID, "no\r\ntoken"):
                pass

    assert len(answers.sent()) == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (refusal(404, 9016), NotFound),
        (refusal(400, 9034), NotFound),
        (refusal(403, 9013), Forbidden),
        (refusal(403, 9038), Forbidden),
        (refusal(403, 9039), Forbidden),
        (refusal(403, 9004), Forbidden),
        (refusal(400, 9006), Unrenderable),
        (refusal(500, 9008), Unrenderable),
        (refusal(409, 9018), Locked),
        ((404, "<h1>", HTML), Unavailable),
    ],
)
@pytest.mark.fault("F38")
async def test_an_item_that_is_not_shown(
    answers: Answers, journal: Journal, answer: Any, error: type[RegistryError]
) -> None:
    answers.will("GET", f"{API}/v3.0/{ORCID}/funding/7", answer, repeat=True)

    async with registry_at(API, journal) as registry:
        with pytest.raises(error):
            await registry.fetch_item(ORCID, "funding", 7)


@pytest.mark.fault("F40")
async def test_works_come_by_put_code_and_what_is_no_work_is_left_out(answers: Answers, journal: Journal) -> None:
    bulk = [
        {"work": {"put-code": 7, "path": f"/{ORCID}/work/7"}},
        {"error": {"error-code": 9034}},
        {"work": None},
        {"work": {"put-code": 8, "path": "/0000-0002-1694-233X/work/8"}},
        {"work": {"put-code": "nine"}},
        {"work": [{"put-code": 10}]},
        {"work": {"put-code": 11}},
        {"work": {"put-code": 12}},
    ]
    answers.will("GET", f"{API}/v3.0/{ORCID}/works/7,8,9,10,11", (200, json.dumps({"bulk": bulk})))

    async with registry_at(API, journal) as registry, registry.works(ORCID, [11, 10, 9, 8, 7, 7]) as works:
        assert {code: json.loads(work)["put-code"] for code, work in works.items()} == {7: 7, 11: 11}

    assert {endpoint for endpoint, _ in journal.observed} == {"works"}


async def test_an_error_of_the_whole_page_is_raised(answers: Answers, journal: Journal) -> None:
    answers.will("GET", f"{API}/v3.0/{ORCID}/works/1", refusal(409, 9018))

    async with registry_at(API, journal) as registry:
        with pytest.raises(Locked):
            async with registry.works(ORCID, [1]):
                pass
