"""What stands before the public listener shuts it: a redirect, a challenge, a certificate that has expired (fault F14).

The service itself is well all the while, and ORCID says nothing.
"""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiohttp import web

from orcid_sync.cli.webhooks.probe import probe
from orcid_sync.model.webhooks.evidence import Verdict
from orcid_sync.service.http.listeners import public_listener
from rig.certificates import expired_certificate
from rig.service.connected_records import Fleet, following
from rig.service.daemon import serving
from rig.service.settings import free_port

DAY = 86_400
Answer = Callable[[web.Request], Any]


def redirect(_request: web.Request) -> web.Response:
    raise web.HTTPMovedPermanently("https://www.example.edu/")


def challenge(_request: web.Request) -> web.Response:
    return web.Response(
        status=403, text="<h1>Are you human?</h1>", headers={"Server": "wary"}, content_type="text/html"
    )


def welcome(_request: web.Request) -> web.Response:
    return web.Response(text="<h1>It works!</h1>", headers={"Server": "wary"}, content_type="text/html")


class Door:
    """A proxy before the service, which lets everything pass until it is told to answer by itself."""

    def __init__(self) -> None:
        self.port = 0
        self.behind = free_port()
        self.answer: Answer | None = None

    @asynccontextmanager
    async def standing(self, certificate: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        """Its address, while the body runs."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        async with aiohttp.ClientSession() as self._session:
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=certificate)
            await site.start()
            self.port = runner.addresses[0][1]
            yield f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self.answer is not None:
            answered: web.StreamResponse = self.answer(request)
            return answered
        url = f"http://127.0.0.1:{self.behind}{request.raw_path}"
        async with self._session.request(request.method, url, allow_redirects=False) as answer:
            return web.Response(status=answer.status, body=await answer.read())


SHUT = {
    "redirect": (redirect, "redirects to https://www.example.edu/: ORCID does not follow"),
    "challenge": (challenge, "wary answers 403 instead of the service"),
    "another site": (welcome, "wary answers 200 instead of the service"),
}


@pytest.mark.fault("F14")
@pytest.mark.parametrize("kind", SHUT)
async def test_a_knock_tells_what_stands_in_the_way(kind: str) -> None:
    door = Door()
    door.answer, said = SHUT[kind]
    async with door.standing() as url:
        found = await probe(url)

    assert not found.open
    assert said in found.explanation


@pytest.mark.fault("F14")
async def test_a_knock_looks_at_the_certificate(tmp_path: Path) -> None:
    async with Door().standing(expired_certificate(tmp_path)) as url:
        found = await probe(url)

    assert not found.open
    assert "the certificate is refused (" in found.explanation


async def test_nobody_is_behind_the_door() -> None:
    found = await probe(f"http://127.0.0.1:{free_port()}")

    assert not found.open
    assert "check that the service runs" in found.explanation


async def test_our_own_refusal_is_an_open_door() -> None:
    async def refusing(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=404)

    async with public_listener(refusing, host="127.0.0.1", port=0, on_error=lambda _status: None) as port:
        assert (await probe(f"http://127.0.0.1:{port}")).open


@pytest.mark.fault("F14", "F99")
@pytest.mark.invariant("S16", "L3")
async def test_what_was_missed_at_a_shut_door_is_found_and_every_webhook_lives_again(
    connection: asyncpg.Connection, dsn: str, monkeypatch: pytest.MonkeyPatch, wait_until: Any
) -> None:
    """Our own record of outages is spotless, so only the reads can tell."""
    monkeypatch.setattr("orcid_sync.service.webhooks.health.EVERY", timedelta(seconds=0.5))
    door = Door()
    async with (
        door.standing() as url,
        following(connection, days=4, number=4, public_url=url, public_port=door.behind) as fleet,
        serving(fleet.settings, dsn),
    ):
        await wait_until(fleet.settled, 30)
        assert (await probe(url)).open
        await fleet.be_old()
        for door.answer in (redirect, challenge, redirect):
            for _ in range(4):
                fleet.edit()
                await fleet.registry.advance(DAY / 4)
        assert set(fleet.dead()) == set(fleet.orcids)
        assert fleet.calls() == 0

        await fleet.check_all()
        await wait_until(fleet.mirrored, 30)
        await wait_until(lambda: nothing_is_suspect(fleet), 30)
        assert (await fleet.hearing()).verdicts[Verdict.MISSED] == len(fleet.orcids)
        assert "ORCID did not announce 100%" in await fleet.said()

        door.answer = None
        fleet.edit()
        await fleet.registry.advance(1_200)
        assert fleet.calls() == len(fleet.orcids)
        await wait_until(fleet.mirrored, 30)


async def nothing_is_suspect(fleet: Fleet) -> bool:
    """Whether every webhook that missed something was made anew."""
    webhooks = (await fleet.hearing()).webhooks
    return webhooks.suspect == webhooks.reviving == 0 and not fleet.dead()
