"""Reports count right, show the public no more than what is public, and read well in every form."""

import asyncio
import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.consent import connections
from orcid_sync.store.consent.connections import Entry
from orcid_sync.store.database.pools import Database
from rig.browser import open_chromium
from rig.records.mirror import apply_record
from rig.service.command_line import Cli

NASTY = "<script>alert(1)</script> | Trust"
ROR = "https://ror.org/00sim0001"
PERIOD = ("--from", "2025-07-01", "--to", "2026-06-30")
ENV = {"ORCID_SYNC_INSTITUTION_ROR": ROR}

SEED = """
update orcid_sync.connections as c
   set connected_at = timestamptz '2025-05-15Z' + (n.number / 3) * interval '1 month',
       disconnected_at = case when n.number % 10 = 9 then timestamptz '2026-06-20Z' end,
       state = case when n.number % 10 = 9 then 'disconnected' else 'connected' end
  from (select orcid, row_number() over (order by orcid) as number from orcid_sync.connections) as n
 where n.orcid = c.orcid;
update orcid_sync.queue set verified_at = now() - interval '2 hours';
update orcid.changes as c
   set at = timestamptz '2025-07-02Z' + (c.seq % 12) * interval '30 days',
       cause = case when c.seq % 4 = 0 then 'first-load' else 'notification' end,
       op = case c.seq % 5 when 0 then 'updated' when 1 then 'removed' else c.op end,
       visibility_before = case when c.seq % 5 < 2 then c.visibility end;
insert into orcid_sync.invitations (person_id, expires_at, invited_at, opened_at, granted_at, denied_at)
select 'p' || n, now(), '2026-01-10Z', case when n < 30 then now() end, case when n < 20 then now() end,
       case when n between 20 and 22 then now() end
  from generate_series(1, 40) as n;
"""


async def mirror(database: Database, connection: asyncpg.Connection, number: int = 40) -> list[Orcid]:
    """Lifelike records, followed for a year, with a past."""
    registry = SimulatedRegistry()
    orcids = [Orcid(orcid) for orcid in registry.add_samples(number)]
    token = registry.token_service.issue(CLIENT_ID, ["/read-public"]).text
    for orcid in orcids:
        view = msgspec.json.encode(registry.view(orcid, token)).replace(b"Placeholder Trust", NASTY.encode())
        await apply_record(database.worker, view)
    await connections.connect_orcids(connection, [Entry(orcid=orcid) for orcid in orcids])
    await connection.execute(SEED)
    await connection.execute("analyze")
    return orcids


@pytest.fixture
async def mirrored(database: Database, connection: asyncpg.Connection) -> asyncpg.Connection:
    await mirror(database, connection)
    return connection


async def made(cli: Cli, *arguments: str) -> Any:
    return await asyncio.to_thread(cli.json, "report", *PERIOD, *arguments, env=ENV)


async def test_the_figures_are_right(mirrored: asyncpg.Connection, cli: Cli) -> None:
    report = await made(cli)

    months = report["adoption"]["months"]
    assert [one["month"] for one in months[:2]] == ["2025-07-01", "2025-08-01"]
    assert len(months) == 12
    assert [one["connected"] for one in months[:3]] == [8, 11, 14]
    assert sum(one["ended"] for one in months) == 4
    assert months[-1]["connected"] == months[-2]["connected"] + months[-1]["joined"] - months[-1]["ended"]
    assert report["adoption"]["connected"] == 36
    assert report["adoption"]["invitations"] == {"invited": 40, "opened": 29, "granted": 19, "denied": 3}
    async with mirrored.transaction():
        await mirrored.execute("set local role orcid_reader")
        published = await mirrored.fetchval("select count(*) from orcid.publications")
    assert sum(one["publications"] for one in report["works"]) == published
    query = (
        "select count(*) from orcid.changes where not minor and section <> 'record' and cause <> 'first-load'"
        " and at >= '2025-07-01Z' and at < '2026-07-01Z' and op = 'updated' and visibility = 'public'"
    )
    assert sum(one["updated"] for one in report["changes"]) == await mirrored.fetchval(query)
    assert report["freshness"] == {"followed": 36, "within_a_day": 36, "within_a_week": 36}
    here = "select count(distinct orcid) from orcid.current_affiliations where section = 'employment' and ror = $1"
    assert report["employed"] == await mirrored.fetchval(here, ROR)


async def test_the_public_sees_nothing_that_is_limited(mirrored: asyncpg.Connection, cli: Cli) -> None:
    await mirrored.execute("update orcid.works set visibility = 'limited' where visibility <> 'public'")
    before = await made(cli, "--role", "orcid_reader_limited")
    await mirrored.execute(
        "update orcid.works set visibility = 'limited'; update orcid.fundings set visibility = 'limited';"
        " update orcid.affiliations set visibility = 'limited';"
        " update orcid.changes set visibility = 'limited', visibility_before = 'limited' where section <> 'record'"
    )

    public, limited = await made(cli), await made(cli, "--role", "orcid_reader_limited")

    coverage = {one["section"]: one["records_with"] for one in public["coverage"]}
    assert (public["works"], public["funders"], public["changes"], public["employed"]) == ([], [], [], 0)
    assert (coverage["work"], coverage["employment"]) == (0, 0)
    assert public["adoption"] == before["adoption"], "who is followed is no item of a record"
    assert limited["works"] == before["works"]
    assert (public["limited"], limited["limited"]) == (False, True)


async def test_every_form_says_the_same(mirrored: asyncpg.Connection, cli: Cli, tmp_path: Path) -> None:
    report = await made(cli)
    page = tmp_path / "report.html"
    arguments = ("report", *PERIOD, "--format")

    markdown = (await cli.apart(*arguments, "markdown", env=ENV)).stdout
    sheet = (await cli.apart(*arguments, "csv", env=ENV)).stdout
    written = await cli.apart(*arguments, "html", "--output", str(page), env=ENV)
    html = page.read_text("utf-8")

    published = sum(one["publications"] for one in report["works"])
    assert f"| Publications | {published} |" in markdown
    assert markdown.startswith("# ORCID\n\n2025-07-01 to 2026-06-30")
    rows = {(row["part"], row["of"], row["figure"]): row["value"] for row in csv.DictReader(io.StringIO(sheet))}
    assert rows["adoption", "", "connected"] == "36"
    assert sum(int(value) for (part, _, name), value in rows.items() if (part, name) == ("works", "publications")) == (
        published
    )
    assert written.stderr == f"Written: {page}\n"
    assert f'<dd class="value">{published}</dd>' in html
    for text in (html, markdown):
        assert "<script" not in text
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "src=" not in html
    assert NASTY.partition(" |")[2].strip() in html
    await reads_well(page, tmp_path)


async def reads_well(page: Path, folder: Path) -> None:
    """In a browser: nothing is cut off, every chart is there and has a name, and nothing is complained of."""
    async with open_chromium(folder) as browser:
        await browser.open(page.as_uri())
        for width, dark in ((1200, False), (1200, True), (375, False)):
            await browser.resize(width, 900, dark=dark)
            overflow = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert await browser.run(overflow) <= 0, width
            (folder / f"{width}-{dark}.png").write_bytes(await browser.picture())
        charts = (
            "return [...document.querySelectorAll('svg')].map(s => [s.getAttribute('aria-label'), s.getBBox().height])"
        )
        assert all(label and height > 0 for label, height in await browser.run(charts))
        assert await browser.logs() == []


async def test_a_mirror_without_anybody_has_a_report(cli: Cli) -> None:
    for form in ("markdown", "html", "csv"):
        result = await cli.apart("report", "--format", form)
        assert result.exit_code == 0, result.output
    assert "Nothing has changed in the period." in (await cli.apart("report", "--format", "html")).stdout


async def test_a_reader_without_a_look_inside_hears_nothing_of_adoption(
    database: Database, connection: asyncpg.Connection, cli_on: Callable[[str], Cli], dsn: str
) -> None:
    await mirror(database, connection, 5)
    await connection.execute("drop role if exists board_reader")
    await connection.execute("create role board_reader login in role orcid_reader")
    try:
        parts = urlsplit(dsn.replace("user=postgres", "user=board_reader"))
        reader = parts._replace(netloc=f"board_reader@{parts.netloc.rpartition('@')[2]}").geturl()
        report = await asyncio.to_thread(cli_on(reader).json, "report", *PERIOD)
        assert reader != dsn
        assert report["adoption"] is None
        assert report["active"] > 0
    finally:
        await connection.execute("drop role board_reader")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--from", "2026-02-01", "--to", "2026-01-01"), "the period has no day"),
        (("--format", "pdf"), "--format must be one of"),
        (("--from", "yesterday"), "does not match"),
    ],
)
def test_what_cannot_be_reported_is_refused(cli: Cli, arguments: tuple[str, ...], said: str) -> None:
    result = cli("report", *arguments)

    assert result.exit_code == 2
    assert said in " ".join(result.stderr.replace("│", " ").split())
