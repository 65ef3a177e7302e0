"""demo: the service with a simulated Registry and an embedded PostgreSQL, in one command, with its changes shown."""

import asyncio
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated

import typer

from orcid_sync.cli.base.options import command
from orcid_sync.cli.base.output import line, text
from orcid_sync.cli.base.session import Failure, Session, new_event_loop, tell
from orcid_sync.model.ids import Orcid

if TYPE_CHECKING:
    from asyncpg import Connection

    from orcid_sync.cli.demo.display import Show
    from orcid_sync.cli.demo.setup import Stage
    from orcid_sync.cli.demo.watch import Watch

LOOK_SECONDS = 0.1
SETTLE_SECONDS = 60.0
_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600}


def parse_duration(given: str) -> float:
    """Seconds of a duration such as 30s, 2m, 90. Raises BadParameter."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|min|h|)", given.strip())
    if match is None:
        raise typer.BadParameter(f"{given!r} is not a duration such as 30s, 2m or 1h")
    return float(match[1]) * _UNITS[match[2]]


@command
def demo(
    _session: Session,
    *,
    duration: Annotated[
        float | None,
        typer.Option(
            "--for",
            metavar="TIME",
            parser=parse_duration,
            help="End after this time: 30s, 2m. Default: run until Ctrl-C.",
        ),
    ] = None,
    records: Annotated[int, typer.Option("--records", min=1, max=1_000, help="Number of simulated researchers.")] = 40,
    edits_per_minute: Annotated[
        float, typer.Option("--edits-per-minute", min=0.1, help="Edits per minute, by all of them together.")
    ] = 60.0,
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65_535, help="Port that receives notifications. Default: a free one."),
    ] = None,
) -> None:
    """Watch the service at work with an embedded PostgreSQL and a simulated Registry: edits, and their changes.

    It ends with a comparison of mirror and Registry, item by item; exit code 1 if they differ.
    """
    tell(f"Starting an embedded PostgreSQL, a simulated ORCID Registry with {records} researchers, and the daemon …")
    # The data have a folder of their own, which root gives away to the server's user.
    with asyncio.Runner(loop_factory=new_event_loop) as runner, _folder() as folder, _folder() as data:
        same = runner.run(_play(Path(folder), Path(data), records, edits_per_minute, duration, port))
    if not same:
        raise typer.Exit(1)


def _folder() -> "tempfile.TemporaryDirectory[str]":
    try:
        return tempfile.TemporaryDirectory(prefix="orcid-sync-demo-", ignore_cleanup_errors=True)
    except OSError as error:
        raise Failure(
            f"No folder for temporary files is writable ({error.strerror}). Set TMPDIR to one that is."
        ) from None


async def _play(
    folder: Path, data: Path, records: int, edits_per_minute: float, duration: float | None, port: int | None
) -> bool:
    from orcid_sync.cli.demo.setup import open_stage  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.embedded import embedded_postgres  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.migrate import migrate  # noqa: PLC0415 - heavy
    from orcid_sync.store.database.pools import connect  # noqa: PLC0415 - heavy

    with embedded_postgres(data) as dsn:
        await migrate(dsn)
        async with open_stage(dsn, folder, records=records, port=port) as stage, connect(dsn) as connection:
            return await Act(stage, connection, edits_per_minute, duration).play()


class Act:
    """The demo once everything runs."""

    def __init__(
        self, stage: "Stage", connection: "Connection", edits_per_minute: float, duration: float | None
    ) -> None:
        self._stage = stage
        self._connection = connection
        self._pause = 60 / edits_per_minute
        self._duration = duration
        self._rng = Random(7)  # noqa: S311 - the same edits each time

    async def play(self) -> bool:
        """First load, edits, the end; whether mirror and Registry are the same."""
        from orcid_sync.cli.demo.display import explain_psql, showing  # noqa: PLC0415 - heavy

        await self._first_load()
        explain_psql(self._stage.dsn)
        line(f"Or look at it in a browser: {self._stage.pages_url}")
        line("")
        watch = await self._watch()
        with showing(watch) as show:
            await self._edits(watch, show)
            await self._settle(watch, show)
        return await self._summary(watch)

    async def _first_load(self) -> None:
        """Wait until every connected iD has its webhook and its mirror. Raises Failure if nothing happens any more."""
        from orcid_sync.store.console import overview  # noqa: PLC0415 - heavy
        from orcid_sync.store.sync import queue  # noqa: PLC0415 - heavy
        from orcid_sync.store.webhooks import inventory  # noqa: PLC0415 - heavy

        loop = asyncio.get_running_loop()
        began = progressed = loop.time()
        wanted = dict.fromkeys((Orcid(orcid) for orcid in self._stage.sim.profiles), 1)
        left = None
        while left != 0:
            before, left = left, len(await queue.unfinished(self._connection, wanted))
            if left != before:
                line(text(f"first load: {len(wanted) - left} of {len(wanted)} records", "dim"))
                progressed = loop.time()
            elif loop.time() - progressed > SETTLE_SECONDS:
                raise Failure(f"The daemon makes no progress. The end of its log:\n{self._stage.log_tail()}")
            await asyncio.sleep(LOOK_SECONDS)
        hooks = sum((await inventory.counts(self._connection)).values())
        changes = (await overview.feed_head(self._connection)).last
        line(
            f"Mirrored {len(wanted)} records in {loop.time() - began:.1f} s: {changes} additions in the feed; "
            f"{hooks} webhooks are registered."
        )
        line("")

    async def _watch(self) -> "Watch":
        from orcid_sync.cli.demo.watch import Watch  # noqa: PLC0415 - heavy
        from orcid_sync.store.console import overview  # noqa: PLC0415 - heavy

        return Watch(self._stage, (await overview.feed_head(self._connection)).last)

    async def _edits(self, watch: "Watch", show: "Show") -> None:
        """Researchers edit, until the time is up or somebody presses Ctrl-C."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._duration if self._duration is not None else float("inf")
        next_edit = loop.time()
        with suppress(asyncio.CancelledError):  # Ctrl-C ends the edits, not the comparison
            while loop.time() < end:
                if loop.time() >= next_edit:
                    edit = self._stage.sim.random_edit(self._rng)
                    if edit is not None:
                        watch.note(edit)
                    next_edit += self._pause
                show.changes(await watch.look(self._connection))
                await asyncio.sleep(LOOK_SECONDS)

    async def _settle(self, watch: "Watch", show: "Show") -> None:
        """Let the last notifications arrive; then check every record once, as the schedule would in time.

        ORCID announces no changes of the display order (contract section 1.7): those are found by the check.
        """
        from orcid_sync.cli.demo.setup import NOTIFICATION_DELAY  # noqa: PLC0415 - heavy
        from orcid_sync.store.sync import queue  # noqa: PLC0415 - heavy

        await asyncio.sleep(3 * NOTIFICATION_DELAY)
        wanted = await queue.request_sync(self._connection, [Orcid(orcid) for orcid in self._stage.sim.profiles])
        async with asyncio.timeout(SETTLE_SECONDS):
            while await queue.unfinished(self._connection, wanted):
                show.changes(await watch.look(self._connection))
                await asyncio.sleep(LOOK_SECONDS)
        show.changes(await watch.look(self._connection))

    async def _summary(self, watch: "Watch") -> bool:
        from orcid_sync.cli.demo.comparison import compare  # noqa: PLC0415 - heavy

        found = await compare(self._stage, self._connection)
        line("")
        line(f"{watch.edited} edits, {watch.notified} notifications, {watch.seen} changes in the feed.")
        line(f"From notification to commit: {watch.latency()}.")
        line(f"Found without a notification (ORCID announces no display order): {watch.unannounced} changes.")
        for difference in found.differences:
            line(text(difference, "fail"))
        verdict = f"Mirror and Registry: {found.records} records, {found.items} items compared"
        if found.differences:
            line(text(f"{verdict}, {len(found.differences)} differ.", "fail"))
        else:
            line(text(f"{verdict}, all equal.", "ok"))
        return not found.differences
