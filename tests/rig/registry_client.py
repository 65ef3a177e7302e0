"""What a test plugs into the Registry client: a pace, a token store and a metrics sink that keep what they hear."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from orcid_sync.model.sync.registry_health import Sign
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.registry.client import Account, Registry, open_registry
from orcid_sync.registry.http_exchange import Limits

CLIENT_ID, CLIENT_SECRET = "APP-TEST", "client-s3cr3t"


@dataclass
class Journal:
    """A pace that lets everything pass and writes down what it hears; a token store in memory; a metrics sink.

    Asked for a slot or a token it gives way to others for a moment, as a database does.
    """

    pace: list[Any] = field(default_factory=list)
    lanes: list[Lane] = field(default_factory=list)
    abouts: list[str] = field(default_factory=list)
    observed: list[tuple[str, str]] = field(default_factory=list)
    stored: dict[str, str] = field(default_factory=dict)
    expiry: dict[str, int] = field(default_factory=dict)

    async def slot(self, lane: Lane) -> bool:
        self.pace.append("slot")
        self.lanes.append(lane)
        await asyncio.sleep(0)
        return False

    async def heard(self, sign: Sign, about: str, *, silence: float = 0.0, probe: bool = False) -> None:
        assert not probe
        self.abouts.append(about)
        self.pace.append((sign.value, silence) if sign is Sign.LIMITED else sign.value)

    async def used_up(self) -> None:
        self.pace.append("used up")

    async def load(self, scope: str) -> str | None:
        await asyncio.sleep(0)
        return self.stored.get(scope)

    async def save(self, scope: str, token: str, expires_in: int) -> None:
        await asyncio.sleep(0)
        self.stored[scope] = token
        self.expiry[scope] = expires_in

    def observe(self, endpoint: str, status: str, seconds: float) -> None:
        assert 0 <= seconds < 60
        self.observed.append((endpoint, status))


@asynccontextmanager
async def registry_at(
    url: str, journal: Journal, *, client_id: str = CLIENT_ID, client_secret: str = CLIENT_SECRET, **limits: Any
) -> AsyncIterator[Registry]:
    """A Registry client for the server at `url`, with the limits that the test wants."""
    account = Account(api_url=url, web_url=url, client_id=client_id, client_secret=client_secret)
    bounds = Limits(**{"repeat_wait_seconds": 0.0, "total_seconds": 20.0} | limits)
    async with open_registry(account, pace=journal, tokens=journal, observe=journal.observe, limits=bounds) as registry:
        yield registry


def chain(error: BaseException | None) -> str:
    """All that any log could show of an exception and of those behind it."""
    shown = ""
    while error is not None:
        shown += f"{error!r} {error} {error.args} {vars(error)}\n"
        error = error.__cause__ or error.__context__
    return shown
