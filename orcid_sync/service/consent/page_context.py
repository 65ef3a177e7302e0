"""What all connect pages share: database, addresses, the signer of links, page templates, the clock."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from aiohttp import web

from orcid_sync.service.consent.html_pages import Pages
from orcid_sync.service.consent.signed_links import Link, LinkSigner
from orcid_sync.service.http.browser_requests import Cookies, languages_of
from orcid_sync.store.consent.invitations import Invitation


class PageContext(msgspec.Struct, frozen=True, kw_only=True):
    """The common ground of the handlers."""

    pool: asyncpg.Pool
    client_id: str
    web_url: str
    """Where people meet ORCID: https://orcid.org."""
    public_url: str
    """Where they meet us."""
    pages: Pages
    cookies: Cookies
    tickets: LinkSigner
    now: Callable[[], datetime]
    new_secret: Callable[[], str]
    """Makes 256 random bits in base64url."""

    @property
    def redirect_uri(self) -> str:
        """Where ORCID leads browsers back to; registered there letter by letter (contract section 2.4)."""
        return self.at("/oauth/callback")

    def at(self, path: str) -> str:
        """The address of a page of ours; never made from what a request says (faults F73, F96)."""
        return self.public_url + path

    def link(self, link: Link) -> str:
        """The address of an invitation."""
        return self.at(f"/connect/{self.tickets.invitation(link)}")

    def seconds(self) -> int:
        """The time, in seconds since 1970."""
        return int(self.now().timestamp())

    def show(
        self, request: web.BaseRequest, page: str, invitation: Invitation | None = None, **words: Any
    ) -> web.Response:
        """A page in the language of the invitation or of the browser."""
        wished = invitation.lang if invitation else None
        return self.pages.show(page, accepted=languages_of(request), wished=wished, **words)

    def language(self, request: web.BaseRequest, invitation: Invitation) -> str:
        """The language in which `show` would answer."""
        return self.pages.language(languages_of(request), invitation.lang)

    def lead(self, address: str) -> web.Response:
        """Send the browser to an address."""
        return self.pages.lead(address)
