"""Making ORCID's JSON fit to be stored, before anything is hashed: so that a record never changes by being stored."""

import re
from collections.abc import Iterator
from typing import Final

# PostgreSQL's text and jsonb take neither NUL nor lone surrogates (F46, F47). An escaped backslash is matched first, so
# that the text \\u0000 (a backslash and "u0000") stays as it is; proper surrogate pairs are matched before lone ones.
_ESCAPES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<bad>\\u0000|\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)

# A number may have 131,072 digits before the point and 16,383 behind it, written out (F48). Whether one could have more
# is seen in a picture of the document in which every digit is 0: an exponent of four digits, or a very long number.
_PICTURE: Final = bytes.maketrans(b"123456789E", b"000000000e")
_LONG_EXPONENT = re.compile(rb"0e[+-]?0000")
_LONG_EXPONENT_OF_A_VALUE = re.compile(rb"(?:^|[:,\[\s])-?0[0.]*+e[+-]?0000")
_LONG: Final = 15_000
_NUMBERS = re.compile(
    rb'"(?:[^"\\]|\\.)*+"|-?(?P<whole>[0-9]++)(?:\.(?P<fraction>[0-9]++))?(?:[eE](?P<exponent>[+-]?[0-9]++))?'
)
_MOST_DIGITS: Final = 131_072
_MOST_DECIMALS: Final = 16_383

DEEPEST: Final = 100
"""Lists and objects inside each other; ORCID's own have fifteen."""

_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[{]|[\]}]')


def clean(text: bytes) -> bytes:
    """JSON without what PostgreSQL cannot store (F46, F47, F48).

    NULs, lone surrogates and broken UTF-8 become U+FFFD; numbers beyond all sense become null. Meant for one item at a
    time: for a whole record it would keep the event loop waiting.
    """
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            text = text.decode(errors="replace").encode()
    if b"\\" in text and b"\\u" in text:  # one character is found ten times faster than two
        text = _ESCAPES.sub(lambda match: b"\\ufffd" if match["bad"] else match[0], text)
    if _may_hold_odd_numbers(text):
        text = _NUMBERS.sub(lambda match: match[0] if _can_be_stored(match) else b"null", text)
    return text


def _may_hold_odd_numbers(text: bytes) -> bool:
    """Quick, as it is asked of every item; a text that looks like such a number costs some time, and nothing else."""
    picture = text.translate(_PICTURE)
    if len(text) >= _LONG and b"0" * _LONG in picture:
        return True
    return bool(_LONG_EXPONENT.search(picture) and _LONG_EXPONENT_OF_A_VALUE.search(picture))


def _can_be_stored(match: re.Match[bytes]) -> bool:
    """Whether PostgreSQL has room for a number; texts are matched, too, so that nothing inside them is."""
    if match["whole"] is None:
        return True
    exponent = match["exponent"] or b"0"
    if len(exponent) > len(b"-131072"):
        return False
    digits, decimals = len(match["whole"]) + int(exponent), len(match["fraction"] or b"") - int(exponent)
    return digits <= _MOST_DIGITS and decimals <= _MOST_DECIMALS


def flatten(text: bytes) -> bytes:
    """JSON in which what lies deeper than any decoder goes is null (F48). Takes long: only for what it refused."""
    return b"".join(_shallow(text))


def _shallow(text: bytes) -> Iterator[bytes]:
    depth, kept = 0, 0
    for match in _BRACKETS.finditer(text):
        if match[0] in b"[{":
            depth += 1
            if depth == DEEPEST + 1:
                yield text[kept : match.start()] + b"null"
        elif match[0] in b"]}":
            if depth == DEEPEST + 1:
                kept = match.end()
            depth -= 1
    if depth <= DEEPEST:
        yield text[kept:]
