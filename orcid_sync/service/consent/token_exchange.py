"""From an authorization code to a connected iD, completely or not at all (invariant S18).

The code is sent once (fault F70), the iD is taken from ORCID's answer alone (F71), and everything that follows is one
transaction: the person, the connection, the sealed token and the entry in the consent ledger. A token that nobody asked
for is kept only to be revoked.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import msgspec
import structlog

from orcid_sync.model.consent.invitation import Outcome, judge, recognise
from orcid_sync.model.ids import Orcid
from orcid_sync.registry.answers import HolderGrant
from orcid_sync.registry.client import Registry
from orcid_sync.registry.errors import CodeRefused, RegistryError
from orcid_sync.store.consent import connections, consent_ledger, invitations
from orcid_sync.store.consent.connections import Entry
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.database.pools import AnyConnection, DatabaseRefused, DatabaseUnavailable, transaction
from orcid_sync.store.sync import queue

EXCHANGE_SECONDS: Final = 25.0
"""How long a person waits for ORCID's answer; browsers and proxies wait longer."""

LEARNT: Final = "connect-page"
"""How we learnt of it, for the consent ledger."""

_ACCESS_TOKEN: Final = "access_token"  # noqa: S105 - the column

log = structlog.get_logger(__name__)


class Ending(msgspec.Struct, frozen=True):
    """How a way to ORCID and back ended."""

    outcome: Outcome
    orcid: Orcid | None = None
    """Who may see the page of the connection: whose iD is connected now, or was before they ended it."""


Settle = Callable[[AnyConnection, int, HolderGrant], Awaitable[Outcome]]
"""What is done with a grant for an invitation, in a transaction."""


class TokenExchange:
    """Turns codes into connections."""

    def __init__(self, pool: asyncpg.Pool, registry: Registry, vault: Vault, *, now: Callable[[], datetime]) -> None:
        self._pool = pool
        self._registry = registry
        self._vault = vault
        self._now = now

    async def accept(self, number: int, code: str, redirect_uri: str) -> Ending:
        """Exchange the code, and connect the iD of whoever said yes, if it is the person of this invitation."""
        return await self._exchange(number, code, redirect_uri, self._settle)

    async def recognise(self, number: int, code: str, redirect_uri: str) -> Ending:
        """Exchange the code only to learn whether it is the one who ended the connection; nothing is connected."""
        return await self._exchange(number, code, redirect_uri, self._look)

    async def _exchange(self, number: int, code: str, redirect_uri: str, settle: Settle) -> Ending:
        try:
            async with asyncio.timeout(EXCHANGE_SECONDS):
                granted = await self._registry.exchange_code(code, redirect_uri)
        except CodeRefused as error:
            return await self._end(number, Outcome.REFUSED, error)
        except (RegistryError, TimeoutError, DatabaseUnavailable) as error:
            return await self._end(number, Outcome.UNAVAILABLE, error)
        try:
            async with transaction(self._pool) as connection:
                outcome = await settle(connection, number, granted)
        except (DatabaseUnavailable, DatabaseRefused) as error:
            # Of the token nothing is left with us; whoever starts again gets another one.
            return await self._end(number, Outcome.UNAVAILABLE, error)
        log.info("consent", outcome=outcome, invitation=number, orcid=granted.orcid)
        return Ending(outcome, granted.orcid if outcome in {Outcome.GRANTED, Outcome.RECOGNISED} else None)

    async def decline(self, number: int) -> Ending:
        """The person said no at ORCID. Raises DatabaseUnavailable."""
        async with transaction(self._pool) as connection:
            await invitations.note(connection, number, Outcome.DENIED)
            facts = {"invitation": number}
            await consent_ledger.record(connection, "denied", orcid=None, by="holder", learnt=LEARNT, facts=facts)
        log.info("consent", outcome=Outcome.DENIED, invitation=number)
        return Ending(Outcome.DENIED)

    async def refuse(self, number: int, word: str) -> Ending:
        """ORCID sent the browser back without a code; `word` says why, in one of the words of OAuth."""
        return await self._end(number, Outcome.REFUSED, None, word=word)

    async def _settle(self, connection: AnyConnection, number: int, granted: HolderGrant) -> Outcome:
        orcid = granted.orcid
        standing = await invitations.examine(connection, number, orcid)
        outcome = judge(orcid, granted.scopes, standing) if standing else Outcome.REFUSED
        sealed = self._vault.seal(granted.access_token, orcid=orcid, column=_ACCESS_TOKEN)
        if standing is None or outcome is not Outcome.GRANTED:
            await invitations.note(connection, number, outcome)
            await connections.retire_unwanted(connection, orcid, sealed)
        else:
            await invitations.bind(connection, number, orcid, name=granted.name)
            await connections.connect_orcids(connection, [self._entry(granted, sealed)], learnt=LEARNT)
        await queue.wake(connection)
        return outcome

    async def _look(self, connection: AnyConnection, number: int, granted: HolderGrant) -> Outcome:
        """The token is only there to be revoked; its queue row is locked before the invitation's, as everywhere."""
        sealed = self._vault.seal(granted.access_token, orcid=granted.orcid, column=_ACCESS_TOKEN)
        await connections.retire_unwanted(connection, granted.orcid, sealed)
        invitation = await invitations.load(connection, number)
        outcome = recognise(granted.orcid, invitation.granted_orcid if invitation else None)
        if outcome is not Outcome.RECOGNISED:
            await invitations.note(connection, number, outcome)
        await queue.wake(connection)
        return outcome

    def _entry(self, granted: HolderGrant, sealed: str) -> Entry:
        refresh, life = granted.refresh_token, granted.expires_in
        return Entry(
            orcid=granted.orcid,
            access_token=sealed,
            refresh_token=refresh and self._vault.seal(refresh, orcid=granted.orcid, column="refresh_token"),
            scopes=granted.scopes,
            expires_at=None if life is None else self._now() + timedelta(seconds=life),
        )

    async def _end(self, number: int, outcome: Outcome, error: Exception | None, *, word: str | None = None) -> Ending:
        """Note how it ended, if the database can be reached; the person is told in any case."""
        reason = word or getattr(error, "kind", type(error).__name__)
        log.warning("consent", outcome=outcome, invitation=number, reason=reason, detail=error and str(error))
        try:
            async with transaction(self._pool) as connection:
                await invitations.note(connection, number, outcome)
        except (DatabaseUnavailable, DatabaseRefused):
            pass
        return Ending(outcome)
