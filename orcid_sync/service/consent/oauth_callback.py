"""The OAuth callback, to which ORCID sends browsers back; it always redirects to a clean address (fault F74).

The state must be one that this browser was sent off with less than ten minutes ago, and it is used up before anything
else happens (faults F69, F70). What the query says otherwise is never shown, logged or followed (F72, F73).
"""

import hmac
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from aiohttp import web

from orcid_sync.model.consent.invitation import Outcome
from orcid_sync.registry.errors import OAUTH_ERRORS
from orcid_sync.service.consent.page_context import PageContext
from orcid_sync.service.consent.signed_links import Link, Session
from orcid_sync.service.consent.token_exchange import Ending, TokenExchange
from orcid_sync.service.http.browser_requests import (
    BROWSER_SECONDS,
    SESSION_SECONDS,
    hashed,
    path_of,
    query_of,
    secret_of,
)
from orcid_sync.store.consent import invitations
from orcid_sync.store.consent.invitations import LEAVE, Flow
from orcid_sync.store.database.pools import DatabaseUnavailable, transaction

_PAGES: Final[Mapping[str, str]] = {"/oauth/over": "over", "/oauth/away": "away"}
_CODE: Final = re.compile(r"[\x21-\x7e]{1,512}")


class OAuthCallback:
    """The handler of ORCID's answers."""

    def __init__(self, context: PageContext, granting: TokenExchange, count: Callable[[Outcome], None]) -> None:
        """`count` is told of each outcome."""
        self._context = context
        self._granting = granting
        self._count = count

    async def __call__(self, request: web.BaseRequest) -> web.Response | None:
        """Receive the browser, or show why it was not received."""
        path = path_of(request)
        if path in _PAGES:
            return self._page(request, _PAGES[path])
        return await self._receive(request) if path == "/oauth/callback" else None

    def _page(self, request: web.BaseRequest, page: str) -> web.Response:
        """Who has connected before and goes back in the history is shown the way out."""
        known = self._context.tickets.read_session(request.cookies.get(self._context.cookies.session, ""))
        return self._context.show(request, page, connected=known and self._context.at("/connected"))

    async def _receive(self, request: web.BaseRequest) -> web.Response:
        query = query_of(request)
        try:
            flow = await self._take(query.get("state"), request.cookies.get(self._context.cookies.browser))
            ending = await self._conclude(flow, query) if flow else None
        except DatabaseUnavailable:
            return self._context.lead(self._context.at("/oauth/away"))
        if flow is None or ending is None:
            return self._context.lead(self._context.at("/oauth/over"))
        self._count(ending.outcome)
        return self._redirect(flow, ending)

    async def _take(self, state: str | None, browser: str | None) -> Flow | None:
        """The flow that this browser was sent off with; None if there is none, or no more."""
        if (state := secret_of(state)) is None or (browser := secret_of(browser)) is None:
            return None
        async with transaction(self._context.pool) as connection:
            flow = await invitations.take_flow(connection, hashed(state), lasts=timedelta(seconds=BROWSER_SECONDS))
        if flow is None or not flow.in_time or not hmac.compare_digest(flow.browser_hash, hashed(browser)):
            return None
        return flow

    async def _conclude(self, flow: Flow, query: Mapping[str, str]) -> Ending:
        number, leaving = flow.invitation, flow.purpose == LEAVE
        if (error := query.get("error")) is not None:
            if error == "access_denied" and not leaving:  # who leaves was asked for no permission
                return await self._granting.decline(number)
            return await self._granting.refuse(number, error if error in OAUTH_ERRORS else "another error")
        code = query.get("code", "")
        if not _CODE.fullmatch(code):
            return await self._granting.refuse(number, "no code")
        exchange = self._granting.recognise if leaving else self._granting.accept
        return await exchange(number, code, self._context.redirect_uri)

    def _redirect(self, flow: Flow, ending: Ending) -> web.Response:
        context = self._context
        if ending.orcid is None:
            address = context.link(Link(flow.invitation, int(flow.expires_at.timestamp())))
            return context.lead(f"{address}/{ending.outcome}")
        session = Session(flow.invitation, ending.orcid, context.seconds() + SESSION_SECONDS)
        response = context.lead(context.at("/connected"))
        context.cookies.keep(response, context.cookies.session, context.tickets.session(session), SESSION_SECONDS)
        return response
