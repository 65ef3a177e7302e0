"""What the Registry's successful answers must look like before anything is concluded from them.

An answer is checked as far as is needed to trust it (it is whole, it is JSON, it is about what was asked) and is left
undecoded beyond that. Text that is no JSON counts as a damaged transfer (Unavailable); JSON of another shape is
Malformed; numbers too large or arrays too deep for the decoder are neither (fault F48).
"""

import re
import unicodedata
from collections.abc import Collection
from contextlib import suppress
from typing import Final, TypeVar

import msgspec
from msgspec import Raw, Struct

from orcid_sync.model.ids import InvalidOrcid, Orcid, parse_orcid
from orcid_sync.model.wire.lenient import decode_dirty, is_object
from orcid_sync.registry.errors import Malformed, ScopeNotGranted, Unavailable, WrongRecord

T = TypeVar("T")

_LONGEST_LIFE: Final = 100 * 366 * 86_400
"""Seconds: a token that claims to live longer says nothing about its life."""

_LONGEST_NAME: Final = 300
_ANOTHERS: Final = "The Registry answered with another item than the one asked for."
_REORDERING: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")

_TOKEN: Final = re.compile(r"[\x21-\x7e]+")

MEMBERSHIP: Final = {
    "/webhook": "ORCID grants the scope /webhook to premium members, and to every member's test client in the sandbox",
    "/read-public": "ORCID grants the scope /read-public to every client",
}
"""Who is granted a scope of our client's (contract sections 1.2 and 2.2)."""


class Grant(Struct, frozen=True):
    """An answer of the token endpoint (contract section 2.3). Its text form shows no token."""

    access_token: str
    expires_in: int
    """Seconds; about twenty years."""

    def __repr__(self) -> str:
        return f"<Grant for {self.expires_in} s>"


class HolderGrant(Struct, frozen=True, kw_only=True):
    """What the holder of a record allowed us (contract section 2.4). Its text form shows no token, iD or name."""

    orcid: Orcid
    """Who signed in: the only trustworthy source of an iD (fault F71)."""
    name: str
    """What the record shows to everybody; empty if that is nothing."""
    access_token: str
    refresh_token: str | None
    scopes: tuple[str, ...]
    """What was really granted."""
    expires_in: int | None
    """Seconds: twenty years, or one hour (contract section 2.7); None if it is not said."""

    def __repr__(self) -> str:
        return f"<HolderGrant of {' '.join(self.scopes)} for {self.expires_in} s>"


class _Identifier(Struct):
    path: str


class _Record(Struct, rename="kebab"):
    orcid_identifier: _Identifier
    person: Raw = Raw(b"null")
    activities_summary: Raw = Raw(b"null")


class _Item(Struct, rename="kebab"):
    put_code: int
    path: str | None = None


class _BulkElement(Struct):
    """A work, or an error in its place, which says nothing reliable about which work (contract section 3.8)."""

    work: Raw = Raw(b"null")


class _Bulk(Struct):
    bulk: list[_BulkElement] | None


class _Token(Struct):
    access_token: str
    scope: str
    expires_in: int = 0


class _Consent(Struct):
    access_token: str
    orcid: str
    scope: str
    refresh_token: str | None = None
    name: str | None = None
    expires_in: int | None = None


def read_record(orcid: Orcid, body: bytes) -> bytes:
    """The record's JSON, as it came.

    Raises WrongRecord unless the record answered is the record asked (fault F53); Malformed if it has neither `person`
    nor `activities-summary` (contract section 3.6); Unavailable if it is not whole. One of the two is worth reading:
    what the other would say is unknown (fault F54).
    """
    record = decode(body, _Record)
    if record.orcid_identifier.path != orcid:
        raise WrongRecord
    if not (is_object(record.person) or is_object(record.activities_summary)):
        raise Malformed
    return body


def read_works(orcid: Orcid, put_codes: Collection[int], body: bytes) -> dict[int, bytes]:
    """Works by put-code, each as undecoded JSON (contract section 3.8).

    The answer's order means nothing and its error elements do not say which work they stand for: a work that is
    missing here is unknown, not deleted (fault F40). So is one that is none, or that is of another record.
    """
    works = {}
    for element in decode(body, _Bulk).bulk or []:
        with suppress(Malformed, WrongRecord):
            put_code, work = _read_head(orcid, bytes(element.work))
            works[put_code] = work
    return {put_code: work for put_code, work in works.items() if put_code in put_codes}


def read_item(orcid: Orcid, put_code: int, body: bytes) -> bytes:
    """A full item's JSON. Raises WrongRecord if it has another put-code or belongs to another record."""
    # Undecoded, but without what lies deeper than any decoder goes: it could not be stored either (fault F48).
    answered, item = _read_head(orcid, bytes(decode(body, Raw)))
    if answered != put_code:
        raise WrongRecord(_ANOTHERS)
    return item


def read_token(scope: str, body: bytes) -> Grant:
    """The token granted. Raises ScopeNotGranted unless it has the scope: others are dropped silently (section 2.2)."""
    answer = decode(body, _Token)
    if scope not in answer.scope.split():
        raise scope_not_granted(scope)
    if not is_token(answer.access_token):
        raise Malformed
    return Grant(access_token=answer.access_token, expires_in=answer.expires_in)


def read_consent(body: bytes) -> HolderGrant:
    """What was granted for a code. Raises Malformed without a token that can be used, or without an iD."""
    answer = decode(body, _Consent)
    orcid = _orcid_of(answer.orcid)
    refresh = answer.refresh_token or None
    if orcid is None or not is_token(answer.access_token) or (refresh is not None and not is_token(refresh)):
        raise Malformed
    life = answer.expires_in
    return HolderGrant(
        orcid=orcid,
        name=_shown(answer.name or ""),
        access_token=answer.access_token,
        refresh_token=refresh,
        scopes=tuple(sorted(set(answer.scope.split()))),
        expires_in=life if life is not None and 0 < life <= _LONGEST_LIFE else None,
    )


def _shown(name: str) -> str:
    """A name on one line, without what PostgreSQL refuses or what would reorder the text around it (fault F55)."""
    kept = "".join(" " if unicodedata.category(letter) in {"Cc", "Cs"} else letter for letter in name)
    return " ".join(_REORDERING.sub("", kept).split())[:_LONGEST_NAME]


def _orcid_of(text: str) -> Orcid | None:
    """The iD, if its check digit is right (contract section 8)."""
    try:
        return parse_orcid(text)
    except InvalidOrcid:
        return None


def is_token(text: str) -> bool:
    """Whether the text can travel as a Bearer token: visible ASCII, no space, no line end."""
    return _TOKEN.fullmatch(text) is not None


def scope_not_granted(
    scope: str, *, status: int | None = None, error_code: int | None = None, oauth_error: str | None = None
) -> ScopeNotGranted:
    """The error that names the membership which would help."""
    hint = MEMBERSHIP.get(scope, f"ORCID does not grant the scope {scope} to this client")
    return ScopeNotGranted(
        f"this client was not granted the scope {scope}: {hint}",
        status=status,
        error_code=error_code,
        oauth_error=oauth_error,
    )


def _read_head(orcid: Orcid, item: bytes) -> tuple[int, bytes]:
    """An item with its put-code; its path, `/0000-…/work/123`, must name the record asked (it may be null)."""
    head = decode(item, _Item)
    if head.path is not None and not head.path.startswith(f"/{orcid}/"):
        raise WrongRecord(_ANOTHERS)
    return head.put_code, item


def decode(body: bytes, shape: type[T]) -> T:
    """The answer in this shape. Raises Malformed if it has another one, Unavailable if it is not complete JSON."""
    # Raised outside the handler: the decoder's own exception may quote the answer.
    failure: Malformed | Unavailable
    try:
        return decode_dirty(body, shape)
    except msgspec.ValidationError:
        failure = Malformed()
    except (msgspec.DecodeError, ValueError):
        failure = Unavailable("the answer is not complete JSON")
    raise failure
