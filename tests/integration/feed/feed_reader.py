"""A reader of the change feed, and the mirror as the feed speaks of it."""

import asyncio
import json
from typing import Any

import asyncpg

from orcid_sync.store.database.pools import Database, transaction

Content = Any
State = dict[tuple[str, str, str], Content]
"""What is known of each item: by iD, section and key."""


class Reader:
    """A consumer that asks again and again for what comes after the last position it has seen."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.last = 0
        self.seen: list[asyncpg.Record] = []

    async def read(self) -> None:
        """One look at the feed."""
        async with transaction(self.database.reader) as connection:
            rows = await connection.fetch("select * from orcid.change_feed where seq > $1 order by seq", self.last)
        self.seen += rows
        self.last = rows[-1]["seq"] if rows else self.last

    async def follow(self, done: asyncio.Event) -> None:
        """Look at the feed all the time until the writers are done, and once more."""
        while not done.is_set():
            await self.read()
            await asyncio.sleep(0)
        await self.read()


def decoded(document: bytes | None) -> Content:
    return None if document is None else json.loads(document)


async def mirror_of(connection: Any) -> State:
    """The mirror, as the feed speaks of it."""
    rows = await connection.fetch(
        """
        select orcid, section, key, jsonb_build_object('doc', doc, 'detail', detail, 'group_put_code', group_put_code,
               'group_position', group_position) as content from orcid.items
        union all
        select orcid, 'record', '', jsonb_build_object('state', state, 'access', access, 'primary_orcid', primary_orcid,
               'doc', doc) from orcid.records
        """
    )
    return {(row["orcid"], row["section"], row["key"]): decoded(row["content"]) for row in rows}
