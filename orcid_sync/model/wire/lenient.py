"""Decoding what ORCID sent as far as it makes sense: a part without sense becomes null, the rest stays (fault F49).

A document is first decoded strictly, which takes microseconds. Only one that is refused is taken apart, member by
member, along the types of its Struct: what does not fit its type is null, and left out of a list.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, TypeVar, cast, get_args, get_origin

import msgspec
from msgspec import Raw, Struct

from orcid_sync.model.wire.cleaning import clean, flatten

T = TypeVar("T", bound=Struct)
V = TypeVar("V")


def decode(document: bytes | Raw, shape: type[T]) -> T:
    """The document in this shape, every member of which may be null. Raises msgspec's errors if it is no object."""
    try:
        return cast("T", _decoder(shape).decode(document))
    except msgspec.ValidationError:
        pass
    except RecursionError:
        document = flatten(bytes(document))
    try:
        return _struct(msgspec.json.decode(document, type=dict[str, Raw]), shape)
    except RecursionError:  # in a part that the decoder had not come to
        return _struct(msgspec.json.decode(flatten(bytes(document)), type=dict[str, Raw]), shape)


def decode_dirty(body: bytes | Raw, shape: type[V]) -> V:
    """A whole answer in this shape. Raises msgspec's errors, but for what can be cleaned (F46, F47, F48).

    Cleaning a whole answer takes long: only if it cannot be read otherwise.
    """
    try:
        return msgspec.json.decode(body, type=shape)
    except RecursionError:
        return decode_dirty(flatten(bytes(body)), shape)
    except msgspec.ValidationError:
        raise
    except (UnicodeDecodeError, msgspec.DecodeError):
        cleaned = clean(bytes(body))
        if cleaned == body:
            raise
        return decode_dirty(cleaned, shape)


def is_object(value: Raw) -> bool:
    """Whether a value is an object."""
    return _begins(value, b"{")


def members(value: Raw) -> dict[str, Raw] | None:
    """The members of an object, undecoded; None if it is no object."""
    return msgspec.json.decode(value, type=dict[str, Raw]) if is_object(value) else None


def elements(value: Raw) -> list[Raw] | None:
    """The elements of a list, undecoded; None if it is no list."""
    return msgspec.json.decode(value, type=list[Raw]) if _begins(value, b"[") else None


def _begins(value: Raw, sign: bytes) -> bool:
    """What a value is can be told from its first character: nothing stands before it."""
    return bytes(memoryview(value)[:1]) == sign


@cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind, strict=False)


@cache
def _fields(shape: type[Struct]) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(shape)


def _struct(given: dict[str, Raw], shape: type[T]) -> T:
    return shape(
        **{one.name: _value(given[one.encode_name], one.type) for one in _fields(shape) if one.encode_name in given}
    )


def _value(raw: Raw, kind: Any) -> Any:
    """The value in one of the types that may stand here, as far as it makes sense; None if it makes none."""
    try:
        return _decoder(kind).decode(raw)
    except msgspec.ValidationError:
        pass
    for one in get_args(kind) or (kind,):
        if get_origin(one) is list and (listed := elements(raw)) is not None:
            return list(_fitting(listed, get_args(one)[0]))
        if isinstance(one, type) and issubclass(one, Struct) and (given := members(raw)) is not None:
            return _struct(given, one)
    return None


def _fitting(listed: list[Raw], kind: Any) -> Iterator[Any]:
    """Those elements that make any sense."""
    for raw in listed:
        value = _value(raw, kind)
        if value is not None:
            yield value
