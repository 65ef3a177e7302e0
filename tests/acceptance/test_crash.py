"""Kill, freeze, lie, cut the power; then judge every line of the feed and every item of the mirror."""

import os
import time
from pathlib import Path
from random import Random, SystemRandom

import aiohttp
import pytest

from acceptance.harness.checker import (
    Histories,
    broken_chains,
    differences,
    forgotten_past,
    impossible_states,
    misread,
    read_feed,
    torn_snapshots,
    unannounced,
)
from acceptance.harness.cluster import Cluster
from acceptance.harness.observers import connected, take
from acceptance.harness.registry_view import RegistryView
from acceptance.harness.storm import SECOND_LOOK, Storm, caught_up, open_storm

SOAK = float(os.environ.get("ORCID_SYNC_SOAK", "0"))
"""Seconds of storm; 0: the short one of the normal run."""

MORE = 10
"""How often a storm goes on for a while, if not everything has happened that is to be survived."""

SEED = int(os.environ.get("ORCID_SYNC_SEED", SystemRandom().randrange(10**6)))


@pytest.mark.fault("F01", "F02", "F05", "F06", "F12", "F15", "F16", "F17", "F18", "F19", "F33", "F75")
@pytest.mark.invariant("S1", "S2", "S3", "S4", "S5", "S6", "S7", "S10", "L1", "L4", "L6")
async def test_when_the_faults_stop_the_mirror_is_the_registry_and_the_feed_tells_no_lie(
    cluster: Cluster, crash_dsn: str, tmp_path: Path
) -> None:
    tell(f"seed {SEED}: repeat with ORCID_SYNC_SEED={SEED}")
    count, seconds, pace = (1500, SOAK, 40.0) if SOAK else (240, 9.0, 40.0)
    async with open_storm(cluster, crash_dsn, tmp_path, count=count, seed=SEED) as storm:
        began = time.monotonic()
        await storm.rage(seconds, edits_per_second=pace)
        for _ in range(MORE):  # on a busy machine little happens in the same time
            if missing(storm):
                await storm.rage(3.0, edits_per_second=pace)
        raged = time.monotonic()
        await storm.calm()
        calm = time.monotonic()
        await storm.settled()
        tell(f"raged {raged - began:.1f} s, calm after {calm - raged:.1f}, settled in {time.monotonic() - calm:.1f}")
        tell(str(counters(storm)))
        async with aiohttp.ClientSession() as session:
            view = RegistryView(session, storm.world.sim.url)
            assert await unread(view) == []
            await storm.sweep()
            assert await verdict(storm, view) == []
    assert missing(storm) == [], "a storm in which nothing happened proves nothing"


def tell(line: str) -> None:
    """Shown by pytest when the test fails, or with -s."""
    print(line)  # noqa: T201 - the seed is what one needs then


async def unread(view: RegistryView) -> list[str]:
    """S1, S2 and the second look, before the sweep reads everything anyway."""
    requests, notifications = await view.get("requests"), await view.get("notifications")
    return [
        *unannounced(requests, notifications),
        *unannounced(requests, notifications, after_seconds=SECOND_LOOK),
    ]


async def verdict(storm: Storm, view: RegistryView) -> list[str]:
    """Everything that is wrong with mirror and feed."""
    tokens, last = storm.read_tokens, await caught_up(storm)
    async with connected(storm.dsn) as connection:
        feed = await read_feed(connection)
        snapshots = [*storm.snapshotter.snapshots, await take(connection)]
        rng = Random(SEED)
        some = rng.sample(snapshots, min(3, len(snapshots)))
        return [
            *await differences(connection, view, tokens, storm.world.orcids),
            *broken_chains(feed, last),
            *torn_snapshots(feed, snapshots),
            *misread(feed, storm.reader.lines),
            *await forgotten_past(connection, feed, some, rng.sample(storm.world.orcids, 20)),
            *await impossible_states(feed, Histories(view, tokens), set(storm.world.stale)),
        ]


def counters(storm: Storm) -> dict[str, int]:
    """What really happened."""
    return {
        "kills": sum(replica.kills for replica in storm.replicas),
        "freezes": sum(replica.freezes for replica in storm.replicas),
        "crashes": storm.cluster.stops,
        "edits": storm.world.edits,
        "states": storm.world.states,
        "snapshots": len(storm.snapshotter.snapshots),
        "reconnects": storm.reader.reconnects,
        "changes": len(storm.reader.lines),
        "requests": storm.world.sim.journal.request_count,
        "notifications": storm.world.sim.journal.notification_count,
        **storm.world.sim.faults.fired,
    }


KINDS = ("error", "truncated", "html", "reset", "delay", "stale", "lost", "duplicate", "delayed", "lost-answer")


def missing(storm: Storm) -> list[str]:
    """What should have happened in a storm, and has not."""
    happened = counters(storm)
    needed = ("kills", "freezes", "crashes", "edits", "states", "snapshots", "reconnects", "changes", *KINDS)
    return [name for name in needed if not happened.get(name)]
