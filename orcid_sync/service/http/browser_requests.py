"""What browsers send to the connect pages and keep for them: paths, queries, forms, cookies; each within limits."""

import asyncio
import hashlib
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from aiohttp import hdrs, web

MAX_FORM: Final = 4096
"""Bytes of a form; ours have two fields (fault F93)."""

FORM_SECONDS: Final = 10.0
"""How long a browser may take to send one (fault F92)."""

_FIELDS: Final = 20
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)

SESSION_SECONDS: Final = 1800
"""How long the page of a connection is shown after signing in."""

BROWSER_SECONDS: Final = 600
"""How long a browser may stay at ORCID (fault F69)."""


class Cookies(msgspec.Struct, frozen=True):
    """Our two cookies. Over https their names bind them to this host alone; on loopback browsers would refuse those."""

    secure: bool

    @property
    def browser(self) -> str:
        """Tells the browser that went to ORCID from the others (fault F69)."""
        return self._name("browser")

    @property
    def session(self) -> str:
        """Says who has just signed in."""
        return self._name("session")

    def keep(self, response: web.StreamResponse, name: str, value: str, seconds: int) -> None:
        """Have the browser keep it for so long, and show it also when it comes back from ORCID's site."""
        response.set_cookie(name, value, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="Lax")

    def drop(self, response: web.StreamResponse, name: str) -> None:
        """Have the browser forget it."""
        self.keep(response, name, "", 0)

    def _name(self, name: str) -> str:
        return f"__Host-orcid-sync-{name}" if self.secure else f"orcid-sync-{name}"


def hashed(secret: str) -> bytes:
    """What the database holds of a random secret."""
    return hashlib.sha256(secret.encode()).digest()


def path_of(request: web.BaseRequest) -> str:
    """The path as it stands in the request line, without what follows a question mark."""
    return request.raw_path.partition("?")[0]


def query_of(request: web.BaseRequest) -> dict[str, str]:
    """What follows the question mark; empty if it cannot be read or says something twice."""
    return fields_of(request.raw_path.partition("?")[2])


def fields_of(text: str) -> dict[str, str]:
    """The fields of a query or a form; none if there are too many, or one of them comes twice."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    except ValueError:
        return {}
    fields = dict(pairs)
    return fields if len(fields) == len(pairs) else {}


async def read_form(request: web.BaseRequest) -> Mapping[str, str] | None:
    """The fields of the form that was posted; None if it is too long or does not come to its end in time."""
    body = bytearray()
    try:
        async with asyncio.timeout(FORM_SECONDS):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_FORM:
                    return None
    except TimeoutError:
        return None
    return fields_of(body.decode(errors="replace"))


def secret_of(text: str | None) -> str | None:
    """A random secret of ours (256 bits in base64url) as a browser shows it; None if it cannot be one."""
    return text if text is not None and _SECRET.fullmatch(text) else None


def from_elsewhere(request: web.BaseRequest) -> bool:
    """Whether another site made the browser send this. Old browsers do not say."""
    return request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}


def languages_of(request: web.BaseRequest) -> str:
    """The languages that the browser asks for."""
    return request.headers.get(hdrs.ACCEPT_LANGUAGE, "")
