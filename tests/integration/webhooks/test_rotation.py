"""webhooks rotate and recover, beside a service that runs: another secret, another address, a lost inventory."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest
from pydantic import SecretStr
from typer.testing import Result

from orcid_sync.model.ids import Orcid
from orcid_sync.settings.settings import Settings
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.consent.connections import Entry, connect_orcids
from rig.records.editors import Editors, eager, versions
from rig.service.command_line import Cli
from rig.service.daemon import Service, callback_of, serving
from rig.service.settings import settings_for

ORCIDS = [Orcid(numbered_orcid(700_000_000_000 + number)) for number in range(8)]
STRANGER = Orcid(numbered_orcid(700_000_000_099))
ROTATED = {
    "webhook_secret": SecretStr("the secret that comes next, long enough too"),
    "webhook_key_version": 2,
    "old_webhook_secrets": {1: SecretStr("a webhook secret of the tests, long enough")},
}

Wait = Callable[..., Awaitable[Any]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever watches looks more often than once a second; a command leaves the service's log where it is."""
    monkeypatch.setattr("orcid_sync.settings.logs.configure_logging", lambda *_, **__: None)
    for module in ("converge", "rotate"):
        monkeypatch.setattr(f"orcid_sync.cli.webhooks.{module}.LOOK_SECONDS", 0.1)


@pytest.fixture
async def registry() -> AsyncIterator[SimulatedRegistry]:
    simulated = eager(SimulatedRegistry(speed=1.0))
    for orcid in [*ORCIDS, STRANGER]:
        simulated.add_record(orcid, works=1, employments=0, fundings=0)
    await simulated.start(deliver=True)
    yield simulated
    await simulated.stop()


@dataclass
class Installation:
    """Everybody is followed by a service that is started now and then with other settings."""

    settings: Settings
    dsn: str

    def change(self, **settings: Any) -> None:
        """From the next start on."""
        self.settings = self.settings.model_copy(update=settings)

    def serving(self) -> AbstractAsyncContextManager[Service]:
        """The service, while the body runs."""
        return serving(self.settings, self.dsn)

    async def command(self, *arguments: str) -> Result:
        """A command with the same settings."""
        assert self.settings.webhook_secret is not None
        old = {str(v): one.get_secret_value() for v, one in (self.settings.old_webhook_secrets or {}).items()}
        given = {
            "environment": "custom",
            "api_url": self.settings.api_url,
            "web_url": self.settings.web_url,
            "public_url": self.settings.public_url,
            "webhook_secret": self.settings.webhook_secret.get_secret_value(),
            "webhook_key_version": self.settings.webhook_key_version,
            "old_webhook_secrets": msgspec.json.encode(old).decode() if old else None,
            "second_look_seconds": self.settings.second_look_seconds,
            "encryption_key": base64.b64encode(b"k" * 32).decode(),
        }
        env = {f"ORCID_SYNC_{name.upper()}": str(value) for name, value in given.items() if value is not None}
        return await Cli(self.dsn).apart(*arguments, env=env)


@pytest.fixture
async def installation(
    registry: SimulatedRegistry, dsn: str, connection: asyncpg.Connection, wait_until: Wait
) -> Installation:
    """Stopped; everybody has a webhook of the first version."""
    settings = settings_for(registry, second_look_seconds=0.3, poll_seconds=0.1, public_host="0.0.0.0")
    here = Installation(settings, dsn)
    await connect_orcids(connection, [Entry(orcid=orcid) for orcid in ORCIDS])
    async with here.serving():
        await wait_until(lambda: versions(registry) == ["1"] * len(ORCIDS), 20)
        await wait_until(lambda: settled(connection), 20)
    return here


async def settled(connection: asyncpg.Connection) -> bool:
    """Whether nobody is being seen to, or is due."""
    query = "select not exists (select from orcid_sync.queue where gen > done_gen or due_at <= now())"
    return bool(await connection.fetchval(query))


async def rows(connection: asyncpg.Connection) -> int:
    """How many webhooks our inventory has."""
    number: int = await connection.fetchval("select count(*) from orcid_sync.webhooks")
    return number


@pytest.mark.invariant("S16")
async def test_to_another_address_and_back(
    installation: Installation, registry: SimulatedRegistry, connection: asyncpg.Connection, wait_until: Wait
) -> None:
    """Two names of one service under one secret: ORCID's calls say which one they were made to."""
    editors = Editors(registry, ORCIDS)
    for name in ("localhost", "127.0.0.1"):
        with editors.at_work():
            installation.change(public_url=f"http://{name}:{installation.settings.public_port}")
            async with installation.serving():
                done = await installation.command("webhooks", "rotate", "--timeout", "30")
        assert done.exit_code == 0, done.output
        assert {hook.uri.split("/")[2].partition(":")[0] for hook in registry.webhooks} == {name}
    async with installation.serving():
        await wait_until(lambda: editors.mirrored(connection), 20)
    assert editors.bare == []
    assert await rows(connection) == len(ORCIDS)


async def test_the_old_ones_stay_until_a_new_one_is_called_or_somebody_is_sure(
    installation: Installation, registry: SimulatedRegistry, connection: asyncpg.Connection, wait_until: Wait
) -> None:
    installation.change(**ROTATED)
    async with installation.serving():
        waiting = await installation.command("webhooks", "rotate", "--timeout", "1")
        assert waiting.exit_code == 1
        assert "8 older webhooks stay until ORCID calls a new one" in " ".join(waiting.output.split())
        await connection.execute("update orcid_sync.queue set due_at = now()")
        await wait_until(lambda: settled(connection), 20)
        assert versions(registry) == ["1"] * 8 + ["2"] * 8
        status = await installation.command("webhooks", "status", "--json")
        [attention] = msgspec.json.decode(status.stdout)["attention"]
        assert "older webhooks stay until ORCID calls a new one" in attention["sentence"]

        done = await installation.command("webhooks", "rotate", "--finish", "--timeout", "30")

        assert done.exit_code == 0, done.output
        assert versions(registry) == ["2"] * 8
        assert await rows(connection) == 8


async def test_settings_of_another_time_rotate_nothing(installation: Installation, registry: SimulatedRegistry) -> None:
    """The service was not restarted, or is not there, or the old secret was thrown away too early."""
    async with installation.serving():
        installation.change(**ROTATED)
        early = await installation.command("webhooks", "rotate", "--timeout", "1")
    assert early.exit_code == 1
    assert "Restart every process with them" in " ".join(early.output.split())
    async with installation.serving():
        installation.change(old_webhook_secrets=None)
        lost = await installation.command("webhooks", "rotate", "--timeout", "1")
    assert lost.exit_code == 1
    assert "the secret of version 1 is missing" in " ".join(lost.output.split())
    assert versions(registry).count("1") == 8


async def test_webhooks_are_switched_off_and_on_again(
    installation: Installation, registry: SimulatedRegistry, connection: asyncpg.Connection, wait_until: Wait
) -> None:
    installation.change(webhooks=False)
    async with installation.serving():
        await wait_until(lambda: not list(registry.webhooks), 20)
        await wait_until(lambda: settled(connection), 20)
    assert await rows(connection) == 0
    installation.change(webhooks=True)
    async with installation.serving():
        await wait_until(lambda: versions(registry) == ["1"] * 8, 20)


LOSSES = {
    "the table": "truncate orcid_sync.webhooks",
    "the generations, too": "truncate orcid_sync.webhooks, orcid_sync.callback_generations restart identity",
}


@pytest.mark.fault("F100")
@pytest.mark.invariant("S16")
@pytest.mark.parametrize("loss", LOSSES)
async def test_a_lost_inventory_is_made_anew(
    installation: Installation,
    registry: SimulatedRegistry,
    connection: asyncpg.Connection,
    tmp_path: Path,
    wait_until: Wait,
    loss: str,
) -> None:
    """One is not followed any more, one never was: nobody but ORCID knows of their webhooks. Some are dead."""
    left, followed = ORCIDS[0], ORCIDS[1:]
    forgotten = callback_of(installation.settings, STRANGER)
    registry.webhooks.put(STRANGER, forgotten.replace(":", "%3A").replace("/", "%2F"), CLIENT_ID)
    installation.change(**ROTATED)
    async with installation.serving():
        await wait_until(lambda: versions(registry).count("2") == len(ORCIDS), 20)
        await wait_until(lambda: settled(connection), 20)
    dead = [hook for orcid in ORCIDS[4:] for hook in registry.webhooks.of(orcid)]
    for hook in dead:
        hook.enabled = False
    await connection.execute("update orcid_sync.connections set state = 'disconnected' where orcid = $1", left)
    await connection.execute(LOSSES[loss])
    (tmp_path / "people.csv").write_text(f"orcid\n{STRANGER}\n")

    async with installation.serving():
        made = await installation.command("webhooks", "recover", "--file", str(tmp_path / "people.csv"), "--no-wait")
        assert "7 PUT, 18 DELETE and 7 reads" in made.output
        await wait_until(lambda: settled(connection), 20)
        assert registry.webhooks.of(left) == []
        for orcid in followed:
            registry.edit.add_item(orcid, "keyword", {"content": "k"})
        done = await installation.command("webhooks", "rotate", "--timeout", "30")
        assert done.exit_code == 0, done.output
        await wait_until(lambda: settled(connection), 20)

    assert versions(registry) == ["2"] * 7
    assert sorted(hook.orcid for hook in registry.webhooks) == followed
    assert not [hook for hook in registry.webhooks if hook in dead]
    assert await rows(connection) == 7
