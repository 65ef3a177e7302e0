"""Unknown members of ORCID's JSON: those from which this version makes no column.

ORCID's model grows (contract section 11, no. 45). Nothing is lost by it, for unknown members stay in the item's `doc`;
but somebody should hear of them. What is known follows from the Structs that the columns are made of, and from a list
of what is passed over on purpose.

A document is first read by a Struct that refuses what it does not know, which takes microseconds. Only one that is
refused is walked through, to name what it was. Of a value nothing is kept but its type; and a name that does not look
like one could be a value, too.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, TypeAlias, cast, get_args

import msgspec
from msgspec import Raw, Struct

from orcid_sync.model.record import activities
from orcid_sync.model.record.sections import SECTIONS, Section
from orcid_sync.model.wire import orcid_json

RECORD: Final = "record"
"""The section under which members of the record itself are filed, and containers that belong to no section of ours."""

LONGEST_PATH: Final = 200

Tree: TypeAlias = dict[str, Any] | None
"""Known members by name, each with a Tree of its own: empty where a single value is expected, None for anything."""

_SCALARS = str | int | float | bool | None
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}", re.ASCII)
_KINDS: Final[Mapping[type, str]] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "number",
    float: "number",
    type(None): "null",
}

_PASSED_OVER: Final[Mapping[type[Struct], dict[str, Tree]]] = {
    orcid_json.Identity: {"uri": {}, "host": {}},  # the path says it all
    orcid_json.Item: {"path": {}},  # follows from iD, section and put-code
    orcid_json.RecordHead: {
        "path": {},
        "person": {},
        "activities-summary": {},
    },  # the two hold what is unknown below them
    orcid_json.NormalizedError: {"error-message": {}, "transient": {}},  # words for a code that is kept
}
"""Members without a column, on purpose, beside what the Struct says; also those of the classes derived from it."""

_FULL_FORMS: Final[Mapping[str, dict[str, Tree]]] = {
    # The same as in the summary under other names (contract section 3.7).
    "peer-review": {"review-identifiers": None, "review-completion-date": None},
}
"""Members that only full forms have, and that have no column, on purpose."""

_DATE: Final[dict[str, Tree]] = {"last-modified-date": None, "path": {}}
_GROUP: Final[dict[str, Tree]] = {"last-modified-date": None, "external-ids": None}
"""Dates that mean nothing (contract section 3.9), identifiers that the items of the group repeat."""


class Unknown(Struct, frozen=True, order=True):
    """A member of which nothing is known."""

    section: str
    path: str
    """Names from the item on, joined by dots; `[]` stands for the elements of a list."""
    kind: str
    """The type of a value, as JSON calls it: object, array, string, number, boolean, null."""


def in_summary(section: str, doc: bytes) -> list[Unknown]:
    """Unknown members of an item as the record shows it."""
    return _unknown(section, doc, _summary_reader(section))


def in_detail(section: str, detail: bytes) -> list[Unknown]:
    """Unknown members of a full form."""
    return _unknown(section, detail, _detail_reader(section))


def in_container(section: Section, container: Raw) -> list[Unknown]:
    """Unknown members around the items of a section."""
    return _unknown(section.name, container, _container_reader(section.name), section.container)


def in_record(doc: bytes) -> list[Unknown]:
    """Unknown members of the record's own part."""
    return _unknown(RECORD, doc, _record_reader())


def outside(block: str, name: str, value: bytes) -> Unknown:
    """A member of person or activities-summary that is no section of ours."""
    first = value[:1]
    kinds = {b"{": "object", b"[": "array", b'"': "string", b"t": "boolean", b"f": "boolean", b"n": "null"}
    return Unknown(RECORD, _joined(block, name), kinds.get(first, "number"))


def member(section: str, path: str, name: str, kind: str) -> Unknown:
    """A member below a path, found by somebody else than this module."""
    return Unknown(section, _joined(path, name), kind)


def derive(kind: Any) -> Tree:
    """What a type of `orcid_json` and its neighbours knows."""
    if isinstance(kind, type) and issubclass(kind, Struct):
        known: dict[str, Tree] = {one.encode_name: derive(one.type) for one in msgspec.structs.fields(kind)}
        for base, more in _PASSED_OVER.items():
            if issubclass(kind, base):
                known |= more
        return known
    trees = [derive(one) for one in get_args(kind)]
    return _merged(*trees)


def _merged(*trees: Tree) -> Tree:
    """What any of them knows."""
    merged: dict[str, Tree] = {}
    for tree in trees:
        if tree is None:
            return None
        for name, below in tree.items():
            merged[name] = _merged(merged[name], below) if name in merged else below
    return merged


class _Reader(Struct, frozen=True):
    """Reads documents that hold nothing unknown."""

    tree: Tree
    strict: msgspec.json.Decoder[Any]


def _reader(tree: Tree) -> _Reader:
    return _Reader(tree, msgspec.json.Decoder(_refusing(tree), strict=False))


@cache
def _summary_reader(section: str) -> _Reader:
    return _reader(derive(SECTIONS[section].shape))


@cache
def _detail_reader(section: str) -> _Reader:
    known = SECTIONS[section]
    return _reader(_merged(derive(known.shape), derive(known.detail), _FULL_FORMS.get(section, {})))


@cache
def _record_reader() -> _Reader:
    return _reader(derive(orcid_json.RecordHead))


@cache
def _container_reader(section: str) -> _Reader:
    return _reader(_around(SECTIONS[section]))


def _around(section: Section) -> Tree:
    """What is known around the items of a section (contract section 3.6)."""
    name = section.name
    if section.key_column is None:
        return None
    if not section.grouped:
        return _DATE | {name: None}
    if section.shape is activities.Affiliation:
        return _DATE | {"affiliation-group": _GROUP | {"summaries": {f"{name}-summary": None}}}
    summaries: dict[str, Tree] = {f"{name}-summary": None}
    if name == "peer-review":
        return _DATE | {"group": _GROUP | {"peer-review-group": _GROUP | summaries}}
    return _DATE | {"group": _GROUP | summaries}


def _refusing(tree: Tree) -> Any:
    """A type that takes the members of the tree and no others; lists of what is expected are as good as one."""
    if tree is None:
        return Raw
    if not tree:
        return _SCALARS | list[_SCALARS]
    # A mapping, not keywords: the members' names are ORCID's, with hyphens.
    fields = [
        (f"of{number}", _refusing(below), msgspec.field(name=name, default=None))
        for number, (name, below) in enumerate(tree.items())
    ]
    shape = msgspec.defstruct("Known", fields, forbid_unknown_fields=True, gc=False)
    return shape | list[shape] | str | int | float | bool | None  # type: ignore[valid-type]


def _unknown(section: str, document: bytes | Raw, reader: _Reader, prefix: str = "") -> list[Unknown]:
    try:
        reader.strict.decode(document)
    except _UNREADABLE:
        return _named(section, document, reader.tree, prefix)
    return []


def _named(section: str, document: bytes | Raw, tree: Tree, prefix: str) -> list[Unknown]:
    """The unknown members by name, each once."""
    try:
        found = [Unknown(section, path, kind) for path, kind in _walk(msgspec.json.decode(document), tree, prefix)]
    except _UNREADABLE:
        return []  # what nobody can read says nothing new
    return sorted({one.path: one for one in found}.values())


def _walk(value: Any, tree: Tree, path: str) -> Iterator[tuple[str, str]]:
    """Paths and kinds of what the tree does not know."""
    if tree is None:
        return
    if isinstance(value, list):
        for one in value:
            yield from _walk(one, tree, f"{path}[]")
    elif isinstance(value, dict):
        for name, inside in value.items():
            here = _joined(path, name)
            if name in tree:
                yield from _walk(inside, cast("Tree", tree[name]), here)
            else:
                yield here, _KINDS.get(type(inside), "number")


def _joined(path: str, name: str) -> str:
    """The path of a member. A name that does not look like ORCID's could be somebody's: it is not kept."""
    shown = name if _NAME.fullmatch(name) else "*"
    return f"{path}.{shown}".removeprefix(".")[:LONGEST_PATH]
