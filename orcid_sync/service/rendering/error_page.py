"""What is wrong with a request, as a page for browsers; programs are told as in service/http/problems.py."""

from typing import Any
from urllib.parse import quote

import msgspec
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from orcid_sync.service.http.problems import CONTENT_TYPE
from orcid_sync.service.rendering.html import Renderer

_PROGRAMS = ("/v1/", "/live/", "/metrics", "/healthz", "/readyz")
"""Where a browser is answered as a program."""


def problems_as_pages(renderer: Renderer) -> Middleware:
    """Outermost: turns what says a problem to programs into a page for people, and leads strangers to sign in."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if response.content_type != CONTENT_TYPE or not _reads_pages(request):
            return response
        if response.status == 401 and request.method in {"GET", "HEAD"}:
            return renderer.lead(f"/sign-in?next={quote(request.path_qs, safe='')}")
        problem = _document(response)
        page = renderer.page(
            request,
            "problem.html",
            title=str(problem.get("title", "Error")),
            status=response.status,
            detail=problem.get("detail", ""),
            needed="needed" in problem or response.status == 401,
        )
        for name in (hdrs.RETRY_AFTER, hdrs.ALLOW, hdrs.WWW_AUTHENTICATE):
            if name in response.headers:
                page.headers[name] = response.headers[name]
        return page

    return middleware


def _reads_pages(request: web.Request) -> bool:
    wanted = request.headers.get(hdrs.ACCEPT, "")
    return "text/html" in wanted and not request.path.startswith(_PROGRAMS)


def _document(response: web.StreamResponse) -> dict[str, Any]:
    body = response.body if isinstance(response, web.Response) else None
    return msgspec.json.decode(body, type=dict[str, Any]) if isinstance(body, bytes) else {}
