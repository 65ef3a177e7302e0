"""plan against a day as it comes: the same requests by each net, and changes as stale, within a tenth.

The service runs as it is; its database's now() and the Registry's clock are one and the same, which stands still while
anything is at work and is then pushed on by ten minutes.
"""

import bisect
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from orcid_sync.daemon import serve
from orcid_sync.model.ids import Orcid
from orcid_sync.service.runtime.job import Job
from orcid_sync.service.runtime.scheduler import JobRunner, schedule
from orcid_sync.store.sync import queue
from rig.service.command_line import Cli
from rig.service.connected_records import Fleet, following
from rig.service.daemon import serving

IDS, CHANGES, NOTICES, LOST = 40, 2.0, 2.0, 0.25
"""Twenty-five times as lively as usual, so that a day of few people tells something."""

CHECK_HOURS, STEP, HOUR, DAY = 8, 600, 3_600, 86_400
WARMING_UP = 4 * HOUR
QUANTILES = {"median": 0.5, "p99": 0.99}
AHEAD = 1 / 24
"""Days by which that clock is ahead of the real one, which a few columns take their defaults from."""

CLOCK = """
    create schema virtual;
    create table virtual.clock (at timestamptz not null);
    insert into virtual.clock values (now());
    create function virtual.now() returns timestamptz language sql stable as $$ select at from virtual.clock $$;
    grant usage on schema virtual to public;
    grant select on virtual.clock to public;
    do $$ begin
      execute format('alter database %I set search_path = virtual, pg_catalog, public', current_database());
    end $$;
    set search_path = virtual, pg_catalog, public;
    """


@dataclass(frozen=True)
class Event:
    """Something that ORCID announces; we can see every second one."""

    at: float
    """Seconds since the beginning."""
    orcid: Orcid
    visible: bool
    lost: bool


def events(orcids: Sequence[Orcid], end: float, dice: Random) -> list[Event]:
    """As many as are to be expected, evenly over the time; whose they are is chance."""
    number = round(len(orcids) * CHANGES * NOTICES * end / DAY)
    places = range(number)
    lost = {place for every in (places[::2], places[1::2]) for place in dice.sample(every, round(len(every) * LOST))}
    return [
        Event(
            at=(place + 0.5) * end / number,
            orcid=dice.choice(orcids),
            visible=place % 2 == 0,
            lost=place in lost,
        )
        for place in places
    ]


class Days:
    """Time that passes for the Registry and for the service."""

    def __init__(self, fleet: Fleet, wait_until: Any, scheduled: list[tuple[Job, JobRunner]]) -> None:
        self.fleet, self.wait_until, self.scheduled = fleet, wait_until, scheduled
        self.clock = fleet.registry.clock
        self.began_ms = self.clock.now_ms()
        self.seen: list[tuple[Orcid, int, int]] = []
        """iD, version and moment of each visible change."""
        self.found = 0
        """iDs that a search has marked due."""

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return (self.clock.now_ms() - self.began_ms) / 1000

    async def pass_until(self, end: float, coming: Iterator[Event]) -> None:
        """Step by step; whatever becomes due is done before time goes on."""
        event = next(coming, None)
        while self.elapsed < end:
            target = self.elapsed + STEP
            while event is not None and event.at <= target:
                await self.fleet.registry.advance(event.at - self.elapsed)
                self._happen(event)
                event = next(coming, None)
            for moment in (target - 1, target):  # the calls go out between the two
                await self.fleet.registry.advance(moment - self.elapsed)
                await self.catch_up()
            if self.elapsed % HOUR < 1:
                await self._search()

    def _happen(self, event: Event) -> None:
        registry = self.fleet.registry
        if event.lost:
            registry.faults.add("lost", "notification", orcid=event.orcid, count=1)
        if not event.visible:
            registry.edit.add_item(event.orcid, "keyword", {"content": f"at {event.at}"}, visibility="private")
            return
        registry.edit.add_item(event.orcid, "work", {"title": f"at {event.at}", "type": "other"})
        self.seen.append((event.orcid, registry.profiles.state(event.orcid).version, self.clock.now_ms()))

    async def catch_up(self) -> None:
        """What is due now is done."""
        now = datetime.fromtimestamp(self.clock.now_ms() / 1000, UTC)
        await self.fleet.connection.execute("update virtual.clock set at = $1", now)
        await self._work()

    async def _work(self) -> None:
        if not await self.fleet.settled():
            await queue.wake(self.fleet.connection)
            await self.wait_until(self.fleet.settled, 30)

    async def _search(self) -> None:
        [(job, runner)] = [(job, runner) for job, runner in self.scheduled if job.name == "search-net"]
        self.found += (await runner.run(job))["due"]
        await self._work()

    def staleness(self, since: float, end: float) -> list[float]:
        """How long, in days, the changes between two moments went unnoticed."""
        reads: dict[str, list[tuple[int, int]]] = {}
        for one in self.fleet.registry.journal.requests:
            if one.endpoint == "record" and one.status == 200 and one.orcid and one.version is not None:
                reads.setdefault(one.orcid, []).append((one.version, one.at_ms))
        waits = []
        for orcid, version, at_ms in self.seen:
            if since <= (at_ms - self.began_ms) / 1000 < end:
                row = sorted(reads[orcid])
                waits.append((row[bisect.bisect_left(row, (version, 0))][1] - at_ms) / 1000 / DAY)
        return sorted(waits)


@asynccontextmanager
async def a_fleet(connection: asyncpg.Connection) -> AsyncIterator[Fleet]:
    """People whose Registry keeps the times that `plan` takes for the usual ones."""
    await connection.execute(CLOCK)
    settings = {"check_interval_hours": CHECK_HOURS, "search_interval_hours": 1, "grace_seconds": 0}
    async with following(connection, days=-AHEAD, number=IDS, poll_seconds=0.2, workers=1, **settings) as fleet:
        registry = fleet.registry
        # Calls go out every ten minutes, for what was passed on a minute before or earlier; the index lags by ten.
        registry.settings.hook_period, registry.settings.indexer_period = STEP, STEP - 60
        registry.world.index.settings.index_lag = STEP - 60
        await registry.advance(0)
        registry.settings.indexer_period, registry.settings.indexing_delay = STEP, 0
        yield fleet


def foretold(cli: Cli, fleet: Fleet) -> Any:
    """What the command says of such people under the fleet's settings."""
    settings = fleet.settings
    env = {
        "ORCID_SYNC_SECOND_LOOK_SECONDS": str(settings.second_look_seconds),
        "ORCID_SYNC_CHECK_INTERVAL_HOURS": str(settings.check_interval_hours),
        "ORCID_SYNC_SEARCH_INTERVAL_HOURS": str(settings.search_interval_hours),
    }
    assumed = {"--connected": IDS, "--changes": CHANGES, "--notices": NOTICES, "--lost": LOST}
    arguments = [str(part) for pair in assumed.items() for part in pair]
    return cli.json("plan", *arguments, env=env)["plan"]


def counted(lines: Iterable[Mapping[str, Any]], asked: Counter[str], found: int) -> dict[str, int]:
    """What was done, by the names that the plan has for it."""
    causes = Counter(line["cause"] for line in lines if line["event"] == "reconciled")
    return {
        "notifications": causes["notification"],
        "second looks": causes["second-look"],
        "full forms": asked["works-bulk"],
        "routine reads": causes["check"] - found,
        "searches": asked["search"],
        "reads after searches": found,
    }


async def test_a_day_is_as_foretold(
    cli: Cli, connection: asyncpg.Connection, dsn: str, monkeypatch: pytest.MonkeyPatch, wait_until: Any
) -> None:
    scheduled: list[tuple[Job, JobRunner]] = []

    def known(jobs: list[Job], runner: JobRunner) -> Any:
        scheduled.extend((job, runner) for job in jobs)
        return schedule(jobs, runner)

    monkeypatch.setattr(serve, "schedule", known)
    monkeypatch.setattr("random.random", Random(2).random)  # jitter
    monkeypatch.setattr(
        "orcid_sync.settings.logs.configure_logging", lambda *_, **__: None
    )  # the log stays where it is
    async with a_fleet(connection) as fleet, serving(fleet.settings, dsn):
        plan = foretold(cli, fleet)
        days = Days(fleet, wait_until, scheduled)
        await days.catch_up()
        coming = iter(events(fleet.orcids, WARMING_UP + DAY + STEP, Random(4)))
        await days.pass_until(WARMING_UP, coming)
        asked, found = len(fleet.registry.journal.requests), days.found
        with capture_logs() as lines:
            await days.pass_until(WARMING_UP + DAY, coming)
        requests = Counter(one.endpoint for one in list(fleet.registry.journal.requests)[asked:])
        done = counted(lines, requests, days.found - found)
        waits = days.staleness(WARMING_UP, WARMING_UP + DAY - 2 * HOUR)
    assert done == pytest.approx(plan["requests"], rel=0.1)
    seen = {name: waits[min(len(waits) - 1, int(share * len(waits)))] for name, share in QUANTILES.items()}
    worst = plan["with_webhooks"].pop("worst")
    assert seen == pytest.approx(plan["with_webhooks"], rel=0.1)
    assert waits[-1] <= worst * 1.1
