"""Headless Chromium, driven over HTTP by its own driver (W3C WebDriver): what people see, press and type."""

import asyncio
import base64
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The name under which WebDriver hands out elements (W3C WebDriver, section 12)."""

TAB, ENTER, SPACE = "\ue004", "\ue007", " "

CONTRAST = """
const linear = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
const light = rgb => { const [r, g, b] = rgb.map(v => linear(v / 255));
  return .2126 * r + .7152 * g + .0722 * b };
const colour = text => text.match(/[0-9.]+/g).map(Number);
const ground = e => { for (; e; e = e.parentElement) { const c = colour(getComputedStyle(e).backgroundColor);
  if (c.length === 3 || c[3] > 0) return c.slice(0, 3) } return [255, 255, 255] };
const poor = [];
for (const e of document.querySelectorAll('body *')) {
  if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) || e.closest('style')) continue;
  const [a, b] = [light(colour(getComputedStyle(e).color).slice(0, 3)), light(ground(e))].sort((x, y) => y - x);
  const ratio = (a + .05) / (b + .05);
  if (ratio < 4.5) poor.push([e.tagName, e.innerText, ratio.toFixed(2)]);
}
return poor;
"""
"""Lists the texts of a page whose contrast is below 4.5 : 1 (WCAG 2.2, 1.4.3)."""


class Chromium:
    """One window."""

    def __init__(self, http: aiohttp.ClientSession, session: str) -> None:
        self._http = http
        self._session = session

    async def ask(self, method: str, path: str, **body: Any) -> Any:
        """One command of WebDriver; its value."""
        sent = {"json": body} if method == "POST" else {}
        async with self._http.request(method, f"{self._session}{path}", **sent) as answer:
            value = (await answer.json())["value"]
        assert answer.status == 200, value
        return value

    async def open(self, address: str) -> None:
        await self.ask("POST", "/url", url=address)

    async def url(self) -> str:
        return str(await self.ask("GET", "/url"))

    async def run(self, script: str, *arguments: Any) -> Any:
        """Evaluate a script of the test's own; the pages themselves have none and allow none."""
        return await self.ask("POST", "/execute/sync", script=script, args=list(arguments))

    async def text(self, css: str = "body") -> str:
        return str(await self.run("return document.querySelector(arguments[0])?.innerText ?? ''", css))

    async def click(self, css: str) -> None:
        await self.ask("POST", f"/element/{await self._find(css)}/click")

    async def type(self, css: str, text: str) -> None:
        element = await self._find(css)
        await self.ask("POST", f"/element/{element}/clear")
        await self.ask("POST", f"/element/{element}/value", text=text)

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, wherever the focus is."""
        strokes = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        await self.ask("POST", "/actions", actions=[{"type": "key", "id": "keyboard", "actions": strokes}])

    async def focused(self) -> str:
        """What has the focus, in words."""
        script = (
            "const a = document.activeElement; return (a.innerText || a.labels?.[0]?.innerText || a.tagName).trim()"
        )
        return str(await self.run(script))

    async def wait_for(self, css: str, text: str) -> None:
        """Wait until the page shows the text there."""
        async with asyncio.timeout(10):
            while text not in await self.text(css):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    async def resize(self, width: int, height: int, *, dark: bool = False) -> None:
        """The width of the page itself, and what the system prefers."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        await self._devtools("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self._devtools("Emulation.setEmulatedMedia", features=[scheme])

    async def picture(self) -> bytes:
        """The whole page as PNG."""
        shot = await self._devtools("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    async def logs(self) -> list[str]:
        """What the console complained of: blocked styles, scripts, refused forms."""
        return [entry["message"] for entry in await self.ask("POST", "/se/log", type="browser")]

    async def _devtools(self, command: str, **parameters: Any) -> Any:
        return await self.ask("POST", "/goog/cdp/execute", cmd=command, params=parameters)

    async def _find(self, css: str) -> str:
        return str((await self.ask("POST", "/element", using="css selector", value=css))[ELEMENT])


@asynccontextmanager
async def open_chromium(folder: Path, *languages: str) -> AsyncIterator[Chromium]:
    """A browser with a profile of its own in the folder. Skips the test where there is none."""
    driver, browser = shutil.which("chromedriver"), shutil.which("chromium") or shutil.which("google-chrome")
    if driver is None or browser is None:
        pytest.skip("no chromium with chromedriver here")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    log = (folder / "chromedriver.log").open("wb")
    process = await asyncio.create_subprocess_exec(driver, f"--port={port}", stdout=log, stderr=log)
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", timeout=timeout) as http:
        try:
            session = await _begin(http, browser, folder, languages)
            yield Chromium(http, session)
            async with http.delete(session):
                pass
        finally:
            process.terminate()
            await process.wait()
            log.close()


async def _begin(http: aiohttp.ClientSession, browser: str, folder: Path, languages: tuple[str, ...]) -> str:
    arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        f"--user-data-dir={folder / 'profile'}",
    ]
    preferences = {"intl.accept_languages": ",".join(languages or ("en",))}
    options = {"binary": browser, "args": arguments, "prefs": preferences}
    wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
    async with asyncio.timeout(30):
        while True:  # until the driver listens
            try:
                async with http.post("/session", json={"capabilities": {"alwaysMatch": wanted}}) as answer:
                    value = (await answer.json())["value"]
                break
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.05)
    assert "sessionId" in value, value
    return f"/session/{value['sessionId']}"
