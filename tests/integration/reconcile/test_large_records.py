"""A large record must not make others wait, notifications least of all."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.model.record import diff
from orcid_sync.model.record.sections import Section
from orcid_sync.service.record import comparison
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.samples.record_builder import big_record
from rig.service.reconciler import Bench

WaitUntil = Callable[..., Awaitable[object]]

EXTENSIVE = Orcid(numbered_orcid(5_000_004))


class Turns:
    """How much of something happens between two turns of the event loop."""

    def __init__(self) -> None:
        self.most: dict[str, int] = {}
        self._turn = 0
        self._seen: dict[str, tuple[int, int]] = {}

    async def spin(self) -> None:
        while True:
            self._turn += 1
            await asyncio.sleep(0)

    def counted(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def count(*arguments: Any, **options: Any) -> Any:
            turn, number = self._seen.get(name, (self._turn, 0))
            self._seen[name] = (self._turn, number + 1 if turn == self._turn else 1)
            self.most[name] = max(self.most.get(name, 0), self._seen[name][1])
            return function(*arguments, **options)

        return count


@pytest.mark.fault("F28")
@pytest.mark.invariant("S1")
async def test_a_record_of_3000_works_is_dealt_with_in_small_bites(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted rather than timed: what is done to items between two turns of the event loop."""
    big_record(bench.registry.profiles, EXTENSIVE, works=3000)
    await bench.connect(EXTENSIVE)
    turns = Turns()
    monkeypatch.setattr(comparison, "wants_detail", turns.counted("wants_detail", comparison.wants_detail))
    monkeypatch.setattr(diff, "addition", turns.counted("addition", diff.addition))
    monkeypatch.setattr(Section, "entry", turns.counted("entry", Section.entry))
    spinning = asyncio.create_task(turns.spin())

    assert await bench.turn(EXTENSIVE) == "changed"

    spinning.cancel()
    assert turns.most.keys() == {"wants_detail", "addition", "entry"}
    assert max(turns.most.values()) <= 100, turns.most


@pytest.mark.fault("F28")
@pytest.mark.invariant("S1")
async def test_the_event_loop_stays_responsive_during_a_record_of_3000_works(bench: Bench) -> None:
    big_record(bench.registry.profiles, EXTENSIVE, works=3000)
    await bench.connect(EXTENSIVE)
    await bench.turn(EXTENSIVE)  # from now on the simulated Registry answers from memory
    for table in await bench.mirror(EXTENSIVE):
        await bench.connection.execute(f"truncate orcid.{table} cascade")
    await bench.connection.execute("update orcid_sync.queue set body_digest = null")
    loop, lags = asyncio.get_running_loop(), [0.0]

    def measure(expected: float) -> None:
        lags.append(loop.time() - expected)
        loop.call_later(0.005, measure, loop.time() + 0.005)

    measure(loop.time())

    assert await bench.check(EXTENSIVE) == "changed"

    assert len(lags) > 50
    assert max(lags) < 0.25, sorted(lags)[-5:]
    await bench.assert_mirrored(EXTENSIVE)


@pytest.mark.fault("F24", "F29")
@pytest.mark.invariant("L1")
async def test_large_records_whose_works_never_come_hold_up_no_other_large_one(
    bench: Bench, wait_until: WaitUntil
) -> None:
    """Only so many may be in memory at once; whoever waits for ORCID meanwhile does not keep the others out."""
    silent, well = [Orcid(numbered_orcid(5_000_010 + number)) for number in range(2)], EXTENSIVE
    for orcid in (*silent, well):
        big_record(bench.registry.profiles, orcid, works=1500)
    leases = []
    for orcid in silent:
        bench.registry.faults.add("timeout", "works-bulk", orcid=orcid, seconds=60)
        await bench.connect(orcid)
        leases.append(await bench.lease(orcid))
    waiting = [asyncio.create_task(bench.reconciler.reconcile(lease)) for lease in leases]
    await wait_until(lambda: len(bench.requests("record")) >= len(silent), 10)

    await bench.connect(well)
    assert await bench.turn(well) == "changed"

    await asyncio.gather(*waiting)
