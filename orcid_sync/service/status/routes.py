"""Which addresses of the internal listener are status pages."""

from functools import partial

from aiohttp import web

from orcid_sync.model.authority import Scope
from orcid_sync.service.authority import Admission, open_to
from orcid_sync.service.problems import Problem
from orcid_sync.service.status import overview, runs, subscriptions, webhooks
from orcid_sync.service.status.actions import Actions
from orcid_sync.service.status.board import Board
from orcid_sync.service.status.compare import Compare
from orcid_sync.service.status.connections import Connections
from orcid_sync.service.status.problems import problems_as_pages
from orcid_sync.service.status.record import Record
from orcid_sync.service.status.session import Session
from orcid_sync.service.status.site import Handler, Site
from orcid_sync.service.status.timeline import Timeline


def add_pages(app: web.Application, site: Site) -> None:
    """Have the listener's application show the pages, too."""
    app.middlewares.insert(0, problems_as_pages(site.renderer))
    boards = {
        "/": Board(site, name="overview", title="Overview", ask=partial(overview.ask, site)),
        "/webhooks": Board(site, name="webhooks", title="Webhooks", ask=partial(webhooks.ask, site)),
        "/subscriptions": Board(
            site, name="subscriptions", title="Subscriptions", ask=partial(subscriptions.ask, site), scope=Scope.ADMIN
        ),
        "/runs": Board(site, name="runs", title="Runs", ask=partial(runs.ask, site)),
    }
    for address, board in boards.items():
        app.router.add_get(address, board.page)
        app.router.add_get(f"/live/{board.name}", board.stream)
    session, job, record = Session(site), runs.JobPage(site), Record(site)
    app.router.add_get("/runs/{job}", job.page)
    app.router.add_get("/connections", Connections(site).page)
    app.router.add_get("/records/{orcid}", record.page)
    app.router.add_get("/records/{orcid}/timeline", Timeline(site).page)
    app.router.add_get("/records/{orcid}/compare", Compare(site).page)
    app.router.add_post("/records/{orcid}/{act}", Actions(site).act)
    app.router.add_get("/sign-in", session.page)
    app.router.add_post("/sign-in", session.sign_in)
    app.router.add_post("/sign-out", session.sign_out)
    app.router.add_get("/static/{name}", _files(site))


def _files(site: Site) -> Handler:
    @open_to(Admission.STRANGERS)
    async def file(request: web.Request) -> web.Response:
        found = site.renderer.file(request.match_info["name"])
        if found is None:
            raise Problem(404, "There is no such file.")
        return found

    return file
