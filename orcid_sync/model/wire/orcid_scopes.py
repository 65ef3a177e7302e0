"""The scopes of holders' tokens, as ORCID names them and as people write them (contract section 2.2)."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

from msgspec import Struct

SCOPES: Final = (
    *("/read-limited", "/person/read-limited", "/activities/read-limited", "/email/read-private"),
    *("/activities/update", "/person/update", "/authenticate", "openid", "/read-public", "/webhook"),
    *("/premium-notification", "/basic-notification", "/group-id-record/read", "/group-id-record/update"),
)
"""Those that a token can have today."""

PERSON, ACTIVITIES, PRIVATE_EMAILS = "person", "activities-summary", "private e-mails"
"""Parts of a record of which a token can show more than what is public."""

BLOCKS: Final = frozenset({PERSON, ACTIVITIES})
SHOWS: Final = {
    "/read-limited": BLOCKS,
    "/person/read-limited": frozenset({PERSON}),
    "/activities/read-limited": frozenset({ACTIVITIES}),
    "/email/read-private": frozenset({PRIVATE_EMAILS}),
    "/orcid-profile/read-limited": BLOCKS,
    "/orcid-bio/read-limited": frozenset({PERSON}),
}
"""By scope: the parts that it shows (contract section 3.4)."""

LIMITED_SCOPES: Final = frozenset(scope for scope, parts in SHOWS.items() if parts & BLOCKS)

_EARLIER: Final = frozenset(
    {
        *("/orcid-profile/read-limited", "/orcid-profile/create", "/orcid-bio/read-limited", "/orcid-bio/update"),
        *("/orcid-bio/external-identifiers/create", "/orcid-works/read-limited", "/orcid-works/create"),
        *("/orcid-works/update", "/orcid-patents/read-limited", "/orcid-patents/create", "/orcid-patents/update"),
        *("/affiliations/read-limited", "/affiliations/create", "/affiliations/update", "/funding/read-limited"),
        *("/funding/create", "/funding/update", "/peer-review/read-limited", "/peer-review/create"),
        "/peer-review/update",
    }
)
"""Those that tokens of earlier years have. They live for twenty years (contract section 2.7)."""

_IGNORED: Final = frozenset({"profile", "email", "address", "phone", "offline_access"})
"""Words of OpenID Connect that ORCID accepts in a request and grants to nobody."""

_KNOWN: Final = frozenset(SCOPES) | _EARLIER

# Spaces as ORCID writes them, and what lists, cells and addresses make of them.
_BETWEEN: Final = re.compile(r"[\s,;|+\"'\[\]{}()]+")

# What may be a scope that somebody misspelt. Anything else may be a token in the wrong column, and is not shown.
_LIKE_A_SCOPE: Final = re.compile(r"[a-z/._:-]{1,60}")


class Scopes(Struct, frozen=True):
    """The words of a list of scopes."""

    known: tuple[str, ...]
    """Each once, as ORCID writes it, in the order in which they were given."""
    unknown: tuple[str, ...]
    """Words that are no scopes, to be shown to people."""


def read_scopes(text: str) -> Scopes:
    """Read a list of scopes in any form that people have: in any case and order, repeated, percent-encoded."""
    known: dict[str, None] = {}
    unknown: dict[str, None] = {}
    for word in filter(None, _BETWEEN.split(_decoded(text))):
        scope = _scope(word)
        if scope in _KNOWN:
            known[scope] = None
        elif scope not in _IGNORED:
            unknown[_showable(word)] = None
    return Scopes(tuple(known), tuple(unknown))


def doubts_about(scopes: Scopes, *, given: bool) -> str | None:
    """What should be said of a token's scopes; None if all is well. What it really shows, a read finds out."""
    if not given:
        return "the token comes without scopes; what it shows is found out when the record is read"
    if scopes.unknown:
        return f"{_listed(scopes.unknown)}: no scope of ORCID's, which are {_listed(SCOPES)}"
    return None


def _decoded(text: str) -> str:
    """Without percent-encoding, which may have been done twice."""
    return unquote(unquote(text))


def _scope(word: str) -> str:
    """The word as ORCID writes it, if it is a scope: lower case, a slash in front."""
    word = word.lower().rstrip("/")
    written = (word, f"/{word}", f"/{word.replace('_', '-')}")
    return next((one for one in written if one in _KNOWN), word)


def _showable(word: str) -> str:
    return word if _LIKE_A_SCOPE.fullmatch(word.lower()) else f"a word of {len(word)} characters"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
