"""The feed on request: a page of it, whose asker may wait for the next change, or all of it line by line."""

from contextlib import aclosing

import asyncpg
import msgspec
from aiohttp import web

from orcid_sync.model.feed.cursor import Cursor
from orcid_sync.service.api.feed_reader import Change, Follower, Pages, starting
from orcid_sync.service.api.responses import document, streaming, write
from orcid_sync.service.api.route import JSON, LINES, Asked, chosen_type
from orcid_sync.service.http.problems import Problem
from orcid_sync.store.database.pools import statements
from orcid_sync.store.feed.pages import Wanted, read_head

USUAL, MOST = 100, 1_000
"""Changes in one JSON document, if nothing is said, and at most."""


class Changes(msgspec.Struct, frozen=True):
    """Some changes; the cursor to go on from, which may have moved without any; whether the feed goes on behind it."""

    changes: list[Change]
    cursor: str
    more: bool


class Ending(msgspec.Struct, frozen=True):
    """The last line of a stream of changes: without it, the answer was cut off."""

    cursor: str
    more: bool


class Feed:
    """Answers those who follow the feed."""

    def __init__(self, pool: asyncpg.Pool, pages: Pages) -> None:
        """Look through `pool` where the feed ends, and read by `pages`."""
        self._pool = pool
        self._pages = pages

    async def changes(self, asked: Asked) -> web.StreamResponse:
        """GET /v1/changes: a page as JSON, or up to the end line by line."""
        kind, most = chosen_type(asked.request, (JSON, LINES)), asked.given["limit"]
        start, wanted = await self.start(asked, asked.given["after"]), wanted_by(asked)
        if kind == LINES:
            return await self._send_lines(asked, Follower(self._pages, start, wanted), most)
        if most is not None and most > MOST:
            raise Problem(
                400, f"limit: must be at most {MOST}, except as {LINES}.", kind="parameter", parameter="limit"
            )
        found = await Follower(self._pages, start, wanted).next(most or USUAL, seconds=asked.given["wait"])
        changes = [msgspec.Raw(change) for _, change in found.changes]
        return document({"changes": changes, "cursor": found.cursor, "more": found.page.more})

    async def start(self, asked: Asked, after: str | None) -> Cursor:
        """Where the caller begins. Raises Problem 409 if they have to start again."""
        async with statements(self._pool) as connection:
            head = await read_head(connection)
        return starting(after, head, asked.caller.view)

    async def _send_lines(self, asked: Asked, follower: Follower, most: int | None) -> web.StreamResponse:
        if asked.given["wait"]:
            await Follower(self._pages, follower.cursor, follower.wanted).next(1, seconds=asked.given["wait"])
        ending = Ending(str(follower.cursor), more=False)
        async with streaming(asked.request, LINES) as response:
            async with aclosing(follower.to_the_end(most)) as pages:
                async for found in pages:
                    await write(response, found.lines)
                    ending = Ending(found.cursor, found.page.more)
            await write(response, msgspec.json.encode(ending) + b"\n")
        return response


def wanted_by(asked: Asked) -> Wanted:
    """Which changes the caller wants."""
    given = asked.given
    sections, ops = (tuple(sorted(given[name])) if given[name] else None for name in ("section", "op"))
    return Wanted(orcid=given["orcid"], sections=sections, ops=ops, minor=given["minor"])
