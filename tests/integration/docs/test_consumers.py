"""The recipes of consumers.md, run as they are written: in SQL, over HTTP in a shell, and as a receiver of pushes."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest

from integration.http.api_listener import Api, new_epoch, serving_api
from orcid_sync.model.pushes.filters import Filter
from orcid_sync.model.record.diff import Writing, record_change
from orcid_sync.service.pushes import signed_messages
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.consent.erasure import erase
from orcid_sync.store.database.pools import Database, transaction
from orcid_sync.store.feed import changes
from orcid_sync.store.mirror import items as mirror
from orcid_sync.store.pushes import redelivery
from rig.push_receiver import PushBench, Received, push_bench, receiving
from rig.reader_sessions import logins
from rig.recipes import DOCUMENT, PushCopy, SqlCopy, blocks
from rig.records.mirror import apply_record, skeleton
from rig.records.sample_record import encode, keyword, with_keywords

ONE, OTHER = "0000-0002-1825-0097", "0000-0001-5109-3700"
SECTIONS = ("keyword", "biography")


@pytest.fixture
async def api(database: Database) -> AsyncIterator[Api]:
    async with serving_api(database) as running:
        yield running


@pytest.fixture
async def bench(database: Database, connection: asyncpg.Connection) -> AsyncIterator[PushBench]:
    async with push_bench(database, connection) as opened:
        yield opened


async def keywords(database: Database, orcid: str, *words: str, visibility: str = "public") -> None:
    """These are the keywords now."""
    items = [keyword(number, word, visibility=visibility) for number, word in enumerate(words, 1)]
    await apply_record(database.worker, encode(with_keywords(skeleton(orcid), *items)), access="read-limited")


async def withhold(database: Database, orcid: str, what: str | None) -> None:
    """As an unclaimed or locked record is hidden, and shown again."""
    async with transaction(database.worker) as connection:
        held = await mirror.load(connection, orcid)
        assert held.record is not None
        content = msgspec.structs.replace(held.record, withheld=what)
        change = record_change(orcid, held.record, content, None)
        assert change is not None
        await mirror.apply(connection, orcid, Writing(None, record=content))
        await changes.append(connection, orcid, [change], cause="check")


async def shown(reader: asyncpg.Connection) -> set[str]:
    """The keywords that the reader sees."""
    return {row["content"] for row in await reader.fetch("select content from orcid.keywords")}


def words(copy: SqlCopy | PushCopy) -> set[str]:
    """The keywords that the copy has."""
    assert {section for _, section, _ in copy.items} <= set(SECTIONS)
    return {said.get("doc", said)["content"] for said in copy.items.values()}


@pytest.mark.invariant("S13", "S20")
@pytest.mark.parametrize("limit", [1, 2, 1000])
async def test_the_blocks_of_sql_keep_a_copy(
    database: Database, connection: asyncpg.Connection, dsn: str, limit: int
) -> None:
    await keywords(database, ONE, "tides", "moon")
    async with logins(dsn, reader="orcid_reader") as sessions:
        reader = sessions["reader"]
        copy = SqlCopy(reader, limit=limit, sections=SECTIONS)
        await copy.start()
        assert words(copy) == {"tides", "moon"}

        async def follows() -> bool:
            await copy.catch_up()
            return words(copy) == await shown(reader)

        await keywords(database, ONE, "stars", "moon", "sun")
        await keywords(database, OTHER, "sea")
        assert await follows()
        await keywords(database, OTHER, "sea", visibility="limited")
        assert await follows()
        await withhold(database, ONE, "all")
        await follows()
        assert words(copy) == set()
        await withhold(database, ONE, None)
        assert await follows()
        await erase(connection, ONE, by="operator", learnt="command")
        assert await follows()
        assert copy.starts == 1


@pytest.mark.invariant("S20")
@pytest.mark.parametrize("rewound", [False, True], ids=["a new epoch", "rewound"])
async def test_the_blocks_of_sql_notice_a_restore(
    database: Database, connection: asyncpg.Connection, dsn: str, *, rewound: bool
) -> None:
    """Also before an operator has said that there was one; the lines tell nothing of it."""
    await keywords(database, ONE, "tides")
    before = await connection.fetchval("select last from orcid_sync.feed_head")
    async with logins(dsn, reader="orcid_reader") as sessions:
        copy = SqlCopy(sessions["reader"], sections=SECTIONS)
        await copy.start()
        await keywords(database, ONE, "tides", "lost")
        await copy.catch_up()
        assert words(copy) == {"tides", "lost"}
        for table in ("changes", "change_contents"):
            await connection.execute(f"delete from orcid.{table} where seq > $1", before)
        await connection.execute("delete from orcid.keywords where content = 'lost'")
        if rewound:
            await connection.execute("update orcid_sync.feed_head set last = $1", before)
        else:
            await new_epoch(connection)

        await copy.catch_up()

        assert (words(copy), copy.starts) == ({"tides"}, 2)
        feed = await sessions["reader"].fetchrow("select * from orcid.feed")
        assert list(feed.keys()) == ["epoch", "last_seq", "at"]


async def test_the_end_of_the_feed_is_that_of_its_lines(database: Database, connection: asyncpg.Connection) -> None:
    await keywords(database, ONE, "tides")
    [row] = await connection.fetch("select last_seq, at from orcid.feed")
    assert tuple(row) == tuple(await connection.fetchrow("select seq, at from orcid.changes order by seq desc limit 1"))


async def test_the_lines_of_the_shell_lead_from_the_snapshot_to_the_feed(api: Api) -> None:
    await keywords(api.database, ONE, "tides")
    [block] = [block for block in blocks("sh") if block.startswith("api()")]
    define, _, rest = block.partition("\n\n")
    commands = dict(enumerate(rest.splitlines()))
    address = define.replace("127.0.0.1:9090", urlsplit(api.url).netloc)
    caller = await api.bearing("read-limited")
    address = f"TOKEN='{caller.headers['Authorization'].removeprefix('Bearer ')}'\n{address}"
    snapshot = await shell(f"{address}\n{commands[0]}")
    records, ending = snapshot[:-1], snapshot[-1]
    assert [record["orcid"] for record in records] == [ONE]
    await keywords(api.database, ONE, "moon")
    settled = f"CURSOR='{ending['cursor']}'\n{address}\n"
    for number, command in commands.items():
        if not number or "/stream" in command:
            continue
        quick = command.replace("wait=60", "wait=1")
        [said, *_] = await shell(settled + quick)
        if "/v1/consumers" in command:
            assert said["cursor"] == ending["cursor"]
        else:
            change = said["changes"][0] if "changes" in said else said
            assert (change["section"], change["op"]) == ("keyword", "updated")


async def shell(script: str) -> list[Any]:
    """What the lines print, as JSON documents."""
    process = await asyncio.create_subprocess_exec("bash", "-c", script, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), 30)
    return [json.loads(line) for line in out.decode().splitlines()]


async def receiver_of(api: Api, bench: PushBench, url: str, **wish: Any) -> PushCopy:
    """First subscribe, then start."""
    filter_ = Filter(sections=list(SECTIONS))
    secret = await bench.subscribe("cris", url, after=None, **{"filter": filter_, **wish})
    caller = await api.bearing("read-limited" if wish.get("view") == "limited" else "read-public")
    token = caller.headers["Authorization"].removeprefix("Bearer ")
    copy = PushCopy(secret, api.url, token, SECTIONS)
    await copy.start()
    return copy


async def hand_over(received: list[Received], copy: PushCopy) -> list[str]:
    """Let the program take what came; the kinds of the messages."""
    kinds = []
    for one in received:
        assert await copy.receive(one.body, one.headers) == 204
        kinds.append(one.message["type"])
    received.clear()
    return kinds


@pytest.mark.invariant("S13", "S20")
async def test_the_receiver_keeps_a_copy(api: Api, bench: PushBench, dsn: str) -> None:
    database, connection = api.database, bench.connection
    await keywords(database, ONE, "tides", "moon")
    async with receiving() as receiver, logins(dsn, reader="orcid_reader") as sessions:
        copy = await receiver_of(api, bench, receiver.url)
        assert words(copy) == {"tides", "moon"}

        async def follows() -> list[str]:
            await bench.drain()
            kinds = await hand_over(receiver.received, copy)
            assert words(copy) == await shown(sessions["reader"])
            return kinds

        assert await copy.receive(b"{}", {}) == 401
        await keywords(database, ONE, "stars", "moon", "sun")
        assert await follows() == ["orcid.changes"]
        await keywords(database, ONE, "stars", "moon", "sun", visibility="limited")
        await follows()
        await keywords(database, OTHER, "sea")
        await follows()
        await withhold(database, OTHER, "all")
        await follows()
        assert words(copy) == set()
        await withhold(database, OTHER, None)
        await follows()
        await new_epoch(connection)
        assert await follows() == ["orcid.resync"]
        await erase(connection, OTHER, by="operator", learnt="command")
        await follows()


@pytest.mark.parametrize("wish", [{}, {"contents": False}], ids=["too large", "without contents"])
async def test_the_receiver_asks_for_what_a_message_does_not_say(
    api: Api, bench: PushBench, monkeypatch: pytest.MonkeyPatch, wish: dict[str, Any]
) -> None:
    monkeypatch.setattr(signed_messages, "MOST_BYTES", 10)
    async with receiving() as receiver:
        copy = await receiver_of(api, bench, receiver.url, **wish)
        await keywords(api.database, ONE, "tides")
        await bench.drain()
        assert all(change.get("new") is None for change in receiver.changes)
        await hand_over(receiver.received, copy)
    assert words(copy) == {"tides"}


@pytest.mark.invariant("S13")
async def test_a_replay_brings_nothing_back(api: Api, bench: PushBench) -> None:
    """What those who see limited items are told of an item that was removed says what it was."""
    async with receiving() as receiver:
        copy = await receiver_of(api, bench, receiver.url, view="limited")
        await keywords(api.database, ONE, "tides", "moon")
        await keywords(api.database, ONE, "tides")
        await bench.drain()
        await hand_over(receiver.received, copy)
        assert await redelivery.replay_range(bench.connection, "cris", 1, 3)
        await bench.drain()
        assert any("moon" in one.body.decode() for one in receiver.received)
        await hand_over(receiver.received, copy)
    assert words(copy) == {"tides"}


@pytest.mark.invariant("S13")
async def test_who_is_not_found_is_forgotten(api: Api, bench: PushBench) -> None:
    await connect_orcids(bench.connection, [Entry(orcid=ONE)])  # type: ignore[arg-type]
    await keywords(api.database, ONE, "tides")
    async with receiving() as receiver:
        copy = await receiver_of(api, bench, receiver.url, contents=False)
        await keywords(api.database, ONE, "moon")
        await bench.drain()
        await bench.connection.execute("delete from orcid.records")
        await hand_over(receiver.received, copy)
    assert words(copy) == set()


def test_each_kind_of_message_has_its_advice() -> None:
    page = DOCUMENT.read_text("utf-8")
    rows = re.findall(r"^\| (.+?) \| .+ \|$", page[page.index("| When | Do |") :], re.MULTILINE)
    advised = " ".join(rows)
    for case in ("orcid.changes", "orcid.resync", "orcid.test", "too_large", "replay", "404", "begin"):
        assert case in advised
