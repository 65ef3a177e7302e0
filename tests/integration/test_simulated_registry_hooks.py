"""The simulated Registry along contract section 12, 1 to 5: webhooks and their delivery."""

from typing import Any
from urllib.parse import quote

import pytest
from simulator_rig import CALLBACK, DAY, JSON, OTHER, UNKNOWN, Asking, Hub, O, registered

from orcid_sync.simulator import (
    CLIENT_ID,
    OTHER_CLIENT_ID,
    SimulatedRegistry,
    numbered_orcid,
)
from orcid_sync.simulator.webhooks import Sending

pytest_plugins = ("simulator_rig",)


# 1, 2: registrations


async def test_12_01_put_hook_created_then_unchanged_then_removed_then_gone(ask: Asking) -> None:
    created = await ask.hook("PUT")
    assert (created.status, created.body) == (201, b"")
    assert created.headers["Location"] == f"{ask.sim.url}/{O}/webhook/{quote(CALLBACK, safe='')}"
    again = await ask.hook("PUT")
    assert (again.status, again.body) == (204, b"")
    assert ask.sim.webhooks.of(O)[0].uri == CALLBACK
    assert (await ask.hook("DELETE")).status == 204
    assert (await ask.hook("DELETE")).error == (404, 9028)


async def test_12_01_a_foreign_hook_is_unchanged_by_put_and_safe_from_delete(ask: Asking) -> None:
    await ask.hook("PUT")
    foreign = ask.sim.desk.issue(OTHER_CLIENT_ID, ["/webhook"]).text
    assert (await ask.hook("PUT", token=foreign)).status == 204
    assert ask.sim.webhooks.of(O)[0].client_id == CLIENT_ID
    assert (await ask.hook("DELETE", token=foreign)).error == (403, 9014)


@pytest.mark.parametrize(
    ("orcid", "uri", "headers", "error"),
    [
        (UNKNOWN, CALLBACK, {}, (404, 9011)),
        (O, "https://hub.example/a b", {}, (400, 9012)),
        (O, CALLBACK, {"Content_Type": "application/octet-stream"}, (415, 9001)),
    ],
)
async def test_12_01_registrations_that_are_refused(
    ask: Asking, orcid: str, uri: str, headers: dict[str, str], error: tuple[int, int]
) -> None:
    assert (await ask.hook("PUT", orcid=orcid, uri=uri, **headers)).error == error


async def test_12_01_a_token_without_the_scope_registers_nothing(ask: Asking) -> None:
    reading = ask.sim.desk.issue(CLIENT_ID, ["/read-public"]).text
    assert (await ask.hook("PUT", token=reading)).error == (403, 9038)
    assert (await ask.hook("PUT", token=None)).json["error"] == "unauthorized"
    assert (await ask.hook("PUT", Content_Type=JSON)).status == 201


async def test_12_01_errors_are_xml_unless_json_is_accepted(ask: Asking) -> None:
    answer = await ask.hook("DELETE", accept=None)
    assert answer.status == 404
    assert b"<error:error xmlns:" in answer.body
    assert b"<error:error-code>9028</error:error-code>" in answer.body


async def test_12_02_hooks_cannot_be_listed_and_have_no_version(ask: Asking) -> None:
    await ask.hook("PUT")
    assert (await ask.hook("GET")).status == 405
    assert (await ask("PUT", f"/v3.0/{O}/webhook/{quote(CALLBACK, safe='')}")).status == 404


@pytest.mark.parametrize("state", ["lock", "deactivate", "unclaim"])
async def test_12_02_the_records_state_does_not_matter_for_hooks(ask: Asking, state: str) -> None:
    getattr(ask.sim.edit, state)(O)
    assert (await ask.hook("PUT")).status == 201
    assert (await ask.hook("DELETE")).status == 204


# 3, 4, 5: delivery


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
    assert await sim.world.delivery.run_hooks() == 1
    row.sending, row.profile_modified_ms = Sending(last_sent_ms=moment), moment - 1
    assert await sim.world.delivery.run_hooks() == 0


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
    sim.world.delivery.run_indexer()
    sim.edit.set_locale(O, "fr")  # t2: pending while the call is made
    assert await sim.world.delivery.run_hooks() == 1
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
    ("deed", "announced", "dated"),
    [
        (lambda sim, _: sim.edit.add_item(O, "email", {"email": "p@example.org"}, visibility="private"), 1, True),
        (lambda sim, work: sim.edit.set_visibility(O, "work", work, "private"), 1, True),
        (lambda sim, _: sim.edit.set_locale(O, "de"), 1, True),
        (lambda sim, _: sim.edit.lock(O), 1, True),
        (lambda sim, work: sim.edit.set_display_index(O, "work", work, 7), 0, True),
        (lambda sim, _: sim.edit.change_settings(O), 0, True),
        (lambda sim, _: sim.desk.disable(O, "USER_REVOKED"), 0, False),
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
