"""The service while PostgreSQL or the Registry is away: it waits, says so once, and goes on by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.registry_health import BRAKE_STEP
from orcid_sync.settings.settings import Settings
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from rig.proxy import Proxy
from rig.service.daemon import Service, serving, settled
from rig.service.reconciler import Bench, O
from rig.service.settings import settings_for

MANY = [Orcid(numbered_orcid(5_000_200 + number)) for number in range(30)]
L6 = 10.0
"""Seconds within which work must go on after PostgreSQL is back."""


@pytest.fixture
def settings(registry: SimulatedRegistry) -> Settings:
    return settings_for(registry, second_look_seconds=600)


async def accepted(service: Service) -> bool:
    return await service.post(O) == 204


class Log:
    """What was logged so far."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys, self._text = capsys, ""

    def count(self, event: str) -> int:
        self._text += self._capsys.readouterr().out
        return self._text.count(event)


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Log:
    return Log(capsys)


@pytest.mark.fault("F04", "F05", "F75")
@pytest.mark.invariant("S1", "L6")
async def test_the_service_goes_on_when_postgresql_is_back(
    bench: Bench, proxy: Proxy, wait_until: Any, log: Log
) -> None:
    await bench.connect()
    async with serving(bench.settings, proxy.dsn) as service:
        await wait_until(lambda: settled(bench), 20)
        proxy.cut()
        assert await service.post(O) == 503  # never 204: it could not be kept
        assert (await service.get("/readyz"))[0] == 503
        assert (await service.get("/healthz"))[0] == 200  # restarting us would not heal it
        await wait_until(lambda: log.count("database away"), 10)
        bench.registry.edit.add_item(O, "keyword", {"content": "new"})

        proxy.mend()
        async with asyncio.timeout(L6):
            await wait_until(lambda: accepted(service), L6)
            await wait_until(lambda: settled(bench), L6)
        await wait_until(lambda: log.count("database back"), L6)

    await bench.assert_mirrored()
    assert (log.count("database away"), log.count("database back")) == (1, 1)


@asynccontextmanager
async def read_only_server(bench: Bench) -> AsyncIterator[None]:
    """What a former primary is after a fail-over: connections stay, every write is refused (25006)."""
    await bench.connection.execute("alter system set default_transaction_read_only = on")
    await bench.connection.execute("select pg_reload_conf()")
    try:
        yield
    finally:
        await bench.connection.execute("begin read write; commit")  # a session may still ask for writing
        await bench.connection.execute("alter system reset default_transaction_read_only")
        await bench.connection.execute("select pg_reload_conf()")


@pytest.mark.fault("F76")
@pytest.mark.invariant("S1", "L6")
async def test_the_service_leaves_a_server_that_became_read_only(bench: Bench, wait_until: Any, log: Log) -> None:
    await bench.connect()
    async with serving(bench.settings, bench.database.dsn) as service:
        await wait_until(lambda: settled(bench), 20)
        async with read_only_server(bench):
            await wait_until(lambda: not_accepted(service), 10)
            assert (await service.get("/readyz"))[0] == 503
            await wait_until(lambda: log.count("database away"), 10)
            bench.registry.edit.add_item(O, "keyword", {"content": "new"})

        async with asyncio.timeout(L6):
            await wait_until(lambda: accepted(service), L6)
            await wait_until(lambda: settled(bench), L6)

    await bench.assert_mirrored()


async def not_accepted(service: Service) -> bool:
    return await service.post(O) == 503


@pytest.mark.fault("F83")
@pytest.mark.invariant("S1", "S5")
async def test_a_migration_while_it_runs_loses_nothing(bench: Bench, wait_until: Any) -> None:
    """Old code on a schema that was expanded: prepared statements of all connections are out of date."""
    await bench.connect()
    async with serving(bench.settings, bench.database.dsn) as service:
        await wait_until(lambda: settled(bench), 20)
        for number in range(3):
            for table in ("orcid_sync.queue", "orcid_sync.connections", "orcid.keywords", "orcid.changes"):
                await bench.connection.execute(f"alter table {table} add column expanded_{number} text")
            bench.registry.edit.add_item(O, "keyword", {"content": f"number {number}"})
            assert await service.post(O) == 204
            await wait_until(lambda: settled(bench), 15)

    await bench.assert_mirrored()


async def keywords(bench: Bench) -> int:
    number: int = await bench.connection.fetchval("select count(*) from orcid.keywords where content = 'healed'")
    return number


@pytest.mark.fault("F33", "F41", "F42")
@pytest.mark.invariant("S10", "S14", "L1")
async def test_while_the_registry_is_away_it_is_left_alone_and_all_heals(
    bench: Bench, registry: SimulatedRegistry, wait_until: Any, log: Log
) -> None:
    settings = settings_for(registry, second_look_seconds=600, requests_per_second=50, burst=8, workers=8)
    for orcid in MANY:
        registry.add_record(orcid, works=1)
        await bench.connect(orcid)
    async with serving(settings, bench.database.dsn) as service:
        await wait_until(lambda: settled(bench), 30)
        for orcid in MANY:
            registry.edit.add_item(orcid, "keyword", {"content": "healed"})
        outage = registry.faults.add("reset", "*")
        asked = len(bench.requests())
        for orcid in MANY:
            assert await service.post(orcid) == 204  # notifications are taken all the same
        await wait_until(lambda: log.count("registry away"), 10)
        await bench.connection.fetchval("select pg_sleep(3)")

        # The circuit opens at the fifth failure, for five seconds; what else was asked was on its way.
        assert 5 <= len(bench.requests()) - asked <= 5 + settings.workers
        assert await keywords(bench) == 0
        assert (await service.get("/readyz"))[0] == 200

        registry.faults.clear(outage.number)
        await wait_until(lambda: settled(bench), 60)
        assert await keywords(bench) == len(MANY)

    assert (log.count("registry away"), log.count("registry back")) == (1, 1)
    for orcid in MANY[:3]:
        await bench.assert_mirrored(orcid)


@pytest.mark.fault("F31")
@pytest.mark.invariant("S14")
async def test_a_registry_that_is_busy_is_asked_more_slowly(
    bench: Bench, registry: SimulatedRegistry, wait_until: Any, log: Log
) -> None:
    await bench.connect()
    async with serving(settings_for(registry, requests_per_second=40, burst=1), bench.database.dsn) as service:
        await wait_until(lambda: settled(bench), 20)
        registry.faults.add("error", "record", status=429, count=1)
        registry.edit.add_item(O, "keyword", {"content": "healed"})
        assert await service.post(O) == 204
        await wait_until(lambda: settled(bench), 20)

    assert log.count("slowing down") == 1
    rate = await bench.connection.fetchval("select rate from orcid_sync.pace")
    assert rate == pytest.approx(40 * BRAKE_STEP)
    assert await keywords(bench) == 1


@pytest.mark.fault("F22")
@pytest.mark.invariant("L3")
async def test_without_any_notification_changes_are_found_by_the_checks(
    bench: Bench, registry: SimulatedRegistry, wait_until: Any
) -> None:
    interval = timedelta(seconds=2)
    settings = settings_for(registry, check_interval_hours=interval / timedelta(hours=1), webhooks=False)
    await bench.connect()
    async with serving(settings, bench.database.dsn):
        await wait_until(lambda: settled(bench), 20)
        registry.edit.add_item(O, "keyword", {"content": "healed"})

        await wait_until(lambda: keywords(bench), 10)

    assert (await bench.changes())[-1]["cause"] == "check"
