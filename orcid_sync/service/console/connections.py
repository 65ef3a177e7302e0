"""Connections: a list by state, a page at a time; and finding somebody by iD or name."""

import re
from typing import Any, Final
from urllib.parse import urlencode

from aiohttp import web
from msgspec import Struct

from orcid_sync.model.ids import InvalidOrcid, Orcid
from orcid_sync.model.scopes import Caller, Scope
from orcid_sync.service.http.authentication import demand
from orcid_sync.service.http.orcids import read_orcid
from orcid_sync.service.http.problems import Problem
from orcid_sync.service.rendering.page import Site
from orcid_sync.store.console import connection_list, overview

PAGE = 50
"""iDs on one page."""

STANDINGS: Final = {
    "all": "all",
    "connected": "connected",
    "waiting": "due now",
    "failing": "cannot be read at present",
    "unread": "not read yet",
    "not-active": "locked, merged, closed, unknown",
    "gone": "left",
    "held": "wait for a second read",
    "in-doubt": "parts in doubt",
    "token-suspect": "token refused lately",
    "token-over": "token revoked or expired",
    "webhook": "webhook in doubt or under way",
}
"""What can be asked for, in words."""

ADMINISTRATORS: Final = frozenset({"held", "in-doubt", "token-suspect", "token-over", "webhook"})
"""What of that is not for everybody."""

NOTHING: Final[dict[str, Any]] = {
    "now": None,
    "total": 0,
    "rows": [],
    "next": None,
    "many": False,
    "message": "",
    "command": "",
}
"""What the template is told if there is no more to say."""

_LIKE_AN_ID: Final = re.compile(r"[0-9][0-9Xx\s-]{11,}|.*orcid\.org/.*", re.ASCII)
_WORDS: Final = 8


class Wish(Struct, frozen=True):
    """What somebody looks for."""

    text: str
    """An iD, or words of a name; empty: nobody in particular."""
    standing: str
    after: str
    """The last iD of the page before; empty: from the beginning."""

    def address(self, after: str = "") -> str:
        """Where its answer is, from an iD on."""
        said = {"q": self.text, "state": self.standing if self.standing != "all" else "", "after": after}
        query = urlencode({name: value for name, value in said.items() if value})
        return "/connections" + (f"?{query}" if query else "")


class Connections:
    """The page."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def page(self, request: web.Request) -> web.Response:
        """Answer GET /connections."""
        caller = demand(request, Scope.READ_PUBLIC)
        wish = wish_of(request)
        if wish.standing in ADMINISTRATORS:
            demand(request, Scope.ADMIN)
        if wish.text and _LIKE_AN_ID.fullmatch(wish.text):
            return await self._by_orcid(request, wish)
        return await self._list(request, caller, wish)

    async def _by_orcid(self, request: web.Request, wish: Wish) -> web.Response:
        """Lead to the page of the iD, or say why there is none."""
        try:
            orcid = read_orcid(request, wish.text)
        except InvalidOrcid as error:
            return self._nothing(request, wish, str(error))
        async with self._site.working() as connection:
            known = await connection_list.is_known(connection, orcid)
        if known:
            return self._site.renderer.lead(f"/records/{orcid}")
        return self._nothing(request, wish, f"{orcid} is not connected.", command=f"orcid-sync connect {orcid}")

    async def _list(self, request: web.Request, caller: Caller, wish: Wish) -> web.Response:
        among: list[Orcid] | None = None
        if wish.text:
            async with self._site.viewing(caller.view) as connection:
                among = await connection_list.find_people(connection, wish.text.split()[:_WORDS])
        async with self._site.working() as connection:
            now = await overview.clock(connection)
            total, rows = await connection_list.standings(
                connection, wish.standing, after=wish.after, limit=PAGE + 1, among=among
            )
        async with self._site.viewing(caller.view) as connection:
            named = await connection_list.named(connection, [row.orcid for row in rows])
        return self._show(
            request,
            wish,
            now=now,
            total=total,
            rows=[(row, named.get(row.orcid)) for row in rows[:PAGE]],
            next=wish.address(rows[PAGE - 1].orcid) if len(rows) > PAGE else None,
            many=among is not None and len(among) == connection_list.MOST_FOUND,
        )

    def _nothing(self, request: web.Request, wish: Wish, message: str, command: str = "") -> web.Response:
        return self._show(request, wish, message=message, command=command)

    def _show(self, request: web.Request, wish: Wish, **said: Any) -> web.Response:
        shell = {"q": wish.text, "wish": wish, "standings": STANDINGS, "reserved": ADMINISTRATORS}
        return self._site.renderer.page(request, "connections.html", title="Connections", **NOTHING | shell | said)


def wish_of(request: web.Request) -> Wish:
    """What the address asks for. Raises Problem 400."""
    standing, after = request.query.get("state", "") or "all", request.query.get("after", "")
    if standing not in STANDINGS:
        raise Problem(400, f"There is no state {standing!a}; there are: {', '.join(STANDINGS)}.")
    if after:
        try:
            after = read_orcid(request, after)
        except InvalidOrcid as error:
            raise Problem(400, str(error)) from None
    return Wish(request.query.get("q", "").strip()[:200], standing, after)
