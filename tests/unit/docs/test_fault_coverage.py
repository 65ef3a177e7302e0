"""Every fault and invariant that this release promises to withstand or to keep is named by a test that proves it.

The numbers are those of the threat model: F… the faults, S… what must always hold, L… what must happen in the end.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]

FAULTS = [(1, 100)]
SAFETY = [(1, 20)]
LIVENESS = [(1, 7)]


def numbers(form: str, ranges: list[tuple[int, int]]) -> set[str]:
    """The names of these ranges, both ends included."""
    return {form.format(number) for first, last in ranges for number in range(first, last + 1)}


PROMISED = {"fault": numbers("F{:02}", FAULTS), "invariant": numbers("S{}", SAFETY) | numbers("L{}", LIVENESS)}
"""By marker: what must be named."""


def named(source: str, marker: str) -> Iterator[str]:
    """The arguments of `pytest.mark.<marker>(…)`, wherever it stands in a test module: read, not imported."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Attribute(value=ast.Name(id="pytest"), attr="mark"), attr=found), args=args
            ) if found == marker:
                yield from (arg.value for arg in args if isinstance(arg, ast.Constant) and isinstance(arg.value, str))


@pytest.mark.parametrize("marker", PROMISED)
def test_each_is_named_by_a_test(marker: str) -> None:
    found = {name for path in TESTS.rglob("test_*.py") for name in named(path.read_text("utf-8"), marker)}

    missing = sorted(PROMISED[marker] - found)

    assert not missing, f"no test is marked with @pytest.mark.{marker} for: {', '.join(missing)}"


def test_markers_are_found_wherever_they_stand() -> None:
    source = """
pytestmark = pytest.mark.fault("F01")
@pytest.mark.fault("F02", "F03")
@pytest.mark.invariant("S1")
def test(): pass
CASES = [pytest.param(1, marks=pytest.mark.fault("F04"))]
"""
    assert list(named(source, "fault")) == ["F01", "F02", "F03", "F04"]
    assert list(named(source, "invariant")) == ["S1"]


def test_the_promise_is_written_out() -> None:
    assert {"F01", "F40", "F100"} <= PROMISED["fault"]
    assert len(PROMISED["fault"]) == 100
    assert {"S1", "S16", "S20", "L1", "L7"} <= PROMISED["invariant"]
    assert len(PROMISED["invariant"]) == 27
