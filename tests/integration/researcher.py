"""A simulated researcher with a browser, for tests that need consent over HTTP: pages are read, forms are posted."""

from html.parser import HTMLParser
from urllib.parse import parse_qs, urlsplit

import aiohttp
import yarl


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
