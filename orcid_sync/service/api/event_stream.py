"""Following the feed as it goes: server-sent events, which browsers and most languages can read."""

import asyncio
from typing import Final

import msgspec
from aiohttp import web

from orcid_sync.service.api.feed import Feed, wanted_by
from orcid_sync.service.api.feed_reader import Encoded, Follower, Pages
from orcid_sync.service.api.responses import streaming, write
from orcid_sync.service.api.route import EVENTS, Asked
from orcid_sync.service.http.authentication import Authority
from orcid_sync.service.http.problems import Problem

BEAT_SECONDS = 15.0
"""A stream is never silent for longer, so that both sides notice when the other one is gone; as often it is made sure
that the token still lives."""

RETRY_MS: Final = 2_000
"""After how long a browser connects again."""

PAGE: Final = 500
"""Changes read at once."""


class Stream:
    """Sends the feed to whoever listens, without end."""

    def __init__(self, feed: Feed, pages: Pages, authority: Authority) -> None:
        """Begin as `feed` does, read by `pages`; ask `authentication` again whether the listener may."""
        self._feed = feed
        self._pages = pages
        self._authority = authority

    async def stream(self, asked: Asked) -> web.StreamResponse:
        """GET /v1/changes/stream."""
        last = asked.request.headers.get("Last-Event-ID") or None  # browsers show where they were
        start = await self._feed.start(asked, last or asked.given["after"])
        async with streaming(asked.request, EVENTS) as response:
            await write(response, f"retry: {RETRY_MS}\nid: {start}\n\n".encode())
            await self._send(asked, Follower(self._pages, start, wanted_by(asked)), response)
        return response

    async def _send(self, asked: Asked, follower: Follower, response: web.StreamResponse) -> None:
        """Page after page until the end of the process, of the token, or of this history of the feed."""
        loop = asyncio.get_running_loop()
        checked_at = loop.time()
        while not self._pages.tail.closed:
            before = follower.place
            try:
                found = await follower.next(PAGE, seconds=BEAT_SECONDS)
            except Problem as problem:
                if problem.status != 409:
                    raise
                await write(response, _event("resync", msgspec.json.encode(problem.document)))
                return
            await write(response, _events(found, moved=follower.place != before))
            if loop.time() - checked_at >= BEAT_SECONDS:
                if not await self._may_go_on(asked):
                    return
                checked_at = loop.time()

    async def _may_go_on(self, asked: Asked) -> bool:
        try:
            caller = await self._authority.caller_of(asked.request)
        except Problem:
            return False
        return caller is not None and caller.view is asked.caller.view


def _events(found: Encoded, *, moved: bool) -> bytes:
    """An event for each change; if there is none, the new position alone, or a comment as a sign of life."""
    if found.changes:
        return b"".join(b"id: %b\n%b" % (cursor.encode(), _event("change", change)) for cursor, change in found.changes)
    return f"id: {found.cursor}\n\n".encode() if moved else b": beat\n\n"


def _event(name: str, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)
