"""The whole service: notification in, mirrored change out; what it tells operators; how it starts, stops and parts."""

import asyncio
import re
from typing import Any

import asyncpg
import pytest

from orcid_sync.daemon.startup_checks import CannotServe
from orcid_sync.settings.settings import ConfigurationError, Settings
from orcid_sync.simulator.registry import SimulatedRegistry
from rig.service.daemon import callback_of, serving, settled
from rig.service.reconciler import LIMITED, OTHER, Bench, O
from rig.service.settings import settings_for

SOON = {"poll_seconds": 30.0, "second_look_seconds": 600.0}
"""Nothing happens by polling: what happens was woken."""


@pytest.fixture
def settings(registry: SimulatedRegistry) -> Settings:
    return settings_for(registry, **SOON)


@pytest.mark.invariant("S1", "S2", "L1")
async def test_a_notification_becomes_a_mirrored_change(bench: Bench, wait_until: Any) -> None:
    token = await bench.connect(O, scopes=LIMITED)
    await bench.connect(OTHER)

    async with serving(bench.settings, bench.database.dsn):
        await wait_until(lambda: settled(bench), 20)
        await bench.assert_mirrored(O, token)
        await bench.assert_mirrored(OTHER)
        assert [hook.uri for hook in bench.registry.webhooks.of(O)] == [callback_of(bench.settings, O)]
        head = await bench.head()

        bench.registry.edit.add_item(O, "work", {"title": "A new one", "type": "other"})
        assert await bench.registry.run_delivery(after=400) == 1
        assert bench.registry.journal.notifications[-1].status == 204
        await wait_until(lambda: settled(bench), 20)

    await bench.assert_mirrored(O, token)
    changes = await bench.changes(head)
    assert [(c["orcid"], c["section"], c["op"], c["cause"]) for c in changes] == [(O, "work", "added", "notification")]


async def test_an_unannounced_change_is_found_by_the_second_look(
    bench: Bench, registry: SimulatedRegistry, wait_until: Any
) -> None:
    """A change between our read and ORCID's bookkeeping is never announced (contract section 1.8)."""
    settings = settings_for(registry, poll_seconds=0.2, second_look_seconds=1)
    await bench.connect()
    async with serving(settings, bench.database.dsn) as service:
        await wait_until(lambda: settled(bench), 20)
        assert await service.post(O) == 204
        await wait_until(lambda: settled(bench), 20)
        bench.registry.edit.add_item(O, "keyword", {"content": "unannounced"})

        await wait_until(lambda: second_looked(bench), 10)

    await bench.assert_mirrored()


async def second_looked(bench: Bench) -> bool:
    changes = await bench.changes()
    return changes[-1]["cause"] == "second-look"


METRICS = {
    "orcid_sync_build_info",
    "orcid_sync_changes_total",
    "orcid_sync_event_loop_lag_seconds",
    "orcid_sync_freshness_from_modification_seconds_bucket",
    "orcid_sync_freshness_from_notification_seconds_bucket",
    "orcid_sync_intake_ack_seconds_bucket",
    "orcid_sync_intake_requests_total",
    "orcid_sync_queue_due",
    "orcid_sync_queue_oldest_seconds",
    "orcid_sync_reconciliations_total",
    "orcid_sync_registry_request_seconds_bucket",
    "orcid_sync_registry_requests_total",
    "process_resident_memory_bytes",
}


@pytest.mark.invariant("S12")
async def test_the_metrics_tell_what_happened_and_never_of_whom(bench: Bench, wait_until: Any) -> None:
    token = await bench.connect(O, scopes=LIMITED)
    await bench.connect(OTHER)

    async with serving(bench.settings, bench.database.dsn) as service:
        await wait_until(lambda: settled(bench), 20)
        bench.registry.edit.add_item(O, "keyword", {"content": "new"})
        assert await service.post(O) == 204
        await wait_until(lambda: settled(bench), 20)
        status, text = await service.get("/metrics")

    assert status == 200
    samples = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert {re.split(r"[ {]", line)[0] for line in samples} >= METRICS
    assert 'orcid_sync_changes_total{op="added",section="keyword"}' in text
    assert 'orcid_sync_intake_requests_total{outcome="acknowledged"} 1.0' in text
    assert 'orcid_sync_registry_requests_total{endpoint="record",status="200"} 3.0' in text
    labels = {value for line in samples for value in re.findall(r'="([^"]*)"', line)}
    assert not [value for value in labels if re.search(r"\d{4}-\d{4}-\d{4}-\d{3}[\dX]", value)]
    for secret in (token, bench.settings.public_url, *(callback_of(bench.settings, orcid) for orcid in (O, OTHER))):
        assert str(secret) not in text


@pytest.mark.fault("F12")
@pytest.mark.invariant("L7")
async def test_a_stop_answers_to_the_end_and_finishes_what_it_leased(
    bench: Bench, registry: SimulatedRegistry, wait_until: Any
) -> None:
    settings = settings_for(registry, drain_seconds=0.6, **SOON)
    await bench.connect()
    async with serving(settings, bench.database.dsn) as service:
        await wait_until(lambda: settled(bench), 20)
        bench.registry.faults.add("delay", "record", seconds=0.4)
        bench.registry.edit.add_item(O, "keyword", {"content": "new"})
        assert await service.post(O) == 204
        await wait_until(lambda: bench.registry.faults.fired["delay"], 5)
        loop, statuses = asyncio.get_running_loop(), []
        began = loop.time()

        service.stop.set()
        await wait_until(lambda: not_ready(service), 1)
        while loop.time() - began < 0.5:
            statuses.append(await service.post(OTHER if len(statuses) % 2 else O))
        await asyncio.wait_for(service.task, 10)

        assert set(statuses) == {204}
        assert len(statuses) > 10
        assert await service.post(O) == 0
        assert (await service.get("/readyz"))[0] == 0
    assert await bench.connection.fetchval("select count(*) from orcid_sync.queue where lease_until > now()") == 0
    assert await bench.connection.fetchval("select count(*) from orcid.keywords where content = 'new'") == 1


async def not_ready(service: Any) -> bool:
    status, text = await service.get("/readyz")
    return status == 503 and "draining" in text


async def test_web_and_worker_as_two_services(bench: Bench, registry: SimulatedRegistry, wait_until: Any) -> None:
    web, worker = settings_for(registry, **SOON), settings_for(registry, **SOON)
    worker = worker.model_copy(update={"public_url": web.public_url})
    await bench.connect()

    async with serving(worker, bench.database.dsn, only="worker") as working:
        await wait_until(lambda: settled(bench), 20)
        assert await working.session.get(f"http://127.0.0.1:{worker.internal_port}/healthz")
        with pytest.raises(OSError, match=str(worker.public_port)):
            await asyncio.open_connection("127.0.0.1", worker.public_port)
        async with serving(web, bench.database.dsn, only="web"):
            asked = len(bench.requests())
            bench.registry.edit.add_item(O, "keyword", {"content": "new"})
            assert await bench.registry.run_delivery(after=400) == 1  # to the address that the worker registered
            await wait_until(lambda: settled(bench), 10)  # NOTIFY woke it: it polls every 30 s
            assert len(bench.requests()) == asked + 1

    await bench.assert_mirrored()


async def test_the_web_part_alone_asks_the_registry_nothing(bench: Bench, wait_until: Any) -> None:
    await bench.connect()

    async with serving(bench.settings, bench.database.dsn, only="web") as service:
        assert await service.post(O) == 204

    assert bench.requests() == []
    assert not await settled(bench)


async def test_without_webhooks_records_are_mirrored_and_nobody_listens(
    bench: Bench, registry: SimulatedRegistry, wait_until: Any
) -> None:
    settings = settings_for(registry, webhooks=False, webhook_secret=None, public_url=None)
    await bench.connect()

    async with serving(settings, bench.database.dsn):
        await wait_until(lambda: settled(bench), 20)
        with pytest.raises(OSError, match=str(settings.public_port)):
            await asyncio.open_connection("127.0.0.1", settings.public_port)

    assert bench.registry.webhooks.of(O) == []
    await bench.assert_mirrored()


async def refusal(settings: Settings, dsn: str) -> str:
    """Why the service does not start."""
    with pytest.raises(CannotServe) as refused:
        async with serving(settings, dsn):
            pass
    return str(refused.value)


@pytest.mark.fault("F83")
async def test_a_schema_that_is_behind_is_refused_with_what_to_do(settings: Settings, empty_dsn: str) -> None:
    assert "orcid-sync migrate" in await refusal(settings, empty_dsn)


@pytest.mark.fault("F83")
async def test_a_schema_that_is_ahead_is_refused_with_what_to_do(
    settings: Settings, dsn: str, connection: asyncpg.Connection
) -> None:
    await connection.execute(
        "insert into orcid_sync.migrations (number, name, checksum) values (9999, '9999_future.sql', 'x')"
    )

    assert "newer version" in await refusal(settings, dsn)


@pytest.mark.fault("F45")
@pytest.mark.invariant("S9")
async def test_the_database_of_another_environment_is_refused_before_anything_is_asked(
    bench: Bench, wait_until: Any
) -> None:
    """Tokens of the sandbox would be sent to production, and its iDs be somebody else's there."""
    await bench.connect(O, scopes=LIMITED)
    async with serving(bench.settings, bench.database.dsn):
        await wait_until(lambda: settled(bench), 20)
    asked = len(bench.registry.journal.requests)
    other = bench.settings.model_copy(update={"environment": "sandbox"})

    said = await refusal(other, bench.database.dsn)

    assert "mirrors ORCID's custom, but environment is sandbox" in said
    assert len(bench.registry.journal.requests) == asked
    async with serving(bench.settings, bench.database.dsn):
        pass


@pytest.mark.parametrize("listener", ["public", "internal"])
async def test_a_port_in_use_is_one_sentence(registry: SimulatedRegistry, dsn: str, listener: str) -> None:
    taken = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with taken:
        port = taken.sockets[0].getsockname()[1]
        said = await refusal(settings_for(registry, **{f"{listener}_port": port}), dsn)

    assert "\n" not in said
    assert f"127.0.0.1:{port}" in said
    assert f"{listener}_port" in said


async def test_missing_settings_are_named(registry: SimulatedRegistry, dsn: str) -> None:
    with pytest.raises(ConfigurationError, match="webhook_secret"):
        async with serving(settings_for(registry, webhook_secret=None), dsn):
            pass
