"""Webhooks of connected iDs: registered before the first read, removed when an iD is left, never forgotten."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orcid_sync.daemon.jobs import make_jobs
from orcid_sync.daemon.public_listener import desired_of
from orcid_sync.registry.callbacks import callback_url
from orcid_sync.service.runtime.health import Heartbeats
from orcid_sync.service.runtime.scheduler import JobRunner
from orcid_sync.service.webhooks.registration import announce
from orcid_sync.store.consent import connections
from orcid_sync.store.sync import job_runs, sweeps
from rig.service.reconciler import OTHER, SECOND_LOOK, Bench, O


def callback(bench: Bench) -> str:
    settings = bench.settings
    assert settings.public_url is not None
    assert settings.webhook_secret is not None
    return callback_url(
        settings.public_url,
        secret=settings.webhook_secret.get_secret_value().encode(),
        key_version=1,
        environment="custom",
        orcid=O,
    )


def registered(bench: Bench) -> list[str]:
    return [hook.uri for hook in bench.registry.webhooks.of(O)]


@pytest.mark.fault("F100")
@pytest.mark.invariant("S16")
async def test_the_webhook_is_registered_before_the_first_read_and_written_down_before_that(bench: Bench) -> None:
    """Otherwise a change between the two would be announced to nobody (contract section 1.8)."""
    await bench.connect()
    rows_at_registration: list[Any] = []
    put = bench.registry.webhooks.put

    def put_noted(*arguments: Any) -> bool:
        rows_at_registration.extend(bench.ask_aside("select state from orcid_sync.webhooks"))
        return put(*arguments)

    bench.registry.webhooks.put = put_noted  # type: ignore[method-assign]

    await bench.turn()

    assert [row["state"] for row in rows_at_registration] == ["registering"]
    endpoints = [one.endpoint for one in bench.requests("webhook-put", "record")]
    assert endpoints == ["webhook-put", "record"]
    assert registered(bench) == [callback(bench)]  # byte for byte
    assert await bench.webhook_rows() == ["active"]


@pytest.mark.fault("F100")
@pytest.mark.invariant("S16")
@pytest.mark.parametrize("fault", ["reset", "lost-answer"], ids=["before ORCID did it", "after ORCID did it"])
async def test_a_registration_that_was_cut_off_is_repaired(bench: Bench, fault: str) -> None:
    await bench.connect()
    bench.registry.faults.add(fault, "webhook-put", count=2)

    assert await bench.turn() == "changed"  # what was not registered is no reason not to read
    assert await bench.webhook_rows() == ["registering"]
    assert registered(bench) == ([callback(bench)] if fault == "lost-answer" else [])
    assert await bench.side_steps() == {"webhook": (1, "unavailable")}
    assert await bench.due_in() < timedelta(minutes=1)  # not with the next routine read
    bench.registry.edit.add_item(O, "keyword", {"content": "announced to nobody"})

    assert await bench.when_due() == "changed"  # the read comes after the webhook, always
    assert (await bench.webhook_rows(), await bench.side_steps()) == (["active"], {})
    assert registered(bench) == [callback(bench)]


async def test_a_registered_webhook_is_not_registered_again(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    await bench.notified()
    await bench.check()

    assert len(bench.requests("webhook-put")) == 1


async def test_a_webhook_that_nobody_wrote_down_is_made_anew(bench: Bench) -> None:
    """ORCID has it from an earlier database: it may be dead, so three requests are made, as `orcid-sync plan` says."""
    encoded = callback(bench).replace(":", "%3A").replace("/", "%2F")
    bench.registry.webhooks.put(O, encoded, bench.settings.client_id or "")
    await bench.connect()

    await bench.turn()

    asked = [one.endpoint for one in bench.requests("webhook-put", "webhook-delete", "record")]
    assert asked == ["webhook-put", "webhook-delete", "webhook-put", "record"]
    assert (registered(bench), await bench.webhook_rows()) == ([callback(bench)], ["active"])


async def test_a_refused_webhook_does_not_stop_the_mirror(bench: Bench) -> None:
    await bench.connect()
    client = bench.registry.token_service.clients[bench.settings.client_id or ""]
    client.scopes = ("/read-public",)  # no membership that has webhooks

    assert await bench.turn() == "changed"

    assert registered(bench) == []
    await bench.assert_mirrored()


@pytest.mark.invariant("S16")
async def test_disconnecting_removes_the_webhook_and_stops_reading(bench: Bench) -> None:
    for work in _private(bench):
        bench.registry.edit.remove_item(O, "work", work.put_code)
    await bench.connect()
    await bench.turn()
    before = await bench.mirror()
    bench.reads.clear()
    await bench.disconnect()

    assert await bench.turn() == "disconnected"

    assert registered(bench) == []
    assert await bench.webhook_rows() == []
    assert bench.reads.targets == []
    assert await bench.mirror() == before  # frozen, for all of it is public
    known = await connections.load(bench.connection, O)
    assert known is not None
    assert (known.state, known.access_token, known.access_state) == ("disconnected", None, "public")
    assert await bench.due_in() > timedelta(days=365)


@pytest.mark.fault("F65")
@pytest.mark.invariant("S16")
@pytest.mark.parametrize("fault", ["reset", "lost-answer", "error"])
async def test_a_removal_is_repeated_until_orcid_confirms_it(bench: Bench, fault: str) -> None:
    await bench.connect(scopes=["/read-limited"])
    await bench.turn()
    await bench.disconnect()
    bench.registry.faults.add(fault, "webhook-delete", count=4, status=500)

    for _ in range(2):
        assert await bench.when_due() == "failed"
        assert await bench.webhook_rows() == ["removing"]
        known = await connections.load(bench.connection, O)
        assert known is not None
        assert known.state == "disconnecting"

    assert await bench.when_due() == "disconnected"
    assert (registered(bench), await bench.webhook_rows()) == ([], [])


@pytest.mark.fault("F11")
@pytest.mark.invariant("S16")
async def test_a_notification_for_who_was_left_removes_the_webhook_again(bench: Bench) -> None:
    """It cannot come unless the webhook exists; our inventory may have been restored from a backup."""
    await bench.connect()
    await bench.turn()
    await bench.disconnect()
    await bench.turn()
    bench.registry.webhooks.put(O, callback(bench).replace(":", "%3A").replace("/", "%2F"), bench.settings.client_id)
    assert registered(bench) == [callback(bench)]
    bench.reads.clear()

    assert await bench.notified() == "disconnected"

    assert registered(bench) == []
    assert bench.reads.targets == []


def _private(bench: Bench) -> list[Any]:
    """Our own client's works that are not public."""
    works = bench.registry.profiles.state(O).of("work").values()
    own = [work for work in works if work.source.belongs_to(bench.settings.client_id or "")]
    return [work for work in own if work.visibility != "public"]


async def test_whoever_connects_again_is_read_again(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    await bench.disconnect()
    await bench.turn()
    bench.registry.edit.add_item(O, "keyword", {"content": "meanwhile"})
    head, private = await bench.head(), len(_private(bench))

    await bench.connect()
    assert await bench.turn() == "changed"

    # Our own entries that are not public went when the iD was left, and come back.
    lines = [(c["section"], c["op"]) for c in await bench.changes(head)]
    assert sorted(lines) == [("keyword", "added"), *[("work", "added")] * private]
    assert registered(bench) == [callback(bench)]
    await bench.assert_mirrored()


@pytest.mark.fault("F64")
@pytest.mark.invariant("S16")
async def test_connecting_again_while_the_webhook_is_being_removed(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    await bench.disconnect()
    lease = await bench.lease()
    await bench.connect()  # between the lease and the removal

    await bench.reconciler.reconcile(lease)
    if await bench.due_in() <= timedelta(seconds=1):
        await bench.when_due()

    known = await connections.load(bench.connection, O)
    assert known is not None
    assert known.state == "connected"
    assert registered(bench) == [callback(bench)]
    assert await bench.webhook_rows() == ["active"]


async def test_webhooks_switched_on_later_are_registered_by_the_sweep(bench: Bench) -> None:
    switched_on = bench.reconciler
    await bench.connect()
    bench.reconciler = replace(switched_on, subscription=None)
    await bench.turn()
    assert registered(bench) == []
    bench.reconciler = switched_on
    await announce(bench.connection, desired_of(bench.settings))  # as a process does when it starts

    assert await sweeps.mark_for_webhooks(bench.connection, overlap=SECOND_LOOK) == 1
    assert await sweeps.mark_for_webhooks(bench.connection, overlap=SECOND_LOOK) == 0  # marked already

    assert await bench.turn() == "unchanged"
    assert registered(bench) == [callback(bench)]
    assert await sweeps.mark_for_webhooks(bench.connection, overlap=SECOND_LOOK) == 0


async def test_a_shortened_interval_brings_checks_nearer_spread_over_it(bench: Bench) -> None:
    for orcid in (O, OTHER):
        await bench.connect(orcid)
        await bench.turn(orcid)
        assert await bench.due_in(orcid) > timedelta(days=6)
    interval = timedelta(hours=10)

    assert await sweeps.bring_checks_nearer(bench.connection, interval=interval) == 2
    assert await sweeps.bring_checks_nearer(bench.connection, interval=interval) == 0

    waits = [await bench.due_in(orcid) for orcid in (O, OTHER)]
    assert all(timedelta(0) <= wait <= interval for wait in waits)
    assert waits[0] != waits[1]


async def test_a_merged_record_keeps_its_longer_interval(bench: Bench) -> None:
    await bench.connect()
    await bench.turn()
    bench.registry.edit.deprecate(O, OTHER)
    await bench.notified()
    await bench.when_due()  # said again

    assert await bench.due_in() > timedelta(days=29)
    assert await sweeps.bring_checks_nearer(bench.connection, interval=timedelta(days=7)) == 0


@pytest.mark.fault("F21")
@pytest.mark.invariant("S17")
async def test_sweeps_write_down_that_they_ran(bench: Bench) -> None:
    await bench.connect()
    jobs = make_jobs(check_interval=timedelta(days=7))
    runner = JobRunner(bench.database, Heartbeats(lambda: 0.0))

    for job in jobs:
        await runner.run(job)

    for job in jobs:
        last = await job_runs.last(bench.connection, job.name)
        assert last is not None
        assert last.finished_at is not None
        assert last.error is None
