"""The change feed: whatever happens in whatever order, replaying it gives the mirror, and a reader misses nothing."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integration.feed.feed_reader import Reader, State, decoded, mirror_of
from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.removals import FORGOTTEN
from orcid_sync.model.record.sections import ItemKey
from orcid_sync.store.database.pools import Database, open_database, transaction
from rig.records.mirror import apply_record, changeset_of, skeleton, write
from rig.records.sample_record import encode, keyword

Witness = tuple[datetime, str, State]
"""At this moment the mirror held this of that iD."""


def work(put_code: int, title: str, visibility: str) -> dict[str, Any]:
    identifiers = {"external-id": [{"external-id-type": "doi", "external-id-value": f"10.5555/{put_code}"}]}
    common = {"put-code": put_code, "visibility": visibility, "last-modified-date": {"value": 1700000000000 + put_code}}
    return {**common, "title": {"title": {"value": title}}, "external-ids": identifiers}


WORD = st.sampled_from(["one", "two", "three"])
KEYWORDS = st.dictionaries(st.integers(1, 3), WORD, max_size=3)
WORKS = st.lists(
    st.lists(
        st.tuples(st.integers(1, 4), WORD, st.sampled_from(["public", "limited", "private"])), min_size=1, max_size=2
    ),
    max_size=3,
)
VERSIONS = st.tuples(
    KEYWORDS,
    WORKS,
    st.none() | WORD,
    st.sampled_from(["en", "de"]),
    st.sampled_from(["read-limited", "read-public"]),
    st.booleans(),
)
"""What a record says at a moment: keywords, groups of works, a name, a language; how it is read; with full forms."""


def record_of(orcid: str, version: Any) -> tuple[bytes, dict[ItemKey, bytes], str]:
    """The answer, its full forms, and the access."""
    keywords, groups, name, locale, access, full = version
    record = skeleton(orcid)
    record["person"]["keywords"]["keyword"] = [keyword(code, word) for code, word in keywords.items()]
    record["person"]["name"] = name and {"given-names": {"value": name}, "visibility": "public"}
    record["preferences"]["locale"] = locale
    seen: set[int] = set()
    forms: dict[ItemKey, bytes] = {}
    for group in groups:
        works = [work(*item) for item in group if item[0] not in seen and not seen.add(item[0])]
        if works:
            record["activities-summary"]["works"]["group"].append({"work-summary": works})
        forms |= {("work", str(one["put-code"])): encode({**one, "short-description": "full"}) for one in works if full}
    return encode(record), forms, access


async def write_all(database: Database, orcid: str, versions: list[Any], witness: list[Witness]) -> None:
    """One iD's life; after each reconciliation note what the mirror held of it, and when. One writer per iD, as the
    queue's lease makes sure (S3)."""
    for version in versions:
        body, forms, access = record_of(orcid, version)
        orcid, changeset = await changeset_of(database.worker, body, forms, access=access)
        async with transaction(database.worker) as connection:
            await write(connection, orcid, changeset)
            await asyncio.sleep(0)  # the others come in between the feed's positions and the commit
            held = await mirror_of(connection)
            at = await connection.fetchval("select max(at) from orcid.changes where orcid = $1", orcid)
        witness.append((at, orcid, {key: content for key, content in held.items() if key[0] == orcid}))


def replayed(changes: list[asyncpg.Record]) -> State:
    """The state after these changes; each must fit what was there before it."""
    state: State = {}
    for change in changes:
        place = (change["orcid"], change["section"], change["key"])
        old, new = decoded(change["old"]), decoded(change["new"])
        assert state.get(place) == old or forgets(change), "the old content is what the change before left (S5)"
        assert state.get(place) != new, "every change changes something (S7)"
        assert (change["op"] == "added") == (place not in state)
        assert (change["op"] in ("removed", "withdrawn")) == (new is None)
        assert bool(change["fields"]) == (change["op"] == "updated")
        if new is None:
            del state[place]
        else:
            state[place] = new
    return state


def forgets(change: asyncpg.Record) -> bool:
    """Whether the line tells of an item that went for good: then it does not say what it was."""
    return change["reason"] in FORGOTTEN and change["old"] is None


READERS = {
    None: ("public", "limited", "private"),
    "orcid_reader_limited": ("public", "limited"),
    "orcid_reader": ("public",),
}
"""Who asks (nobody: the owner), and what they may see."""


def visible(held: State, later: list[asyncpg.Record], seen: tuple[str, ...]) -> State:
    """What a reader finds in the past: what it may see, unless it was hidden from it later, or is not told any more."""
    shown = {place for place, content in held.items() if place[1] == "record" or content["doc"]["visibility"] in seen}
    touched = set()
    for change in later:
        place = (change["orcid"], change["section"], change["key"])
        restricted = change["new"] and change["visibility"] not in seen
        removed = change["op"] == "removed" and not forgets(change) and "limited" not in seen
        if (forgets(change) and place not in touched) or restricted or removed:
            shown.discard(place)
        touched.add(place)
    return {place: held[place] for place in shown}


async def check_readers(database: Database, feed: list[asyncpg.Record], witness: list[Witness]) -> None:
    """S13: each reader's feed is whole in itself and leads to the mirror that this reader sees; so does the past."""
    for role, seen in READERS.items():
        async with transaction(database.reader) as connection:
            if role:
                await connection.execute(f"set local role {role}")
            state: State = {}
            for change in await connection.fetch("select * from orcid.change_feed order by seq"):
                place = (change["orcid"], change["section"], change["key"])
                assert (change["op"] == "added") == (place not in state)
                if change["op"] in ("removed", "withdrawn"):
                    del state[place]
                else:
                    state[place] = decoded(change["new"])
            assert state == await mirror_of(connection)
            for at, orcid, held in witness:
                if at is not None:
                    rows = await connection.fetch("select * from orcid.record_as_of($1, $2)", orcid, at)
                    told = {(orcid, row["section"], row["key"]): decoded(row["content"]) for row in rows}
                    assert told == visible(held, [change for change in feed if change["at"] > at], seen)


def of_one(state: State, orcid: str) -> State:
    return {place: content for place, content in state.items() if place[0] == orcid}


async def check(database: Database, reader: Reader, witness: list[Witness]) -> None:
    """All that the feed promises, after the writers have finished."""
    async with transaction(database.reader) as connection:
        mirror = await mirror_of(connection)
        last = await connection.fetchval("select last from orcid_sync.feed_head")
    feed = reader.seen
    # S6: no gap, nothing twice, nothing missed by one who reads on from the last position, times in the same order.
    assert [change["seq"] for change in feed] == list(range(1, last + 1))
    assert [change["at"] for change in feed] == sorted(change["at"] for change in feed)
    # S5: replay gives the mirror, and each prefix that ends with a reconciliation what the mirror held then.
    assert replayed(feed) == mirror
    for at, orcid, held in witness:
        prefix = [change for change in feed if at is not None and change["at"] <= at]
        assert of_one(replayed(prefix), orcid) == held
    await check_readers(database, feed, witness)


LIVES = st.lists(st.lists(VERSIONS, min_size=1, max_size=4), min_size=2, max_size=3)


@pytest.mark.invariant("S5", "S6", "S7", "S13")
@pytest.mark.fault("F61")
def test_any_interleaving_keeps_the_promises_of_the_feed(dsn: str, sample_orcids: Callable[[int], list[Orcid]]) -> None:
    """Several iDs live their lives at the same time, and somebody reads along."""
    orcids = sample_orcids(3)

    async def live(lives: list[list[Any]]) -> None:
        async with open_database(dsn, workers=3) as database:
            async with transaction(database.worker) as connection:
                await connection.execute("truncate orcid.records, orcid.changes, orcid.change_contents cascade")
                await connection.execute("update orcid_sync.feed_head set last = 0")
            witness: list[Witness] = []
            reader, done = Reader(database), asyncio.Event()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(reader.follow(done))
                writers = [
                    tasks.create_task(write_all(database, orcid, versions, witness))
                    for orcid, versions in zip(orcids, lives, strict=False)
                ]
                await asyncio.wait(writers)
                done.set()
            await check(database, reader, witness)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(LIVES)
    def example(lives: list[list[Any]]) -> None:
        asyncio.run(live(lives))

    example()


@pytest.mark.invariant("S6")
async def test_a_reader_misses_nothing_while_many_write(
    database: Database, sample_orcids: Callable[[int], list[Orcid]]
) -> None:
    """A slow transaction among fast ones: its changes must not appear behind a reader who has read on."""
    reader, done = Reader(database), asyncio.Event()

    async def writer(number: int, orcid: str) -> None:
        for version in range(8):
            record = skeleton(orcid)
            record["person"]["keywords"]["keyword"] = [keyword(code, f"{version}") for code in range(1, 2 + number)]
            _, changeset = await changeset_of(database.worker, encode(record))
            async with transaction(database.worker) as connection:
                await write(connection, orcid, changeset)
                await connection.execute("select pg_sleep($1)", 0.004 * (number % 3))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(reader.follow(done))
        orcids = sample_orcids(4)
        writers = [tasks.create_task(writer(number, orcid)) for number, orcid in enumerate(orcids)]
        await asyncio.wait(writers)
        done.set()
    async with transaction(database.reader) as connection:
        written = [row["seq"] for row in await connection.fetch("select seq from orcid.changes order by seq")]
    assert written == list(range(1, len(written) + 1))
    assert [change["seq"] for change in reader.seen] == written
    replayed(reader.seen)
    assert Counter(change["orcid"] for change in reader.seen) == {
        orcid: 1 + 8 * (number + 1) for number, orcid in enumerate(orcids)
    }


@pytest.mark.invariant("S6")
async def test_a_transaction_that_fails_leaves_no_gap(database: Database, sample_orcids: Any) -> None:
    first, second = sample_orcids(2)
    _, changeset = await changeset_of(database.worker, encode(skeleton(first)))

    async def fail_at_last() -> None:
        async with transaction(database.worker) as connection:
            await write(connection, first, changeset)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_at_last()
    await apply_record(database.worker, encode(skeleton(second)))
    reader = Reader(database)
    await reader.read()
    assert [(change["seq"], change["orcid"]) for change in reader.seen] == [(1, second)]
