"""Reading the mirror: one record now or then, one of its sections, or all of them for a snapshot."""

import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import urlencode

import asyncpg
import msgspec
from aiohttp import hdrs, web

from orcid_sync.model.feed.cursor import Cursor
from orcid_sync.model.record.diff import RECORD
from orcid_sync.service.api.feed import Ending
from orcid_sync.service.api.feed_reader import accepted
from orcid_sync.service.api.responses import document, streaming, write
from orcid_sync.service.api.route import JSON, LINES, Asked, chosen_type
from orcid_sync.service.http.problems import Problem
from orcid_sync.store.database.pools import statements
from orcid_sync.store.database.roles import viewing
from orcid_sync.store.feed.pages import read_head
from orcid_sync.store.mirror import records
from orcid_sync.store.mirror.records import Item, Record

VERIFIED = "X-Mirror-Verified-At"

BATCH = 20
"""Records of a stream that are read at once."""


class Records(msgspec.Struct, frozen=True):
    """Some records; the address of the next ones, if there are more; the cursor to go on from after the last page."""

    records: list[Record]
    next: str | None
    cursor: str


class RecordThen(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record, now or at a moment of the past."""

    orcid: str
    record: msgspec.Raw
    items: list[Item]
    as_of: datetime | None = None


class SectionThen(msgspec.Struct, frozen=True, omit_defaults=True):
    """The items of one section of a record, now or at a moment of the past."""

    orcid: str
    section: str
    items: list[Item]
    as_of: datetime | None = None


class Reading:
    """Answers from the mirror, as far as the caller may see it."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def all(self, asked: Asked) -> web.StreamResponse:
        """GET /v1/records: page by page as JSON, or all of them line by line."""
        kind = chosen_type(asked.request, (JSON, LINES))
        cursor = await self._cursor(asked)
        if kind == JSON:
            return await self._page(asked, cursor)
        async with streaming(asked.request, LINES) as response:
            async for batch in self._batches(asked):
                await write(response, b"".join(msgspec.json.encode(record) + b"\n" for record in batch))
            await write(response, msgspec.json.encode(Ending(str(cursor), more=False)) + b"\n")
        return response

    async def one(self, asked: Asked) -> web.StreamResponse:
        """GET /v1/records/{orcid}."""
        items, headers = await self._load(asked, None)
        itself = next(item.content for item in items if item.section == RECORD)
        others = [item for item in items if item.section != RECORD]
        then = RecordThen(asked.given["orcid"], itself, others, asked.given["as_of"])
        return _unless_known(asked.request, then, headers)

    async def section(self, asked: Asked) -> web.StreamResponse:
        """GET /v1/records/{orcid}/{section}."""
        section = asked.given["section"]
        items, headers = await self._load(asked, section)
        then = SectionThen(asked.given["orcid"], section, items, asked.given["as_of"])
        return _unless_known(asked.request, then, headers)

    async def _cursor(self, asked: Asked) -> Cursor:
        """From where the feed tells what changes while the snapshot is read: the same on all its pages."""
        view, given = asked.caller.view, asked.given["cursor"]
        async with statements(self._pool) as connection:
            head = await read_head(connection)
        return Cursor(head, view) if given is None else accepted(given, head, view)

    async def _page(self, asked: Asked, cursor: Cursor) -> web.StreamResponse:
        limit = asked.given["limit"]
        async with viewing(self._pool, asked.caller.view) as connection:
            found = await records.page(connection, asked.given["after"] or "", limit=limit)
        more = {"after": found[-1].orcid, "limit": limit, "cursor": str(cursor)} if len(found) == limit else None
        return document(Records(found, f"/v1/records?{urlencode(more)}" if more else None, str(cursor)))

    async def _batches(self, asked: Asked) -> AsyncIterator[list[Record]]:
        after = asked.given["after"] or ""
        while True:
            async with viewing(self._pool, asked.caller.view) as connection:
                batch = await records.page(connection, after, limit=BATCH)
            yield batch
            if len(batch) < BATCH:
                return
            after = batch[-1].orcid

    async def _load(self, asked: Asked, section: str | None) -> tuple[list[Item], dict[str, str]]:
        orcid, at = asked.given["orcid"], asked.given["as_of"]
        async with viewing(self._pool, asked.caller.view) as connection:
            items = await records.load(connection, orcid, at=at, section=section)
            verified = await records.verified_at(connection, orcid)
        if items is None:
            when = f" at {at.isoformat()}" if at else ""
            raise Problem(404, f"{orcid} is not in the mirror{when}.")
        shown = {VERIFIED: verified.astimezone(UTC).isoformat()} if verified and at is None else {}
        return items, shown


def _unless_known(request: web.Request, then: RecordThen | SectionThen, headers: dict[str, str]) -> web.Response:
    """The answer, or 304 if the caller has exactly this already."""
    body = msgspec.json.encode(then)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    shown = {**headers, str(hdrs.ETAG): tag, str(hdrs.CACHE_CONTROL): "private, no-cache"}
    known = [one.strip().removeprefix("W/") for one in request.headers.get(hdrs.IF_NONE_MATCH, "").split(",")]
    if tag in known or "*" in known:
        return web.Response(status=304, headers=shown)
    return web.Response(body=body, content_type=JSON, headers=shown)
