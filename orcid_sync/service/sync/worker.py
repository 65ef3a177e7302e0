"""The worker: leases what is due, reconciles a few iDs at a time, waits to be woken or polls.

NOTIFY only shortens the wait; the poll is the truth (fault F82). A lease is kept alive while its reconciliation runs,
so that a slow Registry does not make two workers fight over a large record; a worker that is killed or frozen keeps
nothing alive, and its iDs are taken over (faults F15, F16).

The lanes take turns, each by its weight, so that a storm in one starves no other (fault F25). Requests wait for their
moment inside a lease, for about a second: no more is leased of a lane than its requests move (Admission). During a
longer pause, and when the day's budget is used up, what is leased is given back undone. Records that ORCID never
finishes to answer for keep no places: each gives its own back after some seconds, and goes on waiting beside them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import timedelta

import structlog

from orcid_sync.model.sync.lane_shares import Admission, Turns, choose, kept
from orcid_sync.registry.errors import Paused
from orcid_sync.registry.lanes import in_lane
from orcid_sync.service.runtime.health import Heartbeats
from orcid_sync.service.runtime.listen import ChannelListener
from orcid_sync.store.database.pools import Database, DatabaseUnavailable, statements
from orcid_sync.store.sync import queue
from orcid_sync.store.sync.queue import WAKE_CHANNEL, Lease, LeaseLost

RETRY_SECONDS = 1.0
"""How soon a worker asks again for a database that was away."""

SHORTEST_NAP = 0.01

PAUSE_SECONDS = 1.0
"""How often a worker looks whether a pause is over: an answer ends it early, wherever it is heard."""

KEPT_SECONDS = 0.25
"""How often the places kept for what is urgent are looked at while all others are taken; NOTIFY wakes us sooner."""

PROMPT_SECONDS = 5.0
"""A reconciliation that takes longer gives its place back: it waits for ORCID, and nobody else is to wait for it."""

PATIENT_PLACES = 8
"""Times as many may wait like that as there are places."""

log = structlog.get_logger(__name__)


class Worker:
    """Reconciles what is due until it is stopped."""

    def __init__(
        self,
        database: Database,
        reconcile: Callable[[Lease], Awaitable[str]],
        admission: Callable[[], Awaitable[Admission]],
        *,
        capacity: int,
        lease: timedelta,
        poll_seconds: float,
        heartbeats: Heartbeats,
    ) -> None:
        """Run up to `capacity` reconciliations at once, of those that `admission` lets in."""
        self._database = database
        self._reconcile = reconcile
        self._admission = admission
        self._turns = Turns()
        self._capacity = capacity
        self._lease = lease
        self._poll_seconds = poll_seconds
        self._heartbeats = heartbeats
        self._woken = asyncio.Event()
        self._stopping = False
        self._running: dict[asyncio.Task[None], Lease] = {}
        self._began: dict[asyncio.Task[None], float] = {}
        self._abandoned: list[Lease] = []
        self._ear = ChannelListener(database, WAKE_CHANNEL, self.wake, pause=0.1)
        self._database_away = False

    def wake(self, *_: object) -> None:
        """Something may be due."""
        self._woken.set()

    async def run(self) -> None:
        """Work until `stop`."""
        try:
            while not self._stopping:
                self._heartbeats.beat("worker", period=self._poll_seconds + self._lease.total_seconds())
                self._woken.clear()
                nap = await self._turn()
                if nap > 0 and not self._stopping:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._woken.wait(), nap)
        finally:
            self._heartbeats.end("worker")
            with suppress(DatabaseUnavailable):  # the leases lapse by themselves
                await self._give_back()

    async def stop(self, seconds: float) -> None:
        """Lease nothing more, give what runs so many seconds to finish, then give it back undone."""
        self._stopping = True
        self.wake()
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
        unfinished = dict(self._running)
        for task in unfinished:
            task.cancel()
        if unfinished:
            await asyncio.wait(unfinished)
        self._abandoned += unfinished.values()
        with suppress(DatabaseUnavailable):
            await self._give_back()
        self._ear.close()

    async def _turn(self) -> float:
        """Start what is due and fits; returns the seconds until there may be more to do."""
        try:
            await self._ear.open()
            await self._give_back()
            nap = await self._fill()
        except DatabaseUnavailable as error:
            if not self._database_away:
                log.warning("database away", reason=str(error))
            self._database_away = True
            return RETRY_SECONDS
        except Exception:
            log.exception("the worker met a defect")  # and goes on: if the loop died, nobody would notice (fault F23)
            return max(RETRY_SECONDS, self._poll_seconds)
        if self._database_away:
            log.warning("database back")
        self._database_away = False
        return nap

    async def _fill(self) -> float:
        running = self._taken()
        if running >= self._capacity:
            return min(self._poll_seconds, PAUSE_SECONDS)  # a finished reconciliation wakes us
        admission = await self._admission()
        if admission.seconds > 0:
            return min(admission.seconds, self._poll_seconds, PAUSE_SECONDS)
        choice = choose(self._turns, admission, capacity=self._capacity, running=running)
        if not (choice.lanes and choice.limit):
            return self._poll_seconds
        async with statements(self._database.worker) as connection:
            leases = await queue.lease_due(connection, limit=choice.limit, lease=self._lease, lanes=choice.lanes)
        self._turns = self._turns.after(lease.lane for lease in leases)
        if self._stopping:
            self._abandoned += leases
            return 0
        self._begin(leases)
        if len(leases) == choice.limit:
            return 0 if running + choice.limit < self._capacity - kept(self._capacity) else KEPT_SECONDS
        async with statements(self._database.worker) as connection:
            next_in = await queue.seconds_to_next(connection, lanes=choice.lanes)
        return self._poll_seconds if next_in is None else min(max(next_in, SHORTEST_NAP), self._poll_seconds)

    def _taken(self) -> int:
        """How many places are taken."""
        latest = asyncio.get_running_loop().time() - PROMPT_SECONDS
        patient = sum(began < latest for began in self._began.values())
        return len(self._running) - min(patient, PATIENT_PLACES * self._capacity)

    def _begin(self, leases: Iterable[Lease]) -> None:
        for lease in leases:
            task = asyncio.create_task(self._work(lease), name=f"reconcile {lease.orcid}")
            self._running[task] = lease
            self._began[task] = asyncio.get_running_loop().time()
            task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        del self._running[task], self._began[task]
        self.wake()

    async def _work(self, lease: Lease) -> None:
        """One reconciliation. Whatever goes wrong, the iD is not lost: its lease lapses or is given back."""
        try:
            async with asyncio.TaskGroup() as group:
                keeper = group.create_task(self._keep(lease))
                with in_lane(lease.lane):
                    await self._reconcile(lease)
                keeper.cancel()
        except* LeaseLost:
            log.info("lease lost", orcid=lease.orcid)
        except* (DatabaseUnavailable, Paused) as errors:
            self._abandoned.append(lease)
            log.info("not committed", orcid=lease.orcid, reason=str(errors.exceptions[0]))
        except* Exception:
            log.exception("reconciliation ended by a defect", orcid=lease.orcid)

    async def _keep(self, lease: Lease) -> None:
        """Extend the lease while its reconciliation runs. Raises LeaseLost."""
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            async with statements(self._database.worker) as connection:
                await queue.extend(connection, lease, self._lease)

    async def _give_back(self) -> None:
        """Release what could not be finished, so that it need not wait until its lease lapses."""
        while self._abandoned:
            lease = self._abandoned.pop()  # at once: a turn and `stop` may both be here
            try:
                async with statements(self._database.worker) as connection:
                    await queue.release(connection, lease)
            except DatabaseUnavailable:
                self._abandoned.append(lease)
                raise
