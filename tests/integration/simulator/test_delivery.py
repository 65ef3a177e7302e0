"""The simulated Registry along contract section 12, 3 to 5: the delivery of notifications (sections 1.6 to 1.9)."""

import socket
from typing import Any
from urllib.parse import quote

import pytest

from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.webhooks.registrations import Sending
from orcid_sync.simulator.world import CLIENT_ID
from rig.simulator import DAY, OTHER, Hub, O, registered


async def test_12_03_a_change_goes_through_three_stages_to_an_empty_post(sim: SimulatedRegistry, hub: Hub) -> None:
    registered(sim, hub)
    assert await sim.run_delivery() == 0, "registration alone announces nothing"
    sim.edit.add_item(O, "keyword", {"content": "k"})
    assert sim.profiles[O].indexing_status == "PENDING"
    assert await sim.run_delivery() == 1
    assert sim.profiles[O].indexing_status == "DONE"
    method, path, headers, body = hub.calls[0]
    assert (method, path, body) == ("POST", f"/hooks/{O}", b"")
    assert headers.keys() == {"Host", "User-Agent", "Content-Length"}
    assert headers["Content-Length"] == "0"
    assert headers["User-Agent"].startswith("Java-http-client/17")
    assert await sim.run_delivery(after=DAY) == 0, "said once"


async def test_12_03_the_indexer_waits_between_two_changes_of_one_record(sim: SimulatedRegistry, hub: Hub) -> None:
    registered(sim, hub)
    for calls, after in ((1, 0), (0, 100), (1, 201)):
        sim.edit.add_item(O, "keyword", {"content": "k"})
        assert await sim.run_delivery(after=after) == calls


async def test_12_03_reindexed_records_do_not_wait(sim: SimulatedRegistry, hub: Hub) -> None:
    registered(sim, hub)
    sim.edit.set_locale(O, "de")
    assert await sim.run_delivery() == 1
    sim.edit.lock(O)
    assert await sim.run_delivery() == 1


async def test_12_03_a_global_reindexing_repeats_what_was_said(sim: SimulatedRegistry, hub: Hub) -> None:
    registered(sim, hub)
    sim.profiles.reindex(O)
    assert await sim.run_delivery() == 0, "nothing changed since the registration"
    sim.edit.set_locale(O, "de")
    assert await sim.run_delivery(after=301) == 1
    sim.webhooks.of(O)[0].sending = Sending()
    sim.profiles.reindex(O)
    assert await sim.run_delivery() == 1


@pytest.mark.parametrize(("status", "failures"), [(200, 0), (202, 0), (302, 1), (404, 1), (500, 1)])
async def test_12_03_only_2xx_is_success(sim: SimulatedRegistry, hub: Hub, status: int, failures: int) -> None:
    registered(sim, hub)
    hub.status = status
    sim.edit.set_locale(O, "de")
    assert await sim.run_delivery() == 1
    assert len(hub.calls) == 1, "redirects are not followed"
    assert sim.webhooks.of(O)[0].sending.failures == failures


async def test_12_03_a_change_in_the_very_moment_of_the_last_call_is_still_due(
    sim: SimulatedRegistry, hub: Hub
) -> None:
    registered(sim, hub)
    row = sim.webhooks.of(O)[0]
    moment = sim.clock.stamp()
    row.sending, row.profile_modified_ms = Sending(last_sent_ms=moment), moment
    assert await sim.world.delivery.run() == 1
    row.sending, row.profile_modified_ms = Sending(last_sent_ms=moment), moment - 1
    assert await sim.world.delivery.run() == 0


async def test_12_03_an_endpoint_that_says_nothing_has_failed(sim: SimulatedRegistry, hub: Hub) -> None:
    registered(sim, hub)
    sim.settings.timeout, hub.status = 0.05, None
    sim.edit.set_locale(O, "de")
    await sim.run_delivery()
    assert sim.webhooks.of(O)[0].sending.failures == 1
    assert sim.journal.notifications[-1].status is None


async def test_12_03_backoff_is_linear_and_death_is_silent(sim: SimulatedRegistry, hub: Hub) -> None:
    uri = registered(sim, hub)
    sim.settings.max_attempts, hub.status = 4, 500
    sim.edit.set_locale(O, "de")
    calls = [await sim.run_delivery()]
    calls += [await sim.run_delivery(after=wait) for wait in (599, 2, 1199, 2, 1799, 2, DAY)]
    assert calls == [1, 0, 1, 0, 1, 0, 1, 0]
    hub.status = 204
    sim.edit.set_locale(O, "fr")
    assert await sim.run_delivery(after=DAY) == 0, "a new change does not wake it"
    assert not sim.webhooks.put(O, quote(uri, safe=""), CLIENT_ID)
    assert await sim.run_delivery(after=DAY) == 0, "nor does a PUT"
    sim.webhooks.delete(O, quote(uri, safe=""), CLIENT_ID)
    registered(sim, hub)
    sim.edit.set_locale(O, "ja")
    assert await sim.run_delivery(after=DAY) == 1, "DELETE and PUT do"


async def test_12_03_three_days_without_an_endpoint_leave_dead_rows(
    sim: SimulatedRegistry, hub: Hub, http: Any
) -> None:
    registered(sim, hub)
    registered(sim, hub, OTHER)
    hub.status = 503
    sim.edit.set_locale(O, "de")
    async with http.post(f"{sim.url}/_sim/clock/advance", json={"seconds": 3 * DAY}) as answer:
        assert (await answer.json())["calls"] == 25
    last = sim.journal.notifications[-1].at_ms - sim.journal.notifications[0].at_ms
    assert last / 3_600_000 == pytest.approx(50, abs=2.5), "24 waits of 10, 20, ... 240 minutes, and the job's period"
    for query, expected in (("failures=1", [(O, 25, True)]), ("", [(O, 25, True), (OTHER, 0, False)])):
        async with http.get(f"{sim.url}/_sim/webhooks?{query}") as answer:
            rows = await answer.json()
        assert [(row["orcid"], row["sending"]["failures"], row["dead"]) for row in rows] == expected
    hub.status = 204
    for orcid, calls in ((O, 0), (OTHER, 1)):
        sim.edit.set_locale(orcid, "fr")
        assert await sim.run_delivery(after=DAY) == calls, "only what was edited during the outage is dead"


@pytest.mark.parametrize("change", [{"webhooks_enabled": False}, {"deactivated": True}])
async def test_12_03_a_client_that_is_switched_off_is_passed_over_silently(
    sim: SimulatedRegistry, hub: Hub, http: Any, change: dict[str, bool]
) -> None:
    registered(sim, hub)
    sim.edit.set_locale(O, "de")
    for body, calls in ((change, 0), ({name: not value for name, value in change.items()}, 1)):
        async with http.post(f"{sim.url}/_sim/clients/{CLIENT_ID}", json=body) as answer:
            assert (answer.status, "secret" in await answer.json()) == (200, False)
        assert await sim.run_delivery(after=DAY) == calls
        assert sim.webhooks.of(O)[0].sending.failures == 0


async def test_12_03_a_run_has_its_batches_oldest_change_first(sim: SimulatedRegistry, hub: Hub) -> None:
    sim.settings.hook_batch, sim.settings.iterations, sim.settings.threads = 2, 3, 1
    orcids = [numbered_orcid(4_100_000 + number) for number in range(8)]
    for orcid in orcids:
        sim.edit.create_record(orcid)
        registered(sim, hub, orcid)
    for orcid in reversed(orcids):
        sim.edit.set_locale(orcid, "de")
    sim.world.indexer.run()
    sim.world.indexer.run()
    assert await sim.world.delivery.run() == 6
    assert [path.rpartition("/")[2] for _, path, _, _ in hub.calls] == list(reversed(orcids))[:6]
    assert await sim.world.delivery.run() == 2


async def test_12_03_calls_are_made_in_parallel_and_counted(sim: SimulatedRegistry, hub: Hub) -> None:
    orcids = [numbered_orcid(4_100_000 + number) for number in range(100)]
    for orcid in orcids:
        sim.edit.create_record(orcid)
        registered(sim, hub, orcid)
        sim.edit.set_locale(orcid, "de")
    assert await sim.run_delivery() == len(hub.calls) == 100
    assert {path for _, path, _, _ in hub.calls} == {f"/hooks/{orcid}" for orcid in orcids}


async def test_12_03_one_429_stalls_all_hooks_of_the_client_for_the_run(sim: SimulatedRegistry, hub: Hub) -> None:
    sim.settings.threads, hub.status = 1, 429
    for orcid in (O, OTHER):
        registered(sim, hub, orcid)
        sim.edit.set_locale(orcid, "de")
    assert await sim.run_delivery() == 1
    hub.status = 204
    assert await sim.run_delivery(after=601) == 2


async def test_12_03_a_change_before_the_answer_and_propagated_after_it_is_never_announced(
    sim: SimulatedRegistry, hub: Hub
) -> None:
    registered(sim, hub)
    sim.edit.set_locale(O, "de")
    sim.world.indexer.run()
    sim.edit.set_locale(O, "fr")  # t2: pending while the call is made
    assert await sim.world.delivery.run() == 1
    assert await sim.run_delivery(after=DAY) == 0
    assert sim.profiles[O].indexing_status == "DONE"


async def test_12_03_time_passes_with_the_jobs_at_their_periods(sim: SimulatedRegistry, hub: Hub) -> None:
    registered(sim, hub)
    hub.status = 500
    sim.edit.set_locale(O, "de")
    assert await sim.advance(3 * 3600) == 6, "0, 10, 30, 60, 100, 150 minutes and what the period of the job adds"
    before = sim.clock.now_ms()
    await sim.advance(10)
    assert sim.clock.now_ms() == pytest.approx(before + 10_000, abs=5)


@pytest.mark.parametrize(
    "event",
    [
        lambda edit: edit.deactivate(O),
        lambda edit: (edit.deactivate(O), edit.reactivate(O)),
        lambda edit: edit.deprecate(O, OTHER),
        lambda edit: edit.deprecate(OTHER, O),
        lambda edit: edit.lock(O),
        lambda edit: edit.unlock(O),
        lambda edit: edit.claim(O),
    ],
)
async def test_12_04_every_turn_in_a_records_life_is_announced_and_leaves_the_hook(
    sim: SimulatedRegistry, hub: Hub, event: Any
) -> None:
    sim.edit.add_item(OTHER, "email", {"email": "e@example.org"})
    await sim.run_delivery(after=DAY)
    registered(sim, hub)
    event(sim.edit)
    assert await sim.run_delivery(after=DAY) == 1
    assert len(sim.webhooks.of(O)) == 1
    assert not sim.webhooks.of(OTHER), "a merge moves no webhook"


@pytest.mark.parametrize(
    ("deed", "announced", "dated"),
    [
        (lambda sim, _: sim.edit.add_item(O, "email", {"email": "p@example.org"}, visibility="private"), 1, True),
        (lambda sim, work: sim.edit.set_visibility(O, "work", work, "private"), 1, True),
        (lambda sim, _: sim.edit.set_locale(O, "de"), 1, True),
        (lambda sim, _: sim.edit.lock(O), 1, True),
        (lambda sim, work: sim.edit.set_display_index(O, "work", work, 7), 0, True),
        (lambda sim, _: sim.edit.change_settings(O), 0, True),
        (lambda sim, _: sim.token_service.disable(O, "USER_REVOKED"), 0, False),
        (lambda sim, _: sim.edit.rename_client(CLIENT_ID, "x"), 0, False),
        (lambda sim, work: sim.edit.recurate_item(O, "work", work, {"url": "https://example.org/x"}), 0, False),
    ],
)
async def test_12_04_what_fires_and_what_moves_the_date(
    sim: SimulatedRegistry,
    hub: Hub,
    deed: Any,
    announced: int,
    dated: bool,  # noqa: FBT001 - a table's column
) -> None:
    work = sim.edit.add_item(O, "work", {"title": "t"})
    await sim.run_delivery()
    sim.clock.advance(DAY)
    registered(sim, hub)
    before = sim.profiles.state(O).modified_ms
    deed(sim, work)
    assert await sim.run_delivery(after=DAY) == announced
    assert (sim.profiles.state(O).modified_ms > before) == dated


async def test_12_05_replica_lag_calls_twice(sim: SimulatedRegistry, hub: Hub) -> None:
    registered(sim, hub)
    sim.settings.replica_lag, sim.settings.iterations = 60, 2
    sim.edit.set_locale(O, "de")
    assert await sim.run_delivery() == 2


@pytest.mark.parametrize(
    ("kind", "options", "calls_now", "calls_later"),
    [
        ("duplicate", {"times": 3}, 3, 0),
        ("lost", {}, 0, 0),
        ("delayed", {"seconds": 7200}, 0, 1),
        ("lost-answer", {}, 1, 1),
    ],
)
async def test_12_05_notifications_go_astray(
    sim: SimulatedRegistry, hub: Hub, kind: str, options: dict[str, Any], calls_now: int, calls_later: int
) -> None:
    registered(sim, hub)
    sim.faults.add(kind, "notification", count=1, **options)
    sim.edit.set_locale(O, "de")
    await sim.run_delivery()
    assert len(hub.calls) == calls_now
    await sim.run_delivery(after=3600)
    await sim.run_delivery(after=3601)
    assert len(hub.calls) == calls_now + calls_later
    assert sim.faults.fired[kind] == 1


async def test_12a_a_slow_receiver_delays_the_other_calls_of_its_run(sim: SimulatedRegistry, hub: Hub) -> None:
    sim.settings.threads, sim.settings.timeout = 2, 0.2
    with socket.create_server(("127.0.0.1", 0)) as silent:
        addresses = (f"http://127.0.0.1:{silent.getsockname()[1]}/", f"{hub.url}/a", f"{hub.url}/b")
        for number, address in enumerate(addresses, start=4_000_010):
            orcid = numbered_orcid(number)
            sim.edit.create_record(orcid)
            sim.webhooks.put(orcid, quote(address, safe=""), CLIENT_ID)
            sim.clock.advance(1)
            sim.edit.set_locale(orcid, "de")
        assert await sim.run_delivery(after=DAY) == 3
    ended = [one.status for one in sim.journal.notifications]
    assert ended == [204, None, 204], "the third call waited for the first, which was never answered"
