"""The connect pages in headless Chromium: the whole way by mouse and by keyboard, without scripts, on any screen.

With ORCID_SYNC_SCREENSHOTS=folder, pictures of all pages are left there, to be looked at.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from integration.consent.connect_service import ERIKA, MAX, STRANGER, Asking
from rig.browser import CONTRAST, ENTER, SPACE, TAB, Chromium, open_chromium


@pytest.fixture
async def window(tmp_path: Path) -> AsyncIterator[Chromium]:
    async with open_chromium(tmp_path) as opened:
        yield opened


async def allow(window: Chromium, orcid: str, decision: str = "allow") -> None:
    """Sign in at the simulated Registry, and decide."""
    await window.wait_for("h1", "Authorize access")
    await window.type("#orcid", orcid)
    await window.click(f"button[value={decision}]")


async def test_the_whole_way_by_mouse(asking: Asking, window: Chromium) -> None:
    await window.open(await asking.invite(given_names="Erika", family_names="Mustermann"))
    await window.click("button.orcid")
    await allow(window, ERIKA)
    await window.wait_for("h1", "Your ORCID iD is connected")

    assert await window.url() == f"{asking.url}/connected", "nothing of ORCID's answer is left in the address"
    assert await window.text(".orcid-id") == f"{asking.registry.web_url}/{ERIKA}"
    assert await window.run("return document.referrer") == ""
    await window.click("#freeze")
    await window.click("form button")
    await window.wait_for("h1", "The connection has ended")
    assert [entry for entry in await window.logs() if "favicon" not in entry] == [], "the policy blocks nothing of ours"
    assert await asking.connection.fetchval("select state from orcid_sync.connections") == "disconnecting"


async def test_the_whole_way_by_keyboard(asking: Asking, window: Chromium) -> None:
    await window.open(await asking.invite())
    stops = []
    while "Connect your ORCID iD" not in stops:
        await window.press(TAB)
        stops.append(await window.focused())
    await window.press(ENTER)
    await allow(window, ERIKA)
    await window.wait_for("h1", "Your ORCID iD is connected")
    while await window.focused() != "Keep what was public":
        await window.press(TAB)
    await window.press(SPACE, TAB)
    assert await window.focused() == "Disconnect"
    await window.press(ENTER)
    await window.wait_for("h1", "The connection has ended")

    assert stops[0] == "Skip to the content"


async def test_no_choice_is_made_for_anybody(asking: Asking, window: Chromium) -> None:
    await window.open(await asking.invite())
    await window.click("button.orcid")
    await allow(window, ERIKA)
    await window.wait_for("h1", "connected")

    await window.click("form button")

    assert await window.url() == f"{asking.url}/connected"
    assert await asking.connection.fetchval("select state from orcid_sync.connections") == "connected"


async def test_a_script_in_a_name_is_a_name(asking: Asking, window: Chromium) -> None:
    hostile = "<script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">"
    await window.open(await asking.invite(given_names=hostile))

    assert hostile in await window.text("main")
    assert "pwned" not in await window.run("return document.title")
    assert await window.run("return document.images.length + document.scripts.length") == 0


async def test_the_back_button_brings_no_power_back(asking: Asking, window: Chromium) -> None:
    """Chromium may show the page from its memory for some minutes; what it offers is over."""
    await window.open(await asking.invite())
    await window.click("button.orcid")
    await allow(window, ERIKA)
    await window.wait_for("h1", "connected")
    await window.click("#freeze")
    await window.click("form button")
    await window.wait_for("h1", "The connection has ended")

    await window.ask("POST", "/back")
    if "connected" in await window.text("h1"):
        await window.click("#erase")
        await window.click("form button")

    await window.wait_for("h1", "Please sign in again")
    assert await asking.connection.fetchval("select erased_at from orcid_sync.connections") is None
    await window.open(f"{asking.url}/connected")
    assert ERIKA not in await window.text()


@pytest.mark.parametrize("width", [320, 1280])
async def test_nothing_is_wider_than_the_screen(asking: Asking, window: Chromium, width: int) -> None:
    await window.resize(width, 900)
    for address in (await asking.invite(given_names="W" * 150, lang="de"), f"{asking.url}/oauth/over"):
        await window.open(address)
        assert await window.run("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("dark", [False, True])
async def test_every_word_can_be_read(asking: Asking, window: Chromium, *, dark: bool) -> None:
    """Contrast of at least 4.5 : 1 (WCAG 2.2, 1.4.3)."""
    await window.resize(1280, 900, dark=dark)
    link = await asking.invite(given_names="Erika")
    await window.open(link)
    assert await window.run(CONTRAST) == []
    grounds = await window.run("return getComputedStyle(document.body).backgroundColor")
    assert (grounds == "rgb(18, 22, 20)") == dark
    await window.click("button.orcid")
    await allow(window, ERIKA)
    await window.wait_for("h1", "connected")
    assert await window.run(CONTRAST) == []


@pytest.fixture
def pictures() -> Path:
    """Where pictures are left."""
    if (given := os.environ.get("ORCID_SYNC_SCREENSHOTS")) is None:
        pytest.skip("no ORCID_SYNC_SCREENSHOTS")
    folder = Path(given)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def test_pictures_of_all_pages(asking: Asking, window: Chromium, pictures: Path) -> None:
    """Not an assertion but an invitation to look."""

    async def shoot(name: str) -> None:
        for form, width, dark in (("wide", 1100, False), ("dark", 1100, True), ("narrow", 390, False)):
            await window.resize(width, 700, dark=dark)
            await asyncio.to_thread((pictures / f"{name}-{form}.png").write_bytes, await window.picture())

    link = await asking.invite(given_names="Erika", family_names="Mustermann")
    german = await asking.invite("p2", given_names="Max", family_names="Mustermann", lang="de")
    number = (await asking.invitation())["number"]
    old = asking.link(number, datetime.now(UTC) - timedelta(days=1))
    steps = ("denied", "different", "used", "taken", "incomplete", "refused", "unavailable")
    addresses = {
        "invitation": link,
        "invitation-de": german,
        "expired": old,
        "over": f"{asking.url}/oauth/over",
        "away": f"{asking.url}/oauth/away",
        "incomplete-link": f"{asking.url}/connect/x",
        "session": f"{asking.url}/connected",
        "frozen": f"{asking.url}/disconnected/frozen/en",
        "erased": f"{asking.url}/disconnected/erased/en",
        **{step: f"{link}/{step}" for step in steps},
    }
    for name, address in addresses.items():
        await window.open(address)
        await shoot(name)
    for name, address, orcid in (("connected", link, ERIKA), ("connected-de", german, MAX)):
        await window.open(address)
        await window.ask("DELETE", "/cookie")
        await window.click("button.orcid")
        await allow(window, orcid)
        await window.wait_for(".orcid-id", orcid)
        await shoot(name)
        await window.open(address)
        await shoot(f"returning{name.removeprefix('connected')}")
    assert STRANGER not in await window.text()
