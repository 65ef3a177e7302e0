"""Consumers of the mirror while it is written: one follows the feed, one takes snapshots. Plain SQL only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import asyncpg

Key = tuple[str, str, str]
"""iD, section, key."""

AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a reader sees while the server is gone."""


def taken_by(line: Key, item: Key) -> bool:
    """Whether a line that takes something away takes this item: without an address it means all e-mails of the iD."""
    return line == item or (line[1:] == ("email", "") and item[:2] == line[:2])


PAGE = """
select seq, orcid, section, key, op, md5(new::text) as said
  from orcid.change_feed where seq > $1 order by seq limit 400
"""

# As the feed writes an item, so that the digests can be compared; in one statement, hence one snapshot.
MIRROR = """
select i.orcid, i.section, i.key,
       md5(jsonb_build_object('doc', i.doc, 'detail', i.detail, 'group_put_code', i.group_put_code,
                              'group_position', i.group_position)::text) as said
  from orcid.items i
union all
select r.orcid, 'record', '',
       md5((jsonb_build_object('state', r.state, 'access', r.access, 'primary_orcid', r.primary_orcid, 'doc', r.doc)
            || case when r.withheld is null then '{}' else jsonb_build_object('withheld', r.withheld) end)::text)
  from orcid.records r
union all
select '', '', '', last::text from orcid_sync.feed_head
"""


@dataclass(frozen=True)
class Seen:
    """A line of the feed, as the reader got it."""

    seq: int
    key: Key
    op: str
    said: str | None


@dataclass(frozen=True)
class Snapshot:
    """What the mirror held at one moment: digests of contents by key."""

    last: int
    """The feed's head at that moment."""
    said: dict[Key, str]


@dataclass
class FeedReader:
    """Follows the feed as its documentation says: it remembers the last position, and asks for what is after it."""

    dsn: str
    lines: list[Seen] = field(default_factory=list)
    reconnects: int = 0

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            with suppress(*AWAY):
                async with connected(self.dsn) as connection:
                    while True:
                        await self.read(connection)
                        await asyncio.sleep(0.02)
            self.reconnects += 1
            await asyncio.sleep(0.1)

    async def read(self, connection: asyncpg.Connection) -> None:
        """Take what is new."""
        last = self.lines[-1].seq if self.lines else 0
        for row in await connection.fetch(PAGE, last):
            self.lines.append(Seen(row["seq"], (row["orcid"], row["section"], row["key"]), row["op"], row["said"]))


@dataclass
class Snapshotter:
    """Looks at the whole mirror now and then."""

    dsn: str
    pause: float
    snapshots: list[Snapshot] = field(default_factory=list)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            with suppress(*AWAY):
                async with connected(self.dsn) as connection:
                    while True:
                        self.snapshots.append(await take(connection))
                        await asyncio.sleep(self.pause)
            await asyncio.sleep(0.1)


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection, ended without asking the server, which may be gone."""
    connection = await asyncpg.connect(dsn, timeout=2, command_timeout=5)
    try:
        yield connection
    finally:
        connection.terminate()


async def take(connection: asyncpg.Connection) -> Snapshot:
    """The mirror as one statement sees it."""
    said = {(row["orcid"], row["section"], row["key"]): row["said"] for row in await connection.fetch(MIRROR)}
    return Snapshot(int(said.pop(("", "", ""))), said)
