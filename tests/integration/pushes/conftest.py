"""What tests of pushes start: somebody who receives them, and the service that sends them."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from orcid_sync.store.database.pools import Database
from rig.push_receiver import PushBench, Receiver, push_bench, receiving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as opened:
        yield opened


@pytest.fixture
async def bench(database: Database, connection: asyncpg.Connection) -> AsyncIterator[PushBench]:
    async with push_bench(database, connection) as opened:
        yield opened
