"""Who sees what on the status pages, who may act, and how a browser signs in."""

from collections.abc import AsyncIterator, Callable

import asyncpg
import pytest

from integration.console.status_pages import Pages, Reader, status_pages, token_of
from orcid_sync.model.ids import Orcid
from orcid_sync.service.http.authentication import COOKIE
from orcid_sync.store.consent import connections
from orcid_sync.store.consent.connections import Entry
from orcid_sync.store.database.pools import Database
from rig.records.planted_mirror import LIVES, PLANTED, World, build


@pytest.fixture
async def pages(database: Database) -> AsyncIterator[Pages]:
    async with status_pages(database) as opened:
        yield opened


@pytest.fixture
async def somebody(connection: asyncpg.Connection, sample_orcids: Callable[[int], list[Orcid]]) -> Orcid:
    """A connected iD that holds removals."""
    [orcid] = sample_orcids(1)
    await connections.connect_orcids(connection, [Entry(orcid=orcid)])
    await connection.execute(
        """update orcid_sync.queue
              set gen = 1, leased_gen = 1, done_gen = 1, due_at = now() + interval '1 day', lane = 3"""
    )
    await connection.execute(
        """insert into orcid_sync.doubts (orcid, kind, section, key, reason, since)
           select $1, 'removal', 'work', number::text, '', now() from generate_series(1, 12) as number""",
        orcid,
    )
    return orcid


FIRST_VERSIONS_WERE_YESTERDAY = """
update orcid.changes as c
   set at = c.at - interval '1 day'
  from (select orcid, min(at) as at from orcid.changes group by orcid) as first
 where first.orcid = c.orcid and first.at = c.at
"""


async def crawl(reader: Reader, *starts: str) -> dict[str, str]:
    """Every page that can be reached by links, by its address."""
    found: dict[str, str] = {}
    wanted = list(starts)
    while wanted:
        address = wanted.pop()
        if address in found or address.startswith(("/static/", "/live/")):
            continue
        page = await reader.get(address)
        found[address] = page.text if page.status == 200 else ""
        wanted += page.links
    return found


@pytest.mark.invariant("S13")
@pytest.mark.fault("F68")
async def test_nobody_reads_on_any_page_what_is_not_for_them(
    pages: Pages, database: Database, connection: asyncpg.Connection, sample_orcids: Callable[[int], list[Orcid]]
) -> None:
    world: World = await build(database, sample_orcids(len(LIVES)))
    await connection.execute(FIRST_VERSIONS_WERE_YESTERDAY)
    await connection.execute("update orcid.records set first_seen_at = first_seen_at - interval '2 days'")
    # What the pages show of these lives, so that the test is not passed by pages that show nothing.
    least = {"read-public": ("public",), "read-limited": ("public", "limited")}
    starts = ["/", *(f"/records/{orcid}/timeline?item=planted" for orcid in world.orcids.values())]
    starts += [
        f"/records/{orcid}/compare?minor=1&from={ago}" for orcid in world.orcids.values() for ago in ("1h", "2d")
    ]
    searches = [f"/connections?q={word}" for word in ("planted-limited", "planted-nobody", "planted-public")]
    for scope, audiences in least.items():
        async with pages.reader(await token_of(connection, scope)) as reader:
            found = await crawl(reader, *starts, *searches)
        texts = set(PLANTED.findall(" ".join(found.values())))
        assert texts <= world.planted(*audiences), scope
        assert {text.split("-")[1] for text in texts} == set(audiences)
        assert len(found) > len(world.orcids)


@pytest.mark.reveals("answer", reason="a cookie is set by an answer")
async def test_a_stranger_is_led_to_sign_in_and_on_from_there(pages: Pages, connection: asyncpg.Connection) -> None:
    token = await token_of(connection, "admin", "ops")
    async with pages.reader() as reader:
        led = await reader.get("/connections?state=failing")
        assert (led.status, led.location) == (303, "/sign-in?next=%2Fconnections%3Fstate%3Dfailing")
        asked = await reader.get(led.location)
        assert (asked.status, asked.title) == (200, "Sign in")
        assert 'value="/connections?state=failing"' in asked.text

        wrong = await reader.post("/sign-in", {"token": token[:-1], "next": "/runs"})
        assert (wrong.status, reader.cookies()) == (403, {})
        assert 'role="alert"' in wrong.text
        right = await reader.post("/sign-in", {"token": f" {token} ", "next": "/runs"})
        assert (right.status, right.location) == (303, "/runs")
        cookie = right.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert token not in cookie
        page = await reader.get("/runs")
        assert (page.status, page.title) == (200, "Runs")
        assert "Signed in as <strong>ops</strong>" in page.text

        await reader.post("/sign-out")
        assert (await reader.get("/runs")).status == 303
        assert COOKIE not in reader.cookies()


@pytest.mark.reveals("answer", reason="a cookie is set by an answer")
async def test_a_revoked_token_ends_the_browsers_that_showed_it(pages: Pages, connection: asyncpg.Connection) -> None:
    token = await token_of(connection, "read-public")
    async with pages.reader() as reader:
        await reader.post("/sign-in", {"token": token})
        assert (await reader.get("/")).status == 200
        await connection.execute("delete from orcid_sync.api_tokens")
        await token_of(connection, "admin")
        assert (await reader.get("/")).status == 303


@pytest.mark.parametrize("act", ["sync", "release", "discard"])
async def test_administrators_act_and_are_told_what_follows(
    act: str, pages: Pages, somebody: Orcid, connection: asyncpg.Connection
) -> None:
    async with pages.reader() as reader:
        page = await reader.get(f"/records/{somebody}")
        assert f'action="/records/{somebody}/{act}"' in page.text
        assert "12 works" in page.text
        done = await reader.post(f"/records/{somebody}/{act}")
        assert (done.status, done.location) == (303, f"/records/{somebody}?done={act}")
        assert 'class="done" role="status"' in (await reader.get(done.location)).text

    row = await connection.fetchrow("select * from orcid_sync.queue where orcid = $1", somebody)
    assert (row["gen"], row["lane"]) == (2, 1)
    left = await connection.fetch("select released from orcid_sync.doubts where orcid = $1", somebody)
    assert [one["released"] for one in left] == ([] if act == "discard" else 12 * [act == "release"])


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Host": "evil.example"}, 421),
    ],
)
async def test_no_other_site_acts_for_the_operator(
    headers: dict[str, str], status: int, pages: Pages, somebody: Orcid, connection: asyncpg.Connection
) -> None:
    async with pages.reader() as reader:
        for path in (f"/records/{somebody}/sync", "/sign-in"):
            assert (await reader.send("POST", path, headers=headers, data={"token": "x"})).status == status
    assert await connection.fetchval("select gen from orcid_sync.queue") == 1


async def test_readers_see_neither_buttons_nor_tokens_and_may_not_act(
    pages: Pages, somebody: Orcid, connection: asyncpg.Connection
) -> None:
    await connection.execute("update orcid_sync.connections set access_state = 'revoked'")
    for scope in ("read-public", "read-limited"):
        async with pages.reader(await token_of(connection, scope)) as reader:
            page = await reader.get(f"/records/{somebody}")
            assert "<form method" not in page.text
            assert "A second read must agree" not in page.text
            assert "12 works" not in page.text
            assert "Token" not in page.text.partition("<footer>")[0]
            assert "token-over" not in (await reader.get("/connections")).text
            for path in ("/connections?state=token-over", "/connections?state=held", "/connections?state=in-doubt"):
                refused = await reader.get(path)
                assert (refused.status, refused.title) == (403, "Forbidden")
            for act in ("sync", "release", "discard"):
                assert (await reader.post(f"/records/{somebody}/{act}")).status == 403
    assert await connection.fetchval("select gen from orcid_sync.queue") == 1


async def test_what_cannot_be_done_is_said(pages: Pages, somebody: Orcid, connection: asyncpg.Connection) -> None:
    async with pages.reader() as reader:
        assert (await reader.post("/records/0000-0002-1825-0097/sync")).status == 409
        assert (await reader.post(f"/records/{somebody}/erase")).status == 404
        await connection.execute("delete from orcid_sync.doubts")
        assert (
            "has nothing that waits for a second read any more"
            in (await reader.post(f"/records/{somebody}/release")).text
        )
        missing = await reader.get("/records/0000-0002-1825-0097")
    assert (missing.status, "orcid-sync connect 0000-0002-1825-0097" in missing.text) == (404, True)


async def test_at_the_operators_own_machine_no_token_is_asked_for(pages: Pages) -> None:
    async with pages.reader() as reader:
        assert "No token is needed" in (await reader.get("/sign-in?next=/runs")).text
        assert "At this machine, without a token" in (await reader.get("/")).text
