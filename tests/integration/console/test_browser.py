"""The status pages in headless Chromium: by keyboard, with and without scripts, on any screen, in the dark.

With ORCID_SYNC_SCREENSHOTS=folder, pictures of all pages are left there, to be looked at; with ORCID_SYNC_AXE and the
path of axe.min.js, each is held against the rules of axe-core.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from integration.console.status_pages import status_pages
from orcid_sync.model.ids import Orcid
from orcid_sync.service.rendering import answer_cache
from orcid_sync.store.consent import connections
from orcid_sync.store.consent.connections import Entry
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.database.pools import Database
from orcid_sync.store.pushes import subscriptions
from orcid_sync.store.pushes.subscriptions import Wish
from rig.browser import CONTRAST, ENTER, TAB, Chromium, open_chromium
from rig.records.mirror import apply_record
from rig.records.sample_record import ORCID, encode, full_forms, rich_record

SIZES = {"wide": (1280, False), "dark": (1280, True), "narrow": (360, False)}
"""Width, and whether it is dark."""

TOO_WIDE = "return document.documentElement.scrollWidth - innerWidth"
AXE = """const done = arguments[arguments.length - 1];
const told = one => [one.id, one.nodes.map(node => node.html).slice(0, 3)];
axe.run(document).then(found => done(found.violations.map(told)));"""


@dataclass
class Scene:
    """A window before the pages of a mirror in which every kind of thing has happened."""

    window: Chromium
    url: str
    connection: asyncpg.Connection
    paths: dict[str, str]

    async def open(self, path: str) -> None:
        await self.window.open(self.url + path)


@pytest.fixture
async def scene(
    tmp_path: Path, database: Database, connection: asyncpg.Connection, sample_orcids: Callable[[int], list[Orcid]]
) -> AsyncIterator[Scene]:
    await apply_record(database.worker, encode(rich_record()), full_forms(), access="read-limited")
    others = [orcid for orcid in sample_orcids(20) if orcid != ORCID]
    await connections.connect_orcids(connection, [Entry(orcid=orcid) for orcid in (Orcid(ORCID), *others)])
    await connection.execute(
        """update orcid_sync.queue
              set verified_at = now() - random() * interval '9 days', due_at = now() + interval '1 hour',
                  attempts = case when orcid > '0009-9990-0000-0120' then 2 else 0 end, last_error = 'unavailable'"""
    )
    await connection.execute(
        """insert into orcid_sync.doubts (orcid, kind, section, key, reason, since)
           select $1, 'removal', 'work', number::text, '', now() from generate_series(1, 7) as number
            union all
           values ($1, 'section', 'funding', '', 'ORCID''s last answer did not speak of it', now() - interval '1 day'),
                  ($1, 'item', 'work', 'ab', 'its put-code is not a whole number below 2^63', now()),
                  ($1, 'full-form', 'work', '77', 'ORCID answered 500 (9008)', now() - interval '2 hours')""",
        ORCID,
    )
    await connection.execute(
        """insert into orcid_sync.intake_hours (process, alive_from, alive_until, notifications)
           select 'x', now() - n * interval '1 hour', now() - n * interval '1 hour', n
             from generate_series(0, 40) as n"""
    )
    await connection.execute("insert into orcid_sync.runs (job, error) values ('checks', 'DatabaseUnavailable')")
    wish = Wish(url=f"https://cris.example.org/{'x' * 60}", origin="https://cris.example.org", view="limited")
    await subscriptions.add(connection, Vault({"1": bytes(32)}), "cris-of-the-university", wish, after=0)
    await connection.execute("update orcid_sync.push_progress set paused = 'gone', attempts = 3, last_error = 'gone'")
    paths = {
        "overview": "/",
        "connections": "/connections",
        "record": f"/records/{ORCID}",
        "section": f"/records/{ORCID}?section=work",
        "timeline": f"/records/{ORCID}/timeline",
        "compare": f"/records/{ORCID}/compare?from=1h&minor=1",
        "webhooks": "/webhooks",
        "subscriptions": "/subscriptions",
        "runs": "/runs",
        "job": "/runs/checks",
        "sign-in": "/sign-in",
        "problem": "/nothing",
    }
    async with status_pages(database) as pages, open_chromium(tmp_path) as window:
        yield Scene(window, pages.url, connection, paths)


async def test_every_page_fits_every_screen_and_can_be_read(scene: Scene) -> None:
    """Nothing is wider than the screen; contrast of at least 4.5 : 1 (WCAG 2.2, 1.4.3); the policy blocks nothing."""
    for width, dark in SIZES.values():
        await scene.window.resize(width, 900, dark=dark)
        for name, path in scene.paths.items():
            await scene.open(path)
            assert await scene.window.run(TOO_WIDE) <= 0, (name, width)
            assert await scene.window.run(CONTRAST) == [], (name, width, dark)
    grounds = await scene.window.run("return getComputedStyle(document.body).backgroundColor")
    assert grounds == "rgb(244, 245, 242)"
    assert [entry for entry in await scene.window.logs() if "404" not in entry] == []


async def test_a_board_keeps_itself_up_to_date_until_it_is_paused(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_cache, "SHARE", 0)  # however slow this machine is
    await scene.open("/")
    await scene.window.wait_for("#live-state", "Live")
    await scene.window.run("document.querySelector('#notifications-table').open = true; window.kept = 1")

    await scene.connection.execute("update orcid_sync.queue set last_error = 'malformed' where attempts > 0")
    await scene.window.wait_for(".attention", "malformed")
    assert await scene.window.run("return window.kept") == 1, "the page was not read again"
    assert await scene.window.run("return document.querySelector('#notifications-table').open")

    await scene.window.click("#live-pause")
    assert await scene.window.text("#live-state") == "Paused"
    assert await scene.window.text("#live-pause") == "Go on"


async def test_the_whole_way_by_keyboard(scene: Scene) -> None:
    """From the skip link to the search, to a person, to the button that has the record read."""
    await scene.open("/")
    await scene.window.press(TAB)
    assert await scene.window.focused() == "Skip to the content"
    while await scene.window.focused() != "Find an iD or a name":
        await scene.window.press(TAB)
    await scene.window.press(*ORCID, ENTER)
    await scene.window.wait_for(".tabs", "Time line")
    while await scene.window.focused() != "Read now":
        await scene.window.press(TAB)
    await scene.window.press(ENTER)
    await scene.window.wait_for(".done", "A read of this record is requested")

    row = await scene.connection.fetchrow(
        "select lane, due_at <= now() as due from orcid_sync.queue where orcid = $1", ORCID
    )
    assert (row["lane"], row["due"]) == (1, True)


async def test_everything_works_without_scripts(scene: Scene, wait_until: Callable[..., Any]) -> None:
    await scene.window.ask(
        "POST", "/goog/cdp/execute", cmd="Emulation.setScriptExecutionDisabled", params={"value": True}
    )
    await scene.open(f"/records/{ORCID}")
    await scene.window.click(f"form[action='/records/{ORCID}/discard'] button")

    async def led() -> bool:
        return (await scene.window.url()).endswith(f"/records/{ORCID}?done=discard")

    await wait_until(led)
    held = await scene.connection.fetchval(
        "select count(*) from orcid_sync.doubts where orcid = $1 and kind = 'removal'", ORCID
    )
    assert held == 0


def given(name: str) -> Path:
    """What the environment says."""
    if (value := os.environ.get(name)) is None:
        pytest.skip(f"no {name}")
    return Path(value)


async def test_axe_finds_nothing(scene: Scene) -> None:
    axe = given("ORCID_SYNC_AXE").read_text("utf-8")
    found: dict[str, Any] = {}
    for size, (width, dark) in SIZES.items():
        await scene.window.resize(width, 900, dark=dark)
        for name, path in scene.paths.items():
            await scene.open(path)
            await scene.window.run(axe)
            if violations := await scene.window.ask("POST", "/execute/async", script=AXE, args=[]):
                found[f"{name} {size}"] = violations
    assert found == {}


async def test_pictures_of_all_status_pages(scene: Scene) -> None:
    """Not an assertion but an invitation to look."""
    pictures = given("ORCID_SYNC_SCREENSHOTS")
    pictures.mkdir(parents=True, exist_ok=True)
    for size, (width, dark) in SIZES.items():
        await scene.window.resize(width, 900, dark=dark)
        for name, path in scene.paths.items():
            await scene.open(path)
            await asyncio.to_thread((pictures / f"status-{name}-{size}.png").write_bytes, await scene.window.picture())
