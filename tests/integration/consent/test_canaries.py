"""A grant on the connect pages, from the link to the page of the connection: nothing of its secrets stays anywhere."""

import base64
import io
import os
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec
import pytest
import yarl

from orcid_sync.settings.logs import configure_logging
from orcid_sync.settings.settings import Settings
from orcid_sync.simulator.registry import SimulatedRegistry
from rig.researcher import Researcher, outcome
from rig.service.command_line import Cli
from rig.service.daemon import serving
from rig.service.reconciler import Bench, O
from rig.service.settings import settings_for

ASKING = {
    "institution": "University of Examples",
    "purpose": "To show your works on our pages.",
    "privacy_url": "https://www.example.edu/privacy",
    "contact": "orcid@example.edu",
}


def environment(settings: Settings) -> dict[str, str]:
    """The settings with which a command makes links that this service knows."""
    assert settings.encryption_key is not None
    names = ("environment", "api_url", "web_url", "public_url", "encryption_key_id", *ASKING)
    given = {f"ORCID_SYNC_{name.upper()}": str(getattr(settings, name)) for name in names}
    old = {key_id: key.get_secret_value() for key_id, key in (settings.old_encryption_keys or {}).items()}
    given["ORCID_SYNC_OLD_ENCRYPTION_KEYS"] = msgspec.json.encode(old).decode() if old else ""
    return given | {"ORCID_SYNC_ENCRYPTION_KEY": settings.encryption_key.get_secret_value()}


async def link_for(cli: Cli, settings: Settings) -> str:
    """The link of one invitation."""
    people = "person_id,lang\np-1,en\n"
    result = await cli.apart("invite", "--file", "-", "--json", input=people, env=environment(settings))
    assert result.exit_code == 0, result.output
    return str(msgspec.json.decode(result.stdout.splitlines()[0])["link"])


@pytest.fixture
async def browser() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


class Visit:
    """Everything that a browser was given, with the headers."""

    def __init__(self, browser: aiohttp.ClientSession) -> None:
        self._browser = browser
        self.seen = ""

    async def __call__(self, method: str, address: str, **form: str) -> tuple[int, Any]:
        """Status and headers of an answer; redirects are not followed."""
        url = yarl.URL(address, encoded=True)
        async with self._browser.request(method, url, data=form or None, allow_redirects=False) as answer:
            self.seen += f"{answer.status} {answer.headers}\n{await answer.text()}\n"
            return answer.status, answer.headers


@pytest.mark.fault("F74", "F86")
@pytest.mark.invariant("S12")
async def test_a_code_and_its_token_stay_between_orcid_and_us(
    bench: Bench,
    cli: Cli,
    registry: SimulatedRegistry,
    browser: aiohttp.ClientSession,
    logged: io.StringIO,
) -> None:
    """ORCID hands the code over in an address; the answer leads away from it, is not kept, and nothing logs it."""
    settings = settings_for(registry, **ASKING)
    visit, link = Visit(browser), await link_for(cli, settings)
    configure_logging("debug", "json", stream=logged)  # the command has set up its own
    async with serving(settings, bench.database.dsn):
        await visit("GET", link)
        status, headers = await visit("POST", link, way="sign-in")
        assert status == 303
        back = await Researcher(browser, O).decide(headers["Location"])
        code = outcome(back)["code"]

        status, headers = await visit("GET", str(back))

        assert status == 303
        assert not urlsplit(headers["Location"]).query
        assert headers["Referrer-Policy"] == "no-referrer"
        assert "no-store" in headers["Cache-Control"]
        landed = str(yarl.URL(str(back)).join(yarl.URL(headers["Location"])))
        assert (await visit("GET", landed))[0] == 200

    assert await bench.access_state(O) == "granted"
    [token] = [token for token in registry.token_service.tokens.values() if token.orcid == O]
    state = outcome(back)["state"]
    after = visit.seen.partition("/oauth/authorize")[2].partition("\n")[2]  # the way there names the state
    assert "granted" in logged.getvalue()
    said = {"pages": after, "log": logged.getvalue()}
    secrets = {"code": code, "state": state, "token": token.text, "refresh token": token.refresh}
    found = [(kind, where) for kind, secret in secrets.items() for where, text in said.items() if secret in text]
    assert found == []


@pytest.mark.fault("F91")
async def test_a_link_outlives_the_key_that_signed_it_until_that_is_dropped(
    bench: Bench, cli: Cli, registry: SimulatedRegistry, browser: aiohttp.ClientSession
) -> None:
    before = settings_for(registry, **ASKING)
    link = await link_for(cli, before)
    path = urlsplit(link).path
    ring = {"encryption_key": base64.b64encode(os.urandom(32)).decode(), "encryption_key_id": "2"}
    visit = Visit(browser)
    for old, known in (({"1": before.encryption_key}, True), (None, False)):
        settings = settings_for(registry, **ASKING, **ring, old_encryption_keys=old)
        async with serving(settings, bench.database.dsn):
            visit.seen = ""
            await visit("GET", f"{settings.public_url}{path}")
            assert (ASKING["purpose"] in visit.seen) is known
