"""What every test can ask for: a migrated PostgreSQL database of its own, the corpus, a wait for a condition."""

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from orcid_sync.model.ids import Orcid, check_character, hyphenated

# What helpers assert is told in full, as in tests: before any of them is imported.
pytest.register_assert_rewrite("rig", "unit", "integration", "acceptance")
from rig.postgres import (  # noqa: E402, F401 - fixtures
    behind_its_back,
    connection,
    database,
    dsn,
    empty_dsn,
    new_database,
    server,
    template,
)
from rig.proxy import proxy  # noqa: E402, F401 - a fixture
from rig.secrecy import pytest_configure, pytest_runtest_makereport  # noqa: E402, F401 - hooks
from rig.simulator import registry  # noqa: E402, F401 - a fixture

# A busy machine is no fault: an example may take as long as it takes.
settings.register_profile("without deadline", deadline=None)
settings.load_profile("without deadline")


@pytest.fixture(scope="session")
def sample_orcids() -> Callable[[int], list[Orcid]]:
    """`sample_orcids(n)`: n iDs with right check digits, always the same, sorted, that belong to nobody."""

    def sample(number: int) -> list[Orcid]:
        bases = [f"0009999{i:08d}" for i in range(number)]
        return [Orcid(hyphenated(base + check_character(base))) for base in bases]

    return sample


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Folder of real records: ORCID_SYNC_CORPUS, or the one beside the repository; without it the test is skipped."""
    beside = Path(__file__).parents[2] / "shared" / "corpus" / "dev"
    folder = Path(os.environ.get("ORCID_SYNC_CORPUS", beside))
    if not folder.is_dir():
        pytest.skip("no corpus: set ORCID_SYNC_CORPUS to its folder")
    return folder


@pytest.fixture
def wait_until() -> Callable[..., Awaitable[Any]]:
    """`await wait_until(condition, limit)`: ask until the answer (or what it resolves to) is true, and return it.

    The one place where tests sleep. Fails after `limit` seconds.
    """

    async def wait(condition: Callable[[], Any], limit: float = 5.0) -> Any:
        end = time.monotonic() + limit
        while True:
            answer = condition()
            answer = await answer if inspect.isawaitable(answer) else answer
            if answer:
                return answer
            if time.monotonic() > end:
                pytest.fail(f"not within {limit} s: {inspect.getsource(condition).strip()}", pytrace=False)
            await asyncio.sleep(0.01)

    return wait
