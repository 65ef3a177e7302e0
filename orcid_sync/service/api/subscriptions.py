"""Subscriptions over HTTP: how they are, and stopping and starting them. For administrators.

Who is subscribed to what is set from the command line: it shows secrets, and decides where requests of ours go.
"""

from collections.abc import Awaitable, Callable

import asyncpg
import msgspec
from aiohttp import web

from orcid_sync.model.scopes import Scope
from orcid_sync.service.api import parameters as p
from orcid_sync.service.api.responses import document
from orcid_sync.service.api.route import JSON, Answer, Answering, Asked, Route
from orcid_sync.service.http.problems import Problem
from orcid_sync.store.database.pools import AnyConnection, statements
from orcid_sync.store.feed.changes import announce
from orcid_sync.store.pushes import subscriptions
from orcid_sync.store.pushes.subscriptions import Subscription

_NAME = p.name_in_path("name", "Name of the subscription.")


class Subscriptions(msgspec.Struct, frozen=True):
    """Who is told of changes by signed requests, in the order of their names."""

    subscriptions: list[Subscription]


class Overseeing:
    """Shows subscriptions, pauses and resumes them."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def all(self, _asked: Asked) -> web.StreamResponse:
        """GET /v1/subscriptions."""
        async with statements(self._pool) as connection:
            return document(Subscriptions(await subscriptions.load_all(connection)))

    async def one(self, asked: Asked) -> web.StreamResponse:
        """GET /v1/subscriptions/{name}."""
        async with statements(self._pool) as connection:
            return await _shown(connection, asked)

    async def pause(self, asked: Asked) -> web.StreamResponse:
        """POST /v1/subscriptions/{name}/pause."""
        return await self._do(asked, subscriptions.pause)

    async def resume(self, asked: Asked) -> web.StreamResponse:
        """POST /v1/subscriptions/{name}/resume."""
        return await self._do(asked, subscriptions.resume)

    async def _do(self, asked: Asked, act: Callable[[AnyConnection, str], Awaitable[bool]]) -> web.StreamResponse:
        async with statements(self._pool) as connection:
            await act(connection, asked.given["name"])
            await announce(connection)  # wakes whoever sends
            return await _shown(connection, asked)


async def _shown(connection: AnyConnection, asked: Asked) -> web.StreamResponse:
    """The subscription that was asked for. Raises Problem 404."""
    found = await subscriptions.load(connection, asked.given["name"])
    if found is None:
        raise Problem(404, f"There is no subscription {asked.given['name']}: GET /v1/subscriptions lists them.")
    return document(found)


def subscription_routes(overseeing: Overseeing) -> list[Route]:
    """Who is told of changes by signed requests."""
    shown = {200: Answer("The subscription as it is now.", {JSON: Subscription})}

    def of_one(method: str, action: str, operation: str, summary: str, handler: Answering) -> Route:
        return Route(
            method=method,
            path=f"/v1/subscriptions/{{name}}{action}",
            name=operation,
            summary=summary,
            scope=Scope.ADMIN,
            parameters=(_NAME,),
            answers=shown,
            refusals={404: "There is no subscription with this name."},
            handler=handler,
        )

    return [
        Route(
            method="GET",
            path="/v1/subscriptions",
            name="listSubscriptions",
            summary="List the subscriptions and their state",
            details="To add, change or remove them, use `orcid-sync subscriptions`, which shows their secrets.",
            scope=Scope.ADMIN,
            answers={200: Answer("All subscriptions.", {JSON: Subscriptions})},
            handler=overseeing.all,
        ),
        of_one("GET", "", "getSubscription", "Show one subscription", overseeing.one),
        of_one(
            "POST",
            "/pause",
            "pauseSubscription",
            "Pause a subscription: send nothing until it is resumed",
            overseeing.pause,
        ),
        of_one(
            "POST",
            "/resume",
            "resumeSubscription",
            "Resume a subscription at once, where it stopped",
            overseeing.resume,
        ),
    ]
