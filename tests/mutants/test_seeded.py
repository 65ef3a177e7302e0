"""The seeded bugs still fit the code. That each is noticed is proven by `python tests/mutants/run.py`."""

import ast
from pathlib import Path

import pytest
from mutant import Edit, Mutant
from run import broken, mutate
from seeded import MUTANTS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_seeded_bug_can_still_be_planted(mutant: Mutant) -> None:
    for path, text in mutate(ROOT, mutant).items():
        assert text != (ROOT / path).read_text()
        if path.endswith(".py"):
            ast.parse(text)
    for argument in mutant.tests:
        if argument.startswith("tests/"):
            assert (ROOT / argument).exists()


def test_names_are_not_used_twice() -> None:
    names = [mutant.name for mutant in MUTANTS]
    assert len(set(names)) == len(names) >= 12


def test_what_no_longer_fits_is_named() -> None:
    stranger = Mutant("stranger", "", (Edit("README.md", "no such text", ""),), ())
    with pytest.raises(broken, match=r"stranger: README\.md"):
        mutate(ROOT, stranger)
