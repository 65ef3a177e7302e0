"""Consumers that keep their cursor here, so that operators see how far behind they are."""

import asyncpg
import msgspec
from aiohttp import web

from orcid_sync.model.scopes import Caller, Scope
from orcid_sync.service.api.feed_reader import accepted
from orcid_sync.service.api.request_body import read_document
from orcid_sync.service.api.responses import document
from orcid_sync.service.api.route import Asked
from orcid_sync.service.http.problems import Problem
from orcid_sync.store.database.pools import statements
from orcid_sync.store.feed import consumers
from orcid_sync.store.feed.consumers import Consumer
from orcid_sync.store.feed.pages import read_head


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a consumer has come."""

    cursor: str


class Consumers(msgspec.Struct, frozen=True):
    """The consumers that the caller may see."""

    consumers: list[Consumer]


class Keeping:
    """Keeps cursors."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def all(self, asked: Asked) -> web.StreamResponse:
        """GET /v1/consumers: one's own; administrators see all."""
        async with statements(self._pool) as connection:
            found = await consumers.load(connection)
        return document(Consumers([one for one in found if _is_for(asked.caller, one)]))

    async def one(self, asked: Asked) -> web.StreamResponse:
        """GET /v1/consumers/{name}."""
        async with statements(self._pool) as connection:
            found = await consumers.load(connection, asked.given["name"])
        if not (found and _is_for(asked.caller, found[0])):
            raise _none(asked)
        return document(found[0])

    async def put(self, asked: Asked) -> web.StreamResponse:
        """PUT /v1/consumers/{name}."""
        kept = await read_document(asked.request, Kept)
        name, view = asked.given["name"], asked.caller.view
        async with statements(self._pool) as connection:
            cursor = accepted(kept.cursor, await read_head(connection), view)
            if not await consumers.keep(connection, name, cursor, asked.caller):
                raise Problem(403, f"The consumer {name} belongs to another token.", kind="owner")
            found = await consumers.load(connection, name)
        return document(found[0])

    async def delete(self, asked: Asked) -> web.StreamResponse:
        """DELETE /v1/consumers/{name}."""
        async with statements(self._pool) as connection:
            if not await consumers.drop(connection, asked.given["name"], asked.caller):
                raise _none(asked)
        return web.Response(status=204)


def _is_for(caller: Caller, consumer: Consumer) -> bool:
    return consumer.owner == caller.name or caller.may(Scope.ADMIN)


def _none(asked: Asked) -> Problem:
    return Problem(404, f"You have no consumer {asked.given['name']}. Create it with PUT.")
