"""What all replicas share through the database when they ask the Registry: the pace, and our own tokens."""

import asyncio
from datetime import timedelta

import asyncpg
import structlog

from orcid_sync.store import client_tokens, pace
from orcid_sync.store.database import statements
from orcid_sync.store.vault import Vault, VaultError

SUCCESS_EVERY = 1.0
"""Seconds between two reports of success to the database while all is well."""

log = structlog.get_logger(__name__)


class SharedPace:
    """The limit, the brake and the circuit of one ORCID API client, as the Registry client wants them."""

    def __init__(self, pool: asyncpg.Pool, client_id: str, *, rate: float, burst: int) -> None:
        """Send at most `rate` requests per second, `burst` at once after a pause; all replicas together."""
        self._pool = pool
        self._client_id = client_id
        self._rate = rate
        self._burst = burst
        self._troubled = True  # what was before we started is unknown
        self._reported_at = 0.0

    async def slot(self) -> None:
        """Return when a request may be sent."""
        async with statements(self._pool) as connection:
            wait = await pace.reserve(connection, self._client_id, rate=self._rate, burst=self._burst)
        if wait > 0:
            await asyncio.sleep(wait)

    async def pause(self) -> float:
        """Seconds during which nothing should be leased, because the Registry is away."""
        async with statements(self._pool) as connection:
            return await pace.pause(connection, self._client_id)

    async def busy(self, retry_after: float | None) -> None:
        """The Registry asked us to slow down, and perhaps to be silent for so many seconds."""
        self._troubled = True
        async with statements(self._pool) as connection:
            rate = await pace.slow_down(connection, self._client_id, rate=self._rate)
            await pace.fall_silent(connection, self._client_id, seconds=retry_after or 0.0)
        if rate is not None:
            log.warning("slowing down", requests_per_second=round(rate, 2), retry_after=retry_after)

    async def failed(self) -> None:
        """The Registry gave no usable answer; logged once, when it has gone."""
        self._troubled = True
        async with statements(self._pool) as connection:
            opened = await pace.report_failure(connection, self._client_id)
        if opened:
            log.warning("registry away", advice="nothing is lost; work goes on when it answers again")

    async def succeeded(self) -> None:
        """The Registry answered; logged once, when it has come back."""
        now = asyncio.get_running_loop().time()
        if not self._troubled and now - self._reported_at < SUCCESS_EVERY:
            return
        self._troubled, self._reported_at = False, now
        async with statements(self._pool) as connection:
            seconds = await pace.report_success(connection, self._client_id)
        if seconds is not None:
            log.warning("registry back", away_seconds=round(seconds))


class SealedTokens:
    """Our own tokens in the database, sealed, as the Registry client wants them."""

    def __init__(self, pool: asyncpg.Pool, vault: Vault, client_id: str) -> None:
        self._pool = pool
        self._vault = vault
        self._client_id = client_id

    async def load(self, scope: str) -> str | None:
        """The stored token, if there is one that has not expired and opens; another is easily had (fault F91)."""
        async with statements(self._pool) as connection:
            try:
                token = await client_tokens.load(connection, self._vault, client_id=self._client_id, scope=scope)
            except VaultError as error:
                log.warning("our own token is given up", scope=scope, error=str(error))
                return None
        return token.access_token if token else None

    async def save(self, scope: str, token: str, expires_in: int) -> None:
        """Keep the token for so many seconds."""
        lasts = timedelta(seconds=expires_in)
        async with statements(self._pool) as connection:
            await client_tokens.store(
                connection, self._vault, client_id=self._client_id, scope=scope, access_token=token, lasts=lasts
            )
