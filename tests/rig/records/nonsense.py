"""Documents made from the types of the wire, and JSON that makes no sense in them."""

import copy
import random
import string
from collections.abc import Iterator, Sequence
from typing import Any, get_args, get_origin

import msgspec
from msgspec import Struct

from orcid_sync.model.record.sections import Section

Path = tuple[str | int, ...]
Json = dict[str, Any]

_CHANCE = random.Random(7)
LONG = "".join(_CHANCE.choices(string.ascii_letters + string.digits, k=9_000))

NONSENSE: dict[str, str] = {
    "null": "null",
    "a flag": "true",
    "a negative number": "-1",
    "a fraction": "1.5",
    "beyond smallint": "40000",
    "beyond integer": "2147483648",
    "beyond bigint": "9223372036854775808",
    "400 digits": "9" * 400,
    "a number beyond floats": "1e400",
    "a number beyond PostgreSQL": "1e200000",
    "the year 1": "-62135596800000",
    "the year 9999": "253402300799999",
    "an empty text": '""',
    "a text": '"nonsense"',
    "a text of a number": '"1700000000000"',
    "a NUL": '"\\u0000"',
    "half a character": '"\\ud800"',
    "a long text": f'"{LONG}"',
    "an empty list": "[]",
    "a list of nothing": "[null]",
    "a list of lists": '[[{"value":1}]]',
    "an empty object": "{}",
    "an object": '{"value":{"value":[]}}',
    "too deep": "[" * 2_000 + "]" * 2_000,
}
"""As JSON texts, by what they are."""


def sample(kind: Any) -> Any:
    """A value of a type of the wire, with every member there."""
    options = [one for one in get_args(kind) or (kind,) if one is not type(None)]
    first = options[0]
    if get_origin(kind) is list:
        return [sample(get_args(kind)[0])]
    if get_origin(first) is list:
        return [sample(get_args(first)[0])]
    if isinstance(first, type) and issubclass(first, Struct):
        return {one.encode_name: sample(one.type) for one in msgspec.structs.fields(first)}
    values: dict[type, Any] = {str: "text", bool: True, int: 1_700_000_000_000}
    return values[first]


def nodes(value: Any, path: Path = ()) -> Iterator[Path]:
    """The paths of everything inside a value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in inside:
        yield (*path, name)
        yield from nodes(inner, (*path, name))


def leaves(value: Any) -> list[Path]:
    """The paths of what has nothing inside."""
    return [path for path in nodes(value) if not isinstance(at(value, path), dict | list)]


def at(value: Any, path: Path) -> Any:
    """What stands at a path."""
    for name in path:
        value = value[name]
    return value


def damaged(value: Any, paths: Sequence[Path], name: str) -> Any:
    """A copy with nonsense at these paths."""
    changed = copy.deepcopy(value)
    for path in paths:
        at(changed, path[:-1])[path[-1]] = _mark(name)
    return changed


def _mark(name: str) -> str:
    return f"@{name}@"


def written(value: Any) -> bytes:
    """As JSON, with the nonsense in its places."""
    text = msgspec.json.encode(value).decode()
    for name, nonsense in NONSENSE.items():
        text = text.replace(f'"{_mark(name)}"', nonsense)
    return text.encode()


def container_of(section: Section, items: list[Json]) -> Json:
    """A section's container with these items, each in a group of its own."""
    groups = section.groups
    elements: list[Any] = [{groups.wrapper: item} for item in items] if groups.wrapper else list(items)
    for name in reversed(groups.path[1:]):
        elements = [{name: [element]} for element in elements]
    return {groups.path[0]: elements}
