"""Signing in: a token is shown once, and the browser is known by a cookie from then on (`http.authentication`)."""

import re
from typing import Final

from aiohttp import web

from orcid_sync.service.http.authentication import Admission, drop_session, keep_session, open_to
from orcid_sync.service.http.browser_requests import read_form
from orcid_sync.service.http.problems import Problem
from orcid_sync.service.rendering.page import Site

_OURS: Final = re.compile(r"/(?![/\\])[!-~]{0,1000}", re.ASCII)


class Session:
    """The pages of signing in and out."""

    def __init__(self, site: Site) -> None:
        self._site = site

    @open_to(Admission.STRANGERS)
    async def page(self, request: web.Request) -> web.Response:
        """Answer GET /sign-in."""
        return self._ask(request, request.query.get("next", "/"))

    @open_to(Admission.STRANGERS)
    async def sign_in(self, request: web.Request) -> web.Response:
        """Answer POST /sign-in: lead to where they wanted to go, or ask again."""
        form = await read_form(request)
        if form is None:
            raise Problem(413, "The form is too large or incomplete.")
        secret = await self._site.authority.open_session(form.get("token", "").strip())
        if secret is None:
            return self._ask(request, form.get("next", "/"), status=403)
        response = self._site.renderer.lead(local(form.get("next", "/")))
        keep_session(request, response, secret)
        return response

    async def sign_out(self, request: web.Request) -> web.Response:
        """Answer POST /sign-out."""
        await self._site.authority.close_session(request)
        response = self._site.renderer.lead("/sign-in")
        drop_session(response)
        return response

    def _ask(self, request: web.Request, wanted: str, status: int = 200) -> web.Response:
        said = {"next": local(wanted), "refused": status != 200}
        return self._site.renderer.page(request, "sign_in.html", title="Sign in", status=status, **said)


def local(address: str) -> str:
    """The address if it is one of ours, else that of the overview: nobody is led elsewhere."""
    return address if _OURS.fullmatch(address) else "/"
