"""Named consumers of the feed: who may keep a cursor under which name, and how far behind each one is."""

from collections.abc import Collection

import asyncpg
import pytest

from orcid_sync.model.feed.cursor import Cursor, Place
from orcid_sync.model.scopes import Caller, Entry, Scope, View
from orcid_sync.store.feed import consumers
from orcid_sync.store.feed.consumers import Consumer

HOUR = 3_600
LAST = 5
"""Changes in the feed; the n-th is n hours old, counted from the end."""


def caller(name: str, scope: Scope = Scope.READ_PUBLIC) -> Caller:
    return Caller(name, frozenset(list(Scope)[: list(Scope).index(scope) + 1]), Entry.BEARER)


OURS, THEIRS, ADMIN = caller("ours"), caller("theirs"), caller("boss", Scope.ADMIN)


@pytest.fixture
async def feed(connection: asyncpg.Connection) -> asyncpg.Connection:
    await connection.execute(
        "insert into orcid.changes (seq, orcid, section, key, op, visibility, cause, at)"
        " select n, '0009-9990-0000-0013', 'keyword', n::text, 'added', 'public', 'check',"
        " now() - ($1 - n + 1) * interval '1 hour' from generate_series(1, $1) n",
        LAST,
    )
    await connection.execute("update orcid_sync.feed_head set last = $1", LAST)
    return connection


async def keep(connection: asyncpg.Connection, seq: int, *, name: str = "cris", who: Caller = OURS) -> bool:
    epoch = await connection.fetchval("select epoch::text from orcid_sync.feed_head")
    return await consumers.keep(connection, name, Cursor(Place(epoch, seq), View.PUBLIC), who)


async def load(connection: asyncpg.Connection, name: str = "cris") -> Consumer:
    [one] = await consumers.load(connection, name)
    return one


@pytest.mark.parametrize(
    ("seq", "behind", "hours"),
    [
        (0, 5, 5),
        (1, 4, 4),
        (4, 1, 1),
        (5, 0, 0),
        (7, 0, 0),  # the feed was rewound: it is ahead, which is no negative lag
    ],
)
async def test_how_far_behind_a_consumer_is(feed: asyncpg.Connection, seq: int, behind: int, hours: int) -> None:
    """In positions, and in the age of the first change that it has not seen: two numbers that are never one."""
    await keep(feed, seq)

    one = await load(feed)

    assert (one.behind, one.must_resync) == (behind, seq > LAST)
    assert one.behind_seconds == pytest.approx(hours * HOUR, abs=60)
    assert isinstance(one.behind, int)


async def test_who_follows_another_history_has_to_start_again(feed: asyncpg.Connection) -> None:
    await keep(feed, LAST)
    assert not (await load(feed)).must_resync

    await feed.execute("select orcid_sync.new_epoch()")

    assert (await load(feed)).must_resync


async def test_a_change_that_is_no_longer_there_has_no_age(feed: asyncpg.Connection) -> None:
    """What only the changes tell is unknown then; the positions still count."""
    await keep(feed, 2)
    await feed.execute("delete from orcid.changes where seq = 3")

    one = await load(feed)

    assert (one.behind, one.behind_seconds) == (3, 0)


async def test_consumers_are_listed_by_name_or_asked_for_alone(feed: asyncpg.Connection) -> None:
    for name in ("zebra", "cris", "atlas"):
        await keep(feed, 1, name=name)

    assert [one.name for one in await consumers.load(feed)] == ["atlas", "cris", "zebra"]
    assert [one.name for one in await consumers.load(feed, "cris")] == ["cris"]
    assert await consumers.load(feed, "nobody") == []


@pytest.mark.parametrize(("who", "may"), [(OURS, True), (THEIRS, False), (ADMIN, True)])
async def test_a_name_belongs_to_who_took_it_first(feed: asyncpg.Connection, who: Caller, *, may: bool) -> None:
    await keep(feed, 1)
    await keep(feed, 1, name="other")
    before = await load(feed)

    assert await keep(feed, 3, who=who) == may
    now = await load(feed)
    assert (now.cursor != before.cursor, now.updated_at > before.updated_at, now.owner) == (may, may, "ours")

    assert await consumers.drop(feed, "cris", who) == may
    assert await named(feed) == ({"other"} if may else {"cris", "other"})


async def named(connection: asyncpg.Connection) -> Collection[str]:
    return {one.name for one in await consumers.load(connection)}
