"""The status pages: what they say, page by page, and how they say that they cannot."""

import re
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

import aiohttp
import asyncpg
import pytest

from integration.console.status_pages import WEB_URL, Page, Pages, Reader, status_pages, token_of
from orcid_sync.model.ids import Orcid
from orcid_sync.service.rendering import answer_cache
from orcid_sync.store.consent import connections
from orcid_sync.store.consent.connections import Entry
from orcid_sync.store.console import hourly_activity
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.database.pools import Database
from orcid_sync.store.pushes import subscriptions
from orcid_sync.store.pushes.subscriptions import Wish
from rig.records.mirror import apply_record
from rig.records.sample_record import ORCID, encode, keyword, rich_record, with_keywords

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
async def pages(database: Database) -> AsyncIterator[Pages]:
    async with status_pages(database) as opened:
        yield opened


@pytest.fixture
async def reader(pages: Pages) -> AsyncIterator[Reader]:
    """The operator at their own machine."""
    async with pages.reader() as opened:
        yield opened


@pytest.fixture
async def people(connection: asyncpg.Connection, sample_orcids: Callable[[int], list[Orcid]]) -> list[Orcid]:
    """Connected iDs that were read, each with a name, in their order."""
    orcids = sample_orcids(12)
    await connections.connect_orcids(connection, [Entry(orcid=orcid) for orcid in orcids])
    await connection.execute(
        "insert into orcid.records (orcid, state, access) select unnest($1::text[]), 'active', 'read-public'", orcids
    )
    await connection.execute(
        """insert into orcid.names (orcid, given_names, family_name, visibility, digest, doc)
           select orcid, 'Given' || n, 'Family', 'public', '', '{"given-names": {"value": "Given"}}'
             from unnest($1::text[]) with ordinality as people (orcid, n)""",
        orcids,
    )
    await connection.execute(
        """update orcid_sync.queue
              set verified_at = now(), leased_gen = 1, done_gen = 1, due_at = now() + interval '1 day', lane = 3"""
    )
    return orcids


async def test_an_empty_installation_is_told_what_to_do(reader: Reader) -> None:
    for path, words in {
        "/": "orcid-sync connect --file people.csv",
        "/connections": "orcid-sync invite --file people.csv",
        "/webhooks": "orcid-sync serve",
        "/runs": "orcid-sync audit",
        "/subscriptions": "orcid-sync subscriptions add",
    }.items():
        page = await reader.get(path)
        assert page.status == 200
        assert words in page.text


async def test_every_page_keeps_to_itself(reader: Reader, people: list[Orcid], connection: asyncpg.Connection) -> None:
    await connection.execute("insert into orcid_sync.runs (job) values ('checks')")
    for path in (
        "/",
        "/connections",
        "/webhooks",
        "/subscriptions",
        "/runs",
        "/runs/checks",
        f"/records/{people[0]}",
        "/nothing",
    ):
        page = await reader.get(path)
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.text.startswith("<!doctype html>")
        assert '<html lang="en">' in page.text
        assert re.search(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=", page.text) is None, "nothing inline"
        assert [a for a in re.findall(r'(?:src|href)="(https?:[^"]*)"', page.text) if not a.startswith(WEB_URL)] == []


async def test_what_pages_need_is_served_under_names_that_change_with_it(reader: Reader) -> None:
    page = await reader.get("/")
    for address in [a for a in [*page.links, *re.findall(r'src="([^"]*)"', page.text)] if a.startswith("/static/")]:
        file = await reader.get(address)
        assert file.status == 200
        assert "immutable" in file.headers["Cache-Control"]
    assert (await reader.get("/static/console.css")).status == 404


async def test_the_overview_says_first_what_status_says_first(
    reader: Reader, people: list[Orcid], connection: asyncpg.Connection
) -> None:
    await connection.execute(
        "update orcid_sync.queue set attempts = 3, last_error = 'unavailable' where orcid = $1", people[4]
    )
    await connection.execute(
        "update orcid_sync.queue set verified_at = now() - interval '8 days' where orcid = $1", people[5]
    )

    page = await reader.get("/")

    assert page.title == "Overview"
    assert "1 iD cannot be read: unavailable." in page.text
    assert f'<a class="whole" href="/records/{people[4]}">{people[4]}</a>' in page.text
    assert page.text.index("cannot be read") < page.text.index("Freshness")
    assert re.search(r"within an hour</th><td class=\"num\">11</td><td class=\"num soft\">91.7 %", page.text)
    assert re.search(r"within 30 days</th><td class=\"num\">1</td>", page.text)


async def test_errors_are_pages_for_browsers_and_problems_for_programs(reader: Reader) -> None:
    page = await reader.get("/nothing")
    assert (page.status, page.title) == (404, "Not Found")
    assert (await reader.get("/nothing", Accept="application/json")).headers[
        "Content-Type"
    ] == "application/problem+json"
    assert (await reader.get("/v1/nothing")).headers["Content-Type"] == "application/problem+json"
    refused = await reader.post("/connections")
    assert (refused.status, refused.headers["Allow"]) == (405, "GET,HEAD")
    for wrong in ("/connections?state=odd", "/connections?after=x", "/runs/x?before=x", "/records/1"):
        page = await reader.get(wrong)
        assert page.status in (400, 404)
        assert "<html" in page.text


STANDINGS = {
    "connected": "update orcid_sync.connections set state = 'disconnected' where orcid <> all($1)",
    "gone": "update orcid_sync.connections set state = 'disconnecting' where orcid = any($1)",
    "waiting": "update orcid_sync.queue set due_at = now() where orcid = any($1)",
    "failing": "update orcid_sync.queue set attempts = 1 where orcid = any($1)",
    "held": """insert into orcid_sync.doubts (orcid, kind, section, key, reason, since)
      select unnest($1::text[]), kind, 'work', '7', '', now() from unnest(array['removal', 'shown']) as kind""",
    "in-doubt": """insert into orcid_sync.doubts (orcid, kind, section, reason, since)
      select unnest($1::text[]), 'section', section, '', now() from unnest(array['work', 'funding']) as section""",
    "unread": "update orcid_sync.queue set verified_at = null where orcid = any($1)",
    "not-active": "update orcid.records set state = 'locked' where orcid = any($1)",
    "token-suspect": "update orcid_sync.connections set access_state = 'suspect' where orcid = any($1)",
    "token-over": "update orcid_sync.connections set access_state = 'expired' where orcid = any($1)",
    "webhook": """with made as (
        insert into orcid_sync.callback_generations (key_version, public_url) values (1, '') returning number
      ) insert into orcid_sync.webhooks (orcid, generation, state, suspect_since)
      select unnest($1::text[]), number, 'active', now() from made""",
}


@pytest.mark.parametrize("standing", STANDINGS)
async def test_connections_are_found_by_how_they_stand(
    standing: str, reader: Reader, people: list[Orcid], connection: asyncpg.Connection
) -> None:
    await connection.execute(STANDINGS[standing], people[3:6])

    page = await reader.get(f"/connections?state={standing}")

    assert listed(page) == people[3:6]
    assert "3 iDs" in page.text


async def test_every_state_in_the_list_is_tried_here() -> None:
    from orcid_sync.service.console import connections as page

    assert set(STANDINGS) == set(page.STANDINGS) - {"all"}


def listed(page: Page) -> list[str]:
    """The iDs of the table."""
    return re.findall(r'class="name" href="/records/([^"]*)"', page.text)


async def test_pages_lead_through_all_connections(
    reader: Reader, connection: asyncpg.Connection, sample_orcids: Callable[[int], list[Orcid]]
) -> None:
    orcids = sample_orcids(120)
    await connections.connect_orcids(connection, [Entry(orcid=orcid) for orcid in orcids])
    found: list[str] = []
    address: str | None = "/connections"
    while address:
        page = await reader.get(address)
        found += listed(page)
        address = page.link("next")

    assert found == orcids
    assert "From the beginning" in page.text


async def test_people_are_found_by_id_and_by_name(
    reader: Reader, people: list[Orcid], connection: asyncpg.Connection
) -> None:
    await connection.execute("update orcid.names set credit_name = 'Ayşe 100%_Örnekoğlu' where orcid = $1", people[7])

    for form in (people[2], f"https://sandbox.orcid.org/{people[2]}", people[2].replace("-", "")):
        assert (await reader.get(f"/connections?q={form}")).location == f"/records/{people[2]}"
    elsewhere = f"https%3A%2F%2Forcid.org%2F{people[2]}"  # there it is another person (fault F45)
    for path in (f"/connections?q={elsewhere}", f"/connections?after={elsewhere}", f"/records/{elsewhere}"):
        assert "iD of ORCID&#39;s production, but this is its sandbox" in (await reader.get(path)).text
    assert listed(await reader.get("/connections?q=family+GIVEN3")) == [people[2]]
    assert listed(await reader.get("/connections?q=%C3%B6rnek")) == [people[7]]
    assert listed(await reader.get("/connections?q=100%25_")) == [people[7]]
    assert listed(await reader.get("/connections?q=%25")) == [people[7]]
    assert "Nobody" in (await reader.get("/connections?q=nobody")).text
    assert (
        "wrong check digit"
        in (await reader.get(f"/connections?q={people[2][:-1]}{'1' if people[2][-1] != '1' else '2'}")).text
    )
    assert "orcid-sync connect 0000-0002-1825-0097" in (await reader.get("/connections?q=0000-0002-1825-0097")).text


async def test_hostile_names_are_text(reader: Reader, people: list[Orcid], connection: asyncpg.Connection) -> None:
    await connection.execute(
        "update orcid.names set given_names = $2, family_name = $3 where orcid = $1",
        people[0],
        HOSTILE,
        "\u202egnp.exe",
    )
    for path in (f"/connections?q={people[0][:4]}+", f"/records/{people[0]}", "/connections"):
        page = await reader.get(path)
        assert HOSTILE not in page.text
        assert "\u202e" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; \\u202egnp.exe" in page.text


async def test_ids_are_shown_as_orcid_asks(reader: Reader, people: list[Orcid], connection: asyncpg.Connection) -> None:
    """The whole address, linked; whoever has not signed in for it is marked (contract section 9)."""
    await connection.execute("update orcid_sync.connections set access_state = 'granted' where orcid = $1", people[0])

    signed, unsigned = [await reader.get(f"/records/{orcid}") for orcid in people[:2]]

    assert f'<a class="orcid" href="{WEB_URL}/{people[0]}"' in signed.text
    assert "(unauthenticated)" not in signed.text
    assert f'<a class="orcid unsigned" href="{WEB_URL}/{people[1]}"' in unsigned.text
    assert "(unauthenticated)" in unsigned.text


async def test_runs_are_told_job_by_job(reader: Reader, connection: asyncpg.Connection) -> None:
    await connection.execute(
        """insert into orcid_sync.runs (job, started_at, finished_at, outcome)
           select 'checks', now() - n * interval '1 hour', now() - n * interval '1 hour', '{"rows": 12345}'
             from generate_series(60, 1, -1) as n"""
    )
    await connection.execute(
        "insert into orcid_sync.runs (job, finished_at, error) values ('odd', now(), 'Unavailable')"
    )

    overview = await reader.get("/runs")
    first = await reader.get("/runs/checks")
    last = await reader.get(first.link("next") or "")

    assert "12,345 rows" in overview.text
    assert "Unavailable" in overview.text
    assert [len(re.findall(r'<th scope="row">\d+</th>', page.text)) for page in (first, last)] == [50, 10]
    assert last.link("next") is None


async def test_subscriptions_are_listed_the_troubled_first(
    reader: Reader, connection: asyncpg.Connection, pages: Pages
) -> None:
    vault = Vault({"1": bytes(32)})
    for name in ("calm", "down", "stopped"):
        wish = Wish(url=f"https://{name}.example.org/hook", origin=f"https://{name}.example.org", view="public")
        await subscriptions.add(connection, vault, name, wish, after=0)
    await connection.execute("update orcid_sync.feed_head set last = 12345")
    await connection.execute(
        """update orcid_sync.push_progress
              set paused = case when subscription_id = 3 then 'gone' end,
                  attempts = case when subscription_id = 2 then 4 else 0 end, last_error = 'unreachable'"""
    )

    page = await reader.get("/subscriptions")

    assert re.findall(r'<th scope="row">(\w+)</th><td><span class="chip', page.text) == ["stopped", "down", "calm"]
    assert "the receiver refuses further messages (410)" in page.text
    assert "4 tries failed: unreachable" in page.text
    assert "12,345" in page.text
    async with pages.reader(await token_of(connection, "read-limited")) as other:
        assert (await other.get("/subscriptions")).status == 403
        assert 'href="/subscriptions"' not in (await other.get("/")).text


async def test_a_board_is_sent_again_when_it_changes(
    reader: Reader, pages: Pages, people: list[Orcid], connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_cache, "SHARE", 0)
    async with reader.http.get(f"{reader.url}/live/overview") as stream:
        assert stream.content_type == "text/event-stream"
        first = await one_event(stream)
        await connection.execute(
            "update orcid_sync.queue set attempts = 2, last_error = 'busy' where orcid = $1", people[0]
        )
        second = await one_event(stream)
        pages.draining.begin()
        async for _ in stream.content:
            pass  # until we end it

    assert "cannot be read" not in first
    assert "1 iD cannot be read: busy" in second


async def one_event(stream: aiohttp.ClientResponse) -> str:
    lines = []
    async for line in stream.content:
        if not line.strip():
            return "".join(lines)
        lines.append(line.decode().removeprefix("data: "))
    raise AssertionError("the stream has ended")


async def test_changes_are_counted_hour_by_hour_also_where_positions_are_missing(
    connection: asyncpg.Connection, people: list[Orcid]
) -> None:
    """Against counting them one by one."""
    await connection.execute(
        """insert into orcid.changes (seq, orcid, section, key, op, cause, at)
           select n, $1, 'work', n::text, 'added', 'check', now() - (2000 - n) * interval '3 minutes'
             from generate_series(1, 2000) as n""",
        people[0],
    )
    await connection.execute("update orcid_sync.feed_head set last = 2000")
    naive = """select date_trunc('hour', at, 'UTC') as began, max(seq) - min(seq) + 1 as number
                 from orcid.changes where at >= date_trunc('hour', now(), 'UTC') - interval '23 hours' group by 1"""

    full = await hourly_activity.hourly_counts(connection, hours=24)
    expected = {row["began"]: row["number"] for row in await connection.fetch(naive)}
    await connection.execute("delete from orcid.changes where seq between 1700 and 1900 or seq % 7 = 0")
    sparse = await hourly_activity.hourly_counts(connection, hours=24)

    assert {hour.began: hour.changes for hour in full if hour.changes} == expected
    assert len(full) == 24
    assert full[-1].began == datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    assert sum(hour.changes for hour in sparse) in range(sum(expected.values()) - 8, sum(expected.values()) + 8)


async def test_notifications_are_counted_hour_by_hour(connection: asyncpg.Connection) -> None:
    began = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    await connection.executemany(
        "insert into orcid_sync.intake_hours (process, alive_from, alive_until, notifications) values ($1, $2, $2, $3)",
        [("a", began, 3), ("b", began + timedelta(minutes=5), 4), ("a", began - timedelta(days=2), 9)],
    )

    hours = await hourly_activity.hourly_counts(connection, hours=5)

    assert [hour.notifications for hour in hours] == [0, 0, 7, 0, 0]
    assert [hour.changes for hour in hours] == [0] * 5


async def test_two_moments_stand_side_by_side(
    reader: Reader, database: Database, connection: asyncpg.Connection
) -> None:
    record = rich_record()
    await apply_record(database.worker, encode(with_keywords(record, keyword(1, "soil"), keyword(2, "old"))))
    await connection.execute("update orcid.records set first_seen_at = first_seen_at - interval '3 hours'")
    await connection.execute("update orcid.changes set at = at - interval '3 hours'")
    await apply_record(database.worker, encode(with_keywords(record, keyword(1, "soils & <b>"), keyword(3, "new"))))

    page = await reader.get(f"/records/{ORCID}/compare?from=1h")
    same = await reader.get(f"/records/{ORCID}/compare?from=2h&to=1h")

    assert page.status == 200
    assert re.search(r"<del>soil</del>.*<ins>soils &amp; &lt;b&gt;</ins>", page.text, re.DOTALL)
    for op, title in {"added": "new", "removed": "old"}.items():
        assert re.search(rf'class="{op}".*?<bdi class="what">{title}<', page.text, re.DOTALL)
    assert "No differences" in same.text
    assert same.text.count('role="alert"') == 0


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("from=yesterday", "is not a time"),
        ("from=1h&to=2h", "later moment is before the earlier one"),
        ("from=2999-01-01", "is in the future"),
    ],
)
async def test_moments_that_are_none_are_named(query: str, words: str, reader: Reader, people: list[Orcid]) -> None:
    page = await reader.get(f"/records/{people[0]}/compare?{query}")

    assert page.status == 400
    assert words in page.text
