"""Replacing the webhook secret while people edit: no edit is lost, whenever the service is killed."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from acceptance.harness.replica import Replica, environment, free_port
from orcid_sync.model.ids import Orcid
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.store.consent.connections import Entry, connect_orcids
from rig.records.editors import Editors, eager, version_of, versions

ORCIDS = [Orcid(numbered_orcid(700_000_000_000 + number)) for number in range(12)]
OLD, NEW = "w" * 40, "n" * 40
ROTATED = {"webhook_secret": NEW, "webhook_key_version": 2, "old_webhook_secrets": json.dumps({"1": OLD})}

QUICK = {"second_look_seconds": 0.3, "lease_seconds": 1, "poll_seconds": 0.1}


class Installation:
    """One service under one address, started and killed again and again, and a command beside it."""

    def __init__(self, registry: SimulatedRegistry, dsn: str, folder: Path) -> None:
        self._registry, self._dsn, self._log = registry, dsn, folder / "serve.log"
        self._public, self._internal = free_port(), free_port()
        self.replica = self._replica()

    def _replica(self, **settings: Any) -> Replica:
        settings = {"public_port": self._public, "internal_port": self._internal, **QUICK, **settings}
        url = f"http://127.0.0.1:{self._public}"
        return Replica(environment(self._dsn, self._registry.url, url, **settings), self._log)

    async def start(self, **settings: Any) -> None:
        """Start it, with other settings than the last time if some are given."""
        if settings:
            self.replica = self._replica(**settings)
        await self.replica.start()

    async def command(self, *arguments: str) -> tuple[int, str]:
        """The exit code of a command with the service's settings, and all that it said."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "orcid_sync", *arguments),
            env=self.replica.settings,
            cwd=self._log.parent,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode()


class Assassin:
    """Kills the service at the moment at which ORCID has done what it was asked, and has not answered yet."""

    def __init__(self, registry: SimulatedRegistry, installation: Installation) -> None:
        self._registry, self._installation = registry, installation
        self._left: dict[str, int] = {}
        self.too_early: list[str] = []
        """Whose older webhook was removed before any of the new ones had been called."""
        for act in ("put", "delete"):
            setattr(registry.webhooks, act, self._watched(act, getattr(registry.webhooks, act)))

    def wait_for(self, act: str, version: str, number: int) -> None:
        """Kill at the n-th webhook of that version that is registered (put) or removed (delete)."""
        self._left = {f"{act} {version}": number}

    def _watched(self, act: str, do: Callable[..., Any]) -> Callable[..., Any]:
        def watched(orcid: str, segment: str, client_id: str) -> Any:
            done = do(orcid, segment, client_id)
            version = version_of(segment.replace("%2F", "/"))
            if act == "delete" and version == "1" and not self._called("2"):
                self.too_early.append(orcid)
            self._left = {what: left - (what == f"{act} {version}") for what, left in self._left.items()}
            if 0 in self._left.values():
                self._left = {}
                self._installation.replica.signal(signal.SIGKILL)
            return done

        return watched

    def _called(self, version: str) -> bool:
        calls = self._registry.journal.notifications
        return any(call.status == 204 and version_of(call.uri) == version for call in calls)


@pytest.fixture
async def registry() -> AsyncIterator[SimulatedRegistry]:
    simulated = eager(SimulatedRegistry(speed=1.0))
    for orcid in ORCIDS:
        simulated.add_record(orcid, works=1, employments=0, fundings=0)
    await simulated.start(deliver=True)
    yield simulated
    await simulated.stop()


@pytest.mark.fault("F100")
@pytest.mark.invariant("S16", "L1")
async def test_the_secret_is_replaced_while_people_edit_and_the_service_is_killed(
    registry: SimulatedRegistry,
    dsn: str,
    connection: asyncpg.Connection,
    tmp_path: Path,
    wait_until: Callable[..., Any],
) -> None:
    await connect_orcids(connection, [Entry(orcid=orcid) for orcid in ORCIDS])
    installation = Installation(registry, dsn, tmp_path)
    editors, assassin = Editors(registry, ORCIDS), Assassin(registry, installation)
    try:
        await installation.start()
        await wait_until(lambda: versions(registry) == ["1"] * 12, 30)
        with editors.at_work():
            await installation.replica.kill()
            assassin.wait_for("put", "2", 5)
            await installation.start(**ROTATED)
            await installation.replica.ended()
            assert versions(registry)[:17] == ["1"] * 12 + ["2"] * 5

            assassin.wait_for("delete", "1", 5)
            rotating = asyncio.create_task(installation.command("webhooks", "rotate", "--timeout", "60"))
            await installation.start()
            await installation.replica.ended()
            assert 0 < versions(registry).count("1") <= 7

            await installation.start()
            code, said = await rotating
        assert (code, versions(registry)) == (0, ["2"] * 12), said
        assert "Version 1 is not needed any more: remove it from old_webhook_secrets." in said
        assert editors.bare == [], "at some moment nothing would have announced their edits"
        assert assassin.too_early == []
        states = await connection.fetch("select state from orcid_sync.webhooks")
        assert [row["state"] for row in states] == ["active"] * 12
        await wait_until(lambda: editors.mirrored(connection), 20)
    finally:
        await installation.replica.kill()
