"""plan: figures for so many iDs, or for those that are connected and as they were seen to change."""

import asyncpg
import msgspec
import pytest

from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.database.pools import Database
from rig.records.mirror import apply_record
from rig.records.sample_record import ORCID as A
from rig.records.sample_record import encode, rich_record
from rig.service.command_line import Cli


def test_it_needs_no_database_for_a_number(cli: Cli) -> None:
    plan = cli.json("plan", "--connected", "100000", env={"DATABASE_URL": None})

    assert plan["population"]["connected"] == 100_000
    assert set(plan["plan"]["requests"]) >= {"notifications", "routine reads", "searches"}
    assert 0 < plan["used"] < 1


def test_settings_count(cli: Cli) -> None:
    bare = {"ORCID_SYNC_WEBHOOKS": "false", "ORCID_SYNC_SEARCH_INTERVAL_HOURS": "0"}

    plan = cli.json("plan", "-n", "1000", env=bare)["plan"]

    assert plan["with_webhooks"] is None
    assert plan["without_webhooks"]["worst"] == 7
    assert set(plan["requests"]) == {"full forms", "routine reads"}


def test_webhooks_that_orcid_has_already_are_counted(cli: Cli) -> None:
    said = "If ORCID has webhooks of them from an earlier database, it takes"

    assert said in cli("plan", "-n", "1000").output
    assert said not in cli("plan", "-n", "1000", env={"ORCID_SYNC_WEBHOOKS": "false"}).output


def test_what_does_not_fit_ends_with_1_and_says_what_to_do(cli: Cli) -> None:
    result = cli("plan", "-n", "1000000", env={"ORCID_SYNC_DAILY_REQUESTS": "25000"})

    assert result.exit_code == 1
    assert "The daily quota of 25000 requests is used up after" in result.output
    assert "lengthen check_interval_hours" in result.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--connected", "0"], "--connected"),
        (["-n", "10", "--limited", "2"], "--limited"),
        ([], "--connected 10000"),
    ],
)
def test_wrong_usage(cli: Cli, arguments: list[str], complaint: str) -> None:
    result = cli("plan", *arguments)

    assert result.exit_code == 2
    assert complaint in result.output


async def test_the_mirror_itself_tells_how_records_change(
    cli: Cli, database: Database, connection: asyncpg.Connection
) -> None:
    await connect_orcids(connection, [Entry(orcid=A)])
    await apply_record(database.worker, encode(rich_record()))
    await connection.execute("update orcid.changes set at = now() - interval '10 days', cause = 'first-load'")
    keyword = """
        insert into orcid.changes (seq, orcid, section, key, op, visibility, cause, at)
        values ($1, $2, 'keyword', '1', 'updated', 'public', 'notification', now() - $3 * interval '1 day')
        """
    for day in range(5):
        await connection.execute(keyword, 10_000 + day, A, day)
        await connection.execute(keyword, 20_000 + day, A, day)  # the same session

    found = (await cli.apart("plan", "--json")).stdout

    population = msgspec.json.decode(found)["population"]
    assert population["connected"] == 1
    assert population["changes"] == pytest.approx(5 / 10, rel=0.05)
    assert population["details"] > 0
