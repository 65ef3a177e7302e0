"""Plant the seeded bugs one after the other, and see that the tests notice each of them.

    python tests/mutants/run.py [NAME…] [--list]

Copies the package and its tests into a temporary folder, plants one bug there, runs the tests that must notice it, and
prints a line. Exit code 1 if a bug was not noticed, or if its tests fail without it.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mutant import Mutant
from seeded import MUTANTS

ROOT = Path(__file__).parents[2]
LIMIT_SECONDS = 240
ENVIRONMENT = {"ORCID_SYNC_ROUNDS": "5", "ORCID_SYNC_UNSHRUNK": "1", "PYTHONDONTWRITEBYTECODE": "1"}
PERSISTENT = {"ORCID_SYNC_EXAMPLES": "250"}
"""With a bug planted the search may go on for longer: it ends when it has found something."""
SAID = ("AssertionError", "assert ", "Error", "FAILED")


class broken(Exception):  # noqa: N801 - reads as what it says
    """An edit no longer fits the code."""


def mutate(root: Path, mutant: Mutant) -> dict[str, str]:
    """The texts of the files that the mutant changes. Raises `broken` if an edit's text is not there exactly once."""
    texts: dict[str, str] = {}
    for edit in mutant.edits:
        text = texts.get(edit.path) or (root / edit.path).read_text()
        if text.count(edit.old) != 1:
            raise broken(f"{mutant.name}: {edit.path} has {text.count(edit.old)} times: {edit.old!r}")
        texts[edit.path] = text.replace(edit.old, edit.new)
    return texts


def copy(folder: Path) -> None:
    """A copy that can be spoilt."""
    for name in ("orcid_sync", "tests", "deploy"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
    for name in ("pyproject.toml", "README.md", "config.example.toml"):
        shutil.copy(ROOT / name, folder / name)


def run_tests(folder: Path, tests: tuple[str, ...], **more: str) -> tuple[bool, str]:
    """Whether the tests pass there, and the first line that says why not; `more` is for their environment."""
    environment = {**os.environ, **ENVIRONMENT, **more, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=LIMIT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return False, f"not finished after {LIMIT_SECONDS} s"
    complaints = [line[1:].strip() for line in done.stdout.splitlines() if line.startswith("E  ")]
    telling = [line for line in complaints if any(word in line for word in SAID)]
    if done.returncode not in (0, 1):
        raise broken(f"pytest could not run: {(done.stdout + done.stderr)[-500:]}")
    return done.returncode == 0, (telling or complaints or [""])[0][:100]


def judge(folder: Path, mutant: Mutant) -> tuple[bool, str]:
    """Whether the mutant, planted in the copy for a while, is noticed; and by what complaint."""
    planted = mutate(folder, mutant)
    healthy = {path: (folder / path).read_text() for path in planted}
    try:
        write(folder, planted)
        for _ in range(mutant.tries):
            passed, complaint = run_tests(folder, mutant.tests, **PERSISTENT)
            if not passed:
                return True, complaint
    finally:
        write(folder, healthy)
    return False, ""


def write(folder: Path, texts: dict[str, str]) -> None:
    """Write these files of the copy."""
    for path, text in texts.items():
        (folder / path).write_text(text)


def report(folder: Path, chosen: list[Mutant]) -> int:
    """Judge them all and print the table; returns how many were not noticed."""
    healthy: dict[tuple[str, ...], bool] = {}
    survivors = 0
    for mutant in chosen:
        if mutant.tests not in healthy:
            healthy[mutant.tests], complaint = run_tests(folder, mutant.tests)
            if not healthy[mutant.tests]:
                say(f"without any bug {' '.join(mutant.tests)} fails: {complaint}")
        began = time.monotonic()
        caught, complaint = judge(folder, mutant)
        caught = caught and healthy[mutant.tests]
        survivors += not caught
        verdict = "caught" if caught else "SURVIVED"
        say(f"{mutant.name:<28} {verdict:<9} {time.monotonic() - began:5.1f} s  {complaint or mutant.breaks}")
    return survivors


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="seeded bugs to plant; all if none is named")
    parser.add_argument("--list", action="store_true", help="only name them")
    given = parser.parse_args()
    if unknown := set(given.names) - {mutant.name for mutant in MUTANTS}:
        parser.error(f"no such bug: {', '.join(sorted(unknown))}")
    chosen = [mutant for mutant in MUTANTS if not given.names or mutant.name in given.names]
    if given.list:
        for mutant in chosen:
            say(f"{mutant.name:<28} {mutant.breaks}")
        return 0
    with tempfile.TemporaryDirectory(prefix="mutants-", ignore_cleanup_errors=True) as folder:
        copy(Path(folder))
        survivors = report(Path(folder), chosen)
    say(f"{len(chosen) - survivors} of {len(chosen)} seeded bugs were caught")
    return 1 if survivors else 0


def say(line: str) -> None:
    """A line of the table, at once."""
    print(line, flush=True)  # noqa: T201 - a command's output


if __name__ == "__main__":
    sys.exit(main())
