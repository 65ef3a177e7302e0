"""Records that the Registry cannot show, on a quiet service: all others are read as if there were none of them."""

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from rig.service.daemon import Service, serving, settled
from rig.service.reconciler import Bench
from rig.service.settings import settings_for

WaitUntil = Callable[..., Awaitable[object]]

KINDS: list[tuple[str, dict[str, Any]]] = [
    ("error", {"status": 500}),
    ("html", {}),
    ("truncated", {}),
    ("error", {"status": 500, "html": True}),
    ("error", {"status": 502}),
    ("error", {"status": 503}),
    ("reset", {}),
    ("wrong-shape", {}),
]

PROMPT = 20.0
"""Seconds: much less than a pause of the circuit that nothing ends."""


def people(count: int) -> list[Orcid]:
    return [Orcid(numbered_orcid(6_000_000 + number)) for number in range(count)]


async def follow(bench: Bench, orcids: list[Orcid]) -> None:
    for orcid in orcids:
        bench.registry.add_record(orcid, works=0)
        await bench.connect(orcid)


def make_sick(registry: SimulatedRegistry, orcids: list[Orcid], kinds: list[tuple[str, dict[str, Any]]]) -> None:
    for orcid, (kind, options) in zip(orcids, itertools.cycle(kinds), strict=False):
        registry.faults.add(kind, "record", orcid=orcid, **options)


async def edit(bench: Bench, service: Service, orcids: list[Orcid], said: str) -> None:
    for orcid in orcids:
        bench.registry.edit.add_item(orcid, "keyword", {"content": said})
        assert await service.post(orcid) == 204


async def failing(bench: Bench, orcids: list[Orcid]) -> bool:
    rows = await bench.connection.fetch("select attempts from orcid_sync.queue where orcid = any($1)", orcids)
    return all(row["attempts"] >= 1 for row in rows)


async def shown(bench: Bench, orcids: list[Orcid], said: str) -> bool:
    query = "select count(distinct orcid) from orcid.keywords where orcid = any($1) and content = $2"
    return bool(await bench.connection.fetchval(query, orcids, said) == len(orcids))


@pytest.mark.fault("F33")
@pytest.mark.invariant("S10", "L1")
@pytest.mark.parametrize("kind", KINDS, ids=str)
async def test_one_that_is_always_sick_stops_nobody_across_restarts(
    bench: Bench, wait_until: WaitUntil, kind: tuple[str, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_for(bench.registry, second_look_seconds=600, requests_per_second=50, workers=8)
    sick, healthy = people(21)[:1], people(21)[1:]
    await follow(bench, [*sick, *healthy])
    async with serving(settings, bench.database.dsn) as service:
        await wait_until(lambda: settled(bench), 30)
        make_sick(bench.registry, sick, [kind])
        await edit(bench, service, sick, "seen by nobody")
        await wait_until(lambda: failing(bench, sick), PROMPT)
        await edit(bench, service, healthy, "first")
        await wait_until(lambda: shown(bench, healthy, "first"), PROMPT)
    async with serving(settings, bench.database.dsn) as service:
        await bench.connection.execute("update orcid_sync.queue set due_at = now() where orcid = any($1)", sick)
        await edit(bench, service, healthy, "second")
        await wait_until(lambda: shown(bench, healthy, "second"), PROMPT)
    assert await failing(bench, sick)
    assert "registry away" not in capsys.readouterr().out


@pytest.mark.fault("F33")
@pytest.mark.invariant("S10", "L1")
@pytest.mark.parametrize(("sick", "healthy"), [(8, 32), (35, 85)])
async def test_many_that_are_sick_together_stop_nobody(
    bench: Bench, wait_until: WaitUntil, sick: int, healthy: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """They come first, all at once, while nothing else is asked: that looks like an outage, and is none."""
    settings = settings_for(bench.registry, second_look_seconds=600, requests_per_second=100, workers=8)
    broken, well = people(sick + healthy)[:sick], people(sick + healthy)[sick:]
    await follow(bench, [*broken, *well])
    async with serving(settings, bench.database.dsn) as service:
        await wait_until(lambda: settled(bench), 60)
        make_sick(bench.registry, broken, KINDS)
        await edit(bench, service, broken, "seen by nobody")
        await wait_until(lambda: failing(bench, broken), PROMPT)
        await edit(bench, service, well, "first")
        await wait_until(lambda: shown(bench, well, "first"), PROMPT)
        bench.registry.faults.clear()
        await bench.connection.execute("update orcid_sync.queue set due_at = now() where orcid = any($1)", broken)
        await wait_until(lambda: shown(bench, broken, "seen by nobody"), PROMPT)
    assert "registry away" not in capsys.readouterr().out


@pytest.mark.fault("F24", "F33")
@pytest.mark.invariant("S10", "L1")
@pytest.mark.parametrize("endpoint", ["record", "funding"])
async def test_those_that_never_answer_keep_no_places(bench: Bench, wait_until: WaitUntil, endpoint: str) -> None:
    """More of them than there are places, all at once, and each for longer than anybody wants to wait."""
    limits = {"request_timeout_seconds": 120, "requests_per_second": 100, "second_look_seconds": 600}
    settings = settings_for(bench.registry, workers=4, **limits)
    silent, well = people(30)[:10], people(30)[10:]
    await follow(bench, [*silent, *well])
    async with serving(settings, bench.database.dsn) as service:
        await wait_until(lambda: settled(bench), 60)
        for orcid in silent:
            bench.registry.faults.add("timeout", endpoint, orcid=orcid, seconds=100)
            bench.registry.edit.add_item(orcid, "funding", {"title": "New", "type": "grant"})
            assert await service.post(orcid) == 204
        await wait_until(lambda: silence(bench, silent), PROMPT)
        await edit(bench, service, well, "first")
        await wait_until(lambda: shown(bench, well, "first"), PROMPT)


async def silence(bench: Bench, orcids: list[Orcid]) -> bool:
    """Whether some of them are being read."""
    query = "select count(*) from orcid_sync.queue where orcid = any($1) and lease_until > now()"
    return bool(await bench.connection.fetchval(query, orcids) >= 4)
