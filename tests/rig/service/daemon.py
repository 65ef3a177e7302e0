"""The worker alone, or the whole service, in this process beside a simulated Registry."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp

from orcid_sync.daemon.serve import Part, serve
from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.lane_shares import Admission
from orcid_sync.registry.callbacks import callback_url
from orcid_sync.service.runtime.health import Heartbeats
from orcid_sync.service.sync.worker import Worker
from orcid_sync.settings.settings import Settings
from rig.service.reconciler import Bench


@dataclass
class Service:
    """A service that runs."""

    settings: Settings
    session: aiohttp.ClientSession
    stop: asyncio.Event
    task: asyncio.Task[None]

    async def get(self, path: str) -> tuple[int, str]:
        """What the internal listener answers; 0 if there is none."""
        try:
            async with self.session.get(f"http://127.0.0.1:{self.settings.internal_port}{path}") as answer:
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError):
            return 0, ""

    async def post(self, orcid: Orcid) -> int:
        """What the public listener answers to a notification; 0 if there is none."""
        try:
            async with self.session.post(callback_of(self.settings, orcid)) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 0

    async def ready(self) -> bool:
        return (await self.get("/readyz"))[0] == 200


def callback_of(settings: Settings, orcid: Orcid) -> str:
    """The address at which this installation hears of an iD."""
    assert settings.public_url is not None
    assert settings.webhook_secret is not None
    return callback_url(
        settings.public_url,
        secret=settings.webhook_secret.get_secret_value().encode(),
        key_version=settings.webhook_key_version,
        environment=settings.environment,
        orcid=orcid,
    )


@asynccontextmanager
async def serving(settings: Settings, dsn: str, *, only: Part | None = None) -> AsyncIterator[Service]:
    """The service from its readiness to its orderly end. Raises what `serve` raises."""
    stop = asyncio.Event()
    task = asyncio.create_task(serve(settings, dsn, only=only, stop=stop))
    token = settings.internal_token
    headers = {"Authorization": f"Bearer {token.get_secret_value()}"} if token else {}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=3), headers=headers) as session:
        service = Service(settings, session, stop, task)
        try:
            async with asyncio.timeout(20):
                while not task.done() and not await service.ready():
                    await asyncio.wait([task], timeout=0.02)
            if not task.done():
                yield service
        finally:
            stop.set()
            await asyncio.wait_for(task, 30)


async def all_admitted() -> Admission:
    return Admission()


@asynccontextmanager
async def working(
    bench: Bench,
    *,
    lease: float = 60,
    poll: float = 0.2,
    capacity: int = 4,
    reconcile: Any = None,
    admission: Any = all_admitted,
) -> AsyncIterator[Worker]:
    """A worker that runs, as the daemon has it."""
    worker = Worker(
        bench.database,
        reconcile or bench.reconciler.reconcile,
        admission,
        capacity=capacity,
        lease=timedelta(seconds=lease),
        poll_seconds=poll,
        heartbeats=Heartbeats(asyncio.get_running_loop().time),
    )
    running = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        await worker.stop(5)
        await running


async def settled(bench: Bench) -> bool:
    """Whether nothing is left to do."""
    left = await bench.connection.fetchval("select count(*) from orcid_sync.queue where gen > done_gen")
    return left == 0
