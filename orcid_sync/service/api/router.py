"""From the table of routes to an application that answers them, and nothing that the table does not say."""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import hdrs, web

from orcid_sync.service.api.parameters import read_all
from orcid_sync.service.api.request_body import demand_body
from orcid_sync.service.api.route import Asked, Route
from orcid_sync.service.http.authentication import demand
from orcid_sync.service.http.problems import Problem
from orcid_sync.store.database.pools import DatabaseUnavailable
from orcid_sync.store.database.roles import ReadersMissing


def add_routes(app: web.Application, routes: Sequence[Route]) -> None:
    """Have the application answer them."""
    for route in routes:
        app.router.add_route(route.method, _pattern(route), _handler(route))


def _pattern(route: Route) -> str:
    """The path for the router. What can only be one of a few words is no other, so that addresses do not overlap."""
    path = route.path
    for one in route.parameters:
        if one.place == "path" and "enum" in one.schema:
            path = path.replace(f"{{{one.name}}}", f"{{{one.name}:{'|'.join(one.schema['enum'])}}}")
    return path


def _handler(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        caller = demand(request, route.scope)
        given = read_all(request, route.parameters)
        demand_body(request, route)
        try:
            return await route.handler(Asked(request, caller, given))
        except ReadersMissing as error:
            raise Problem(503, str(error), kind="readers") from None
        except DatabaseUnavailable:
            retry = {str(hdrs.RETRY_AFTER): "5"}
            raise Problem(503, "The database does not answer; try again.", headers=retry) from None

    return handle
