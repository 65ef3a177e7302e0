"""What a successful answer must look like before it is believed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcid_sync.model.ids import Orcid
from orcid_sync.registry.answers import Grant
from orcid_sync.registry.errors import BadRequest, Malformed, NotFound, RegistryError, Unavailable, WrongRecord
from orcid_sync.registry.protocol import decipher
from orcid_sync.registry.requests import (
    item_request,
    record_request,
    register_request,
    revoke_request,
    token_request,
    unregister_request,
    works_request,
)

API = "https://api.example.org"
ORCID = Orcid("0000-0002-1825-0097")
OTHER = Orcid("0000-0002-1694-233X")
JSON = {"Content-Type": "application/json"}

RECORD = record_request(API, ORCID)
ITEM = item_request(API, ORCID, "funding", 7)
WORKS = works_request(API, ORCID, [1, 2, 3])
TOKEN = token_request("https://example.org", client_id="APP-TEST", client_secret="secret", scope="/webhook")
REVOKE = revoke_request("https://example.org", client_id="APP-TEST", client_secret="secret", token="t0k3n")
REGISTER = register_request(API, ORCID, "https://hub.example/hooks/a")
REMOVE = unregister_request(API, ORCID, "https://hub.example/hooks/a")


def record(**changes: Any) -> bytes:
    members = {
        "orcid-identifier": {"uri": f"https://orcid.org/{ORCID}", "path": ORCID, "host": "orcid.org"},
        "preferences": {"locale": "EN"},
        "person": {"name": None},
        "activities-summary": {"works": {"group": []}},
        "path": f"/{ORCID}",
    }
    members.update({name.replace("_", "-"): value for name, value in changes.items()})
    return json.dumps(members).encode()


def read(request: Any, body: bytes) -> Any:
    return decipher(request, 200, JSON, body)


def test_a_record_is_returned_as_it_came() -> None:
    assert read(RECORD, record()) == record()
    assert read(RECORD, record(new_block={"a": [1]})) == record(new_block={"a": [1]})


@pytest.mark.fault("F46", "F47")
@pytest.mark.parametrize(
    "dirty",
    [
        record(person={"biography": {"content": "a\x00b\ud800c𝒳"}}),
        record(**{"new\ud800": 1}),
        record(person={"name": "broken"}).replace(b"broken", b"\xff\xfe"),
    ],
)
def test_text_that_postgresql_cannot_store_makes_no_record_unreadable(dirty: bytes) -> None:
    assert read(RECORD, dirty) == dirty


@pytest.mark.fault("F53")
@pytest.mark.invariant("S9")
@pytest.mark.parametrize("path", [OTHER, "", f"/{ORCID}", ORCID.lower() + " "])
def test_another_record_is_refused(path: str) -> None:
    with pytest.raises(WrongRecord):
        read(RECORD, record(orcid_identifier={"path": path}))


@pytest.mark.fault("F49")
@pytest.mark.parametrize(
    "body",
    [
        record(person=None, activities_summary=None),
        record(person=[], activities_summary="text"),
        record(orcid_identifier=None),
        record(orcid_identifier={"path": None}),
        record(orcid_identifier={"path": 5}),
        b'{"orcid-identifier":{"path":"0000-0002-1825-0097"}}',
        b'{"response-code":404,"error-code":9016}',
        b'{"bulk":[]}',
        b"[]",
        b"null",
        b'"text"',
    ],
)
def test_json_of_another_shape_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed) as caught:
        read(RECORD, body)

    assert caught.value.status == 200


@pytest.mark.fault("F54")
@pytest.mark.parametrize("missing", [{"person": None}, {"person": []}, {"activities_summary": "text"}])
def test_one_half_of_a_record_is_worth_reading(missing: dict[str, Any]) -> None:
    body = record(**missing)

    assert read(RECORD, body) == body


@pytest.mark.fault("F35", "F48")
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        record()[:-1],
        record() + b"}",
        record().replace(b'"EN"', b"NaN"),
        record().replace(b'"EN"', b"Infinity"),
        record().replace(b'"EN"', b"-"),
        record().replace(b'"EN"', b'"\\u12"'),
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b"Oops",
    ],
)
def test_what_is_not_whole_json_is_a_damaged_transfer(body: bytes) -> None:
    with pytest.raises(Unavailable):
        read(RECORD, body)


@pytest.mark.fault("F48")
@pytest.mark.parametrize("number", [b"1e400", b"9" * 5000, b"-" + b"9" * 5000, b"1e-5000"])
def test_a_number_of_any_size_does_not_stop_a_record(number: bytes) -> None:
    body = record().replace(b'"EN"', number)

    assert read(RECORD, body) == body


@pytest.mark.fault("F48")
def test_nesting_of_any_depth_does_not_stop_a_record() -> None:
    body = record().replace(b'"EN"', b"[" * 100_000 + b"]" * 100_000)

    assert read(RECORD, body) == body


@pytest.mark.fault("F48")
def test_of_a_full_form_of_any_depth_the_rest_is_returned() -> None:
    """PostgreSQL's stack has an end, too."""
    item = read(ITEM, b'{"put-code":7,"type":"grant","title":' + b"[" * 100_000 + b"]" * 100_000 + b"}")

    assert json.loads(item) | {"title": None} == {"put-code": 7, "type": "grant", "title": None}


@pytest.mark.fault("F35")
@given(st.integers(min_value=0, max_value=len(record()) - 1))
def test_a_cut_record_is_never_believed(length: int) -> None:
    with pytest.raises(Unavailable):
        read(RECORD, record()[:length])


@pytest.mark.fault("F48", "F49")
@given(st.binary(max_size=300))
def test_no_bytes_do_more_than_raise_an_error(body: bytes) -> None:
    for request in (RECORD, WORKS, ITEM, TOKEN):
        with pytest.raises(RegistryError):
            read(request, body)


def bulk(*elements: Any) -> bytes:
    return json.dumps({"bulk": elements}).encode()


def work(put_code: Any, path: str | None = None, **members: Any) -> dict[str, Any]:
    return {"work": {"put-code": put_code, "path": path, **members}}


def failed(status: int, code: int) -> dict[str, Any]:
    return {
        "error": {"response-code": status, "error-code": code, "developer-message": "put code 3", "user-message": ""}
    }


@pytest.mark.fault("F40")
@pytest.mark.invariant("S8")
@pytest.mark.parametrize(
    ("body", "put_codes"),
    [
        (bulk(work(3), work(1), work(2)), {1, 2, 3}),
        (bulk(work(2, f"/{ORCID}/work/2")), {2}),
        (bulk(work(1), failed(400, 9034), failed(403, 9039)), {1}),
        (bulk(failed(403, 9013), failed(403, 9038)), set()),
        (bulk(work(1), work(99)), {1}),
        (bulk({"work": None}, {}, {"new-thing": {}}), set()),
        (bulk(), set()),
        (b'{"bulk":null}', set()),
    ],
)
def test_bulk_works_are_matched_by_put_code(body: bytes, put_codes: set[int]) -> None:
    assert set(read(WORKS, body)) == put_codes


@pytest.mark.fault("F40", "F49")
@pytest.mark.parametrize(
    "element",
    [work("2"), work(None), work(2.5), {"work": []}, {"work": 7}, {}, {"error": {}}, work(2, f"/{OTHER}/work/2")],
)
def test_an_element_that_is_no_work_of_this_record_costs_the_page_nothing(element: Any) -> None:
    assert set(read(WORKS, bulk(work(1), element, work(3)))) == {1, 3}


def test_works_stay_undecoded() -> None:
    body = b'{"bulk":[{"work":{"put-code":1, "title" : "\xc3\xa9", "n":1.50}},{"error":{}}]}'

    assert read(WORKS, body) == {1: b'{"put-code":1, "title" : "\xc3\xa9", "n":1.50}'}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (bulk("text"), Malformed),
        (b'{"bulk":{}}', Malformed),
        (b"{}", Malformed),
        (b'{"bulk":[{"work":{"put-code":1}}', Unavailable),
    ],
)
def test_bulk_answers_that_are_refused(body: bytes, error: type[RegistryError]) -> None:
    with pytest.raises(error):
        read(WORKS, body)


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"put-code":8}', WrongRecord),
        (b'{"put-code":7,"path":"/0000-0002-1694-233X/funding/7"}', WrongRecord),
        (b'{"path":"/0000-0002-1825-0097/funding/7"}', Malformed),
        (b"[]", Malformed),
        (b'{"put-code":7', Unavailable),
    ],
)
def test_an_item_must_be_the_one_asked_for(body: bytes, error: type[RegistryError]) -> None:
    good = b'{"put-code": 7, "path":"/0000-0002-1825-0097/funding/7", "type":"grant"}'

    assert read(ITEM, good) == good
    with pytest.raises(error):
        read(ITEM, body)


def test_a_token_is_granted() -> None:
    body = (
        b'{"access_token":"4bed1e13-7792-4129","token_type":"bearer","refresh_token":"r","expires_in":631138518,'
        b'"scope":"/read-public /webhook","orcid":null}'
    )

    grant = read(TOKEN, body)

    assert grant == Grant(access_token="4bed1e13-7792-4129", expires_in=631138518)
    assert "4bed" not in repr(grant)


@pytest.mark.parametrize(
    "body",
    [
        b'{"scope":"/webhook"}',
        b'{"access_token":null,"scope":"/webhook"}',
        b'{"access_token":"a\\r\\nb","scope":"/webhook"}',
        b'{"access_token":"","scope":"/webhook"}',
        b'{"access_token":"a","scope":null}',
        b"[]",
    ],
)
def test_a_token_answer_of_another_shape_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        read(TOKEN, body)


@pytest.mark.parametrize("headers", [{}, {"Content-Type": ""}], ids=["none", "empty"])
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, {"response-code": 404, "error-code": 9001}, BadRequest),
        (415, {"error-code": 9001}, BadRequest),
        (404, {"error-code": 9016}, NotFound),
        (404, {"message": "not found"}, Unavailable),  # anybody's JSON
        (404, {"error-code": "9016"}, Unavailable),
        (404, ["error-code", 9016], Unavailable),
    ],
)
def test_an_error_code_is_orcids_word_also_without_a_content_type(
    headers: dict[str, str], status: int, body: Any, error: type[RegistryError]
) -> None:
    """Contract sections 4.2 and 12a: 9001 comes so."""
    with pytest.raises(RegistryError) as caught:
        decipher(RECORD, status, headers, json.dumps(body).encode())
    assert type(caught.value) is error


def test_an_error_code_in_a_page_is_nobodys_word() -> None:
    with pytest.raises(Unavailable):
        decipher(RECORD, 404, {"Content-Type": "text/html"}, b'{"error-code": 9016}')


@pytest.mark.parametrize("request_", [RECORD, ITEM, WORKS, TOKEN, REGISTER, REMOVE, REVOKE])
def test_a_rejection_in_the_form_of_a_success_is_none(request_: Any) -> None:
    """Contract section 12a: HTTP 200 without Content-Type, for webhooks, too."""
    body = {"headers": {}, "body": {"responseCode": 400}, "statusCode": "BAD_REQUEST", "statusCodeValue": 400}
    with pytest.raises((Malformed, Unavailable)):
        decipher(request_, 200, {}, json.dumps(body).encode())


@pytest.mark.parametrize("request_", [TOKEN, REVOKE])
@pytest.mark.parametrize(("status", "code"), [(404, 9016), (409, 9044), (409, 9018), (409, 9036), (409, 9007)])
def test_what_speaks_of_a_record_says_nothing_where_tokens_are_given_out(request_: Any, status: int, code: int) -> None:
    """Only /record decides its state (contract section 3.5), and no token is taken back by it (section 2.6)."""
    with pytest.raises(RegistryError) as caught:
        decipher(request_, status, JSON, json.dumps({"response-code": status, "error-code": code}).encode())
    assert type(caught.value) is BadRequest
