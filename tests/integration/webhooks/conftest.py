"""What the tests of webhooks can ask for: a running intake."""

from collections.abc import AsyncIterator

import pytest

from orcid_sync.store.database.pools import Database
from rig.service.intake import Rig, running_intake


@pytest.fixture
async def rig(database: Database) -> AsyncIterator[Rig]:
    async with running_intake(database) as running:
        yield running
