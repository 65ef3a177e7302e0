"""Chains of hashes: whatever is changed, it shows, and where."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from orcid_sync.model.consent.hash_chain import (
    GENESIS,
    ChainBroken,
    Head,
    Link,
    agree,
    canonical,
    extend,
    follow,
    hash_of,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.datetimes(timezones=st.just(UTC)),
    st.binary(max_size=8),
)
names = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=5
)
contents = st.dictionaries(names, values, max_size=4)


def test_an_entry_that_is_missing_is_named() -> None:
    first = extend(Head(), {"said": 1})
    third = extend(extend_head(extend(extend_head(first), {"said": 2})), {"said": 3})

    with pytest.raises(ChainBroken, match="entry 2: is missing, the next one there is 3") as broken:
        follow([first, third])

    assert broken.value.number == 2


def extend_head(link: Link) -> Head:
    return Head(link.number, link.hash)


def test_a_hash_before_the_first_is_as_long_as_any_other() -> None:
    """So that nothing can move across the border between it and the text."""
    assert len(GENESIS) == len(extend(Head(), {}).hash) == 32


few = settings(max_examples=30, deadline=None)


def chain(said: list[dict[str, Any]]) -> tuple[list[Link], Head]:
    """A chain that says this, and its end."""
    links, head = [], Head()
    for content in said:
        link = extend(head, content)
        links.append(link)
        head = Head(link.number, link.hash)
    return links, head


def judge(links: list[Link], noted: Head) -> None:
    """What verifying does."""
    agree(follow(links), noted)


@few
@given(st.lists(contents, max_size=6))
def test_what_was_written_is_right(said: list[dict[str, Any]]) -> None:
    links, head = chain(said)
    judge(links, head)
    assert head.number == len(said)


@few
@given(st.lists(contents, min_size=1, max_size=6), st.data())
def test_any_change_of_any_entry_is_found_at_that_entry(said: list[dict[str, Any]], data: st.DataObject) -> None:
    links, head = chain(said)
    place = data.draw(st.integers(0, len(said) - 1))
    other = data.draw(contents)
    assume(canonical(other) != canonical(said[place]))
    links[place] = Link(place + 1, other, links[place].hash)

    with pytest.raises(ChainBroken) as broken:
        judge(links, head)
    assert broken.value.number == place + 1


@few
@given(st.lists(contents, min_size=1, max_size=6), st.data())
def test_whoever_also_writes_the_entrys_hash_anew_breaks_what_follows(
    said: list[dict[str, Any]], data: st.DataObject
) -> None:
    links, head = chain(said)
    place = data.draw(st.integers(0, len(said) - 1))
    other = data.draw(contents)
    assume(canonical(other) != canonical(said[place]))
    before = links[place - 1].hash if place else GENESIS
    links[place] = Link(place + 1, other, hash_of(before, other))

    with pytest.raises(ChainBroken):
        judge(links, head)


@few
@given(st.lists(contents, min_size=1, max_size=6), st.data())
def test_entries_that_are_missing_moved_or_repeated_are_found(said: list[dict[str, Any]], data: st.DataObject) -> None:
    links, head = chain(said)
    order = data.draw(st.lists(st.integers(0, len(said) - 1), max_size=8))
    assume(order != list(range(len(said))))

    with pytest.raises(ChainBroken):
        judge([links[place] for place in order], head)


@few
@given(contents, st.binary(min_size=32, max_size=32), st.integers(0, 255))
def test_any_bit_of_any_hash_counts(content: dict[str, Any], previous: bytes, bit: int) -> None:
    flipped = bytearray(previous)
    flipped[bit // 8] ^= 1 << bit % 8
    assert hash_of(previous, content) != hash_of(bytes(flipped), content)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({}, b"{}"),
        ({"b": 1, "a": [None, True]}, b'{"a":[null,true],"b":1}'),
        ({"at": NOON}, b'{"at":"2026-11-23T12:00:00.000000Z"}'),
        ({"at": NOON.astimezone(timezone(timedelta(hours=2)))}, b'{"at":"2026-11-23T12:00:00.000000Z"}'),
        ({"hash": b"\x00\xff"}, b'{"hash":"00ff"}'),
        ({"word": "Zoë"}, '{"word":"Zoë"}'.encode()),
    ],
)
def test_there_is_one_text_for_each_entry(content: dict[str, Any], text: bytes) -> None:
    assert canonical(content) == text


@pytest.mark.parametrize("value", [1.5, {1, 2}, object(), {3: 4}])
def test_what_could_be_written_in_two_ways_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical({"value": value})


@pytest.mark.parametrize(
    ("found", "noted", "first"),
    [
        (Head(2, b"b" * 32), Head(3, b"c" * 32), 3),
        (Head(3, b"c" * 32), Head(2, b"b" * 32), 3),
        (Head(3, b"c" * 32), Head(3, b"x" * 32), 3),
        (Head(), Head(1, b"a" * 32), 1),
    ],
)
def test_an_end_that_was_cut_off_or_added_is_found(found: Head, noted: Head, first: int) -> None:
    with pytest.raises(ChainBroken) as broken:
        agree(found, noted)
    assert broken.value.number == first
