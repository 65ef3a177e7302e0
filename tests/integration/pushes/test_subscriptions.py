"""Subscriptions on the command line, as an operator uses them."""

import base64
import json
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest

from orcid_sync.store.database.encryption import Vault
from rig.push_receiver import receiving
from rig.service.command_line import KEY, Cli

ENV = {
    "ORCID_SYNC_ENCRYPTION_KEY": KEY,
    "ORCID_SYNC_PUSH_PLAIN_HTTP": "true",
    "ORCID_SYNC_PUSH_NETWORKS": "127.0.0.0/8, 10.20.0.0/16",
}
SHOWN = pytest.mark.reveals("command", reason="a secret is shown when it is made, and never again")
URL = "https://cris.example.edu/orcid"


@pytest.fixture
def subscriptions(cli: Cli) -> Callable[..., Any]:
    """Run a subcommand; what it printed, as text or from JSON."""

    def run(*arguments: str, code: int = 0, **env: str) -> Any:
        result = cli("subscriptions", *arguments, env=ENV | env)
        assert result.exit_code == code, result.output
        return json.loads(result.stdout) if "--json" in arguments and not code else result.output

    return run


@SHOWN
def test_from_the_first_to_the_last(subscriptions: Callable[..., Any]) -> None:
    assert "There are no subscriptions" in subscriptions("list")
    wanted = ["--section", "work", "--section", "record", "--operation", "added", "--external-id", "DOI:10.5281/"]
    added = subscriptions("add", "cris", URL, *wanted, "--organisation", "ror:https://ror.org/1", "--json")
    secret = added["secret"]
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert added["subscription"]["sections"] == ["record", "work"]

    for arguments in (["list"], ["show", "cris"], ["list", "--json"], ["show", "cris", "--json"]):
        assert secret not in str(subscriptions(*arguments))
    shown = subscriptions("show", "cris")
    for words in ("active", URL, "record, work", "doi:10.5281/", "ROR:https://ror.org/1", "not wanted", "never"):
        assert words in shown

    subscriptions("edit", "cris", "--section", "all", "--minor", "--view", "limited", "--no-contents")
    found = subscriptions("show", "cris", "--json")["subscription"]
    assert (found["sections"], found["minor"], found["view"], found["contents"]) == ([], True, "limited", False)
    assert (found["external_ids"], found["url"]) == (["doi:10.5281/"], URL)

    subscriptions("pause", "cris")
    assert "paused by hand" in subscriptions("list")
    subscriptions("resume", "cris")
    new = subscriptions("rotate", "cris", "--json")["secret"]
    assert new != secret
    assert "two" in subscriptions("show", "cris")
    subscriptions("remove", "cris")
    assert subscriptions("list", "--json") == []


@SHOWN
def test_the_secret_is_said_once_for_people(subscriptions: Callable[..., Any]) -> None:
    said = subscriptions("add", "cris", URL)
    assert said.count("whsec_") == 1
    assert "subscriptions test cris" in said
    assert "already" in subscriptions("add", "cris", URL, code=1)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["add", "Cris!", URL], "lower-case letters"),
        (["add", "cris", "cris.example.edu"], "must be an address"),
        (["add", "cris", "https://10.0.0.1/x"], "the address is private"),
        (["add", "cris", URL, "--view", "private"], "must be one of public, limited"),
        (["add", "cris", URL, "--when-dead", "x"], "must be one of pause, continue"),
        (["add", "cris", URL, "--section", "works"], "is not a section"),
        (["add", "cris", URL, "--operation", "deleted"], "is not an operation"),
        (["add", "cris", URL, "--external-id", ":1"], "external identifier"),
        (["replay", "cris", "--number", "1", "--from", "2"], "give one of them"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(
    subscriptions: Callable[..., Any], arguments: list[str], complaint: str
) -> None:
    assert complaint in " ".join(subscriptions(*arguments, code=2).replace("│", " ").split())


def test_http_is_refused_unless_it_is_allowed(subscriptions: Callable[..., Any]) -> None:
    said = subscriptions("add", "cris", "http://10.20.1.1/x", code=2, ORCID_SYNC_PUSH_PLAIN_HTTP="false")
    assert "must begin with https" in " ".join(said.split())


@pytest.mark.parametrize(
    "arguments",
    [["show", "x"], ["edit", "x"], ["pause", "x"], ["resume", "x"], ["remove", "x"], ["rotate", "x"], ["test", "x"]],
)
def test_who_is_not_subscribed_is_named(subscriptions: Callable[..., Any], arguments: list[str]) -> None:
    assert "There is no subscription 'x'" in subscriptions(*arguments, code=1)


def test_a_position_that_the_feed_has_not_reached_is_refused(subscriptions: Callable[..., Any]) -> None:
    assert "The feed ends at position 0" in subscriptions("add", "cris", URL, "--after", "1", code=1)


@SHOWN
async def test_a_message_to_try_it(cli: Cli) -> None:
    async with receiving() as receiver:
        added = await cli.apart("subscriptions", "add", "cris", receiver.url, "--json", env=ENV)
        said = await cli.apart("subscriptions", "test", "cris", env=ENV)
        assert (said.exit_code, said.stdout.split()[:2]) == (0, ["Accepted", "within"])
        message = receiver.received[0].verify(json.loads(added.stdout)["secret"])
        assert (message["type"], message["data"]) == ("orcid.test", {"subscription": "cris"})

        receiver.status = 403
        said = await cli.apart("subscriptions", "test", "cris", env=ENV)
        assert (said.exit_code, said.stderr.strip()) == (1, "Not accepted: refused, status 403.")
        said = await cli.apart("subscriptions", "test", "cris", env=ENV | {"ORCID_SYNC_PUSH_NETWORKS": "10.0.0.0/8"})
        assert "the address is loopback" in said.stderr
        assert len(receiver.received) == 2


async def test_what_is_dead_is_shown_in_status_replayed_and_discarded(cli: Cli, connection: asyncpg.Connection) -> None:
    sealed = Vault({"1": base64.b64decode(KEY)}).seal("made-up secret", orcid="1", column="subscription_secrets.secret")
    await connection.execute(
        "insert into orcid_sync.subscriptions (name, url, origin, view, when_dead) values ('cris', 'x', 'x', 'public',"
        " 'continue');"
        "insert into orcid_sync.push_progress (subscription_id, epoch, reached, attempts, failing_since, last_error)"
        " select 1, epoch, 0, 3, now(), 'status 500' from orcid_sync.feed_head;"
        "insert into orcid_sync.push_ranges (subscription_id, number, state, from_seq, to_seq, reached, error)"
        " values (1, 1, 'dead', 5, 9, 4, 'status 413'), (1, 2, 'dead', 12, 12, 11, 'status 413')"
    )
    await connection.execute("insert into orcid_sync.subscription_secrets values (1, 1, $1)", sealed)

    async def run(*arguments: str, code: int = 0) -> str:
        result = await cli.apart(*arguments, env=ENV)
        assert result.exit_code == code, result.output
        return result.output

    status = await run("status")
    assert "1 subscription is failing" in status
    assert "2 pushes are dead letters: not delivered after all tries. List: orcid-sync subscriptions dead" in status
    assert json.loads(await run("status", "--json"))["overview"]["pushes"]["dead"] == 2
    assert "status 413" in await run("subscriptions", "dead")
    assert "number 4" in await run("subscriptions", "show", "cris")
    assert "1 messages" in await run("subscriptions", "replay", "cris", "--number", "1")
    assert "1 discarded" in await run("subscriptions", "discard", "cris")
    assert [one["state"] for one in json.loads(await run("subscriptions", "dead", "--json"))] == ["replaying"]
    assert "There is no such dead letter" in await run("subscriptions", "discard", "cris", code=1)
    assert "nothing to send again" in await run("subscriptions", "replay", "cris", "--from", "3", code=1)
