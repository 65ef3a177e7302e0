"""orcid-sync token: made, shown once, listed, replaced, revoked."""

import pytest

from orcid_sync.store.console.api_tokens import PREFIX
from rig.service.command_line import Cli


@pytest.mark.reveals("command", reason="that is what the command is for")
def test_a_token_is_shown_once_and_never_again(cli: Cli) -> None:
    made = cli("token", "create", "cris", "--scope", "read-public", "--scope", "read-limited", "--expires", "30")
    secret = made.stdout.strip()
    assert made.exit_code == 0
    assert secret.startswith(PREFIX)
    assert secret not in made.stderr
    assert "[redacted]" not in made.stderr
    listed = cli.json("token", "list")
    assert [(one["name"], one["scopes"], one["expired"]) for one in listed] == [
        ("cris", ["read-limited", "read-public"], False)
    ]
    assert secret not in cli("token", "list").output
    assert "cris" in cli("token", "list").stdout


@pytest.mark.reveals("command", reason="that is what the command is for")
def test_a_name_is_taken_until_it_is_replaced_or_revoked(cli: Cli) -> None:
    create = ("token", "create", "cris", "--scope", "admin")
    assert cli.json(*create)["token"].startswith(PREFIX)
    refused = cli(*create)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "--replace" in refused.stderr
    assert cli(*create, "--replace", "--overlap", "24").exit_code == 0
    assert len(cli.json("token", "list")) == 2
    assert cli.json("token", "revoke", "cris") == {"name": "cris", "revoked": 2}
    assert cli("token", "revoke", "cris").exit_code == 1
    assert "no token" in cli("token", "list").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("cris",),
        ("cris", "--scope", "everything"),
        ("-cris", "--scope", "admin"),
        ("c ris", "--scope", "admin"),
        ("(loopback)", "--scope", "admin"),
        ("cris", "--scope", "admin", "--overlap", "1"),
        ("cris", "--scope", "admin", "--expires", "0"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert cli("token", "create", *arguments).exit_code == 2
