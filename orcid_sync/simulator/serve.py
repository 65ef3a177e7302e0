"""The simulated Registry as a process of its own: sample records, edits by chance, deliveries as time passes."""

import asyncio
from collections.abc import Callable
from random import Random

from orcid_sync.simulator.registry import SimulatedRegistry


async def serve_simulator(
    *,
    host: str = "127.0.0.1",
    port: int = 9999,
    records: int = 40,
    seed: int = 7,
    edits_per_minute: float = 0.0,
    speed: float = 1.0,
    webhook_delay_seconds: float = 300.0,
    limited: bool = True,
    keep_history: bool = True,
    ready: Callable[[SimulatedRegistry], None] = lambda _: None,
) -> None:
    """Serve until cancelled; `ready` is called once it listens.

    `edits_per_minute` are of real time, spread as chance would; `webhook_delay_seconds` are of virtual time and stand
    for the whole way from a change to its notification. Raises OSError if the port is taken.
    """
    sim = SimulatedRegistry(seed=seed, speed=speed, limited=limited, keep_history=keep_history)
    sim.settings.indexing_delay = webhook_delay_seconds
    sim.settings.indexer_period = sim.settings.hook_period = max(0.05, webhook_delay_seconds / 2)
    sim.add_samples(records, seed=seed)
    await sim.start(host, port, deliver=True)
    try:
        ready(sim)
        await _edit_forever(sim, Random(seed), edits_per_minute)
    finally:
        await sim.stop()


async def _edit_forever(sim: SimulatedRegistry, rng: Random, edits_per_minute: float) -> None:
    while True:
        await asyncio.sleep(rng.expovariate(edits_per_minute / 60) if edits_per_minute > 0 else 3600)
        if edits_per_minute > 0:
            sim.random_edit(rng)
