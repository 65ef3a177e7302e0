"""People who edit their records without a pause while something happens to the service that follows them."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg

from orcid_sync.model.ids import Orcid
from orcid_sync.simulator.registry import SimulatedRegistry


def eager(registry: SimulatedRegistry) -> SimulatedRegistry:
    """Have it notify at once, and repeat what failed soon and for ever; its time must run as ours does."""
    settings = registry.settings
    settings.indexing_delay, settings.indexer_period, settings.hook_period = 0, 0.05, 0.05
    settings.retry_delay, settings.max_attempts = 0.05, 1_000_000
    return registry


class Editors:
    """Each edit adds a keyword. Watches the Registry, too: whether a moment comes at which nothing announces edits."""

    def __init__(self, registry: SimulatedRegistry, orcids: Sequence[Orcid]) -> None:
        self.written: dict[str, set[str]] = {orcid: set() for orcid in orcids}
        self.bare: list[str] = []
        """Whose last webhook was removed."""
        self._registry = registry
        self._numbers = itertools.count(1)
        self._delete = registry.webhooks.delete
        registry.webhooks.delete = self._watched  # type: ignore[method-assign]

    def _watched(self, orcid: str, *arguments: Any) -> None:
        self._delete(orcid, *arguments)
        if not self._registry.webhooks.of(orcid):
            self.bare.append(orcid)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """They edit for as long as the body runs."""
        task = asyncio.create_task(self._edit())
        try:
            yield
            assert not task.done(), "nobody edits any more"
        finally:
            task.cancel()

    async def _edit(self) -> None:
        for number, orcid in zip(self._numbers, itertools.cycle(self.written), strict=False):
            self._registry.edit.add_item(orcid, "keyword", {"content": f"k{number}"})
            self.written[orcid].add(f"k{number}")
            await asyncio.sleep(0.05)  # their pace; nothing waits for it

    async def mirrored(self, connection: asyncpg.Connection) -> bool:
        """Whether everything that they wrote has arrived."""
        rows = await connection.fetch("select orcid, content from orcid.keywords where content ~ '^k[0-9]+$'")
        found: dict[str, set[str]] = {orcid: set() for orcid in self.written}
        for row in rows:
            found[row["orcid"]].add(row["content"])
        return found == self.written


def versions(registry: SimulatedRegistry) -> list[str]:
    """Of the secrets in the addresses of all webhooks that exist at ORCID."""
    return sorted(version_of(hook.uri) for hook in registry.webhooks)


def version_of(uri: str) -> str:
    """Of the secret in an address."""
    return uri.rpartition("/")[2].partition(".")[0]
