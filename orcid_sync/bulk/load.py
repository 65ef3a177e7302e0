"""A load from beginning to end: read, hand out, count, and remember how far it came.

    sources -> file_names -> [processes: documents -> precedence -> one transaction per batch] -> tally

Nothing here talks to ORCID, and nothing of the service needs it: only the command line does.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from hashlib import blake2b

from msgspec import Struct

from orcid_sync.bulk.batches import Batch, Choice, read_batches
from orcid_sync.bulk.sources import Source, SourceBroken
from orcid_sync.bulk.tally import Tally
from orcid_sync.bulk.workers import Loads
from orcid_sync.bulk.write import Plan
from orcid_sync.store.database.pools import AnyConnection, DatabaseRefused, DatabaseUnavailable, guarded
from orcid_sync.store.mirror import bulk_load, unknown_members
from orcid_sync.store.sync import job_runs

JOB = "bootstrap"
"""The name of loads among the runs."""


class WorkerLost(Exception):
    """A process that loads was killed, or could not begin."""


class Progress(Struct, frozen=True):
    """How far a load has come."""

    files: int
    """Files of the source that are dealt with, wanted or not, those of an earlier run included."""
    position: int
    """Where in the source that is."""
    tally: Tally
    """Of this run."""


Report = Callable[[Progress], None]
"""Told where the load begins, and after each batch."""


async def load(
    connection: AnyConnection, source: Source, plan: Plan, loads: Loads, *, ahead: int, report: Report
) -> Tally:
    """Load a source; what an interrupted load of the same archive has dealt with is passed over.

    `ahead`: batches that are read before the first of them must be done. Raises SourceBroken, DatabaseUnavailable,
    WorkerLost: what was loaded until then stays, and the next call goes on from there.
    """
    async with guarded(connection):
        choose, archive = await _choice(connection, source, plan)
        skip = await bulk_load.left_at(connection, JOB, archive) if archive and not plan.dry else 0
        run = None if plan.dry else await job_runs.begin(connection, JOB)
    course = _Course(connection, run, archive, report)
    await course.note(Progress(skip, 0, course.tally))
    try:
        await _hand_out(source, choose, loads, course, skip=skip, ahead=ahead)
    except BaseException as error:
        await course.end(type(error).__name__)
        raise
    await course.end(None)
    return course.tally


async def _choice(connection: AnyConnection, source: Source, plan: Plan) -> tuple[Choice, int | None]:
    """Which files are wanted, and by what a load of the same ones from the same archive is known again."""
    if plan.everything:
        choose: Choice = lambda _: True  # noqa: E731 - as the other one
        wanted = b"everything"
    else:
        ours = await bulk_load.connected(connection)
        choose = lambda name: name.orcid in ours  # noqa: E731
        wanted = "".join(sorted(ours)).encode()
    if source.identity is None:
        return choose, None
    digest = blake2b(wanted, digest_size=7, key=source.identity.encode())
    return choose, int.from_bytes(digest.digest())


async def _hand_out(source: Source, choose: Choice, loads: Loads, course: "_Course", *, skip: int, ahead: int) -> None:
    """Have batches loaded, several at a time, and told in their order."""
    batches = read_batches(source, choose, skip=skip)
    pending: deque[tuple[Batch, asyncio.Future[Tally]]] = deque()
    broken = None
    try:
        try:
            while batch := await asyncio.to_thread(next, batches, None):
                pending.append((batch, asyncio.ensure_future(loads(batch.units))))
                if len(pending) > ahead:
                    await course.take(*pending.popleft())
        except SourceBroken as error:
            broken = error
        while pending:
            await course.take(*pending.popleft())
    finally:
        for _, future in pending:
            future.cancel()
        await asyncio.gather(*(future for _, future in pending), return_exceptions=True)
    if broken:
        raise broken


class _Course:
    """What a load has done so far, and its row among the runs."""

    def __init__(self, connection: AnyConnection, run: int | None, archive: int | None, report: Report) -> None:
        self._connection = connection
        self._run = run
        self._archive = archive
        self._report = report
        self._outcome: dict[str, int] = {}
        self.tally = Tally()

    async def take(self, batch: Batch, loaded: asyncio.Future[Tally]) -> None:
        """Wait for a batch and count it. Raises DatabaseUnavailable, WorkerLost."""
        try:
            tally = await loaded
        except BrokenProcessPool:
            raise WorkerLost(
                "A loading process has ended unexpectedly: check whether the memory was too small."
            ) from None
        self.tally.add(tally)
        if tally.unknown and self._run is not None:
            # Here and not with the rows: batches that are under way together would wait for each other.
            async with guarded(self._connection):
                await unknown_members.note(self._connection, tally.unknown)
        for problem in batch.problems:
            self.tally.complain(problem.file, problem.what)
        await self.note(Progress(batch.files, batch.position, self.tally))

    async def note(self, progress: Progress) -> None:
        """Write down how far the load is, then tell it."""
        self._outcome = {"files": progress.files, "items": self.tally.items, **self.tally.counts}
        if self._archive is not None:
            self._outcome["archive"] = self._archive
        if self._run is not None:
            async with guarded(self._connection):
                await bulk_load.note_progress(self._connection, self._run, self._outcome)
        self._report(progress)

    async def end(self, error: str | None) -> None:
        """Write down how it ended; a database that is away keeps what it knows, which is enough to go on."""
        if self._run is not None:
            with suppress(DatabaseUnavailable, DatabaseRefused):
                async with guarded(self._connection):
                    await job_runs.finish(self._connection, self._run, outcome=self._outcome, error=error)
