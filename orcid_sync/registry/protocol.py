"""ORCID's protocol without I/O: parsing and judging its answers.

A function of `requests` builds a question; whoever has a network sends it and gives status, headers and body to
`decipher`, which returns what was asked for or raises an error of `errors`. Everything here is a pure function.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from orcid_sync.model.ids import InvalidOrcid, Orcid, parse_orcid
from orcid_sync.registry.answers import scope_not_granted
from orcid_sync.registry.errors import (
    OAUTH_ERRORS,
    UNKNOWN_TOKEN,
    UNRENDERABLE,
    BadRequest,
    Busy,
    ClientDisabled,
    CodeRefused,
    Deactivated,
    Deprecated,
    Locked,
    NotFound,
    RegistryError,
    ScopeNotGranted,
    Unauthorized,
    Unavailable,
    Unclaimed,
    Unrenderable,
    UsedUp,
    error_class,
)
from orcid_sync.registry.requests import Endpoint, Request

T = TypeVar("T")

_OAUTH_ENDPOINTS: Final = frozenset({Endpoint.TOKEN, Endpoint.CODE, Endpoint.REVOKE})
_CODE_WORDS: Final = frozenset({"invalid_grant", "invalid_request", "unauthorized_client"})

_OF_RECORDS: Final = frozenset({Deprecated, Locked, Unclaimed, Deactivated, NotFound})
"""Errors that speak of a record."""

_SHOWN: Final = {Endpoint.RECORD: "this record", Endpoint.WORKS: "these works"}

_DAILY: Final = b"daily quota"

_ORCID: Final = re.compile(r"\b[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X]\b", re.ASCII)
_RETRY_AFTER_BOUNDS: Final = (1.0, 3600.0)


def decipher(request: Request[T], status: int, headers: Mapping[str, str], body: bytes) -> T:
    """What was asked for. Raises RegistryError; the error carries the status."""
    known = {name.lower(): value for name, value in headers.items()}
    named = known.get("content-type", "").strip()
    is_json = _is_json(named)
    if not 200 <= status < 300:
        raise _refusal(request, status, known, _members(body) if is_json else _unnamed(named, body), body)
    if status not in request.success:
        raise _nonsense(request, "the answer has a success status that does not belong to the question", status)
    if _is_rejection(named, body):
        raise _nonsense(request, "the answer is a rejection in the form of a success", status)
    if not is_json and not _needs_no_json(request.endpoint, body):
        raise _nonsense(request, "the answer is not JSON", status)
    try:
        return request.read(status, body)
    except RegistryError as error:
        error.status = status
        failure = error
    if type(failure) is Unavailable:
        raise _nonsense(request, failure.detail, status)
    raise failure


def _nonsense(request: Request[Any], what: str, status: int) -> Unavailable:
    """The error for a whole answer that makes no sense: it concerns the record that was asked for, if there is one."""
    if not _shows(request):
        return Unavailable(what, status=status)
    return Unrenderable(f"{_unshown(request)}: {what}", status=status)


def _unshown(request: Request[Any]) -> str:
    """The record is shown, if it is only a part of it that cannot be."""
    return f"ORCID cannot show {_SHOWN.get(request.endpoint, 'this item')}"


def _shows(request: Request[Any]) -> bool:
    """Whether the answer shows a record, or a part of it."""
    return request.orcid is not None and request.endpoint is not Endpoint.WEBHOOK


def _unnamed(content_type: str, body: bytes) -> Mapping[str, Any] | None:
    """The members of an error of ORCID's without a Content-Type: 9001 comes so (contract sections 4.2 and 12a)."""
    members = _members(body) if not content_type else None
    return members if members and _error_code(members) else None


def _is_rejection(content_type: str, body: bytes) -> bool:
    """Whether a success without a Content-Type holds what ORCID rejects outside of JAX-RS (contract section 12a)."""
    members = _members(body) if body and not content_type else None
    return members is not None and "statusCodeValue" in members


def _needs_no_json(endpoint: Endpoint, body: bytes) -> bool:
    """Successes that may have no body; a revocation that says something must say it in JSON (section 2.6)."""
    return endpoint is Endpoint.WEBHOOK or (endpoint is Endpoint.REVOKE and not body.strip())


def _refusal(
    request: Request[Any], status: int, headers: Mapping[str, str], members: Mapping[str, Any] | None, body: bytes
) -> RegistryError:
    """The error for an answer that is no success; `members` is None unless the body is a JSON object."""
    code, word = _error_code(members or {}), _oauth_word(members or {})
    facts: dict[str, Any] = {"status": status, "error_code": code, "oauth_error": word}
    kind = error_class(status, code, word)
    of_record = _shows(request) and code is not None and (code in UNRENDERABLE or status >= 500)
    if kind is Busy and not of_record:
        return UsedUp(**facts) if _is_used_up(status, body) else Busy(retry_after=retry_after(headers), **facts)
    if members is None and status >= 400:
        return Unavailable("the answer is not the Registry's own JSON", **facts)
    if of_record:
        return Unrenderable(_unshown(request), **facts)
    return _refusal_in_words(request, kind, headers, body, facts)


def _refusal_in_words(
    request: Request[Any], kind: type[RegistryError], headers: Mapping[str, str], body: bytes, facts: Mapping[str, Any]
) -> RegistryError:
    """The error for a refusal that means what ORCID says."""
    status, code, word = facts["status"], facts["error_code"], facts["oauth_error"]
    if request.endpoint in _OAUTH_ENDPOINTS:
        kind = _oauth_refusal(request.endpoint, kind, status, word)
    if kind is Deprecated:
        return Deprecated(primary=_primary(request.orcid, headers.get("location", ""), body), **facts)
    if kind is ScopeNotGranted or (request.endpoint is Endpoint.WEBHOOK and code == 9038):
        return scope_not_granted(request.scope, **facts)
    if kind is BadRequest and status < 400:
        return BadRequest("the Registry redirects this address: check api_url and web_url", **facts)
    return kind(**facts)


def _is_used_up(status: int, body: bytes) -> bool:
    """Whether a 429 speaks of the day's quota: in plain text, nothing else tells it from "too fast" (section 5)."""
    return status == HTTPStatus.TOO_MANY_REQUESTS and _DAILY in body.lower()


def _oauth_refusal(endpoint: Endpoint, kind: type[RegistryError], status: int, word: str | None) -> type[RegistryError]:
    """What a refusal means where tokens are given out and taken back (section 2.8).

    `unauthorized` means a wrong secret, and any other 401 an inner fault. A code that is refused with 400 is a matter
    of this one person, also where the word speaks of the client: it is used for closed and merged records, too. A token
    that is not known cannot be taken back any more (section 2.6). Codes that speak of a record say nothing here: only
    `/record` decides what becomes of it (section 3.5).
    """
    if endpoint is Endpoint.CODE and status == 400 and word in _CODE_WORDS:
        return CodeRefused
    if endpoint is Endpoint.REVOKE and word in UNKNOWN_TOKEN:
        return NotFound
    if kind is Unauthorized:
        return ClientDisabled if word == "unauthorized" else Unavailable
    return BadRequest if kind in _OF_RECORDS else kind


def _is_json(content_type: str) -> bool:
    """JSON in any of ORCID's three names (contract section 3.2)."""
    media = content_type.partition(";")[0].strip().lower()
    return media == "application/json" or (media.startswith("application/") and media.endswith("+json"))


def _members(body: bytes) -> Mapping[str, Any] | None:
    """The members of an error body, or None if it is not a JSON object."""
    try:
        members = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None


def _error_code(members: Mapping[str, Any]) -> int | None:
    """`error-code`, the same in versioned and unversioned answers (contract sections 1.5 and 4.1)."""
    code = members.get("error-code")
    return code if type(code) is int and 0 < code < 100_000 else None


def _oauth_word(members: Mapping[str, Any]) -> str | None:
    """`error` of an OAuth body if it is a word that we know: an unknown one could hold anything (section 2.8)."""
    word = members.get("error")
    return word if isinstance(word, str) and word in OAUTH_ERRORS else None


def _primary(asked: Orcid | None, location: str, body: bytes) -> Orcid | None:
    """The iD that a deprecated one was merged into: of the Location, else the only other one that the body names.

    Only the path of the Location is looked at, and nothing is ever followed (contract section 4.2, 9007; fault F43).
    """
    for text in (_path(location), body.decode(errors="replace")):
        others = {orcid for orcid in _orcids(text) if orcid != asked}
        if len(others) == 1:
            return others.pop()
    return None


def _path(location: str) -> str:
    try:
        return urlsplit(location).path
    except ValueError:
        return ""


def _orcids(text: str) -> Iterator[Orcid]:
    """The iDs with a correct check digit in the text."""
    for form in _ORCID.findall(text):
        with suppress(InvalidOrcid):
            yield parse_orcid(form)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Retry-After in seconds, kept between 1 second and 1 hour; None if there is none that makes sense.

    A date is measured against the answer's own Date, so that our clock does not matter. No code of ORCID's sends this
    header, but its proxies may (contract section 4.3). The names of the headers are in lower case.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        seconds = float(value[:10])
    else:
        try:
            wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("date", ""))
        except (ValueError, TypeError, OverflowError):
            return None
        seconds = wait.total_seconds()
    shortest, longest = _RETRY_AFTER_BOUNDS
    return min(max(seconds, shortest), longest)
