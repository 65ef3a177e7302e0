"""What goes over the wire: addresses, headers, forms (contract sections 1.1, 2.3, 3.1, 3.2)."""

from urllib.parse import parse_qs, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcid_sync.model.ids import Orcid
from orcid_sync.registry.errors import Unauthorized
from orcid_sync.registry.requests import (
    bearer,
    item_request,
    record_request,
    register_request,
    token_request,
    unregister_request,
    works_request,
)

API = "https://api.example.org"
ORCID = Orcid("0000-0002-1825-0097")


def test_addresses_and_headers() -> None:
    record = record_request(API, ORCID)
    works = works_request(API, ORCID, [30, 4, 30])
    item = item_request(API, ORCID, "peer-review", 12)

    assert (record.method, record.url) == ("GET", f"{API}/v3.0/{ORCID}/record")
    assert (works.method, works.url) == ("GET", f"{API}/v3.0/{ORCID}/works/4,30")
    assert (item.method, item.url) == ("GET", f"{API}/v3.0/{ORCID}/peer-review/12")
    for request in (record, works, item):
        assert request.headers == {"Accept": "application/json"}
        assert request.scope == "/read-public"


def test_webhooks_have_no_version_and_one_segment() -> None:
    callback = "https://hub.example.org:8443/hooks/a%20b/?x=1&y=#z"

    put, delete = register_request(API, ORCID, callback), unregister_request(API, ORCID, callback)

    assert put.url == (
        f"{API}/{ORCID}/webhook/https%3A%2F%2Fhub.example.org%3A8443%2Fhooks%2Fa%2520b%2F%3Fx%3D1%26y%3D%23z"
    )
    assert delete.url == put.url
    assert (put.method, delete.method) == ("PUT", "DELETE")
    for request in (put, delete):
        assert request.headers == {"Accept": "application/json", "Content-Type": "application/json"}
        assert request.form is None
        assert request.scope == "/webhook"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_callback_survives_one_decoding(callback: str) -> None:
    segment = register_request(API, ORCID, callback).url.removeprefix(f"{API}/{ORCID}/webhook/")

    assert unquote(segment) == callback
    assert not set(segment) & set("/?#&=: ")


def test_token_request_is_a_form() -> None:
    request = token_request(
        "https://example.org", client_id="APP-TEST", client_secret="s&cret +=", scope="/read-public"
    )

    assert (request.method, request.url) == ("POST", "https://example.org/oauth/token")
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert request.headers["Accept"] == "application/json"
    assert request.form is not None
    assert parse_qs(request.form.decode()) == {
        "client_id": ["APP-TEST"],
        "client_secret": ["s&cret +="],
        "grant_type": ["client_credentials"],
        "scope": ["/read-public"],
    }


@pytest.mark.parametrize("count", [0, 101])
def test_a_bulk_read_has_1_to_100_works(count: int) -> None:
    assert works_request(API, ORCID, range(1, 101)).url.count(",") == 99
    with pytest.raises(ValueError, match="1 to 100"):
        works_request(API, ORCID, range(1, count + 1))


@pytest.mark.parametrize("text", ["", "a b", "a\r\nX-Evil: 1", "a\n", "tökén", "a\x00", "\ud800"])
def test_what_is_no_token_stays_out_of_the_header(text: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        bearer(text)

    assert not text or text not in repr(caught.value)
    assert bearer("4bed1e13-7792-4129") == "Bearer 4bed1e13-7792-4129"
