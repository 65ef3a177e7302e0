"""The pages on which a researcher is asked to connect an ORCID iD (contract sections 2.4 and 9).

    GET  /connect/{invitation}            who asks, for what, and how to end it
    POST /connect/{invitation}            off to ORCID, with a state that this browser alone can bring back, once
    GET  /connect/{invitation}/{outcome}  what became of it, if it was not a connection

The way back is in `oauth_callback`, what comes after it in `disconnect_page`. A link that was damaged on its way gets a
page that says so; before its signature is found right, the database is asked nothing (invariant S15).
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from aiohttp import web

from orcid_sync.model.consent.invitation import IDENTITY, Outcome
from orcid_sync.registry.requests import authorize_url
from orcid_sync.service.consent.page_context import PageContext
from orcid_sync.service.consent.signed_links import Link
from orcid_sync.service.http.browser_requests import (
    BROWSER_SECONDS,
    from_elsewhere,
    hashed,
    path_of,
    read_form,
    secret_of,
)
from orcid_sync.store.consent import invitations
from orcid_sync.store.consent.invitations import CONNECT, LEAVE, Invitation
from orcid_sync.store.database.pools import DatabaseUnavailable, transaction

_ADDRESS: Final = re.compile(r"/connect/([A-Za-z0-9._-]{1,128})(?:/([a-z]{1,20}))?", re.ASCII)

_WAYS: Final[Mapping[str, dict[str, str]]] = {
    "sign-in": {"show_login": "true"},
    "register": {"show_login": "false", "orcid": ""},
    LEAVE: {"show_login": "true", "prompt": "login", "scope": IDENTITY},
    "other": {"show_login": "true", "prompt": "login"},  # whoever is signed in at ORCID is not the one who was meant
}
"""The buttons, and how each of them has ORCID begin (contract section 2.4)."""

_OTHER: Final = frozenset({Outcome.DIFFERENT, Outcome.USED, Outcome.TAKEN})
"""Outcomes after which another account may help."""

_SHOWN: Final = frozenset(Outcome) - {Outcome.GRANTED, Outcome.RECOGNISED}


class InvitationPage:
    """Handlers of invitations. One returns None for an address of no page; they raise DatabaseUnavailable."""

    def __init__(self, context: PageContext) -> None:
        self._context = context

    async def invitation(self, request: web.BaseRequest) -> web.Response | None:
        """Show the invitation, or how the last attempt ended."""
        address = _ADDRESS.fullmatch(path_of(request))
        if address is None or address[2] not in {None, *_SHOWN}:
            return None
        if (link := self._context.tickets.read_invitation(address[1])) is None:
            return self._context.show(request, "incomplete_link")
        if address[2] is not None:
            return await self._outcome(request, link, Outcome(address[2]))
        async with transaction(self._context.pool) as connection:
            invitation = await invitations.load(connection, link.number)
            if invitation is not None and invitation.opened_at is None and request.method == "GET":
                await invitations.note_opened(connection, link.number)
        return self._welcome(request, link, invitation)

    async def start(self, request: web.BaseRequest) -> web.Response | None:
        """Send the browser to ORCID."""
        address = _ADDRESS.fullmatch(path_of(request))
        if address is None or address[2] is not None:
            return None
        if (link := self._context.tickets.read_invitation(address[1])) is None:
            return self._context.show(request, "incomplete_link")
        form = await read_form(request)
        if form is None or from_elsewhere(request):  # another site must not set out in somebody's place
            return self._context.lead(self._context.link(link))
        async with transaction(self._context.pool) as connection:
            invitation = await invitations.load(connection, link.number)
        way = form.get("way", "")
        if invitation is None or not self._is_open(link, invitation, way):
            return self._welcome(request, link, invitation)
        return await self._send_off(request, link, invitation, way if way in _WAYS else "sign-in")

    async def _outcome(self, request: web.BaseRequest, link: Link, outcome: Outcome) -> web.Response:
        """The page of an outcome: fixed words, whoever asks for it; also while the database is away."""
        invitation, address = None, self._context.link(link)
        with suppress(DatabaseUnavailable):
            async with transaction(self._context.pool) as connection:
                invitation = await invitations.load(connection, link.number)
        # Another account is asked for permission, which is not what brings back who has left.
        other = address if outcome in _OTHER and not (invitation and invitation.left) else None
        return self._context.show(request, outcome, invitation, retry=address, other=other)

    def _welcome(self, request: web.BaseRequest, link: Link, invitation: Invitation | None) -> web.Response:
        """The invitation, or why it cannot be followed."""
        if invitation is None:
            return self._context.show(request, "incomplete_link")
        leave = self._context.link(link) if invitation.left else None
        if self._is_over(link, invitation):
            return self._context.show(request, "expired", invitation, leave=leave)
        return self._context.show(
            request,
            "invitation",
            invitation,
            action=self._context.link(link),
            name=" ".join(filter(None, (invitation.given_names, invitation.family_names))),
            returning=_is_used(invitation),
            leave=leave,
        )

    def _is_over(self, link: Link, invitation: Invitation) -> bool:
        """Whether it has expired. Who is connected can come back as long as they like, to end it."""
        return link.expires <= self._context.seconds() and not _is_used(invitation)

    def _is_open(self, link: Link, invitation: Invitation, way: str) -> bool:
        """Whether this way can be gone. Who has ended the connection can have the rest deleted as long as they like."""
        return invitation.left if way == LEAVE else not self._is_over(link, invitation)

    async def _send_off(self, request: web.BaseRequest, link: Link, invitation: Invitation, way: str) -> web.Response:
        context, state = self._context, self._context.new_secret()
        browser = secret_of(request.cookies.get(context.cookies.browser)) or context.new_secret()
        async with transaction(context.pool) as connection:
            await invitations.begin_flow(
                connection,
                state_hash=hashed(state),
                browser_hash=hashed(browser),
                invitation=link.number,
                expires_at=datetime.fromtimestamp(link.expires, UTC),
                purpose=LEAVE if way == LEAVE else CONNECT,
                lasts=timedelta(seconds=BROWSER_SECONDS),
            )
        response = context.lead(
            authorize_url(
                context.web_url,
                client_id=context.client_id,
                redirect_uri=context.redirect_uri,
                state=state,
                **(_wishes(invitation) | _WAYS[way]),
            )
        )
        context.cookies.keep(response, context.cookies.browser, browser, BROWSER_SECONDS)
        return response


def _wishes(invitation: Invitation) -> dict[str, str]:
    """What ORCID's forms are filled with, and their language."""
    wishes = {name: getattr(invitation, name) or "" for name in ("lang", "given_names", "family_names", "email")}
    return wishes | {"orcid": invitation.granted_orcid or invitation.orcid or ""}


def _is_used(invitation: Invitation) -> bool:
    """Whether the person is connected by it."""
    return invitation.connection_state == "connected"
