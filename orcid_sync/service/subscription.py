"""Seeing that ORCID's webhook for an iD exists, or does not (contract sections 1.3, 1.4).

The record is written before ORCID is told, so that a crash in between leaves a webhook that we know of (S16, F100).
"""

from collections.abc import Callable

import asyncpg
import structlog

from orcid_sync.model.ids import Orcid
from orcid_sync.registry.client import Registry
from orcid_sync.registry.errors import BadRequest, Forbidden, NotFound
from orcid_sync.store import webhooks
from orcid_sync.store.database import statements

Callback = Callable[[Orcid], str]
"""Gives the address at which ORCID announces changes of an iD."""

log = structlog.get_logger(__name__)


class Subscription:
    """Registers and removes webhooks made with the present version of the secret."""

    def __init__(self, pool: asyncpg.Pool, registry: Registry, callback: Callback, *, key_version: int) -> None:
        self._pool = pool
        self._registry = registry
        self._callback = callback
        self._key_version = key_version

    async def ensure(self, orcid: Orcid) -> None:
        """Register the webhook unless it is; must come before the read (contract section 1.8).

        A refusal does not stop the mirror: the record is then found changed by its regular checks. Raises RegistryError
        if the Registry is away.
        """
        if await self._recorded(orcid, "active"):
            return
        async with statements(self._pool) as connection:
            await webhooks.begin_registration(connection, orcid, self._key_version)
        try:
            await self._registry.register_webhook(orcid, self._callback(orcid))
        except (Forbidden, BadRequest, NotFound) as error:
            log.warning("webhook refused", orcid=orcid, reason=str(error))
            return
        async with statements(self._pool) as connection:
            await webhooks.confirm_registration(connection, orcid, self._key_version)

    async def remove(self, orcid: Orcid, *, even_if_unknown: bool) -> None:
        """Remove the webhook if there may be one. Raises RegistryError if ORCID did not confirm it."""
        if not even_if_unknown and not await self._recorded(orcid, "registering", "active", "removing"):
            return
        async with statements(self._pool) as connection:
            await webhooks.begin_removal(connection, orcid, self._key_version)
        try:
            await self._registry.unregister_webhook(orcid, self._callback(orcid))
        except NotFound:
            log.info("webhook of an unknown iD", orcid=orcid)  # there is nothing that could call us
        async with statements(self._pool) as connection:
            await webhooks.confirm_removal(connection, orcid, self._key_version)

    async def _recorded(self, orcid: Orcid, *states: str) -> bool:
        async with statements(self._pool) as connection:
            known = await webhooks.load(connection, orcid)
        return any(hook.key_version == self._key_version and hook.state in states for hook in known)
