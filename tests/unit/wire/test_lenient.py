"""Decoding as far as something makes sense: everything that fits its type is kept, whatever stands beside it."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from msgspec import Raw, Struct

from orcid_sync.model.record.sections import SECTIONS
from orcid_sync.model.wire import lenient, orcid_json
from rig.records.nonsense import NONSENSE, Path, damaged, nodes, sample, written

SHAPES: list[type[Struct]] = sorted(
    {orcid_json.RecordHead}
    | {section.shape for section in SECTIONS.values()}
    | {section.detail for section in SECTIONS.values() if section.detail},
    key=lambda shape: shape.__name__,
)


class Inner(Struct):
    """An example."""

    text: str | None = None
    number: int | None = None


class Outer(Struct, rename="kebab"):
    """Every kind of member that the types of the wire have."""

    a_text: str | None = None
    a_flag: bool | None = None
    either: str | int | None = None
    wrapped: Inner | str | None = None
    inner: Inner | None = None
    inners: list[Inner] | None = None


@pytest.mark.fault("F49")
@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ('{"a-text": 5, "a-flag": true}', Outer(a_flag=True)),
        ('{"a-text": {}, "either": 7}', Outer(either=7)),
        ('{"a-text": [], "either": "7"}', Outer(either="7")),
        ('{"a-flag": "perhaps", "a-text": "x"}', Outer("x")),
        ('{"a-flag": "true"}', Outer(a_flag=True)),
        ('{"either": [1], "wrapped": "x"}', Outer(wrapped="x")),
        ('{"wrapped": {"text": 5, "number": 1}}', Outer(wrapped=Inner(number=1))),
        ('{"wrapped": 5, "inner": {"number": 1.5, "text": "x"}}', Outer(inner=Inner("x"))),
        ('{"inner": "text", "a-text": "x"}', Outer("x")),
        ('{"inner": [{"number": 1}], "a-text": "x"}', Outer("x")),
        ('{"inners": [null, {"number": 1}, 5, {"number": "x"}, []]}', Outer(inners=[Inner(number=1), Inner()])),
        ('{"inners": {"number": 1}, "a-text": "x"}', Outer("x")),
        ('{"inners": [null]}', Outer(inners=[])),
        ('{"inner": {"number": 1e400}, "unknown": 1e400}', Outer(inner=Inner())),
        ('{"a-text": 5, "a-text": "the last counts"}', Outer("the last counts")),
        (f'{{"inner": {"[" * 3000}{"]" * 3000}, "a-text": "x"}}', Outer("x")),
        ("{}", Outer()),
    ],
)
def test_what_does_not_fit_is_null(document: str, expected: Outer) -> None:
    assert lenient.decode(document.encode(), Outer) == expected


@pytest.mark.fault("F49")
@pytest.mark.parametrize("document", [b"null", b"[]", b'"text"', b"5"])
def test_what_is_no_object_is_refused(document: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        lenient.decode(document, Outer)


@pytest.mark.parametrize("document", [b"", b"{", b'{"a-text": nope}'])
def test_what_is_no_json_is_refused(document: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        lenient.decode(document, Outer)


@pytest.mark.fault("F49")
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_nonsense_in_one_place_touches_no_other(shape: type[Struct]) -> None:
    """Every place of every document that ORCID sends, by its type."""
    whole = sample(shape)
    undamaged = msgspec.to_builtins(lenient.decode(written(whole), shape))
    for path in nodes(whole):
        for name in ("a list of lists", "a number beyond floats", "an object"):
            decoded = msgspec.to_builtins(lenient.decode(written(damaged(whole, [path], name)), shape))
            assert all(place[: len(path)] == path for place in differing(decoded, undamaged)), path


def differing(left: Any, right: Any, path: Path = ()) -> Iterator[Path]:
    """The places, as far inside as possible, in which two values differ."""
    if isinstance(left, dict) and isinstance(right, dict):
        for name, inner in right.items():
            yield from differing(left.get(name), inner, (*path, name))
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for number, (one, other) in enumerate(zip(left, right, strict=True)):
            yield from differing(one, other, (*path, number))
    elif left != right:
        yield (*path, 0) if isinstance(right, list) and left == [] else path


def kinds_in(shape: type[Struct]) -> Iterator[type[Struct]]:
    """The types that a type is made of."""
    yield shape
    for one in msgspec.structs.fields(shape):
        for kind in msgspec.inspect.type_info(one.type).types if hasattr(one.type, "__args__") else ():  # type: ignore[attr-defined]
            inner = getattr(kind, "item_type", kind)
            if isinstance(inner, msgspec.inspect.StructType):
                yield from kinds_in(inner.cls)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_every_member_of_every_type_may_be_null_or_absent(shape: type[Struct]) -> None:
    for kind in kinds_in(shape):
        assert all(getattr(kind(), name) is None for name in kind.__struct_fields__), kind


def test_what_a_value_is() -> None:
    values = [msgspec.json.decode(f" {text} ", type=Raw) for text in ('{"a": 1}', "[1]", "null", '"{"')]
    assert [lenient.is_object(value) for value in values] == [True, False, False, False]
    assert [lenient.members(value) is not None for value in values] == [True, False, False, False]
    assert [lenient.elements(value) is not None for value in values] == [False, True, False, False]


def test_the_nonsense_is_json() -> None:
    for name, text in NONSENSE.items():
        assert name == "too deep" or lenient.decode_dirty(text.encode(), Raw)
