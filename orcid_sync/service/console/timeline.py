"""The page that explains a record: one sentence, the facts behind it, and a time line."""

from aiohttp import web

from orcid_sync.model.explain.diagnosis import DiagnosisKind
from orcid_sync.model.scopes import Scope
from orcid_sync.service.console.record import head, orcid_of
from orcid_sync.service.explain.explain import Question, explain_one
from orcid_sync.service.http.authentication import demand
from orcid_sync.service.rendering.page import Site

CALM = (DiagnosisKind.WELL, DiagnosisKind.ITEM_PRESENT)
"""What needs nobody."""


class Timeline:
    """The page."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def page(self, request: web.Request) -> web.Response:
        """Answer GET /records/{orcid}/timeline; `?item=` asks about one item in particular."""
        caller = demand(request, Scope.READ_PUBLIC)
        orcid, item = orcid_of(request), request.query.get("item", "").strip()[:200]
        said = await head(self._site, caller, orcid)
        question = Question(view=caller.view, rules=self._site.rules, client_id=self._site.client_id, item=item or None)
        async with self._site.working() as connection:
            explained = await explain_one(connection, orcid, question)
        said |= {"explained": explained, "item": item, "calm": explained.diagnosis.complaint in CALM}
        return self._site.renderer.page(request, "timeline.html", **said)
