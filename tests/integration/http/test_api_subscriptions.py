"""Subscriptions over HTTP: seen, paused and resumed by administrators, and by nobody else."""

import asyncpg
import pytest

from integration.http.api_listener import serving_api
from orcid_sync.store.database.pools import Database
from orcid_sync.store.pushes.subscriptions import Wish, add
from rig.push_receiver import VAULT

ONE = "/v1/subscriptions/cris"


async def test_administrators_see_them_and_stop_and_start_them(
    database: Database, connection: asyncpg.Connection
) -> None:
    wish = Wish(url="https://cris.example.edu/?key=1", origin="https://cris.example.edu", view="public")
    secret = await add(connection, VAULT, "cris", wish, after=None)
    assert secret is not None
    async with serving_api(database) as api:
        admin = await api.bearing("admin")
        [found] = (await admin.json("/v1/subscriptions"))["subscriptions"]
        assert (found["name"], found["url"], found["paused"], found["behind"]) == ("cris", wish.url, None, 0)
        assert await admin.json(ONE) == found
        for action, paused in (("pause", "by hand"), ("resume", None)):
            reply = await admin.ask("POST", f"{ONE}/{action}")
            assert (reply.status, reply.json["paused"]) == (200, paused)
            assert (await admin.json(ONE))["paused"] == paused
        assert secret not in str(await admin.json("/v1/subscriptions"))

        for method, path in (("GET", "/v1/subscriptions/x"), ("POST", "/v1/subscriptions/x/resume")):
            reply = await admin.ask(method, path)
            assert (reply.status, "no subscription x" in reply.json["detail"]) == (404, True)

        described = (await admin.json("/v1/openapi.json"))["paths"]
        assert {path for path in described if "subscriptions" in path} == {
            *("/v1/subscriptions", "/v1/subscriptions/{name}"),
            *("/v1/subscriptions/{name}/pause", "/v1/subscriptions/{name}/resume"),
        }


@pytest.mark.parametrize("scope", ["read-public", "read-limited"])
async def test_nobody_else_does(database: Database, scope: str) -> None:
    async with serving_api(database) as api:
        reader = await api.bearing(scope)
        for method, path in (("GET", "/v1/subscriptions"), ("GET", ONE), ("POST", f"{ONE}/pause")):
            assert (await reader.ask(method, path)).status == 403
