"""Answers in, what was asked or an error out: the tables of contract sections 1.3-1.5, 2.8 and 4.2."""

import json
from pathlib import Path
from typing import Any

import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.registry.errors import (
    BadRequest,
    Busy,
    ClientDisabled,
    Deactivated,
    Deprecated,
    Forbidden,
    ForeignToken,
    Locked,
    Malformed,
    NotFound,
    RegistryError,
    ScopeNotGranted,
    Unauthorized,
    Unavailable,
    Unclaimed,
    Unrenderable,
    WrongRecord,
)
from orcid_sync.registry.protocol import decipher
from orcid_sync.registry.requests import (
    Request,
    item_request,
    record_request,
    register_request,
    token_request,
    unregister_request,
    works_request,
)

ASKED = Orcid("0000-0002-1694-233X")
PRIMARY = Orcid("0000-0002-1825-0097")
API = "https://api.example.org"
CANARY = "c4n4ry-70c3n-0f-7h3-m1n3"
HOOK = f"https://hub.example.org/webhooks/{ASKED}/1.{CANARY}"

JSON = {"Content-Type": "application/json;charset=UTF-8"}
HTML = {"Content-Type": "text/html"}
TEXT = {"Content-Type": "text/plain"}
XML = {"Content-Type": "application/orcid+xml;charset=UTF-8"}

RECORD = record_request(API, ASKED)
WORKS = works_request(API, ASKED, [1, 2, 3])
ITEM = item_request(API, ASKED, "funding", 7)
PUT = register_request(API, ASKED, HOOK)
DELETE = unregister_request(API, ASKED, HOOK)
TOKEN = token_request("https://example.org", client_id="APP-TEST", client_secret=CANARY, scope="/webhook")


def refusal(status: int, code: int) -> bytes:
    """An error body as ORCID writes it, with texts that must not matter and must not be kept."""
    return json.dumps(
        {
            "response-code": status,
            "developer-message": f"{status} NotFound: 9016 9044 {CANARY}",
            "user-message": "The resource was not found.",
            "error-code": code,
            "more-info": "https://members.orcid.org/api/resources/troubleshooting",
        }
    ).encode()


def oauth(word: str) -> bytes:
    return json.dumps({"error": word, "error_description": f"Invalid access token: {CANARY}"}).encode()


TABLE = [
    # contract section 4.2: status, error-code, error
    (301, 9007, Deprecated),
    (409, 9007, Deprecated),
    (308, 9056, BadRequest),
    (400, 9001, BadRequest),
    (404, 9001, BadRequest),
    (405, 9001, BadRequest),
    (406, 9001, BadRequest),
    (415, 9001, BadRequest),
    (400, 9006, Unrenderable),
    (400, 9012, BadRequest),
    (400, 9034, NotFound),
    (400, 9042, BadRequest),
    (400, 9043, BadRequest),
    (401, 9002, Unauthorized),
    (401, 9015, BadRequest),
    (401, 9017, ForeignToken),
    (403, 9004, Forbidden),
    (403, 9005, Unrenderable),
    (403, 9010, Forbidden),
    (403, 9013, Forbidden),
    (403, 9014, Forbidden),
    (403, 9038, Forbidden),
    (403, 9039, Forbidden),
    (403, 9052, Forbidden),
    (403, 9035, Forbidden),
    (404, 9011, NotFound),
    (404, 9016, NotFound),
    (404, 9027, BadRequest),
    (404, 9028, NotFound),
    (404, 9029, BadRequest),
    (404, 9041, NotFound),
    (409, 9018, Locked),
    (409, 9036, Unclaimed),
    (409, 9044, Deactivated),
    (409, 9048, BadRequest),
    (409, 9057, ClientDisabled),
    (409, 9021, BadRequest),
    (400, 9060, BadRequest),
    (429, 9999, Busy),
    (500, 9008, Unrenderable),
    (502, 9008, Unrenderable),
    (503, 9008, Unrenderable),
    (504, 9008, Unrenderable),
    # a server error proves nothing about the state of a record, whatever it says
    (500, 9016, Unrenderable),
    (500, 9044, Unrenderable),
    (503, 9007, Unrenderable),
]

WHERE_NOTHING_IS_SHOWN = {400: BadRequest, 403: Forbidden, 503: Busy}
"""What is Unrenderable where a record was to be shown; otherwise it is Unavailable."""


@pytest.mark.parametrize("request_", [RECORD, WORKS, ITEM, DELETE], ids=lambda r: r.endpoint.value + r.method)
@pytest.mark.parametrize(("status", "code", "error"), TABLE)
def test_error_codes_come_before_statuses(
    request_: Request[Any], status: int, code: int, error: type[RegistryError]
) -> None:
    with pytest.raises(RegistryError) as caught:
        decipher(request_, status, JSON, refusal(status, code))

    if code == 9038 and request_ is DELETE:
        error = ScopeNotGranted
    if error is Unrenderable and request_ is DELETE:
        error = WHERE_NOTHING_IS_SHOWN.get(status, Unavailable)
    assert type(caught.value) is error
    assert (caught.value.status, caught.value.error_code) == (status, code)


OAUTH = [
    # contract section 2.8: status, word, error of an API call, error of the token endpoint
    (401, "invalid_token", Unauthorized, Unavailable),
    (401, "unauthorized", Unauthorized, ClientDisabled),
    (401, "invalid_client", ClientDisabled, ClientDisabled),
    (401, "unauthorized_client", ClientDisabled, ClientDisabled),
    (400, "unauthorized_client", ClientDisabled, ClientDisabled),
    (401, "invalid_scope", ScopeNotGranted, ScopeNotGranted),
    (400, "invalid_scope", ScopeNotGranted, ScopeNotGranted),
    (400, "invalid_request", BadRequest, BadRequest),
    (400, "invalid_grant", BadRequest, BadRequest),
    (400, "unsupported_grant_type", BadRequest, BadRequest),
    (403, "access_denied", Forbidden, Forbidden),
    (401, "server_error", Unavailable, Unavailable),
    (500, "server_error", Unavailable, Unavailable),
    (500, "invalid_token", Unavailable, Unavailable),
    (401, f"new {CANARY}", Unauthorized, Unavailable),
]


@pytest.mark.parametrize(("status", "word", "api_error", "token_error"), OAUTH)
def test_words_of_oauth(
    status: int, word: str, api_error: type[RegistryError], token_error: type[RegistryError]
) -> None:
    for request, error in ((RECORD, api_error), (TOKEN, token_error)):
        with pytest.raises(RegistryError) as caught:
            decipher(request, status, JSON, oauth(word))

        assert type(caught.value) is error
        assert caught.value.oauth_error in (word, None)
        assert CANARY not in repr(caught.value)


FOREIGN = [
    # What does not come from the Registry itself: status, headers, body, error.
    (200, HTML, b"<html>Oops</html>", Unrenderable),
    (200, JSON, b"<html>Oops</html>", Unrenderable),
    (200, XML, b'<record:record xmlns:record="http://www.orcid.org/ns/record"/>', Unrenderable),
    (200, {}, b"{}", Unrenderable),
    (204, JSON, b"", Unrenderable),
    (206, JSON, b"{}", Unrenderable),
    (302, HTML, b"", BadRequest),
    (301, HTML, b"<a href='https://orcid.org/0000-0002-1825-0097'>moved</a>", BadRequest),
    (307, {}, b"", BadRequest),
    (304, {}, b"", BadRequest),
    (400, HTML, b"<h1>Bad Request</h1>", Unavailable),
    (401, HTML, b"<h1>Sign in to the guest network</h1>", Unavailable),
    (403, HTML, b"<h1>Request blocked</h1>", Unavailable),
    (404, HTML, b"<h1>404</h1>", Unavailable),
    (404, JSON, b"", Unavailable),
    (404, JSON, b'{"response-code":404,"error-co', Unavailable),
    (404, JSON, b"[9016]", Unavailable),
    (409, XML, b'<error xmlns="http://www.orcid.org/ns/error"><error-code>9044</error-code></error>', Unavailable),
    (404, JSON, b"{}", BadRequest),
    (404, JSON, b'{"error-code":"9016"}', BadRequest),
    (404, JSON, b'{"error-code":true}', BadRequest),
    (404, JSON, b'{"error-code":' + b"9" * 5000 + b"}", Unavailable),
    (404, JSON, b'{"error-code":' + b"[" * 50_000, Unavailable),
    (404, JSON, b'{"error-code":NaN}', Unavailable),
    (404, JSON, b'{"error":"\xff"}', Unavailable),
    (403, JSON, b"{}", Forbidden),
    (401, JSON, b"{}", Unauthorized),
    (408, JSON, b"{}", Unavailable),
    (409, JSON, b"{}", BadRequest),
    (418, JSON, b"{}", BadRequest),
    (429, TEXT, b"Too many requests", Busy),
    (429, {}, b"", Busy),
    (500, HTML, b"<h1>HTTP Status 500</h1>", Unavailable),
    (502, HTML, b"<h1>Bad gateway</h1>", Unavailable),
    (503, HTML, b"<h1>Service temporarily unavailable</h1>", Busy),
    (504, HTML, b"", Unavailable),
    (599, {}, b"", Unavailable),
]


@pytest.mark.fault("F32", "F48")
@pytest.mark.invariant("S10")
@pytest.mark.parametrize(("status", "headers", "body", "error"), FOREIGN)
def test_nothing_is_concluded_from_what_is_not_orcids(
    status: int, headers: dict[str, str], body: bytes, error: type[RegistryError]
) -> None:
    with pytest.raises(RegistryError) as caught:
        decipher(RECORD, status, headers, body)

    assert type(caught.value) is error
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("location", "message", "primary"),
    [
        (f"{API}/v3.0/{PRIMARY}/record", "", PRIMARY),
        (f"/v3.0/{PRIMARY}/record", "", PRIMARY),
        ("", f"{ASKED} was merged into https://orcid.org/{PRIMARY}", PRIMARY),
        (f"{API}/v3.0/{ASKED}/record", f"see https://orcid.org/{PRIMARY}", PRIMARY),
        (f"http://169.254.169.254/{PRIMARY}", "", PRIMARY),  # its host does not matter: nobody goes there
        (f"{API}/v3.0/0000-0002-1825-0098/record", "", None),  # wrong check digit
        ("", "0000-0002-1825-0097 or 0000-0001-5109-3700", None),  # no guessing
        (f"https://x.example/?next={PRIMARY}", "", None),
        ("http://[", "", None),
        ("", "", None),
    ],
)
@pytest.mark.fault("F43")
def test_a_merged_record_names_its_primary(location: str, message: str, primary: str | None) -> None:
    body = json.dumps({"response-code": 301, "error-code": 9007, "developer-message": message}).encode()

    with pytest.raises(Deprecated) as caught:
        decipher(RECORD, 301, {**JSON, "LOCATION": location}, body)

    assert caught.value.primary == primary


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("0", 1),
        ("86400", 3600),
        ("9" * 5000, 3600),
        ("-5", None),
        ("١٢", None),
        ("soon", None),
        ("", None),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 1),
        ("Sun, 06 Nov 2094 08:00:00 GMT", 3600),
        ("Sun, 99 Nov 1994 08:00:00 GMT", None),
    ],
)
@pytest.mark.fault("F31")
def test_retry_after_is_kept_between_a_second_and_an_hour(value: str, seconds: float | None) -> None:
    headers = {"Retry-After": value, "Date": "Sun, 06 Nov 1994 08:49:37 GMT"}

    for status in (429, 503):
        with pytest.raises(Busy) as caught:
            decipher(RECORD, status, headers, b"")
        assert caught.value.retry_after == seconds


def test_a_date_without_the_answers_own_date_is_no_wait() -> None:
    with pytest.raises(Busy) as caught:
        decipher(RECORD, 429, {"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}, b"")

    assert caught.value.retry_after is None


def test_webhook_answers() -> None:
    assert decipher(PUT, 201, {"Location": PUT.url}, b"") is True
    assert decipher(PUT, 204, {}, b"") is False
    assert decipher(DELETE, 204, {}, b"") is None

    for request, status in ((PUT, 200), (DELETE, 200), (DELETE, 201), (PUT, 202)):
        with pytest.raises(Unavailable):
            decipher(request, status, HTML, b"<h1>Welcome to the guest network</h1>")


@pytest.mark.parametrize(
    "form", [JSON, {"Content-Type": "application/orcid+json"}, {"content-type": "Application/JSON"}]
)
def test_all_of_orcids_names_for_json(form: dict[str, str]) -> None:
    with pytest.raises(NotFound):
        decipher(DELETE, 404, form, refusal(404, 9028))


def test_a_missing_scope_names_the_membership() -> None:
    for request, status, body in (
        (PUT, 403, refusal(403, 9038)),
        (TOKEN, 400, oauth("invalid_scope")),
        (TOKEN, 200, b'{"access_token":"t","token_type":"bearer","scope":"/read-public","expires_in":631138518}'),
    ):
        with pytest.raises(ScopeNotGranted, match=r"/webhook.*premium members"):
            decipher(request, status, JSON, body)


@pytest.mark.parametrize("name", ["error", "http500"])
def test_real_errors_are_understood(corpus: Path, name: str) -> None:
    """Every error body in the corpus, under every status: by its code, or by nothing at all."""
    files = sorted((corpus / "errors").glob(f"*__{name}__*"))
    assert files
    for file in files:
        body = file.read_bytes()
        headers = {".json": JSON, ".xml": XML, ".txt": HTML}[file.suffix]
        known = json.loads(body) if file.suffix == ".json" else {}
        status = known.get("response-code", 401 if "error" in known else 500)
        expected = {
            9016: NotFound,
            9008: Unrenderable,
            9006: Unrenderable,
            None: Unauthorized if known else Unavailable,
        }
        with pytest.raises(RegistryError) as caught:
            decipher(RECORD, status, headers, body)

        assert type(caught.value) is expected.get(known.get("error-code"), BadRequest), file.name
        assert known.get("user-message", "private_bearer_token") not in repr(caught.value)


@pytest.mark.fault("F53")
@pytest.mark.invariant("S9")
def test_real_records_are_answers_to_their_own_question_only(corpus: Path) -> None:
    files = sorted((corpus / "v3_json").glob("0*__record__*.json"))
    assert files
    for file in files:
        body = file.read_bytes()
        orcid = Orcid(file.name[:19])
        if "activities-summary" not in json.loads(body):
            continue
        assert json.loads(decipher(record_request(API, orcid), 200, JSON, body)) == json.loads(body)
        with pytest.raises(WrongRecord):
            decipher(RECORD, 200, JSON, body)
        with pytest.raises(Unrenderable):
            decipher(record_request(API, orcid), 200, JSON, body[: len(body) // 2])


@pytest.mark.invariant("S12")
@pytest.mark.fault("F87")
def test_no_error_shows_what_the_answer_said() -> None:
    answers = [(s, h, b) for s, h, b, _ in FOREIGN] + [(s, JSON, refusal(s, c)) for s, c, _ in TABLE]
    answers += [(s, JSON, oauth(w)) for s, w, _, _ in OAUTH]
    for request in (RECORD, WORKS, ITEM, PUT, DELETE, TOKEN):
        assert CANARY not in repr(request)
        for status, headers, body in answers:
            if status in request.success and request in (PUT, DELETE):
                continue
            with pytest.raises(RegistryError) as caught:
                decipher(request, status, {**headers, "Location": f"/{CANARY}"}, body)
            error = caught.value
            assert CANARY not in f"{error!r} {error} {error.args} {vars(error)}"
            assert error.__cause__ is None
            assert error.__context__ is None


def test_errors_explain_themselves() -> None:
    error = Locked(status=409, error_code=9018)

    assert str(error) == "ORCID locked the record (HTTP 409, error-code 9018)"
    assert repr(error) == "<Locked: ORCID locked the record (HTTP 409, error-code 9018)>"
    assert error.kind == "locked"
    assert WrongRecord().kind == "wrong_record"
    assert str(Malformed("reason")) == "reason"
