"""The command line as a whole: its streams, exit codes, sentences; the schema, the configuration."""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from orcid_sync import __version__
from rig.service.command_line import COMPLETE, Cli, process_environment

ROOT = Path(__file__).parents[3]


def process(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """The command line as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "orcid_sync", *arguments],
        env=process_environment(**env),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_version_is_there_at_once() -> None:
    """Half a second is what people call at once; of processor time, for other processes may be in the way."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = process("version")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    assert (result.returncode, result.stderr) == (0, "")
    assert __version__ in result.stdout
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_version_as_json(cli: Cli) -> None:
    assert cli.json("version")["version"] == __version__


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["no-such-command"],
        ["status", "--no-such-option"],
        ["show"],
        ["show", "0000-0002-1825-0098"],
        ["show", "0000-0002-1825-0097", "--section", "wrok"],
        ["disconnect"],
        ["sync", "x"],
        ["connect"],
        ["connect", "0000-0002-1825-0097", "--file", "people.csv"],
        ["changes", "--after", "-1"],
        ["changes", "--orcid", "x"],
        ["serve", "--only", "nothing"],
        ["status", "--set", "workers"],
        ["status", "--set", "wrokers=3"],
        ["status", "--set", "client_secret=kestrel"],
    ],
)
def test_wrong_usage_is_exit_code_2(cli: Cli, arguments: list[str]) -> None:
    result = cli(*arguments)

    assert result.exit_code == 2
    assert (result.stdout == "") is bool(arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["show", "0000-0002-1825-0097"],
        ["changes"],
        ["migrate"],
        ["connect", "0000-0002-1825-0097"],
        ["disconnect", "0000-0002-1825-0097"],
        ["sync", "0000-0002-1825-0097"],
    ],
)
def test_a_database_that_is_away_is_one_sentence_and_exit_code_1(cli: Cli, arguments: list[str]) -> None:
    result = cli(*arguments, env={"DATABASE_URL": "postgresql://user:kestrel@127.0.0.1:9/none"})

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("the connection was lost or could not be made")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["status"], ["show", "0000-0002-1825-0097"], ["changes"], ["sync", "0000-0002-1825-0097"]]
)
def test_a_schema_that_is_behind_says_what_to_run(
    cli_on: Callable[[str], Cli], empty_dsn: str, arguments: list[str]
) -> None:
    result = cli_on(empty_dsn)(*arguments)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith("Run: orcid-sync migrate\n")


def test_without_a_database_it_says_how_to_get_one(cli: Cli, tmp_path: Path) -> None:
    result = cli("status", env={"DATABASE_URL": None, "ORCID_SYNC_DATA_DIR": str(tmp_path)})

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("There is no database. Set DATABASE_URL, or run orcid-sync serve")
    assert result.stderr.endswith(f"{tmp_path}/postgres.\n")


def test_every_problem_of_the_configuration_is_told_at_once(cli: Cli) -> None:
    result = cli("status", "--set", "burst=0", env={"ORCID_SYNC_WORKERS": "many"})

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines() == [
        "workers (environment ORCID_SYNC_WORKERS): must be a whole number.",
        "burst (command line): must be 1 or more.",
    ]


def test_a_traceback_only_for_those_who_ask() -> None:
    """At debug level files and lines, but no values of variables."""
    away = {"DATABASE_URL": "postgresql://user:kestrel@127.0.0.1:9/none"}

    result = process("status", "--log-level", "debug", **away)

    assert result.returncode == 1
    assert 'pools.py", line' in result.stderr
    assert "kestrel" not in result.stderr


def test_migrate_brings_forward_and_check_only_looks(cli_on: Callable[[str], Cli], empty_dsn: str) -> None:
    cli = cli_on(empty_dsn)

    assert cli("migrate", "--check").exit_code == 1
    assert cli("migrate", "--check").stdout.startswith("behind: ")
    assert cli("migrate").exit_code == 0
    assert cli("migrate").stdout.startswith("current: ")
    assert cli.json("migrate", "--check")["state"] == "current"


def test_serve_names_all_that_is_missing(cli: Cli) -> None:
    result = cli("serve")

    assert result.exit_code == 1
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == [
        "client_id",
        "client_secret",
        "encryption_key",
        "public_url",
        "webhook_secret",
    ]


def test_serve_refuses_a_schema_that_is_behind(cli_on: Callable[[str], Cli], empty_dsn: str) -> None:
    result = cli_on(empty_dsn)("serve", env=COMPLETE)

    assert result.exit_code == 1
    assert "Run: orcid-sync migrate" in result.stderr


@pytest.mark.fault("F98")
def test_config_show_has_origins_and_no_secrets(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(COMPLETE["ORCID_SYNC_ENCRYPTION_KEY"])
    (tmp_path / "other.toml").write_text("burst = 3")
    env = {**COMPLETE, "ORCID_SYNC_ENCRYPTION_KEY": None, "ORCID_SYNC_ENCRYPTION_KEY_FILE": str(tmp_path / "key")}
    arguments = ["config", "show", "--config", "other.toml", "--set", "poll-seconds=2", "--log-level", "error"]

    shown = cli.json(*arguments, env=env)
    text = cli(*arguments, env=env).stdout

    assert {name: tuple(shown[name].values()) for name in ("burst", "poll_seconds", "log_level", "workers")} == {
        "burst": (3, "other.toml"),
        "poll_seconds": (2.0, "command line"),
        "log_level": ("error", "command line"),
        "workers": (8, "default"),
    }
    assert shown["encryption_key"] == {"value": "[redacted]", "origin": f"file {tmp_path / 'key'}"}
    assert shown["database_url"] == {"value": "[redacted]", "origin": "environment DATABASE_URL"}
    assert shown["internal_token"] == {"value": None, "origin": "default"}
    assert COMPLETE["ORCID_SYNC_ENCRYPTION_KEY"] not in text + msgspec.json.encode(shown).decode()


def test_names_do_not_fail_on_a_terminal_that_knows_few_letters() -> None:
    result = process("config", "example", PYTHONIOENCODING="latin-1")

    assert result.returncode == 0
    assert "APP-\\u2026" in result.stdout


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m orcid_sync config example | head -1"

    result = subprocess.run(
        ["bash", "-c", command], env=process_environment(), capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.count("\n") == 1
