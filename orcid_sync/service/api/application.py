"""The application that answers everything below /v1."""

from typing import Any

from aiohttp import web

from orcid_sync.model.scopes import Scope
from orcid_sync.service.api.connections import Following
from orcid_sync.service.api.consumers import Keeping
from orcid_sync.service.api.event_stream import Stream
from orcid_sync.service.api.feed import Feed
from orcid_sync.service.api.feed_reader import Pages
from orcid_sync.service.api.feed_tail import Tail
from orcid_sync.service.api.openapi import PATH, make_document
from orcid_sync.service.api.records import Reading
from orcid_sync.service.api.responses import document
from orcid_sync.service.api.route import JSON, Answer, Asked, Route
from orcid_sync.service.api.router import add_routes
from orcid_sync.service.api.routes import connection_routes, consumer_routes, feed_routes, record_routes
from orcid_sync.service.api.subscriptions import Overseeing, subscription_routes
from orcid_sync.service.http.authentication import Authority
from orcid_sync.store.database.pools import Database


def add_api(app: web.Application, database: Database, authority: Authority) -> Tail:
    """Have the application answer what is below /v1; returns what wakes those who wait for changes."""
    tail = Tail(database)
    pages = Pages(database.reader, tail)
    feed = Feed(database.reader, pages)
    stream = Stream(feed, pages, authority)
    routes = [
        *feed_routes(feed, stream),
        *consumer_routes(Keeping(database.reader)),
        *connection_routes(Following(database)),
        *record_routes(Reading(database.reader)),
        *subscription_routes(Overseeing(database.reader)),
    ]
    described = make_document([*routes, _document_route(None)])
    add_routes(app, [*routes, _document_route(described)])

    async def end(_app: web.Application) -> None:
        await tail.aclose()

    app.on_shutdown.append(end)
    return tail


def _document_route(described: object) -> Route:
    async def show(_asked: Asked) -> web.StreamResponse:
        return document(described)

    return Route(
        method="GET",
        path=PATH,
        name="getOpenapi",
        summary="This document",
        scope=Scope.READ_PUBLIC,
        answers={200: Answer("OpenAPI 3.1.", {JSON: dict[str, Any]})},
        handler=show,
    )
