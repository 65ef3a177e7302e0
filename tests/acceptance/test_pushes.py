"""Pushes over processes that are killed: what a receiver keeps is the feed, from its first position to its last."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from acceptance.harness.observers import connected
from acceptance.harness.replica import Replica, environment, free_port
from orcid_sync.model.ids import Orcid
from orcid_sync.model.pushes.filters import Filter
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.pushes.subscriptions import Wish, add

ORCIDS = [Orcid(numbered_orcid(700_000_000_000 + number)) for number in range(4)]
ROUNDS = 2


class Cris:
    """A receiver that verifies, forgets what it has seen before by its id, and is slow at times."""

    def __init__(self) -> None:
        self.secret = ""
        self.seqs: list[int] = []
        self.ids: set[str] = set()
        self.repeats = 0
        self.delay = 0.0

    async def take(self, request: web.BaseRequest) -> web.Response:
        message = Webhook(self.secret).verify(await request.read(), dict(request.headers))
        if request.headers["webhook-id"] in self.ids:
            self.repeats += 1
        else:
            self.ids.add(request.headers["webhook-id"])
            self.seqs += [change["seq"] for change in message["data"]["changes"]]
        await asyncio.sleep(self.delay)
        return web.Response(status=204)


@asynccontextmanager
async def receiving(cris: Cris) -> AsyncIterator[str]:
    runner = web.ServerRunner(web.Server(cris.take), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest.mark.fault("F02", "F15")
@pytest.mark.invariant("S6")
async def test_over_kills_of_the_sender_everything_comes_in_order(
    dsn: str, tmp_path: Path, wait_until: Callable[..., Any]
) -> None:
    """Two replicas, one of which is killed in the middle of a message, again and again."""
    sim, cris = SimulatedRegistry(speed=1.0), Cris()
    sim.settings.indexing_delay, sim.settings.indexer_period, sim.settings.hook_period = 0, 0.1, 0.1
    for orcid in ORCIDS:
        sim.add_record(orcid, works=1, employments=1, fundings=0)
    async with receiving(cris) as url, connected(dsn) as connection:
        await sim.start(deliver=True)
        cris.secret = await subscribe(connection, url)
        port = free_port()
        settings = {
            "push_timeout_seconds": 1,
            "lease_seconds": 1,
            "push_plain_http": "true",
            "push_networks": "127.0.0.0/8",
            "log_level": "info",
        }
        victim, heir = (
            Replica(
                environment(dsn, sim.url, f"http://127.0.0.1:{port}", public_port=free, **settings),
                tmp_path / f"{name}.log",
            )
            for name, free in (("victim", port), ("heir", free_port()))
        )
        await asyncio.gather(victim.start(), heir.start())
        await asyncio.gather(victim.ready(), heir.ready())
        for orcid in ORCIDS:
            await connection.execute("insert into orcid_sync.connections (orcid) values ($1)", orcid)
            await connection.execute("insert into orcid_sync.queue (orcid) values ($1)", orcid)
        for number in range(ROUNDS):
            cris.delay = 0.3
            before = len(cris.ids)
            for orcid in ORCIDS:
                sim.edit.add_item(orcid, "keyword", {"content": f"round {number}"})
            await wait_until(lambda before=before: len(cris.ids) > before, 15)
            await victim.kill()
            cris.delay = 0.0
            if number < ROUNDS - 1:
                await victim.start()
        await wait_until(lambda: caught_up(connection), 20)
        await asyncio.gather(victim.kill(), heir.kill())
        await sim.stop()

        last = await connection.fetchval("select last from orcid_sync.feed_head")
    assert last > 4 * ROUNDS
    assert cris.seqs == list(range(1, last + 1))


async def subscribe(connection: Any, url: str) -> str:
    """A subscription that may see everything that a reader may; its secret."""
    wish = Wish(url=url, origin=url.rstrip("/"), view="limited", filter=Filter(minor=True))
    secret = await add(connection, Vault({"1": b"k" * 32}), "cris", wish, after=0)
    assert secret is not None
    return secret


async def caught_up(connection: Any) -> bool:
    """Whether the subscription has come to the end of a feed that nobody writes to any more."""
    left = await connection.fetchval(
        "select (select count(*) from orcid_sync.queue where gen > done_gen) +"
        " (select h.last - p.reached from orcid_sync.push_progress as p, orcid_sync.feed_head as h)"
    )
    return bool(left == 0)
