"""The runbook and operations.md are true: the SQL runs and does what it says; commands, settings and metrics exist."""

import re
from pathlib import Path

import asyncpg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.main import get_command

from orcid_sync.cli.main import make_app
from orcid_sync.model.ids import Orcid
from orcid_sync.service.http.metrics import Metrics
from orcid_sync.settings.settings import Settings
from orcid_sync.store.consent.connections import Entry, connect_orcids

DOCS = Path(__file__).parents[3] / "deploy" / "docs"
TEXT = "\n".join((DOCS / name).read_text("utf-8") for name in ("runbook.md", "operations.md"))
STATEMENTS = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)
CODE = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", TEXT, flags=re.DOTALL))
ORCID = Orcid("0000-0002-1825-0097")


@pytest.mark.parametrize("sql", STATEMENTS, ids=range(len(STATEMENTS)))
async def test_the_sql_runs(connection: asyncpg.Connection, sql: str) -> None:
    await connection.execute(sql)


async def test_after_a_restore_the_feed_is_another_one_and_everybody_is_due(connection: asyncpg.Connection) -> None:
    state = (
        "select epoch, due_at <= now() + interval '1 day' as due, gen > leased_gen as marked "
        "from orcid_sync.feed_head, orcid_sync.queue"
    )
    await connect_orcids(connection, [Entry(orcid=ORCID)])
    await connection.execute("update orcid_sync.queue set due_at = now() + interval '7 days', leased_gen = gen")
    before = await connection.fetchrow(state)

    await connection.execute(next(sql for sql in STATEMENTS if "new_epoch" in sql))

    after = await connection.fetchrow(state)
    assert (after["due"], after["marked"]) == (True, True)
    assert after["epoch"] != before["epoch"]


def test_every_command_exists() -> None:
    known = get_command(make_app()).commands  # type: ignore[attr-defined]
    named = {word for code in CODE for word in re.findall(r"^orcid-sync ([a-z]+)", code)}
    assert len(named) > 5
    assert named - known.keys() == set()


def test_every_metric_exists() -> None:
    known = {family.name for family in text_string_to_metric_families(Metrics().render().decode())}
    named = {name.removesuffix("_total") for name in re.findall(r"orcid_sync_[a-z_]+", " ".join(CODE))}
    assert named - known == set()


@pytest.mark.parametrize("name", [code for code in CODE if re.fullmatch(r"(?!orcid)[a-z]+(_[a-z]+)+", code)])
def test_every_setting_exists(name: str) -> None:
    assert name in Settings.model_fields
