"""Runs: the jobs, the nets, the audits."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from orcid_sync.model.scopes import Scope
from orcid_sync.service.http.authentication import demand
from orcid_sync.service.http.problems import Problem
from orcid_sync.service.rendering.page import Site
from orcid_sync.store.console import audits, overview
from orcid_sync.store.sync import job_runs, safety_nets

AUDITS = 10
"""Audits that are shown, the latest."""

PAGE = 50
"""Runs on one page."""


async def ask(site: Site) -> Mapping[str, Any]:
    """Everything on the page. Raises Problem."""
    async with site.working() as connection:
        return {
            "now": await overview.clock(connection),
            "jobs": await job_runs.last_of_each(connection),
            "nets": await safety_nets.load(connection),
            "audits": await audits.last(connection, AUDITS),
        }


class JobPage:
    """The runs of one job, the latest first."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def page(self, request: web.Request) -> web.Response:
        """Answer GET /runs/{job}."""
        demand(request, Scope.READ_PUBLIC)
        job, before = request.match_info["job"], request.query.get("before", "")
        if before and not (before.isascii() and before.isdecimal() and len(before) < 19):
            raise Problem(400, "before must be the number of a run.")
        async with self._site.working() as connection:
            now = await overview.clock(connection)
            found = await job_runs.of_job(connection, job, before=int(before) if before else None, limit=PAGE + 1)
        if not found and not before:
            raise Problem(404, f"There is no run of a job {job!a}.")
        more = found[PAGE - 1].id if len(found) > PAGE else None
        said: dict[str, Any] = {"job": job, "now": now, "runs": found[:PAGE], "more": more, "later": bool(before)}
        return self._site.renderer.page(request, "job.html", title=f"Runs of {job}", **said)
