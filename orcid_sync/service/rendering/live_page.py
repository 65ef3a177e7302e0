"""Pages that are the same for all who see them, and that are sent again while somebody looks (server-sent events)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web
from markupsafe import Markup

from orcid_sync.model.scopes import Scope
from orcid_sync.service.api.responses import streaming, write
from orcid_sync.service.api.route import EVENTS
from orcid_sync.service.http.authentication import demand
from orcid_sync.service.http.problems import Problem
from orcid_sync.service.rendering.answer_cache import AnswerCache
from orcid_sync.service.rendering.page import Site, answering

Ask = Callable[[], Awaitable[Mapping[str, Any]]]
"""Gives what the template needs. Raises Problem."""

LOOKERS = 64
"""Browsers to which one process sends a board at the same time."""

RECOGNISED = 30
"""After so many looks it is asked again whether the browser may still look."""


class LivePage:
    """One such page."""

    def __init__(self, site: Site, *, name: str, title: str, ask: Ask, scope: Scope = Scope.READ_PUBLIC) -> None:
        """The board whose content is `<name>.html`."""
        self.name = name
        self._site = site
        self._title = title
        self._ask = ask
        self._scope = scope
        self._shown = AnswerCache(self._render, clock=site.clock, seconds=site.look_seconds)
        self._lookers = 0

    async def page(self, request: web.Request) -> web.Response:
        """The whole page as it is now."""
        demand(request, self._scope)
        said: dict[str, Any] = {"board": Markup(await self._now()), "live": f"/live/{self.name}"}  # noqa: S704 - a template of ours
        return self._site.renderer.page(request, "board.html", title=self._title, **said)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """The page's content whenever it has changed, until the browser leaves or we stop."""
        demand(request, self._scope)
        if self._lookers >= LOOKERS:
            raise Problem(503, "Too many browsers watch this page already; reload it by hand.")
        self._lookers += 1
        try:
            async with streaming(request, EVENTS) as response:
                await self._send(request, response)
        finally:
            self._lookers -= 1
        return response

    async def _send(self, request: web.Request, response: web.StreamResponse) -> None:
        sent, looks = "", 0
        while not self._site.draining.begun:
            if (html := await self._now()) != sent:
                sent = html
                await write(response, event(html))
            looks += 1
            if looks % RECOGNISED == 0 and await self._site.authority.caller_of(request) is None:
                return
            await asyncio.sleep(self._site.look_seconds)

    async def _now(self) -> str:
        async with answering():
            return await self._shown.get()

    async def _render(self) -> str:
        return self._site.renderer.fragment(f"{self.name}.html", **await self._ask())


def event(text: str) -> bytes:
    """A text as one server-sent event."""
    return ("".join(f"data: {line}\n" for line in text.splitlines()) + "\n").encode()
