"""What a seeded bug is: a small edit of the code that breaks a promise, and the tests that must notice."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """In this file this text becomes that one."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """One seeded bug."""

    name: str
    breaks: str
    """What is wrong then, for a reader of the table."""
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]
    """Arguments of pytest: the smallest selection that must fail."""
    tries: int = 1
    """How often the tests are run until they fail, where chance must help (processes that are killed)."""


def mutant(name: str, breaks: str, tests: str, *edits: tuple[str, str, str], tries: int = 1) -> Mutant:
    """A mutant whose tests are given as one text."""
    return Mutant(name, breaks, tuple(Edit(*edit) for edit in edits), tuple(tests.split()), tries)
