"""One HTTP request, as far as the Registry looks at it."""

import base64
import binascii
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, unquote

import msgspec

from orcid_sync.simulator.answers import http_answer
from orcid_sync.simulator.base.errors import Unauthenticated
from orcid_sync.simulator.oauth import access


class Call(msgspec.Struct, frozen=True):
    """One request."""

    method: str
    address: str
    """The absolute address as it was requested."""
    path: str
    """Path as it stands on the wire, percent-encoded, without the query."""
    headers: Mapping[str, str]
    body: bytes = b""
    on_public_host: bool = False

    @property
    def target(self) -> str:
        """The address without host, as it stands in the request line."""
        return "/" + self.address.split("/", 3)[3]

    @property
    def media_type(self) -> str | None:
        """The media type to answer with, None for 406."""
        return http_answer.accepted(self.headers.get("Accept"), self.headers.get("Content-Type"))

    @property
    def token(self) -> str | None:
        """The bearer token."""
        return access.bearer(self.headers.get("Authorization"))

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the address, the first value of each."""
        return _first_values(self.address.partition("?")[2])

    @property
    def fields(self) -> dict[str, str]:
        """The fields of a posted form, the first value of each."""
        return _first_values(self.body.decode("utf-8", "replace"))

    def posted(self) -> dict[str, str]:
        """The fields of a form. Raises Unauthenticated for anything but a POST."""
        if self.method != "POST":
            raise Unauthenticated("invalid_request", "Only POST is supported", status=405)
        return self.fields

    def cookie(self, name: str) -> str | None:
        """The value of a cookie."""
        try:
            morsel = SimpleCookie(self.headers.get("Cookie", "")).get(name)
        except CookieError:
            return None
        return None if morsel is None else morsel.value

    def client_credentials(self) -> tuple[str | None, str | None]:
        """Client id and secret: HTTP Basic if there is an Authorization header, else the fields (contract §2.3)."""
        kind, _, text = self.headers.get("Authorization", "").partition(" ")
        if not kind:
            return self.fields.get("client_id"), self.fields.get("client_secret")
        try:
            client_id, _, secret = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None, None
        return unquote(client_id), unquote(secret)


def _first_values(text: str) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(text, keep_blank_values=True).items()}
