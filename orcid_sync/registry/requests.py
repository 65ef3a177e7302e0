"""The questions that we ask the Registry, as values.

Every address, header and form of ORCID's that we send is written here. A Request says nothing about how it is sent; it
knows how its answer is read (`protocol.decipher`).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Final, Generic, TypeVar
from urllib.parse import quote, urlencode

from orcid_sync.model.ids import Orcid
from orcid_sync.registry.answers import (
    Grant,
    HolderGrant,
    is_token,
    read_consent,
    read_item,
    read_record,
    read_token,
    read_works,
)
from orcid_sync.registry.errors import Unauthorized

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

READ_PUBLIC: Final = "/read-public"
WEBHOOK: Final = "/webhook"
READ_LIMITED: Final = "/read-limited"

BULK_LIMIT: Final = 100
"""Works in one bulk read; one more is refused as a whole with 9042 (contract section 3.8)."""

_JSON: Final = {"Accept": "application/json"}  # without it the answer is XML (contract section 3.2)
_JSON_BODYLESS: Final = {**_JSON, "Content-Type": "application/json"}  # the client's own guess gets 415 (section 1.1)
_FORM: Final = {**_JSON, "Content-Type": "application/x-www-form-urlencoded"}


class Endpoint(StrEnum):
    """What a request asks for, in one fixed word: a label for metrics."""

    RECORD = "record"
    WORKS = "works"
    ITEM = "item"
    SEARCH = "search"
    WEBHOOK = "webhook"
    TOKEN = "token"  # noqa: S105  the word, not a token
    CODE = "code"
    REVOKE = "revoke"


@dataclass(frozen=True, slots=True)
class Request(Generic[T_co]):
    """A request, and how its answer is read. Its text form shows neither address nor form: both can hold secrets."""

    endpoint: Endpoint
    method: str
    url: str = field(repr=False)
    """The exact characters for the wire, already encoded."""
    headers: Mapping[str, str]
    """All headers but Authorization."""
    read: Callable[[int, bytes], T_co] = field(repr=False)
    """Takes the status (one of `success`) and the body; raises RegistryError."""
    success: frozenset[int]
    scope: str
    """The scope that a token of our own needs for it; of a token request, the scope asked for."""
    orcid: Orcid | None = None
    form: bytes | None = field(default=None, repr=False)


def record_request(api_url: str, orcid: Orcid) -> Request[bytes]:
    """The whole record: person and summaries of activities (contract section 3.1)."""
    return _get(Endpoint.RECORD, f"{api_url}/v3.0/{orcid}/record", orcid, partial(read_record, orcid))


def works_request(api_url: str, orcid: Orcid, put_codes: Collection[int]) -> Request[dict[int, bytes]]:
    """Full works, at most BULK_LIMIT and distinct: repeated ones come back as errors (contract section 3.8)."""
    codes = sorted(set(put_codes))
    if not 0 < len(codes) <= BULK_LIMIT:
        raise ValueError(f"a bulk read takes 1 to {BULK_LIMIT} works, not {len(codes)}")
    url = f"{api_url}/v3.0/{orcid}/works/{','.join(map(str, codes))}"
    return _get(Endpoint.WORKS, url, orcid, partial(read_works, orcid, codes))


def item_request(api_url: str, orcid: Orcid, section: str, put_code: int) -> Request[bytes]:
    """One full item; `section` is ORCID's singular: funding, peer-review, … (contract section 3.1)."""
    url = f"{api_url}/v3.0/{orcid}/{quote(section, safe='')}/{put_code}"
    return _get(Endpoint.ITEM, url, orcid, partial(read_item, orcid, put_code))


def _get(endpoint: Endpoint, url: str, orcid: Orcid, read: Callable[[bytes], T]) -> Request[T]:
    return Request(
        endpoint=endpoint,
        method="GET",
        url=url,
        headers=_JSON,
        read=lambda _, body: read(body),
        success=frozenset({200}),
        orcid=orcid,
        scope=READ_PUBLIC,
    )


def register_request(api_url: str, orcid: Orcid, callback: str) -> Request[bool]:
    """Register a webhook; the answer is True if it is new, False if it was there and stays as it was (section 1.3)."""
    return _webhook("PUT", _webhook_url(api_url, orcid, callback), orcid, {201, 204}, lambda status, _: status == 201)


def unregister_request(api_url: str, orcid: Orcid, callback: str) -> Request[None]:
    """Remove a webhook (contract section 1.4)."""
    return _webhook("DELETE", _webhook_url(api_url, orcid, callback), orcid, {204}, lambda *_: None)


def _webhook(method: str, url: str, orcid: Orcid, success: set[int], read: Callable[[int, bytes], T]) -> Request[T]:
    return Request(
        endpoint=Endpoint.WEBHOOK,
        method=method,
        url=url,
        headers=_JSON_BODYLESS,
        read=read,
        success=frozenset(success),
        orcid=orcid,
        scope=WEBHOOK,
    )


def _webhook_url(api_url: str, orcid: Orcid, callback: str) -> str:
    # No /v3.0 here. The callback is one path segment: its slashes and its own percent signs are encoded (section 1.1).
    return f"{api_url}/{orcid}/webhook/{quote(callback, safe='')}"


def token_request(web_url: str, *, client_id: str, client_secret: str, scope: str) -> Request[Grant]:
    """A token of our own with one scope, by client_credentials (contract section 2.3)."""
    form = {"grant_type": "client_credentials", "scope": scope}
    return _oauth(
        Endpoint.TOKEN, f"{web_url}/oauth/token", client_id, client_secret, form, lambda body: read_token(scope, body)
    )


def code_request(
    web_url: str, *, client_id: str, client_secret: str, code: str, redirect_uri: str
) -> Request[HolderGrant]:
    """A holder's token in exchange for a code; to be sent once and never again (contract section 2.4, fault F70)."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
    return _oauth(Endpoint.CODE, f"{web_url}/oauth/token", client_id, client_secret, form, read_consent)


def revoke_request(web_url: str, *, client_id: str, client_secret: str, token: str) -> Request[None]:
    """Take one token back, and the refresh token that came with it (contract section 2.6)."""
    form = {"token": token}
    return _oauth(Endpoint.REVOKE, f"{web_url}/oauth/revoke", client_id, client_secret, form, lambda _: None)


def _oauth(
    endpoint: Endpoint,
    url: str,
    client_id: str,
    client_secret: str,
    form: Mapping[str, str],
    read: Callable[[bytes], T],
) -> Request[T]:
    """A form for the web host; our client authenticates itself by two fields of it (contract section 2.3)."""
    fields = {"client_id": client_id, "client_secret": client_secret, **form}
    return Request(
        endpoint=endpoint,
        method="POST",
        url=url,
        headers=_FORM,
        read=lambda _, body: read(body),
        success=frozenset({200}),
        scope=form.get("scope", ""),
        form=urlencode(fields).encode(),
    )


def authorize_url(
    web_url: str, *, client_id: str, redirect_uri: str, state: str, scope: str = READ_LIMITED, **parameters: str
) -> str:
    """Where a researcher's browser goes to be asked (contract section 2.4); empty parameters are left out.

    `parameters` customise the sign-in: lang, given_names, family_names, email, orcid, show_login, prompt.
    """
    asked = {
        "client_id": client_id,
        "response_type": "code",
        "scope": scope,
        "redirect_uri": redirect_uri,
        "state": state,
    }
    given = {name: value for name, value in parameters.items() if value}
    return f"{web_url}/oauth/authorize?{urlencode(asked | given, quote_via=quote, safe='')}"


def bearer(token: str) -> str:
    """The Authorization header. Raises Unauthorized if the text cannot be a token: it must not break the header."""
    if not is_token(token):
        raise Unauthorized("the stored token is not a token")
    return f"Bearer {token}"
