"""Every command against every way in which a record can stand: no defect, a sensible exit code, whole sentences.

The commands and their options are those of the command line itself, so that a new one enters by itself. One that needs
arguments of its own says so in ARGUMENTS; until then it ends with "wrong usage", and the test fails.
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Any, get_args

import msgspec
import pytest
import typer
from typer.testing import Result

from orcid_sync.cli.main import COMMANDS, make_app
from orcid_sync.model.record.diff import RECORD
from orcid_sync.model.record.sections import SECTIONS
from rig.service.command_line import Cli
from rig.service.every_record import environment_of, make_every_record
from rig.service.reconciler import OTHER, Bench

NOT_RUN = {
    "serve": "runs until it is stopped",
    "simulate": "runs until it is stopped",
    "demo": "starts a service of its own",
    "bootstrap": "reads files, not the sample",
    "organisations load": "reads a file, not the sample",
    "invite": "reads a file, not the sample",
    "erasures replay": "reads a file, not the sample",
    "subscriptions test": "calls a receiver",
}

ARGUMENTS: dict[str, list[list[str]]] = {
    "search": [["family-name:*"], ["--own"], ["family-name:nobody"]],
    "export": [["--all", "--to", "exported"], ["--query", "select orcid from orcid.records where false"]],
    "rebuild": [[word for name in (RECORD, *SECTIONS) for word in ("--section", name)]],
    "questions show": [["1"]],
    "questions run": [[str(number)] for number in range(1, 31)],
    "erasures show": [["1"], ["2"]],
    "webhooks forget": [["1"]],
    "drift acknowledge": [["--all"]],
    "subscriptions add": [["hr", "https://receiver.example.edu/"]],
    "subscriptions replay": [["hr", "--from", "1"]],
    "token create": [["reader", "--scope", "read-public"]],
    "token revoke": [["reader"]],
    "diff": [["--from", "30min"]],
}
"""Arguments without which a command cannot be called, one call after the other; each iD of the sample comes besides."""

ALONE = {"webhooks revive": [["--suspect"], ["--all"]]}
"""Arguments that stand instead of iDs."""

VALUES = {"NAME": "hr", "section": "work", "as_of": "30min", "item": "Work", "after": "0", "sample": "100"}
"""Values of arguments and options, by what the help calls them or by their names."""

NOT_TRIED = {
    "follow",
    "wait",
    "every",
    "suspect",
    "json",
    "yes",
    "replace",
    "dry_run",
    "config",
    "assignments",
    "log_level",
    "help",
}
"""Options that wait for somebody, or are tried by themselves: in ALONE, or with every call."""

REFUSALS = {
    "audit": r"^$|There is nothing to audit",  # below the mark, as it says on stdout
    "check": r"^$",
    "consents": r"no |not ",
    "connect": r"^$|erased|ORCID",
    "diff": r"^The mirror has never held .* explain |^--from: the mirror has ",
    "erasures show": r"There is no ",
    "holds": r"Nothing waits for a second read of these iDs\.",
    "disconnect": r"not connected",
    "rebuild": r"cannot be ",
    "show": r"is not connected\. Connect it with: |^The mirror has never held |^--as-of: the mirror has ",
    "sync": r"Connect them first with: ",
    "webhooks": r"\w",
    "subscriptions": r"\w",
    "token": r"There is (no|already a) token ",
    "keys": r"\w",
}
"""What a command, or a group, says on stderr when it ends with exit code 1: of some iDs there is nothing to tell."""

NEEDED = {
    "plan": "nobody is connected yet: give the number of iDs",
    "disconnect": "--yes",
    "export": "say (what|where) to ",
}
"""What a command says when it cannot do without an argument, with exit code 2."""

ODD = r"\bNone\b|\bnan\b|\binf(inity)?\b|Unexpected:| object at 0x|\bdatetime\.|\btimedelta"
"""What nobody is told: a value that is missing, or one as a program writes it."""

ODD_SENTENCE = ODD + r"|\(\s*\)|: \.(\s|$)|\{[a-z_]*\}|\bb'"
"""The same where people read."""


DOCUMENTS = {"config example", "config show", "dictionary", "questions show", "questions list"}
"""Commands that print text in which braces and brackets belong."""


def leaves(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command with its parameters, by the words that call it."""
    for name, inner in getattr(command, "commands", {}).items():
        yield from leaves(inner, (*words, name))
    if not hasattr(command, "commands"):
        yield " ".join(words), command


LEAVES = dict(leaves(typer.main.get_command(make_app())))


def calls(name: str, orcids: list[str]) -> Iterator[list[str]]:
    """How a command is called: with each iD for people and for programs, and with each option for one of them."""
    parameters = LEAVES[name].params
    formats = [[], ["--json"]] if any(one.name == "json" for one in parameters) else [[]]
    at_once = ["--no-wait"] if any(one.name == "wait" and one.secondary_opts for one in parameters) else []
    yield from ([*arguments, *at_once] for arguments in ALONE.get(name, []))
    for arguments in ARGUMENTS.get(name) or [required(parameters)]:
        given = [*arguments, *at_once]
        about = list(with_each_orcid(parameters, given, orcids))
        yield from ([*one, *form] for one in about for form in formats)
        tried = about if any(is_orcid(one) and one.required for one in parameters) else about[:1]
        for number, more in enumerate(options(parameters, given)):
            yield from ([*one, *more, *formats[number % len(formats)]] for one in tried)


def required(parameters: list[Any]) -> list[str]:
    """Values of what has to be given, but for iDs."""
    needed = [one for one in parameters if one.required and not is_orcid(one)]
    return [VALUES[one.metavar or one.name] for one in needed]


def with_each_orcid(parameters: list[Any], given: list[str], orcids: list[str]) -> Iterator[list[str]]:
    """The arguments, and again with each iD, where the command takes one."""
    takes = [one for one in parameters if is_orcid(one)]
    if not any(one.required for one in takes) and not (takes and takes[0].name == "orcids"):
        yield given
    for one in takes:
        word = [] if one.param_type_name == "argument" else [one.opts[0]]
        yield from ([*word, orcid, *given] for orcid in orcids)


def is_orcid(parameter: Any) -> bool:
    return str(parameter.metavar).rstrip("…") == "iD"


def options(parameters: list[Any], given: list[str]) -> Iterator[list[str]]:
    """Each option by itself: a flag, each of its choices, or a value of VALUES."""
    for one in parameters:
        if one.param_type_name != "option" or one.name in NOT_TRIED or is_orcid(one) or one.opts[0] in given:
            continue
        if one.is_flag:
            yield [one.opts[0]]
        elif one.name in VALUES:
            yield [one.opts[0], VALUES[one.name]]
        else:
            yield from ([one.opts[0], choice] for choice in choices(one))


def choices(parameter: Any) -> list[str]:
    """What an option may be, if it is one of a few."""
    said = parameter.type_descriptor.annotation
    kinds = [one for one in (said, *get_args(said)) if isinstance(one, type) and issubclass(one, Enum)]
    listed = re.fullmatch(r"([a-z]+(?:, [a-z]+)+)\.", parameter.help or "")
    return [str(one.value) for one in kinds[0]] if kinds else listed[1].split(", ") if listed else []


def complaint(name: str, words: list[str], result: Result) -> str | None:
    """What is wrong with how a call went; None if nothing is."""
    out, err = result.stdout, result.stderr
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return f"raised {result.exception!r}"
    document = "--json" in words or name in DOCUMENTS or {"json", "html"} & set(words)
    if found := re.search(ODD if document else ODD_SENTENCE, out + err):
        return f"says {found[0]!r}: {(out + err)[max(0, found.start() - 150) : found.end() + 50]!r}"
    if not is_sensible(name, result.exit_code, err):
        return f"ended with {result.exit_code}: {err!r} {out!r}"
    if "--json" in words and "--format" not in words and not all(map(is_json, out.strip().splitlines())):
        return f"is no JSON: {out[:300]}"
    return None


def is_sensible(name: str, code: int, err: str) -> bool:
    """Whether the exit code is 0, or what is said on stderr explains it."""
    if code == 1:
        return re.search(REFUSALS.get(name) or REFUSALS.get(name.partition(" ")[0], "(?!)"), err) is not None
    return code == 0 or (code == 2 and re.search(NEEDED.get(name, "(?!)"), " ".join(err.split())) is not None)


def is_json(line: str) -> bool:
    try:
        msgspec.json.decode(line)
    except msgspec.DecodeError:
        return False
    return True


@pytest.fixture
def installed(bench: Bench, cli: Cli) -> Cli:
    """The command line on the bench's database, beside its Registry."""
    cli.environment |= environment_of(bench) | {
        "ORCID_SYNC_INSTITUTION": "University of Nowhere",
        "ORCID_SYNC_INSTITUTION_ROR": "https://ror.org/01an7q238",
        "ORCID_SYNC_PURPOSE": "to keep the list of publications",
        "ORCID_SYNC_CONTACT": "orcid@nowhere.example.edu",
        "ORCID_SYNC_PRIVACY_URL": "https://nowhere.example.edu/privacy",
        "LOG_LEVEL": "error",
    }
    return cli


SHOWN_ONCE = pytest.mark.reveals("command", reason="it is made by the command, and shown once")


WORDS = [
    pytest.param(word, marks=[SHOWN_ONCE] if word in ("subscriptions", "token") else [])
    for word in sorted(COMMANDS.keys() - NOT_RUN.keys())
]


async def copes(cli: Cli, word: str, orcids: list[str]) -> None:
    """Call a command, or a group of them, in all ways that are tried."""
    wrong = {}
    for name in (name for name in LEAVES if name.partition(" ")[0] == word and name not in NOT_RUN):
        for words in calls(name, orcids):
            if said := complaint(name, words, await cli.apart(*name.split(), *words)):
                wrong[" ".join([name, *words])] = said
    if wrong:
        pytest.fail("\n".join(f"{words}: {said}" for words, said in wrong.items()), pytrace=False)


@pytest.mark.parametrize("word", WORDS)
async def test_a_command_copes_with_every_record(word: str, bench: Bench, installed: Cli) -> None:
    orcids = await make_every_record(bench)

    await copes(installed, word, list(orcids.values()))


@pytest.mark.parametrize("word", WORDS)
async def test_a_command_copes_with_nothing(word: str, installed: Cli) -> None:
    await copes(installed, word, [OTHER])


@pytest.mark.parametrize("word", WORDS)
async def test_a_command_copes_when_everybody_has_left(word: str, bench: Bench, installed: Cli) -> None:
    await bench.connect(OTHER)
    await bench.turn(OTHER)
    await bench.disconnect(OTHER)
    await bench.turn(OTHER)

    await copes(installed, word, [OTHER])


def test_what_is_not_run_is_a_command() -> None:
    assert {*NOT_RUN, *ARGUMENTS} <= LEAVES.keys()
