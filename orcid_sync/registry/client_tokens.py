"""Tokens of our own (client_credentials, contract section 2.3): one per scope, fetched once and kept for years.

Each request for a token adds a row at ORCID, so a new one is asked for only when none is stored or when the stored one
was refused. A refusal proves little: an outage of ORCID's token check looks the same (section 2.6). Therefore a new
token that has never worked is not replaced again for an hour.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from orcid_sync.registry.answers import Grant
from orcid_sync.registry.errors import Unavailable

REPLACE_SECONDS: Final = 3600.0
"""Shortest time between two replacements of a token that did not work in between."""


class TokenStore(Protocol):
    """Where tokens survive a restart; the store encrypts them and forgets them when they expire."""

    async def load(self, scope: str) -> str | None:
        """The stored token, if there is one that has not expired."""
        ...

    async def save(self, scope: str, token: str, expires_in: int) -> None:
        """Keep the token for `expires_in` seconds in place of any other of this scope."""
        ...


@dataclass(slots=True)
class _Held:
    """What this process knows about the token of one scope."""

    token: str | None = None
    replaced_at: float | None = None
    """Loop time of the last replacement, if the new token has not worked since."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def is_unproven(self) -> bool:
        """Whether it was replaced within the hour and has not worked since."""
        now = asyncio.get_running_loop().time()
        return self.replaced_at is not None and now < self.replaced_at + REPLACE_SECONDS


class ClientTokens:
    """The tokens of our client; at most one request for one at a time."""

    def __init__(self, store: TokenStore, fetch: Callable[[str], Awaitable[Grant]]) -> None:
        """`fetch` asks the Registry for a token of a scope and raises RegistryError."""
        self._store = store
        self._fetch = fetch
        self._held: defaultdict[str, _Held] = defaultdict(_Held)

    async def get(self, scope: str) -> str:
        """The token of the scope, from memory, the store, or the Registry. Raises RegistryError."""
        held = self._held[scope]
        async with held.lock:
            if held.token is None:
                held.token = await self._store.load(scope) or await self._fetch_into_store(scope)
            return held.token

    async def known(self, scope: str) -> str | None:
        """The token of the scope, if it is in memory or in the store."""
        return self._held[scope].token or await self._store.load(scope)

    def is_unproven(self, token: str) -> bool:
        """Whether it is a new token of ours that has never worked: if it is refused, it is not for its own sake."""
        return any(held.token == token and held.is_unproven() for held in self._held.values())

    def accepted(self, scope: str) -> None:
        """Note that the token works."""
        self._held[scope].replaced_at = None

    async def replace(self, scope: str, refused: str) -> str:
        """Another token than the one refused: one that was replaced meanwhile, here or by a replica, or a new one.

        Raises Unavailable if the one refused is itself a replacement that never worked; RegistryError from the fetch.
        """
        held = self._held[scope]
        async with held.lock:
            known = held.token if held.token != refused else await self._store.load(scope)
            if known is None or known == refused:
                if held.is_unproven():
                    raise Unavailable("the Registry refuses a token that it has just issued")
                known = await self._fetch_into_store(scope)
                held.replaced_at = asyncio.get_running_loop().time()
            held.token = known
            return known

    async def _fetch_into_store(self, scope: str) -> str:
        grant = await self._fetch(scope)
        await self._store.save(scope, grant.access_token, grant.expires_in)
        return grant.access_token
