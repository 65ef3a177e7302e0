"""Which addresses of the public listener are pages for people."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from orcid_sync.model.consent.invitation import Outcome as Consent
from orcid_sync.service.consent.disconnect_page import DisconnectPage
from orcid_sync.service.consent.invitation_page import InvitationPage
from orcid_sync.service.consent.oauth_callback import OAuthCallback
from orcid_sync.service.consent.page_context import PageContext
from orcid_sync.service.consent.token_exchange import TokenExchange
from orcid_sync.service.http.browser_requests import MAX_FORM
from orcid_sync.service.webhooks.intake import REFUSED, Handler, Outcome, Route
from orcid_sync.store.database.pools import DatabaseUnavailable

Page = Callable[[web.BaseRequest], Awaitable[web.Response | None]]


def page_routes(context: PageContext, granting: TokenExchange, count: Callable[[Consent], None]) -> dict[str, Route]:
    """The routes by the first segment of their paths; `count` is told how each way to ORCID and back ended."""
    connecting, leaving = InvitationPage(context), DisconnectPage(context)
    returning = OAuthCallback(context, granting, count)

    def seen(page: Page) -> dict[str, Handler]:
        return {"GET": _at(context, page), "HEAD": _at(context, page)}

    return {
        "connect": Route(
            "connect", {**seen(connecting.invitation), "POST": _at(context, connecting.start)}, max_body=MAX_FORM
        ),
        "oauth": Route("oauth", {"GET": _at(context, returning)}),
        "connected": Route(
            "connected", {**seen(leaving.connected), "POST": _at(context, leaving.disconnect)}, max_body=MAX_FORM
        ),
        "disconnected": Route("disconnected", seen(leaving.disconnected)),
    }


def _at(context: PageContext, page: Page) -> Handler:
    """The page, or the refusal that all wrong addresses get, or a page that says that we cannot answer now."""

    async def answer(request: web.BaseRequest) -> web.StreamResponse | Outcome:
        try:
            return await page(request) or REFUSED
        except DatabaseUnavailable:
            return context.show(request, "away")

    return answer
