"""What administrators do from a page: have a record read now, decide about what waits for a second read.

Each is a form that is posted from a page of ours; what another site's page makes a browser send is refused before it
gets here (service/http/authentication.py), and the cookie of the session does not even come along with it
(SameSite=Strict).
"""

from collections.abc import Awaitable, Callable, Collection, Mapping

import structlog
from aiohttp import web

from orcid_sync.model.ids import Orcid
from orcid_sync.model.scopes import Scope
from orcid_sync.service.console.record import orcid_of
from orcid_sync.service.http.authentication import demand
from orcid_sync.service.http.problems import Problem
from orcid_sync.service.rendering.page import Site
from orcid_sync.store.database.pools import AnyConnection
from orcid_sync.store.sync import doubts, queue

Act = Callable[[AnyConnection, Collection[Orcid]], Awaitable[Collection[Orcid]]]
"""Returns the iDs that it could be done for."""

ACTS: Mapping[str, Act] = {"sync": queue.request_sync, "release": doubts.release, "discard": doubts.discard}

REFUSALS: Mapping[str, str] = {
    "sync": "is not connected, so the service does not read it",
    "release": "has nothing that waits for a second read any more",
    "discard": "has nothing that waits for a second read any more",
}

log = structlog.get_logger(__name__)


class Actions:
    """The forms of the page of a record."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def act(self, request: web.Request) -> web.Response:
        """Answer POST /records/{orcid}/{act}: do it, and lead back to the record."""
        caller = demand(request, Scope.ADMIN)
        orcid, name = orcid_of(request), request.match_info["act"]
        if name not in ACTS:
            raise Problem(404, "There is no such action.")
        async with self._site.working() as connection:
            done = await ACTS[name](connection, [orcid])
            if not done:
                raise Problem(409, f"{orcid} {REFUSALS[name]}.")
            await queue.wake(connection)
        log.info("asked by hand", act=name, orcid=orcid, by=caller.name)
        return self._site.renderer.lead(f"/records/{orcid}?done={name}")
