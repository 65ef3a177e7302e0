"""Receiving NOTIFY on a connection of one's own. Only a shortcut: a process that misses one polls (fault F82)."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import asyncpg

from orcid_sync.store.database.pools import Database, DatabaseRefused, DatabaseUnavailable, guarded

PAUSE_SECONDS = 0.01
"""Any role of the database may NOTIFY, as often as it likes. What is heard within this time is passed on once."""

AGAIN_SECONDS = 30.0
"""How soon a connection that hears NOTIFY is tried again; without one, the poll serves."""


class ChannelListener:
    """Listens to one channel."""

    def __init__(
        self, database: Database, channel: str, heard: Callable[..., None], *, pause: float = PAUSE_SECONDS
    ) -> None:
        """Call `heard` for notifications, at once, but only for the last one of those within `pause` seconds."""
        self._database = database
        self._channel = channel
        self._heard = heard
        self._connection: asyncpg.Connection | None = None
        self._not_before = 0.0
        self._pause = pause
        self._quiet_until = 0.0
        self._told: tuple[object, ...] = ()
        self._later: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Have a connection that hears, if one is to be had; behind PgBouncer there may be none. To be repeated."""
        now = asyncio.get_running_loop().time()
        if (self._connection is not None and not self._connection.is_closed()) or now < self._not_before:
            return
        self._not_before = now + AGAIN_SECONDS
        with suppress(DatabaseUnavailable, DatabaseRefused):
            self._connection = await self._database.connect_listener()
            async with guarded(self._connection):
                await self._connection.add_listener(self._channel, self._hear)

    def close(self) -> None:
        """Hear nothing more."""
        if self._later is not None:
            self._later.cancel()
        if self._connection is not None:
            self._connection.terminate()

    def _hear(self, *told: object) -> None:
        self._told = told
        if self._later is not None:
            return
        loop = asyncio.get_running_loop()
        if loop.time() >= self._quiet_until:
            self._pass_on()
        else:
            self._later = loop.call_at(self._quiet_until, self._pass_on)

    def _pass_on(self) -> None:
        self._later = None
        self._quiet_until = asyncio.get_running_loop().time() + self._pause
        self._heard(*self._told)
