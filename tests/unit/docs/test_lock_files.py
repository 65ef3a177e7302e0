"""The lock files pin what pyproject.toml asks for. After a change of either: deploy/locks/renew.sh."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
RUNTIME = PROJECT["project"]["dependencies"]
EMBEDDED = PROJECT["project"]["optional-dependencies"]["embedded"]
PARQUET = PROJECT["project"]["optional-dependencies"]["parquet"]
BUILD = PROJECT["dependency-groups"]["build"]
DEVELOPMENT = [one for one in PROJECT["dependency-groups"]["dev"] if isinstance(one, str)]

WANTED = {
    "build": BUILD,
    "runtime": RUNTIME,
    "embedded": RUNTIME + EMBEDDED + BUILD,
    "development": RUNTIME + EMBEDDED + PARQUET + BUILD + DEVELOPMENT,
}


def blocks(name: str) -> list[str]:
    """What a lock file says of each package: the pin, its hashes, and who asks for it."""
    text = (ROOT / "deploy" / "locks" / f"{name}.txt").read_text("utf-8")
    return re.split(r"^(?=[^ #])", text, flags=re.MULTILINE)[1:]


def pin(block: str) -> Requirement:
    return Requirement(block.splitlines()[0].removesuffix(" \\"))


def pins(name: str) -> dict[str, Requirement]:
    """The pinned packages of a lock file by their names."""
    return {canonicalize_name(pin(block).name): pin(block) for block in blocks(name)}


def asked_for(name: str) -> set[str]:
    """The packages of which a lock file says that pyproject.toml itself asks for them."""
    return {canonicalize_name(pin(block).name) for block in blocks(name) if "orcid-sync (pyproject.toml" in block}


@pytest.mark.parametrize("name", WANTED)
def test_lock_file_satisfies_pyproject(name: str) -> None:
    pinned = pins(name)
    wanted = {canonicalize_name(one.name): one for one in map(Requirement, WANTED[name])}
    assert asked_for(name) == wanted.keys()
    versions = {key: next(iter(one.specifier)).version for key, one in pinned.items()}
    assert [key for key, one in wanted.items() if not one.specifier.contains(versions[key])] == []


@pytest.mark.parametrize("name", WANTED)
@pytest.mark.fault("F97")
def test_every_pin_has_hashes_and_nothing_else_is_said(name: str) -> None:
    one_block = re.compile(r"[a-z0-9].*==.* \\\n(    --hash=sha256:[0-9a-f]{64}( \\)?\n)+(    #.*\n)+")
    assert [block for block in blocks(name) if not one_block.fullmatch(block)] == []


@pytest.mark.parametrize("name", WANTED)
def test_versions_agree_with_those_that_are_tested(name: str) -> None:
    tested = pins("development")
    assert {key: str(pin) for key, pin in pins(name).items()} == {key: str(tested[key]) for key in pins(name)}


def test_the_build_backend_is_the_one_that_is_pinned() -> None:
    assert PROJECT["build-system"]["requires"] == BUILD
