"""invite and invitations on a real database."""

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from orcid_sync.model.consent.invitation import Outcome
from orcid_sync.model.ids import Orcid
from orcid_sync.service.consent.signed_links import Link, LinkSigner
from orcid_sync.store.consent import invitations
from orcid_sync.store.consent.connections import Entry, connect_orcids, disconnect_orcids
from orcid_sync.store.database.encryption import Vault
from rig.service.command_line import COMPLETE, Cli

A, B = Orcid("0000-0002-1825-0097"), Orcid("0000-0002-1694-233X")
ENVIRONMENT = {
    **COMPLETE,
    "ORCID_SYNC_INSTITUTION": "Example University",
    "ORCID_SYNC_PURPOSE": "A bibliography.",
    "ORCID_SYNC_PRIVACY_URL": "https://www.example.edu/privacy",
    "ORCID_SYNC_CONTACT": "orcid@example.edu",
}
PEOPLE = f"person_id,given_names,email,orcid\np1,Erika,erika@example.edu,{A}\np2,Max,,\n"


@pytest.fixture
def inviting(cli: Cli, tmp_path: Path) -> Cli:
    (tmp_path / "people.csv").write_text(PEOPLE)
    cli.environment |= ENVIRONMENT
    return cli


def rows(stdout: str) -> dict[str, dict[str, str]]:
    return {row["person_id"]: row for row in csv.DictReader(io.StringIO(stdout))}


def read_link(link: str) -> Link | None:
    from base64 import b64decode

    keys = {"1": b64decode(COMPLETE["ORCID_SYNC_ENCRYPTION_KEY"])}
    base, _, token = link.rpartition("/")
    assert base == "https://orcid.example.edu/connect"
    return LinkSigner(Vault(keys).derive, "sandbox").read_invitation(token)


@pytest.mark.reveals("command", reason="the links are what the command is for")
async def test_gives_each_person_a_link_that_ends(inviting: Cli, connection: asyncpg.Connection) -> None:
    result = await inviting.apart("invite", "--file", "people.csv", "--expires", "30")

    assert (result.exit_code, result.stderr) == (0, "2 new\n")
    given = rows(result.stdout)
    links = {person: read_link(row["link"]) for person, row in given.items()}
    assert {row["standing"] for row in given.values()} == {"new"}
    numbers = dict(await connection.fetch("select person_id, number from orcid_sync.invitations"))
    for person, link in links.items():
        assert link is not None
        assert link.number == numbers[person]
        ends = datetime.fromtimestamp(link.expires, UTC)
        assert timedelta(days=29, hours=23) < ends - datetime.now(UTC) <= timedelta(days=30)
        assert datetime.fromisoformat(given[person]["expires_at"]) == ends
    stored = await connection.fetchrow("select * from orcid_sync.invitations where person_id = 'p1'")
    assert (stored["given_names"], stored["email"], stored["orcid"]) == ("Erika", "erika@example.edu", A)


async def settle(connection: asyncpg.Connection) -> None:
    """p1 is connected; p2 has said no."""
    numbers = dict(await connection.fetch("select person_id, number from orcid_sync.invitations"))
    await invitations.bind(connection, numbers["p1"], A, name="Erika Mustermann")
    await connect_orcids(connection, [Entry(orcid=A)])
    await invitations.note_opened(connection, numbers["p2"])
    await invitations.note(connection, numbers["p2"], Outcome.DENIED)


@pytest.mark.reveals("command", reason="the links are what the command is for")
async def test_repeating_the_file_invites_nobody_twice(inviting: Cli, connection: asyncpg.Connection) -> None:
    first = rows((await inviting.apart("invite", "-f", "people.csv", "--expires", "1")).stdout)
    await settle(connection)

    result = await inviting.apart("invite", "-f", "people.csv", "--expires", "2")

    second = rows(result.stdout)
    assert result.stderr == "1 connected, 1 repeated\n"
    assert (second["p1"]["standing"], second["p1"]["link"], second["p1"]["orcid"]) == ("connected", "", A)
    assert second["p2"]["standing"] == "repeated"
    assert read_link(second["p2"]["link"]) != read_link(first["p2"]["link"])
    assert await connection.fetchval("select count(*) from orcid_sync.invitations") == 2


@pytest.mark.reveals("command", reason="the links are what the command is for")
@pytest.mark.parametrize(("end", "standing"), [("disconnect", "disconnected"), ("forget", "erased")])
async def test_who_has_withdrawn_is_asked_again_only_on_purpose(
    inviting: Cli, connection: asyncpg.Connection, end: str, standing: str
) -> None:
    await inviting.apart("invite", "-f", "people.csv")
    await settle(connection)
    if end == "disconnect":
        await disconnect_orcids(connection, [A])
    else:
        assert await invitations.forget_person(connection, A) == 1

    left = rows((await inviting.apart("invite", "-f", "people.csv")).stdout)["p1"]
    kept = await connection.fetchrow("select given_names, email from orcid_sync.invitations where person_id = 'p1'")
    asked = rows((await inviting.apart("invite", "-f", "people.csv", "--again")).stdout)["p1"]

    assert (left["standing"], left["link"]) == (standing, "")
    assert (kept["given_names"] is None) == (end == "forget"), "nothing personal comes back by itself"
    assert (asked["standing"], read_link(asked["link"]) is None) == (standing, False)


async def test_names_bad_lines_and_invites_the_others(
    inviting: Cli, connection: asyncpg.Connection, tmp_path: Path
) -> None:
    (tmp_path / "people.csv").write_text("person_id,email\np1,x\n,\np2,\np2,\n")

    result = await inviting.apart("invite", "-f", "people.csv", "--json")

    assert result.exit_code == 1
    said = [msgspec.json.decode(line) for line in result.stdout.splitlines()]
    assert [(one["line"], one.get("standing"), one.get("problem")) for one in said] == [
        (2, None, "email is not an e-mail address"),
        (4, "new", None),
        (5, None, "line 4 has the same person_id; this line is skipped"),
    ]
    assert await connection.fetchval("select array_agg(person_id) from orcid_sync.invitations") == ["p2"]


async def test_nobody_is_invited_before_it_is_said_by_whom(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(PEOPLE)

    result = await cli.apart("invite", "-f", "people.csv", env=COMPLETE)

    assert result.exit_code == 1
    assert "institution: is missing" in result.stderr


@pytest.mark.reveals("command", reason="the links are what the command is for")
async def test_the_funnel(inviting: Cli, connection: asyncpg.Connection) -> None:
    await inviting.apart("invite", "-f", "people.csv")
    await settle(connection)

    shown: Any = msgspec.json.decode((await inviting.apart("invitations", "--json")).stdout)
    table = (await inviting.apart("invitations")).stdout
    denied = (await inviting.apart("invitations", "--state", "denied", "--json")).stdout
    listed = (await inviting.apart("invitations", "--state", "all")).stdout

    assert shown == {
        "invited": 2,
        "opened": 1,
        "granted": 1,
        "denied": 1,
        "states": {"connected": 1, "denied": 1},
        "outcomes": {"denied": 1, "granted": 1},
    }
    assert all(word in table for word in ("invited", "opened", "granted", "denied"))
    [person] = [msgspec.json.decode(line) for line in denied.splitlines()]
    assert (person["person_id"], person["state"], person["outcome"]) == ("p2", "denied", "denied")
    assert all(word in listed for word in ("p1", "p2", A, "connected"))
    assert not any(word in table + denied + listed for word in ("Erika", "example.edu"))


async def test_an_unknown_state_is_a_wrong_usage(cli: Cli) -> None:
    assert (await cli.apart("invitations", "--state", "lost")).exit_code == 2
