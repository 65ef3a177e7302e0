"""A simulated researcher with a browser, for tests that need consent over HTTP: pages are read, forms are posted."""

from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import pytest
import yarl

from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID, CLIENT_SECRET
from rig.simulator import O

BACK = "http://localhost:8080/oauth/callback"


class Page(HTMLParser):
    """The form of a page: its fields as a browser would send them, and where to."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__()
        self.status, self.text = status, text
        self.action, self.fields, self.alert = "", dict[str, str](), False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.alert = self.alert or said.get("role") == "alert"
        if tag == "form":
            self.action = said.get("action") or ""
        if tag == "input" and (said.get("type") != "checkbox" or "checked" in said):
            self.fields[str(said["name"])] = said.get("value") or ""


class Researcher:
    """Opens the Registry's pages and decides. Cookies are kept between calls, as a browser does."""

    def __init__(self, http: aiohttp.ClientSession, orcid: str | None = None) -> None:
        self._http = http
        self.orcid = orcid

    async def open(self, address: str) -> Page | str:
        """The page at the Registry, or the address to which it led on at once."""
        return await self._send("GET", address)

    async def decide(self, address: str, decision: str = "allow", **fields: str) -> Page | str:
        """Open the page, sign in, press a button: where that leads. A field of None is left out."""
        page = await self.open(address)
        if isinstance(page, str) or not page.action:
            return page
        filled = {**page.fields, "decision": decision, **({"orcid": self.orcid} if self.orcid else {}), **fields}
        sent = {name: value for name, value in filled.items() if value is not None}
        return await self._send("POST", str(yarl.URL(address).join(yarl.URL(page.action))), sent)

    async def _send(self, method: str, address: str, form: dict[str, str] | None = None) -> Page | str:
        async with self._http.request(
            method, yarl.URL(address, encoded=True), data=form, allow_redirects=False
        ) as answer:
            if answer.status in (302, 303):
                return answer.headers["Location"]
            return Page(answer.status, await answer.text())


def outcome(location: Page | str) -> dict[str, str]:
    """What the Registry handed back to the client: code and state, or error and its description."""
    assert isinstance(location, str), location.text
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


@pytest.fixture
async def max_(sim: SimulatedRegistry) -> AsyncIterator[Researcher]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Researcher(http, O)


def asking(sim: SimulatedRegistry, **parameters: str | None) -> str:
    given = {"client_id": CLIENT_ID, "response_type": "code", "scope": "/read-limited", "redirect_uri": BACK}
    kept = {name: value for name, value in {**given, **parameters}.items() if value is not None}
    return f"{sim.web_url}/oauth/authorize?{urlencode(kept)}"


class Tokens:
    """The token endpoint as a client uses it."""

    def __init__(self, sim: SimulatedRegistry, http: aiohttp.ClientSession) -> None:
        self._sim, self._http = sim, http

    async def __call__(self, **form: str | None) -> tuple[int, Any]:
        whole = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, **form}
        sent = {name: value for name, value in whole.items() if value is not None}
        async with self._http.post(f"{self._sim.web_url}/oauth/token", data=sent) as answer:
            return answer.status, await answer.json()

    async def by_code(self, code: str, /, **form: str | None) -> tuple[int, Any]:
        return await self(**{"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, **form})

    async def by_refresh(self, text: str, /, **form: str | None) -> tuple[int, Any]:
        return await self(grant_type="refresh_token", refresh_token=text, **form)


@pytest.fixture
def tokens(sim: SimulatedRegistry, http: aiohttp.ClientSession) -> Tokens:
    return Tokens(sim, http)


async def granted(sim: SimulatedRegistry, researcher: Researcher, tokens: Tokens, **parameters: str) -> Any:
    back = outcome(await researcher.decide(asking(sim, prompt="confirm", **parameters)))
    status, answer = await tokens.by_code(back["code"])
    assert status == 200
    return answer
