"""Which addresses of the internal listener are status pages: what operators look at, and the few things they do there.

HTML and one style sheet, made here, nothing from elsewhere; all of it works without the script, which only keeps a page
up to date. What comes from ORCID is text and stays text. What a reader may see is decided by PostgreSQL: names, items
and history are read under the role of their view (`store.database.roles`), and what the service knows of its own work
(queue, webhooks, jobs) is shown as numbers, of single iDs only as far as the view `orcid.freshness` does; tokens,
webhooks and holds of single iDs only to administrators.
"""

from functools import partial

from aiohttp import web

from orcid_sync.model.scopes import Scope
from orcid_sync.service.console import overview, runs, subscriptions, webhooks
from orcid_sync.service.console.actions import Actions
from orcid_sync.service.console.compare import Compare
from orcid_sync.service.console.connections import Connections
from orcid_sync.service.console.record import Record
from orcid_sync.service.console.sign_in import Session
from orcid_sync.service.console.timeline import Timeline
from orcid_sync.service.http.authentication import Admission, open_to
from orcid_sync.service.http.problems import Problem
from orcid_sync.service.rendering.error_page import problems_as_pages
from orcid_sync.service.rendering.live_page import LivePage
from orcid_sync.service.rendering.page import Handler, Site


def add_pages(app: web.Application, site: Site) -> None:
    """Have the listener's application show the pages, too."""
    app.middlewares.insert(0, problems_as_pages(site.renderer))
    boards = {
        "/": LivePage(site, name="overview", title="Overview", ask=partial(overview.ask, site)),
        "/webhooks": LivePage(site, name="webhooks", title="Webhooks", ask=partial(webhooks.ask, site)),
        "/subscriptions": LivePage(
            site, name="subscriptions", title="Subscriptions", ask=partial(subscriptions.ask, site), scope=Scope.ADMIN
        ),
        "/runs": LivePage(site, name="runs", title="Runs", ask=partial(runs.ask, site)),
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
