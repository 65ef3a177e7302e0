"""Redaction: removes secrets from logs and output, and makes visible what would act on a terminal.

Belt and braces: no code here passes secrets to a log (F87), but libraries, exceptions and other people's text may. The
same functions clean what the command line prints: titles and names can hold escape sequences (F55).
"""

import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

MASK = "[redacted]"

# Names of values that are secrets whatever they look like. `put_code`, `status_code`, `key` and `section` are not.
_SECRET_NAME = re.compile(
    r"(?:.*[_-])?(?:token|secret|password|passwd|authorization|cookie|dsn|encryption_key|api_key|database_url)s?|code|callback",
    re.IGNORECASE,
)

# Secrets by their look, each with what remains of it.
_SECRET_TEXTS = [
    # Tokens of the internal listener, and the cookies of its pages.
    (r"\borcid_sync_[A-Za-z0-9_-]{43}", MASK),
    # Our callback addresses, also percent-encoded as they travel to ORCID (contract section 1.1).
    (r"(webhooks?(?:/|%2F)[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X](?:/|%2F))[^\s\"'?#&]+", rf"\1{MASK}"),
    # The token of a callback address: key version and HMAC.
    (r"(?<![\w.-])[0-9]{1,5}\.[A-Za-z0-9_-]{43}(?![\w-])", MASK),
    # Invitation links, and the cookies of sessions: what they say, and its HMAC.
    (r"(?<![\w.-])[0-9]{1,18}\.(?:[0-9X-]{19}\.)?[0-9]{1,11}\.[A-Za-z0-9_-]{43}(?![\w-])", MASK),
    # Secrets that sign pushes (Standard Webhooks).
    (r"whsec_[A-Za-z0-9+/_=-]+", MASK),
    # 32 bytes in base64: an encryption key.
    (r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{43}=(?!=)", MASK),
    # Access tokens and client secrets of ORCID are UUIDs.
    (r"(?<![0-9A-Fa-f-])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Fa-f-])", MASK),
    (r"\b(Bearer\s+)[^\s\"',]+", rf"\1{MASK}"),
    (r"\b(Basic\s+)[A-Za-z0-9+/]{16,}=*", rf"\1{MASK}"),
    # Password in an address.
    (r"(://[^\s/@:\"']*:)[^\s/@\"']+@", rf"\1{MASK}@"),
    (r"\b(code=)[^\s\"'&]+", rf"\1{MASK}"),
    # The state of a way to ORCID and back; a shorter one is a word.
    (r"\b(state=)[A-Za-z0-9_-]{43}(?![\w-])", rf"\1{MASK}"),
    # name=value and "name": "value", in queries, forms, DSNs and JSON; name: value too, unless it is a word of prose.
    (
        (
            r"\b((?:access_|refresh_|id_)?token|client_secret|password|authorization)"
            r"([\"']?\s*=\s*[\"']?|[\"']\s*:\s*[\"']?|\s*:\s*(?=[^\s\"'&,;}]{6}))(?!\[)[^\s\"'&,;}]+"
        ),
        rf"\1\2{MASK}",
    ),
    # PostgreSQL's DETAIL quotes rows.
    (r"\s*(?-i:\bDETAIL:).*", ""),
]
_PATTERNS = [(re.compile(pattern, re.IGNORECASE | re.DOTALL), left) for pattern, left in _SECRET_TEXTS]


def is_secret(name: str) -> bool:
    """Whether a value of that name must not be shown."""
    return _SECRET_NAME.fullmatch(name) is not None


def redact(text: str, known: Iterable[str] = ()) -> str:
    """The text without what is, or looks like, a secret. `known` are secrets to be found wherever they stand."""
    for secret in known:
        text = text.replace(secret, MASK)
    for pattern, left in _PATTERNS:
        text = pattern.sub(left, text)
    return text


def visible(text: str) -> str:
    r"""The text with control characters, and those that reorder or hide text, as \n, \x1b, \u202e."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def describe(error: BaseException) -> str:
    """Class and message of an exception; of PostgreSQL's, which can quote rows, the state and the constraint."""
    if (state := getattr(error, "sqlstate", None)) is not None:
        constraint = getattr(error, "constraint_name", None)
        return f"{type(error).__name__}: sqlstate={state}" + (f" constraint={constraint}" if constraint else "")
    message = str(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def format_exception(error: BaseException, known: Iterable[str] = ()) -> str:
    """The traceback of an exception, its causes and members: files, lines, messages, never the values of variables."""
    return "\n".join(_blocks(error, list(known), set()))


def _blocks(error: BaseException, known: list[str], seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _blocks(before, known, seen)
        yield "" if error.__cause__ is None else "which caused:"
    yield from _frames(error.__traceback__)
    yield visible(redact(describe(error), known))
    for member in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        if id(member) not in seen:
            yield "one of them:"
            yield from _blocks(member, known, seen)


def _frames(trace: TracebackType | None) -> Iterator[str]:
    for frame in traceback.extract_tb(trace):
        yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'


def clean(value: Any, name: str = "", known: Iterable[str] = ()) -> Any:
    """A value fit for a log: secrets taken out at any depth, text made visible, unknown objects as text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if is_secret(name):
        return MASK
    if isinstance(value, Mapping):
        return {str(key): clean(item, str(key), known) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean(item, name, known) for item in value]
    if isinstance(value, BaseException):
        value = describe(value)
    elif isinstance(value, bytes | bytearray | memoryview):
        value = f"{len(value)} bytes"
    return visible(redact(str(value), known))
