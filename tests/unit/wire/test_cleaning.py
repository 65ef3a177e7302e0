"""What cannot be stored is cleaned, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcid_sync.model.wire.cleaning import DEEPEST, clean, flatten

# Every text that JSON can carry, also what no UTF-8 and no PostgreSQL can: NULs and lone surrogates.
TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)
ESCAPES = st.lists(
    st.sampled_from(
        ["\\u0000", "\\\\u0000", "\\ud800", "\\uDBFF", "\\udc00", "\\uDFFF", "\\\\", '\\"', "\\ufffd", "a", "é", "🧪"]
    ),
    max_size=8,
).map("".join)


def storable(text: str) -> str:
    """What should become of a text: the same rule, said in another way."""
    return "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in text)


@pytest.mark.fault("F46", "F47")
@given(TEXTS, TEXTS)
def test_cleaning_replaces_what_cannot_be_stored_and_nothing_else(key: str, text: str) -> None:
    # json.dumps escapes everything but ASCII; a pair of escaped surrogates is one character again.
    read = json.loads(json.dumps([key, text]))
    cleaned = clean(json.dumps({key: [text]}).encode())
    assert json.loads(cleaned) == {storable(read[0]): [storable(read[1])]}
    assert clean(cleaned) == cleaned


@pytest.mark.fault("F46", "F47")
@given(ESCAPES)
def test_cleaning_reads_escapes_from_left_to_right(body: str) -> None:
    raw = f'"{body}"'.encode()
    cleaned = clean(raw)
    assert json.loads(cleaned) == storable(json.loads(raw))
    assert clean(cleaned) == cleaned


@pytest.mark.fault("F46", "F47")
@given(st.binary(max_size=40).filter(lambda body: b"\\" not in body))
def test_any_bytes_become_utf_8(body: bytes) -> None:
    cleaned = clean(body)
    assert cleaned.decode() == body.decode(errors="replace")
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        (rb'"a\u0000b"', rb'"a\ufffdb"'),
        (rb'"a\\u0000b"', rb'"a\\u0000b"'),  # a backslash and "u0000": a text like any other
        (rb'"a\\\u0000b"', rb'"a\\\ufffdb"'),
        (rb'"\ud83e\uddea"', rb'"\ud83e\uddea"'),  # a proper pair
        (rb'"\ud83e"', rb'"\ufffd"'),
        (rb'"\uddea\ud83e"', rb'"\ufffd\ufffd"'),  # a pair the wrong way round
        (rb'"\ud83e\ud83e\uddea"', rb'"\ufffd\ud83e\uddea"'),
        (rb'"\uD83E\uDDEA \uDDEA"', rb'"\uD83E\uDDEA \ufffd"'),
        (b'"a\xffb"', '"a\ufffdb"'.encode()),
        (b'"\xed\xa0\x80"', '"\ufffd\ufffd\ufffd"'.encode()),  # a surrogate as bytes is broken UTF-8
    ],
)
def test_cleaning_by_example(raw: bytes, cleaned: bytes) -> None:
    assert clean(raw) == cleaned


NUMBERS = st.from_regex(r"\A-?(0|[1-9][0-9]{0,4})(\.[0-9]{1,4})?([eE][+-]?[0-9]{1,7})?\Z")


@pytest.mark.fault("F48")
@given(NUMBERS)
def test_only_numbers_beyond_what_can_be_stored_become_null(number: str) -> None:
    mantissa, _, exponent = number.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    power = int(exponent or 0)
    stored = len(exponent) <= 7 and len(whole) + power <= 131_072 and len(fraction) - power <= 16_383
    cleaned = clean(f'{{"a":[{number}],"b":"{number}"}}'.encode())
    assert cleaned.decode() == f'{{"a":[{number if stored else "null"}],"b":"{number}"}}'
    assert clean(cleaned) == cleaned


@pytest.mark.fault("F48")
@pytest.mark.parametrize(
    ("number", "stored"),
    [
        *[("1e131071", True), ("1e131072", False), ("1E+131072", False), ("1e-16383", True), ("1e-16384", False)],
        *[("9" * 131_072, True), ("9" * 131_073, False), ("0." + "1" * 16_383, True), ("0." + "1" * 16_384, False)],
        *[
            ("-1e99999999999999999999", False),
            ("1e-99999999999999999999", False),
            ("0." + "1" * 15_999 + "e-999", False),
        ],
        *[("1700000000000", True), ("1e400", True), ("0", True)],
    ],
    ids=lambda value: str(value)[:12],
)
def test_the_largest_and_the_smallest_number(number: str, *, stored: bool) -> None:
    """As PostgreSQL 15 to 17 take them: tests/integration/mirror/test_nonsense.py asks one."""
    assert clean(number.encode()) == (number.encode() if stored else b"null")


@pytest.mark.parametrize("text", ["cafe12345", "1e99999", '\\"1e99999', "\\\\", "e0000"])
def test_a_text_is_no_number(text: str) -> None:
    body = f'{{"{text}":"{text}"}}'.encode()
    assert clean(body) == body


def nested(depth: int, inside: str = "") -> str:
    return "[" * depth + inside + "]" * depth


@pytest.mark.fault("F48")
@pytest.mark.parametrize(
    ("given_", "flat"),
    [
        (nested(DEEPEST), nested(DEEPEST)),
        (nested(DEEPEST + 1), nested(DEEPEST, "null")),
        (nested(5_000), nested(DEEPEST, "null")),
        (
            f'[{nested(200)},"]]",{nested(300, "{}")},1]',
            f'[{nested(DEEPEST - 1, "null")},"]]",{nested(DEEPEST - 1, "null")},1]',
        ),
        ('{"a":' * 300 + "1" + "}" * 300, '{"a":' * DEEPEST + "null" + "}" * DEEPEST),
        (nested(2, '"[[\\"[["'), nested(2, '"[[\\"[["')),
    ],
    ids=range(6),
)
def test_what_is_too_deep_is_null(given_: str, flat: str) -> None:
    assert flatten(given_.encode()).decode() == flat


def test_what_is_not_closed_does_not_become_json() -> None:
    with pytest.raises(json.JSONDecodeError):
        json.loads(flatten(b"[" * 5_000 + b"]" * 4_999))
