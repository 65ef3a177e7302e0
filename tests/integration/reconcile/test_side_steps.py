"""Steps at ORCID beside the reading of a record: while one of them fails, for days, everything else goes on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from orcid_sync.service.explain.status_findings import findings
from orcid_sync.store.console.overview import overview
from orcid_sync.store.sync import queue
from orcid_sync.store.webhooks import inventory
from rig.service.reconciler import LIMITED, OTHER, Bench, O

DAY = timedelta(days=1)

WAYS: dict[str, tuple[str, dict[str, Any], str]] = {
    # kind of fault at the simulator, its options, the kind of failure that is written down
    "500": ("error", {"status": 500}, "unavailable"),
    "500 page": ("error", {"status": 500, "html": True}, "unavailable"),
    "503": ("error", {"status": 503}, "busy"),
    "429": ("error", {"status": 429}, "busy"),
    "reset": ("reset", {}, "unavailable"),
    "HTML with 200": ("html", {}, "unavailable"),
    "time-out": ("timeout", {"seconds": 10}, "unavailable"),
    "409/9044": ("error", {"code": 9044}, "deactivated"),
    "404/9016": ("error", {"code": 9016}, "not_found"),
    "301/9007": ("error", {"code": 9007}, "deprecated"),
    "409/9018": ("error", {"code": 9018}, "locked"),
}


async def connected(bench: Bench) -> None:
    await bench.connect(scopes=LIMITED)
    await bench.turn()


async def to_be_registered(bench: Bench) -> None:
    await bench.connect(scopes=LIMITED)


async def to_be_revived(bench: Bench) -> None:
    await connected(bench)
    assert await inventory.revive(bench.connection, limit=1) == [O]


async def to_be_revoked(bench: Bench) -> None:
    await connected(bench)
    await bench.connect(scopes=LIMITED)


@dataclass(frozen=True)
class Step:
    prepare: Callable[[Bench], Awaitable[None]]
    endpoint: str
    """At the simulated Registry."""
    name: str
    said: str
    """What `status` says of it."""


STEPS = {
    "registration": Step(to_be_registered, "webhook-put", "webhook", "1 webhook could not be changed at ORCID"),
    "revival": Step(to_be_revived, "webhook-delete", "webhook", "1 webhook could not be changed at ORCID"),
    "revocation": Step(to_be_revoked, "revoke", "revocation", "1 token no longer used could not be revoked"),
}


async def said(bench: Bench) -> list[str]:
    """What `status` says of iDs, webhooks and tokens; not of the pace, which such faults may slow down."""
    seen = await overview(bench.connection)
    sentences = [one.sentence for one in findings(seen)]
    return [one for one in sentences if not one.startswith(("No worker", "ORCID said at", "ORCID has given"))]


@pytest.mark.fault("F39", "F31", "F32", "F33", "F34")
@pytest.mark.invariant("S8", "L1")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", STEPS)
async def test_a_step_that_fails_for_days_stops_nothing_else(bench: Bench, name: str, way: str) -> None:
    step, (fault, options, kind) = STEPS[name], WAYS[way]
    if name == "revocation" and "code" in options:
        kind = "bad_request"  # where tokens are taken back, such words mean nothing
    await step.prepare(bench)
    bench.registry.faults.add(fault, step.endpoint, orcid=None, **options)
    keyword = bench.registry.edit.add_item(O, "keyword", {"content": "first"})

    for day in range(3):
        bench.registry.edit.edit_item(O, "keyword", keyword, {"content": f"of day {day}"})
        assert await bench.notified() == "changed"
        assert await bench.record() is not None
        assert await bench.access_state() == "granted"
        assert await bench.side_steps() == {step.name: (day + 1, kind)}
        [sentence] = await said(bench)
        assert sentence.startswith(step.said)
        assert kind in sentence
        assert await bench.due_in() <= DAY
        await bench.pass_time(DAY)
    token = await bench.connection.fetchval("select access_token from orcid_sync.tokens where orcid = $1", O)
    await bench.assert_mirrored(token=bench.vault.open(token, orcid=O, column="access_token"))

    bench.registry.faults.clear()
    await bench.turn()

    assert (await bench.side_steps(), await said(bench)) == ({}, [])
    assert (await bench.webhook_rows(), await bench.retired()) == (["active"], [])
    assert len(bench.registry.webhooks.of(O)) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_whoever_leaves_is_rid_of_each_thing_by_itself(bench: Bench, way: str) -> None:
    """The webhook cannot be removed for days: the token goes at once, and so does what is not public."""
    fault, options, kind = WAYS[way]
    await connected(bench)
    await bench.disconnect()
    bench.registry.faults.add(fault, "webhook-delete", orcid=None, **options)

    for day in range(3):
        assert await bench.turn() == "failed"
        assert await bench.side_steps() == {"webhook": (day + 1, kind)}
        assert (await bench.retired(), len(bench.requests("revoke")), await bench.number("limited")) == ([], 1, 0)
        [sentence] = await said(bench)
        assert sentence.startswith("1 webhook could not be changed at ORCID")
        await bench.pass_time(DAY)

    bench.registry.faults.clear()
    assert await bench.turn() == "disconnected"
    assert (bench.registry.webhooks.of(O), await said(bench)) == ([], [])


@pytest.mark.parametrize("way", WAYS)
async def test_a_merged_record_is_closed_though_its_webhook_stays_for_a_while(bench: Bench, way: str) -> None:
    fault, options, kind = WAYS[way]
    await connected(bench)
    bench.registry.edit.deprecate(O, OTHER)
    bench.registry.faults.add(fault, "webhook-delete", orcid=None, **options)

    assert await bench.notified() == "unconfirmed"
    assert await bench.when_due() == "deprecated"

    assert (await bench.number(), await bench.side_steps()) == (0, {"webhook": (1, kind)})
    assert await bench.due_in() <= timedelta(hours=1)  # not in a month
    bench.registry.faults.clear()
    assert await bench.when_due() == "deprecated"
    assert (bench.registry.webhooks.of(O), await bench.side_steps()) == ([], {})
    assert await bench.due_in() > 29 * DAY


async def test_a_notification_does_not_shorten_a_back_off_and_an_operator_does(bench: Bench) -> None:
    bench.registry.faults.add("error", "webhook-put", orcid=None, status=500)
    await connected(bench)
    asked = len(bench.requests("webhook-put"))

    await bench.notified()
    assert len(bench.requests("webhook-put")) == asked

    await queue.request_sync(bench.connection, [O])
    await bench.turn()
    assert len(bench.requests("webhook-put")) > asked
    assert await bench.side_steps() == {"webhook": (2, "unavailable")}


async def test_whoever_leaves_does_not_wait_for_a_registration_that_failed(bench: Bench) -> None:
    bench.registry.faults.add("error", "webhook-put", orcid=None, code=9038)
    await connected(bench)
    assert await bench.side_steps() == {"webhook": (1, "scope_not_granted")}
    await bench.disconnect()

    assert await bench.turn() == "disconnected"

    assert (await bench.webhook_rows(), await bench.retired()) == ([], [])


async def test_evidence_that_cannot_be_noted_undoes_nothing(bench: Bench) -> None:
    await connected(bench)
    await bench.connection.execute("alter table orcid_sync.evidence add constraint broken check (false) not valid")
    bench.registry.edit.add_item(O, "keyword", {"content": "new"})
    head = await bench.head()

    assert await bench.notified() == "changed"

    assert await bench.head() == head + 1
    row = await bench.row()
    assert (row["attempts"], row["last_error"], row["done_gen"]) == (0, None, row["gen"])
