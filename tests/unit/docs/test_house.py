"""The rules of the house (deploy/docs/architecture.md): sizes of rooms and files, packages, paths that exist."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "orcid_sync"
PAGE = (ROOT / "deploy" / "docs" / "architecture.md").read_text("utf-8")

FLOORS = {PACKAGE / name for name in ("", "cli", "model", "service", "simulator", "store")}
"""What has rooms instead of files; the import contracts list the few files that lie beside the rooms."""

MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
ROOMS = sorted({path.parent for path in MODULES} - FLOORS)
FACES = sorted(PACKAGE.rglob("__init__.py"))
FOLDERS_OF_TESTS = sorted({path.parent for path in (ROOT / "tests").rglob("*.py")})

MODULES_OF_A_ROOM = range(3, 17)
LINES_OF_A_ROOM = 2_600
LINES_OF_A_MODULE = 300


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


@pytest.mark.parametrize("room", ROOMS, ids=named)
def test_a_room_can_be_overlooked(room: Path) -> None:
    modules = [path for path in MODULES if path.parent == room]
    assert len(modules) in MODULES_OF_A_ROOM
    assert sum(map(lines, modules)) <= LINES_OF_A_ROOM


def test_a_module_has_one_reason() -> None:
    assert [named(path) for path in MODULES if lines(path) > LINES_OF_A_MODULE] == []


@pytest.mark.parametrize("face", FACES, ids=named)
def test_a_package_says_what_it_is_for_and_loads_nothing(face: Path) -> None:
    """Of the whole package the version is known, too."""
    sentence, *rest = ast.parse(face.read_text("utf-8")).body
    said = ast.get_docstring(ast.Module([sentence], []))
    assert said
    assert re.fullmatch(r"[^\n]+\.", said)
    assert [type(node) for node in rest] == ([ast.Assign] if face.parent == PACKAGE else [])


def test_every_folder_with_modules_is_a_package() -> None:
    assert [named(path.parent) for path in MODULES if not path.with_name("__init__.py").exists()] == []


@pytest.mark.parametrize("folder", FOLDERS_OF_TESTS, ids=named)
def test_a_folder_of_tests_can_be_overlooked(folder: Path) -> None:
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= max(MODULES_OF_A_ROOM)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`([a-z_]+/[a-z_/.]*)`", PAGE))))
def test_the_architecture_names_what_there_is(path: str) -> None:
    assert any((folder / path).exists() for folder in (ROOT, PACKAGE))


def test_the_architecture_draws_every_room() -> None:
    drawn = set(re.findall(r"`([a-z]+)/?`", PAGE))
    assert {room.name for room in ROOMS if not room.is_relative_to(PACKAGE / "simulator")} <= drawn


FLOOR = "bulk|cli|daemon|export|model|registry|service|simulator|store"
"""Where names in comments begin; `settings` is as often the object."""
DOTTED = re.compile(rf"(?<![\w./`])`?((?:{FLOOR})(?:\.[a-z_]+)+(?:\.[A-Za-z_]+)?)")
"""A module, or something in one, as comments name it: `model.record.diff`, store.sync.queue.hold."""
PATHS = re.compile(rf"(?<![\w./])((?:{FLOOR})/[a-z_/]+\.(?:py|sql))")


def prose(path: Path) -> Iterator[str]:
    """What a module says to people who read it: docstrings and comments."""
    for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
        if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and token.string.startswith('"""')):
            yield token.string


def exists(dotted: str) -> bool:
    place, rest = PACKAGE, dotted.split(".")
    while rest and (place / rest[0]).is_dir():
        place, rest = place / rest[0], rest[1:]
    if not rest:
        return True
    module = place / f"{rest[0]}.py"
    return module.exists() and all(re.search(rf"\b{name}\b", module.read_text("utf-8")) for name in rest[1:])


def test_comments_name_what_there_is() -> None:
    found = {(named(path), name) for path in MODULES for text in prose(path) for name in DOTTED.findall(text)}
    assert found
    assert {(where, name) for where, name in found if not exists(name)} == set()


def test_comments_name_files_that_there_are() -> None:
    queries = [path.read_text("utf-8") for path in PACKAGE.rglob("*.sql")]
    texts = [text for path in MODULES for text in prose(path)] + queries
    found = {name for text in texts for name in PATHS.findall(text)}
    assert found
    assert {name for name in found if not (PACKAGE / name).exists()} == set()


def test_what_stands_in_two_migrations_is_the_same() -> None:
    """The columns that every item has are copied from a table that lasts as long as the migration does."""
    blocks = [
        re.search(r"create temporary table item_columns.*?'The item as ORCID gave it[^\n]*", text, re.DOTALL)
        for text in (path.read_text("utf-8") for path in sorted(PACKAGE.rglob("migrations/*.sql")))
        if "create temporary table item_columns" in text
    ]
    assert len(blocks) == 2
    assert len({block[0] for block in blocks if block}) == 1
