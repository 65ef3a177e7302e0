"""The nets: noticing changes that no notification told of, without reading every record (design section 10).

A net never reads a record. It marks iDs due, and the workers do the rest; so a net that is wrong, late or switched off
costs freshness, never correctness. Each sweep knows how far it has come, so that a restart goes on where it was.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from itertools import islice, takewhile

import structlog

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.registry import search
from orcid_sync.registry.client import Registry
from orcid_sync.registry.lanes import in_lane
from orcid_sync.registry.modified_file import open_modified
from orcid_sync.service.runtime.job import Job
from orcid_sync.store.database.pools import Database, transaction
from orcid_sync.store.sync import queue, safety_nets
from orcid_sync.store.sync.safety_nets import NetLost, Sweep

Counts = dict[str, int]

SEARCH, FILE = "search", "file"

OVERLAP = timedelta(hours=2)
"""How far a search looks back behind the one before it: the index lags by minutes, after troubles by more."""

ALIVE_WITHIN = timedelta(hours=1)
"""Somewhere in the Registry a record changes every second. An index that knows of no change for so long stands still,
and what it should have told by now is looked for again (contract section 6)."""

LINES = 5_000
"""Lines of the list that are compared at once."""

MARGIN = timedelta(hours=1)
"""How far the list is read behind where the last run began, for it is not written in an instant."""

log = structlog.get_logger(__name__)


def make_net_jobs(registry: Registry, *, search_every: timedelta, file: str | None, file_every: timedelta) -> list[Job]:
    """The nets that are switched on: search unless its interval is nothing, the list if it is somewhere."""
    jobs = []
    if search_every:
        jobs.append(Job("search-net", search_every, partial(sweep_search, registry=registry), brief=False))
    if file is not None:
        jobs.append(Job("file-net", file_every, partial(sweep_file, source=file), brief=False))
    return jobs


async def sweep_search(database: Database, registry: Registry) -> Counts:
    """Ask ORCID's search which connected records changed since the last sweep; all that did are marked due.

    Only what is public is indexed, so limited changes still wait for their turn. Raises RegistryError,
    DatabaseUnavailable.
    """
    counts = {"searches": 0, "found": 0, "due": 0}
    async with _leased(database, SEARCH) as sweep:
        if sweep is None:
            return counts
        if not await _next(database, ""):
            # Nobody was read yet, so nothing was missed: no question, and no alarm where credentials are still to come.
            async with transaction(database.worker) as connection:
                await safety_nets.finish(connection, sweep, since=sweep.began_at)
            return counts
        moves = await registry.ask(partial(search.moving_request, since=sweep.began_at - ALIVE_WITHIN))
        counts["searches"] += 1
        await _search_all(database, registry, sweep, counts)
        if not moves:
            log.info("search index stands still", advice="what it missed is searched again when it moves")
        async with transaction(database.worker) as connection:
            await safety_nets.finish(connection, sweep, since=sweep.began_at if moves else sweep.since)
    return counts


async def _next(database: Database, after: str) -> dict[Orcid, datetime | None]:
    async with transaction(database.worker) as connection:
        return await safety_nets.next_connected(connection, after=after, limit=search.SINCE_SIZE)


async def _search_all(database: Database, registry: Registry, sweep: Sweep, counts: Counts) -> None:
    """Ask about all iDs that were not reached yet, and mark due which have changed.

    Many are found because of a change that is known already: for these the question is put again with their own date,
    which is cheaper than a read of each. They wait until a question is full of them; what has been reached is written
    down only when none waits, so that a sweep which was cut short asks again.
    """
    since, waiting = sweep.since - OVERLAP, dict[Orcid, datetime]()
    looked = done = sweep.reached
    while batch := await _next(database, looked):
        found = await registry.ask(partial(search.since_request, orcids=list(batch), since=since))
        counts["searches"] += 1
        counts["found"] += len(found)
        known = {orcid: date for orcid in found if (date := batch[orcid]) is not None and date >= since}
        due = [orcid for orcid in found if orcid not in known]
        if len(waiting) + len(known) > search.EACH_SIZE:
            due += await _changed_again(registry, waiting, counts)
            waiting, done = {}, looked
        waiting |= known
        looked = max(batch)
        await _mark(database, sweep, due, counts, reached=done if waiting else looked)
    await _mark(database, sweep, await _changed_again(registry, waiting, counts), counts, reached=looked)


async def _changed_again(registry: Registry, known: Mapping[Orcid, datetime], counts: Counts) -> list[Orcid]:
    """Those that changed after the date that we have of them."""
    due: list[Orcid] = []
    for some in search.in_batches(known, search.EACH_SIZE):
        due += await registry.ask(partial(search.each_since_request, known={orcid: known[orcid] for orcid in some}))
        counts["searches"] += 1
    return due


async def _mark(database: Database, sweep: Sweep, due: Sequence[Orcid], counts: Counts, *, reached: str) -> None:
    """Have them read, and keep the net. Raises NetLost."""
    counts["due"] += len(due)
    async with transaction(database.worker) as connection:
        await queue.mark_due(connection, due, lane=Lane.CHECK)
        await safety_nets.reach(connection, sweep, reached)


async def sweep_file(database: Database, source: str) -> Counts:
    """Compare the list of changed records with what was read; all that are behind are marked due.

    Raises DatabaseUnavailable, ModifiedFileUnusable.
    """
    counts = {"lines": 0, "due": 0}
    async with _leased(database, FILE) as sweep:
        if sweep is None:
            return counts
        newest = sweep.since
        with ExitStack() as stack:
            rows = await asyncio.to_thread(stack.enter_context, open_modified(source))
            late = takewhile(lambda row: row[1] >= sweep.since - MARGIN, rows)
            while listed := await asyncio.to_thread(lambda: dict(islice(late, LINES))):
                newest = max(newest, *listed.values())
                counts["lines"] += len(listed)
                async with transaction(database.worker) as connection:
                    due = await safety_nets.behind(connection, listed)
                    await queue.mark_due(connection, due, lane=Lane.CHECK)
                    await safety_nets.reach(connection, sweep, "")
                counts["due"] += len(due)
        async with transaction(database.worker) as connection:
            await safety_nets.finish(connection, sweep, since=newest)
    return counts


@asynccontextmanager
async def _leased(database: Database, name: str) -> AsyncIterator[Sweep | None]:
    """The net for this replica, given back if the sweep is cut short; None if another replica has it.

    What is asked inside is asked in the lowest lane: nets can wait.
    """
    async with transaction(database.worker) as connection:
        sweep = await safety_nets.lease(connection, name)
    try:
        with in_lane(Lane.SWEEP):
            yield sweep
    except NetLost:
        log.info("net taken over by another replica", net=name)
    except BaseException:
        if sweep is not None:
            async with transaction(database.worker) as connection:
                await safety_nets.release(connection, sweep)
        raise
