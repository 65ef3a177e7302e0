"""Following the feed over HTTP: pages, waiting, lines, events, and starting again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import asyncpg
import msgspec
import pytest

from integration.http.api_listener import Api, new_epoch, serving_api
from orcid_sync.model.feed.cursor import Cursor, Place, parse_cursor, resync_needed
from orcid_sync.model.scopes import View
from orcid_sync.service.api import event_stream as streaming
from orcid_sync.service.api import feed_reader
from orcid_sync.service.api.feed import Ending
from orcid_sync.service.api.feed_reader import Change
from orcid_sync.service.runtime.listen import ChannelListener
from orcid_sync.store.database.pools import Database
from orcid_sync.store.feed import pages as store
from orcid_sync.store.feed.changes import announce
from rig.records.mirror import apply_record, skeleton
from rig.records.sample_record import ORCID, encode, full_forms, rich_record
from rig.service.intake import WaitUntil

OTHER = "0000-0002-1825-0097"


@pytest.fixture
async def api(database: Database) -> AsyncIterator[Api]:
    await apply_record(database.worker, encode(rich_record()), full_forms(), access="read-limited")
    async with serving_api(database) as running:
        yield running


async def rename(database: Database, name: str, orcid: str = OTHER) -> None:
    """One change of one record, or several when it is new."""
    record = skeleton(orcid)
    record["person"]["name"] = {"given-names": {"value": name}, "visibility": "public", "path": orcid}
    await apply_record(database.worker, encode(record))


async def test_pages_follow_each_other_without_gap_or_repetition(api: Api) -> None:
    seen: list[Any] = []
    path = "/v1/changes?limit=4"
    while True:
        page = await api.json(path)
        seen += page["changes"]
        if not page["more"]:
            break
        path = f"/v1/changes?limit=4&after={page['cursor']}"
    assert [change["seq"] for change in seen] == list(range(1, len(seen) + 1))
    *lines, ending = await api.lines("/v1/changes")
    assert lines == seen
    assert msgspec.convert(ending, Ending) == Ending(page["cursor"], more=False)
    assert seen[-1]["cursor"] == page["cursor"]
    assert {*seen[0]} == {*Change.__struct_fields__}


FILTERS = {
    "section=work": "section in ('work', 'record')",
    "section=work&section=name": "section in ('work', 'name', 'record')",
    "op=updated": "(op = 'updated' or section = 'record')",
    "op=updated&op=removed&section=name": "(op in ('updated', 'removed') and section = 'name' or section = 'record')",
    "minor=false": "not minor",
    f"orcid={OTHER}": f"orcid = '{OTHER}'",
    f"orcid=https://orcid.org/{OTHER}&section=name&minor=true": f"orcid = '{OTHER}' and section in ('name', 'record')",
}


async def test_what_is_not_wanted_is_left_out_and_passed_over(api: Api, connection: asyncpg.Connection) -> None:
    for name in ("Ada", "Grace", "Ada"):
        await rename(api.database, name)
    await connection.execute("update orcid.changes set minor = true where seq % 3 = 0")
    last = await connection.fetchval("select last from orcid_sync.feed_head")
    for query, condition in FILTERS.items():
        wanted = [
            row["seq"]
            for row in await connection.fetch(f"select seq from orcid.change_feed where {condition} order by 1")
        ]
        assert 0 < len(wanted) < last, query
        *lines, ending = await api.lines(f"/v1/changes?{query}")
        assert [line["seq"] for line in lines] == wanted, query
        assert parse_cursor(ending["cursor"]).place.seq == last  # type: ignore[union-attr]
        page = await api.json(f"/v1/changes?{query}&limit=1")
        assert [change["seq"] for change in page["changes"]] == wanted[:1], query
    of_record = await api.json(f"/v1/records/{OTHER}/changes?limit=1000")
    assert {change["orcid"] for change in of_record["changes"]} == {OTHER}


async def test_a_question_that_matches_little_comes_to_its_end_in_steps(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "WINDOW", 5)
    first = await api.json("/v1/changes?op=removed&limit=1")
    assert [change["section"] for change in first["changes"]] == ["record"]
    page = await api.json(f"/v1/changes?op=removed&after={first['cursor']}")
    assert (page["changes"], page["more"]) == ([], True)
    assert parse_cursor(page["cursor"]).place.seq == 6  # type: ignore[union-attr]
    assert [line for line in await api.lines("/v1/changes?section=work") if line.get("section") == "work"]
    await rename(api.database, "Ada")
    page = await api.json(f"/v1/changes?section=name&orcid={OTHER}")
    assert [change["section"] for change in page["changes"]] == ["record", "name"]


async def test_whoever_waits_is_answered_when_something_wanted_comes(api: Api, wait_until: WaitUntil) -> None:
    await rename(api.database, "Ada")
    end = (await api.json("/v1/changes?after=end"))["cursor"]
    waiting = asyncio.create_task(api.json(f"/v1/changes?after={end}&section=name&orcid={OTHER}&wait=30"))
    lines = asyncio.create_task(api.lines(f"/v1/changes?after={end}&wait=30"))
    await wait_until(lambda: api.tail._waiting == 2)
    await apply_record(api.database.worker, encode(skeleton("0000-0001-5109-3700")))  # not for the first one
    assert (await asyncio.wait_for(lines, 5))[0]["orcid"] == "0000-0001-5109-3700"
    assert not waiting.done()
    await rename(api.database, "Grace")
    page = await asyncio.wait_for(waiting, 5)
    assert [change["section"] for change in page["changes"]] == ["name"]


async def test_waiting_ends_without_anything(api: Api) -> None:
    page = await api.json("/v1/changes?after=end&wait=1")
    assert (page["changes"], page["more"]) == ([], False)


async def test_all_that_wait_share_one_look_at_the_end(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    look = api.tail._has_moved

    async def counted() -> bool:
        nonlocal looks
        looks += 1
        return await look()

    monkeypatch.setattr(api.tail, "_has_moved", counted)
    await asyncio.gather(*(api.json("/v1/changes?after=end&wait=1") for _ in range(20)))
    assert looks < 12  # 0.01 s, 0.02 s, … 0.5 s


async def test_an_announcement_wakes_those_who_wait_without_a_look(
    api: Api, connection: asyncpg.Connection, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = asyncio.create_task(api.json("/v1/changes?after=end&wait=30"))
    hearing = "select count(*) from pg_stat_activity where application_name = 'orcid_sync listener'"
    await wait_until(lambda: connection.fetchval(hearing))

    async def blind() -> bool:
        return False

    monkeypatch.setattr(api.tail, "_has_moved", blind)
    await rename(api.database, "Ada")
    await announce(connection)
    assert len((await asyncio.wait_for(waiting, 5))["changes"]) == 2


@pytest.mark.parametrize("payload", ["\u00b2", "9" * 5_000, "", "x"])
async def test_whatever_is_announced_a_position_is_read_only_if_it_is_one(api: Api, payload: str) -> None:
    """Any role may NOTIFY."""
    assert await api.tail._has_moved()
    seen = api.tail._seen
    api.tail._hear(None, 0, "", payload)
    assert api.tail._seen == seen


async def test_a_storm_of_announcements_is_passed_on_once(
    database: Database, connection: asyncpg.Connection, wait_until: WaitUntil
) -> None:
    heard: list[str] = []
    listener = ChannelListener(database, "storm", lambda *told: heard.append(told[-1]), pause=0.5)
    await listener.open()
    try:
        for number in range(200):
            await connection.execute("select pg_notify('storm', $1)", str(number))
        await wait_until(lambda: heard[-1:] == ["199"])
    finally:
        listener.close()
    assert heard[0] == "0"
    assert len(heard) < 20


async def test_those_who_wait_are_let_go_when_the_process_stops(api: Api, wait_until: WaitUntil) -> None:
    waiting = asyncio.create_task(api.json("/v1/changes?after=end&wait=60"))
    await wait_until(lambda: api.tail._waiting)
    await api.tail.aclose()
    assert (await asyncio.wait_for(waiting, 5))["changes"] == []


@pytest.mark.invariant("S20")
@pytest.mark.parametrize("path", ["/v1/changes", "/v1/changes/stream", f"/v1/records/{ORCID}/changes", "/v1/records"])
async def test_whoever_has_another_history_is_told_to_start_again(
    api: Api, connection: asyncpg.Connection, path: str
) -> None:
    name = "cursor" if path == "/v1/records" else "after"
    head = await connection.fetchrow("select epoch::text, last from orcid_sync.feed_head")
    ahead = str(Cursor(Place(head["epoch"], head["last"] + 1), View.LIMITED))
    public = str(Cursor(Place(head["epoch"], 1), View.PUBLIC))
    here = str(Cursor(Place(head["epoch"], head["last"]), View.LIMITED))
    for cursor, reason in [("nonsense", "unknown"), (ahead, "ahead"), (public, "view")]:
        refused = await api.get(f"{path}?{name}={cursor}")
        assert (refused.status, refused.json["reason"]) == (409, reason)
        assert refused.json["type"] == "urn:orcid-sync:problem:resync"
    await new_epoch(connection)
    refused = await api.get(f"{path}?{name}={here}")
    assert (refused.status, refused.json["reason"], refused.json["snapshot"]) == (409, "epoch", "/v1/records")
    page = await api.json(f"/v1/changes?after={refused.json['cursor']}")
    assert (page["changes"], page["more"]) == ([], False)


@pytest.mark.invariant("S20")
async def test_whoever_waits_is_told_at_once_that_the_history_is_another_one(
    api: Api, connection: asyncpg.Connection, wait_until: WaitUntil
) -> None:
    waiting = asyncio.create_task(api.get("/v1/changes?after=end&wait=30"))
    async with events(api, "after=end") as (stream, _):
        await wait_until(lambda: api.tail._waiting == 2)
        await new_epoch(connection)
        assert (await asyncio.wait_for(waiting, 5)).status == 409
        told = [event async for event in stream]
    assert [event["event"] for event in told] == ["resync"]
    assert msgspec.json.decode(told[0]["data"])["reason"] == "epoch"


@asynccontextmanager
async def events(api: Api, query: str = "", **headers: str) -> AsyncIterator[tuple[Any, aiohttp.ClientResponse]]:
    """The events of a stream, as a browser takes them: each with the id that then counts."""
    async with api.session.get(f"{api.url}/v1/changes/stream?{query}", headers={**api.headers, **headers}) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"

        async def read() -> AsyncIterator[dict[str, str]]:
            event: dict[str, str] = {}
            async for line in response.content:
                if line == b"\n":
                    if "data" in event:
                        yield event
                    event = {"id": event["id"]} if "id" in event else {}
                elif not line.startswith(b":"):
                    name, _, value = line.decode().rstrip("\n").partition(": ")
                    event[name] = value

        yield read(), response


async def test_a_stream_goes_on_where_it_was_cut_off(api: Api) -> None:
    everything = [line for line in await api.lines("/v1/changes") if "seq" in line]
    async with events(api) as (stream, _):
        first = [await anext(stream) for _ in range(5)]
    assert [event["event"] for event in first] == ["change"] * 5
    async with events(api, "after=end", **{"Last-Event-ID": first[-1]["id"]}) as (stream, _):
        rest = [await anext(stream) for _ in range(len(everything) - 5)]
        await rename(api.database, "Ada")
        news = [await asyncio.wait_for(anext(stream), 5) for _ in range(2)]
    seen = [msgspec.json.decode(event["data"]) for event in first + rest]
    assert seen == everything
    assert [event["id"] for event in rest] == [change["cursor"] for change in everything[5:]]
    assert msgspec.json.decode(news[-1]["data"])["seq"] == len(everything) + 2


async def test_a_stream_tells_that_it_lives_and_where_it_is(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "BEAT_SECONDS", 0.05)
    await rename(api.database, "Ada")
    async with events(api, "after=end&section=keyword") as (_, response):
        first = [await response.content.readline() for _ in range(4)]
        assert (first[0], first[3]) == (b"retry: 2000\n", b": beat\n")
        await rename(api.database, "Grace")
        while not (line := await asyncio.wait_for(response.content.readline(), 5)).startswith(b"id: "):
            pass
        assert parse_cursor(line.decode().strip()[4:]).place.seq == 30  # type: ignore[union-attr]


async def test_a_stream_ends_when_its_token_does(
    api: Api, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "BEAT_SECONDS", 0.05)
    caller = await api.bearing("read-limited")
    await api.bearing("admin")
    async with events(caller, "after=end") as (stream, _):
        await connection.execute("delete from orcid_sync.api_tokens where name = 'read-limited'")
        assert [event async for event in stream] == []


async def test_an_answer_that_cannot_be_ended_is_cut_off(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """And never looks like one that ended."""
    monkeypatch.setattr(feed_reader, "FIRST_PAGE", 2)
    monkeypatch.setattr(feed_reader, "LONGEST_PAGE", 2)
    pages = 0
    read = feed_reader.read_page

    async def read_twice(*arguments: Any, **options: Any) -> Any:
        nonlocal pages
        pages += 1
        if pages == 3:
            raise feed_reader.resync(feed_reader.Resync.EPOCH, Cursor(Place("0" * 32, 0), View.LIMITED))
        return await read(*arguments, **options)

    monkeypatch.setattr(feed_reader, "read_page", read_twice)
    with pytest.raises(aiohttp.ClientError):
        await api.lines("/v1/changes")


async def test_each_caller_sees_the_feed_of_their_view(api: Api, connection: asyncpg.Connection) -> None:
    """What the role sees; no more for administrators (invariant S13)."""
    for scope, role in [
        ("read-public", "orcid_reader"),
        ("read-limited", "orcid_reader_limited"),
        ("admin", "orcid_reader_limited"),
    ]:
        caller = await api.bearing(scope)
        async with connection.transaction():
            await connection.execute(f"set local role {role}")
            expected = await connection.fetch("select seq, op, old, new from orcid.change_feed order by seq")
        *lines, _ = await caller.lines("/v1/changes")
        shown = [(row["seq"], row["op"], _decoded(row["old"]), _decoded(row["new"])) for row in expected]
        assert [(line["seq"], line["op"], line["old"], line["new"]) for line in lines] == shown


def _decoded(document: bytes | None) -> Any:
    return None if document is None else msgspec.json.decode(document)


def test_a_cursor_is_read_as_it_was_written() -> None:
    place = Place("f0e1d2c3-b4a5-9687-7869-5a4b3c2d1e0f", 12)
    for view in View:
        cursor = Cursor(place, view)
        assert parse_cursor(str(cursor)) == cursor
        assert resync_needed(cursor, place, view) is None
    for wrong in ["", "end", "1", f"{cursor} ", f"{cursor}x", str(cursor).replace(".l.", ".x."), "a" * 40]:
        assert parse_cursor(wrong) is None
