"""An HTTP answer as a value, and the choice between JSON and XML (contract section 3.2)."""

import json
from typing import Any

import msgspec

from orcid_sync.simulator.answers.xml import to_xml
from orcid_sync.simulator.base.errors import Refusal, Unauthenticated, html_page

Json = dict[str, Any]

JSON_TYPES = ("application/json", "application/orcid+json", "application/vnd.orcid+json")
XML_TYPES = ("application/xml", "application/orcid+xml", "application/vnd.orcid+xml", "text/xml")


NEVER_STORED = {
    "Cache-Control": "no-store",
    "Pragma": "no-cache",
    "Expires": "0",
    "X-Content-Type-Options": "nosniff",
}
"""With every answer of the Registry itself (contract section 12a)."""


class Answer(msgspec.Struct, frozen=True):
    """Status, body and headers."""

    status: int
    body: bytes = b""
    content_type: str | None = None
    headers: dict[str, str] = {}


def accepted(accept: str | None, content_type: str | None = None) -> str | None:
    """The media type to answer with: XML unless JSON is asked for; None if neither is acceptable (406)."""
    if content_type and content_type.partition(";")[0].strip().lower() in (*JSON_TYPES, *XML_TYPES):
        default = content_type.partition(";")[0].strip().lower()
    else:
        default = "application/xml"
    if not accept:
        return default
    for media_type in _by_preference(accept):
        if media_type in (*JSON_TYPES, *XML_TYPES):
            return media_type
        if media_type in ("*/*", "application/*"):
            return default
    return None


def _by_preference(accept: str) -> list[str]:
    weighed = []
    for part in accept.lower().split(","):
        media_type, *parameters = (piece.strip() for piece in part.split(";"))
        quality = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
        weighed.append((-_number(quality), media_type))
    return [media_type for _, media_type in sorted(weighed, key=lambda pair: pair[0])]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def document(body: bytes, media_type: str) -> Answer:
    """200 with a document."""
    return Answer(200, body, f"{media_type};charset=UTF-8")


def encode(content: Any) -> bytes:
    """JSON text; lone surrogates, which occur in old data, travel as escapes, and integers may have any size."""
    try:
        return msgspec.json.encode(content)
    except (UnicodeEncodeError, OverflowError):
        return json.dumps(content, separators=(",", ":")).encode()


def json_answer(status: int, content: Json) -> Answer:
    """JSON whatever was accepted."""
    return Answer(status, msgspec.json.encode(content), "application/json;charset=UTF-8")


def refusal(error: Refusal, media_type: str | None) -> Answer:
    """An error object in JSON if JSON was accepted, in XML otherwise; 9001 says not which (contract section 12a)."""
    headers = {"Location": error.location} if error.location else {}
    as_json = media_type in JSON_TYPES
    body = msgspec.json.encode(error.body) if as_json else to_xml("error", error.body)
    content_type = f"{media_type if as_json else 'application/xml'};charset=UTF-8"
    return Answer(error.status, body, None if error.code == 9001 else content_type, headers)


def unauthenticated(error: Unauthenticated) -> Answer:
    """The security layer's refusal."""
    return json_answer(error.status, error.body)


def page(status: int) -> Answer:
    """A page of the proxy in front."""
    return Answer(status, html_page(status), "text/html")


def plain(status: int, text: str) -> Answer:
    """Plain text, as the rate limiter answers."""
    return Answer(status, text.encode(), "text/plain;charset=ISO-8859-1")
