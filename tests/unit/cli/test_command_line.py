"""The command line as a whole: what its words lead to, and what they cost."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from orcid_sync import __version__
from orcid_sync.cli.main import COMMANDS, make_app

LOADED = """
import sys
from orcid_sync.cli.main import main
sys.argv = ["orcid-sync", {word!r}, "--help"]
try:
    main()
except SystemExit:
    print("loaded", *sorted(sys.modules))
"""


HEAVY = {
    "aiohttp",
    "aiosql",
    "asyncpg",
    "cryptography",
    "orcid_sync.simulator.registry",
    "orcid_sync.store.database.pools",
}


def loaded_by(word: str) -> set[str]:
    """The modules of commands that a process has in memory that was asked for the help of `word`."""
    ran = subprocess.run([sys.executable, "-c", LOADED.format(word=word)], capture_output=True, text=True, check=True)
    names = ran.stdout.rpartition("loaded")[2].split()
    return {name.removeprefix("orcid_sync.cli.") for name in names} & set(COMMANDS.values())


@pytest.mark.parametrize("word", ["serve", "token"])
def test_a_command_does_not_load_the_others(word: str) -> None:
    assert loaded_by(word) == {COMMANDS[word], COMMANDS["version"]}


@pytest.mark.parametrize("word", sorted(COMMANDS.keys() - {"export"}))  # whose options are those of the formats
def test_what_is_heavy_is_loaded_when_it_is_used(word: str) -> None:
    ran = subprocess.run([sys.executable, "-c", LOADED.format(word=word)], capture_output=True, text=True, check=True)
    assert set(ran.stdout.rpartition("loaded")[2].split()) & HEAVY == set()


def test_a_word_that_is_no_command_is_answered_with_those_like_it() -> None:
    assert loaded_by("serv") == set(COMMANDS.values())

    result = CliRunner().invoke(make_app(), ["serv"])

    assert result.exit_code == 2
    assert "Did you mean 'serve'" in result.output


@pytest.mark.parametrize("words", [["--version"], ["version"]])
def test_the_version_can_be_asked_for_in_both_ways(words: list[str]) -> None:
    result = CliRunner().invoke(make_app(), words)

    assert result.exit_code == 0
    assert __version__ in result.output
