"""What cannot be stored is cleaned, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orcid_sync.model.wire.cleaning import clean

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
