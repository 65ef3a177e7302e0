"""The page of a connection, for half an hour after its holder has signed in at ORCID, and how to end it there.

GET  /connected                          the iD as ORCID wants it shown (contract section 9), and what happens now
POST /connected                          disconnect, and keep what was public or delete everything; also later
GET  /disconnected/{ending}/{language}   what was done
"""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final

import structlog
from aiohttp import web

from orcid_sync.model.ids import Orcid
from orcid_sync.service.consent.page_context import PageContext
from orcid_sync.service.consent.signed_links import Session
from orcid_sync.service.http.browser_requests import path_of, read_form
from orcid_sync.store.consent import connections, invitations
from orcid_sync.store.consent.erasure import erase
from orcid_sync.store.consent.invitations import Invitation
from orcid_sync.store.database.pools import AnyConnection, transaction
from orcid_sync.store.sync import queue

LEARNT: Final = "disconnect-page"
"""How we learnt of it, for the consent ledger."""

_ENDED: Final = re.compile(r"/disconnected/(frozen|erased)/([a-z]{2})", re.ASCII)

log = structlog.get_logger(__name__)


async def _freeze(connection: AnyConnection, orcid: Orcid) -> None:
    await connections.disconnect_orcids(connection, [orcid], by="holder", learnt=LEARNT)


async def _erase(connection: AnyConnection, orcid: Orcid) -> None:
    await erase(connection, orcid, by="holder", learnt=LEARNT)


Act = Callable[[AnyConnection, Orcid], Awaitable[None]]

_ACTS: Final[Mapping[str, tuple[str, Act]]] = {"freeze": ("frozen", _freeze), "erase": ("erased", _erase)}
"""What the holder may choose: the page that follows, and what is done."""


class DisconnectPage:
    """Handlers of the connection's page. They return None for an address of no page; raise DatabaseUnavailable."""

    def __init__(self, context: PageContext) -> None:
        self._context = context

    async def connected(self, request: web.BaseRequest) -> web.Response | None:
        """Show the connection to whoever has just signed in."""
        if path_of(request) != "/connected":
            return None
        if (session := self._session(request)) is None:
            return self._context.show(request, "session")
        async with transaction(self._context.pool) as connection:
            invitation = await invitations.load(connection, session.number)
        if invitation is None or not (choices := _choices(invitation, session)):
            return self._context.show(request, "ended", invitation)
        return self._context.show(
            request,
            "connected" if "freeze" in choices else "left",
            invitation,
            name=invitation.name,
            orcid=session.orcid,
            action=self._context.at("/connected"),
            guard=self._context.tickets.guard(request.cookies[self._context.cookies.session]),
        )

    async def disconnect(self, request: web.BaseRequest) -> web.Response | None:
        """End the connection as the holder chose, if the form stood on the page of this session."""
        if path_of(request) != "/connected":
            return None
        form, session = await read_form(request), self._session(request)
        if form is None or session is None:
            return self._context.show(request, "session")
        cookie = request.cookies[self._context.cookies.session]
        if not self._context.tickets.guards(cookie, form.get("guard", "")):
            return self._context.show(request, "session")
        if (choice := form.get("choice", "")) not in _ACTS:
            return self._context.lead(self._context.at("/connected"))
        return await self._end(request, session, choice)

    async def disconnected(self, request: web.BaseRequest) -> web.Response | None:
        """Show what was done."""
        if (address := _ENDED.fullmatch(path_of(request))) is None:
            return None
        return self._context.pages.show(address[1], wished=address[2])

    def _session(self, request: web.BaseRequest) -> Session | None:
        session = self._context.tickets.read_session(request.cookies.get(self._context.cookies.session, ""))
        return session if session is not None and session.ends > self._context.seconds() else None

    async def _end(self, request: web.BaseRequest, session: Session, choice: str) -> web.Response:
        page, act = _ACTS[choice]
        async with transaction(self._context.pool) as connection:
            invitation = await invitations.load(connection, session.number)
            if invitation is None or choice not in _choices(invitation, session):
                return self._context.lead(self._context.at("/connected"))
            await act(connection, session.orcid)
            await queue.wake(connection)
        log.info("disconnected by its holder", orcid=session.orcid, page=page)
        language = self._context.language(request, invitation)  # of which an erasure leaves no trace
        response = self._context.lead(self._context.at(f"/disconnected/{page}/{language}"))
        self._context.cookies.drop(response, self._context.cookies.session)
        return response


def _choices(invitation: Invitation, session: Session) -> Collection[str]:
    """What the holder can choose, if it is still this iD that the person is or was connected with.

    Who has kept what was public can still have it deleted later.
    """
    if invitation.granted_orcid != session.orcid:
        return ()
    if invitation.connection_state == "connected":
        return _ACTS.keys()
    return ("erase",) if invitation.left else ()
