"""The loop that pushes: a few dozen subscriptions at a time, woken by the feed or by the clock.

A receiver that is down costs the others nothing: those that fail, or were never heard of, share a part of the places;
their tries are spaced over days; and while a whole endpoint is down, one message at a time tries it.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

import structlog

from orcid_sync.service.pushes.delivery import Delivery
from orcid_sync.service.pushes.signed_messages import Message
from orcid_sync.service.runtime.health import Heartbeats
from orcid_sync.service.runtime.listen import ChannelListener
from orcid_sync.store.database.pools import Database, DatabaseRefused, DatabaseUnavailable
from orcid_sync.store.feed.changes import CHANNEL
from orcid_sync.store.pushes.outbox import PushLease, PushLost

DOUBTFUL_SHARE = 4
"""One place in so many is for subscriptions that fail, or were never heard of."""

RETRY_SECONDS = 1.0
"""How soon a database that was away is asked again."""

SHORTEST_NAP = 0.01

LOT_SECONDS = 0.05
"""While most places are taken, freed ones wait so long for others: a lease looks at all subscriptions, so that places
are better filled by the lot."""

log = structlog.get_logger(__name__)


class PushLoop:
    """Sends what is to be sent until it is stopped."""

    def __init__(
        self, database: Database, delivery: Delivery, *, capacity: int, poll_seconds: float, heartbeats: Heartbeats
    ) -> None:
        """Send up to `capacity` messages at once."""
        self._delivery = delivery
        self._doubtful_places = max(1, capacity // DOUBTFUL_SHARE)
        self._proven_places = max(1, capacity - self._doubtful_places)
        self._poll_seconds = poll_seconds
        self._heartbeats = heartbeats
        self._woken = asyncio.Event()
        self._stopping = False
        self._database_away = False
        self._running: dict[asyncio.Task[None], PushLease] = {}
        self._lot: asyncio.TimerHandle | None = None
        self._ear = ChannelListener(database, CHANNEL, self.wake)

    def wake(self, *_: object) -> None:
        """There may be something to be sent."""
        self._woken.set()

    async def run(self) -> None:
        """Work until `stop`."""
        try:
            while not self._stopping:
                self._heartbeats.beat("pusher", period=self._poll_seconds + 60)
                self._woken.clear()
                nap = await self._turn()
                if nap > 0 and not self._stopping:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._woken.wait(), nap)
        finally:
            self._heartbeats.end("pusher")

    async def stop(self, seconds: float) -> None:
        """Send nothing more, give what is under way so many seconds, then give it back: it is sent again."""
        self._stopping = True
        self.wake()
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
        unfinished = dict(self._running)
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished)
            await self._release(unfinished.values())
        self._ear.close()
        if self._lot is not None:
            self._lot.cancel()

    async def _turn(self) -> float:
        """Begin to send what fits; returns the seconds until there may be more to do."""
        try:
            await self._ear.open()
            nap = await self._fill()
        except (DatabaseUnavailable, DatabaseRefused) as error:
            if not self._database_away:
                log.info("nothing pushed", reason=str(error))
            self._database_away = True
            return RETRY_SECONDS
        except Exception:
            log.exception("the pusher met a defect")  # and goes on: if the loop died, nobody would notice (fault F23)
            return max(RETRY_SECONDS, self._poll_seconds)
        self._database_away = False
        return nap

    async def _fill(self) -> float:
        doubtful = self._doubtful_places - sum(map(_is_doubtful, self._running.values()))
        proven = self._proven_places - (len(self._running) - (self._doubtful_places - doubtful))
        if max(proven, doubtful) <= 0:
            return self._poll_seconds  # a finished message wakes us
        messages, looked = await self._delivery.lease(proven=max(0, proven), doubtful=max(0, doubtful))
        if self._stopping:
            await self._release(lease for lease, _ in messages)
            return 0
        self._begin(messages)
        if looked > len(messages) or looked >= min(proven, doubtful) > 0:
            return 0  # some have moved on without a message, or there may be more
        if self._running:
            return self._poll_seconds
        next_in = await self._delivery.seconds_to_next()
        return self._poll_seconds if next_in is None else min(max(next_in, SHORTEST_NAP), self._poll_seconds)

    def _begin(self, messages: Iterable[tuple[PushLease, Message]]) -> None:
        for lease, message in messages:
            task = asyncio.create_task(self._send(lease, message), name=f"push {lease.name}")
            self._running[task] = lease
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        if 2 * len(self._running) < self._proven_places:
            self.wake()
        elif self._lot is None:
            self._lot = asyncio.get_running_loop().call_later(LOT_SECONDS, self._end_lot)

    def _end_lot(self) -> None:
        self._lot = None
        self.wake()

    async def _send(self, lease: PushLease, message: Message) -> None:
        """One message. Whatever goes wrong, it is not lost: the lease lapses, and it is sent again."""
        try:
            await self._delivery.deliver(lease, message)
        except PushLost:
            log.info("push taken over or changed", subscription=lease.name)
        except (DatabaseUnavailable, DatabaseRefused) as error:
            log.info("push not written down", subscription=lease.name, reason=str(error))
        except Exception:
            log.exception("push ended by a defect", subscription=lease.name)

    async def _release(self, leases: Iterable[PushLease]) -> None:
        with suppress(DatabaseUnavailable, DatabaseRefused):  # the leases lapse by themselves
            await self._delivery.release(leases)


def _is_doubtful(lease: PushLease) -> bool:
    """As the lease query says it."""
    return lease.attempts > 0 or lease.delivered_at is None
