"""Killed at any moment of the work on webhooks: nothing at ORCID is ever unknown to us, and what was begun is ended."""

import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from orcid_sync.registry.client import Registry
from orcid_sync.service.webhooks import registration
from orcid_sync.store.sync import sweeps
from orcid_sync.store.webhooks import inventory
from rig.service.reconciler import SECOND_LOOK, Bench, O
from rig.service.webhook_inventory import ELSEWHERE, assert_all_known, at_orcid, called, restart, rotated, states

WRITTEN = ("begin", "confirm_registration", "begin_removal", "confirm_removal")
TOLD = ("register_webhook", "unregister_webhook")


class Killed(BaseException):
    """The process is no more."""


class Deadly:
    """Kills the process at the n-th moment before or after something was written down, or told to ORCID."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, moment: int) -> None:
        self.left = moment
        for name in WRITTEN:
            monkeypatch.setattr(registration.inventory, name, self._dangerous(getattr(inventory, name)))
        for name in TOLD:
            monkeypatch.setattr(Registry, name, self._dangerous(getattr(Registry, name)))

    def _dangerous(self, act: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def acting(*arguments: Any, **options: Any) -> Any:
            self._pass()
            done = await act(*arguments, **options)
            self._pass()
            return done

        return acting

    def _pass(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


async def connected(bench: Bench) -> None:
    """Somebody new."""
    await bench.connect()


async def dead(bench: Bench) -> None:
    """A webhook that is to be revived."""
    await bench.connect()
    await bench.turn()
    assert await inventory.revive(bench.connection, limit=1) == [O]


async def unsure(bench: Bench) -> None:
    """A webhook that ORCID is to be asked about, and does not have."""
    await bench.connect()
    await bench.turn()
    [uri] = await at_orcid(bench)
    bench.registry.webhooks.delete(O, uri.replace("/", "%2F"), bench.settings.client_id or "")
    now = await bench.connection.fetchval("select now()")
    assert await inventory.verify(bench.connection, limit=1, since=now) == [O]


async def forgotten(bench: Bench) -> None:
    """A webhook that our inventory has lost."""
    await bench.connect()
    await bench.turn()
    await bench.connection.execute("delete from orcid_sync.webhooks")
    assert await sweeps.mark_for_webhooks(bench.connection, overlap=SECOND_LOOK) == 1


async def replaced(bench: Bench) -> None:
    """A webhook whose secret was replaced."""
    await bench.connect()
    await bench.turn()
    await restart(bench, **rotated(bench.settings))
    assert await sweeps.mark_for_webhooks(bench.connection, overlap=SECOND_LOOK) == 1


async def succeeded(bench: Bench) -> None:
    """An older webhook that is not needed any more."""
    await replaced(bench)
    await bench.turn()
    await called(bench, 2)
    await bench.connection.execute("update orcid_sync.webhooks set registered_at = now() - interval '1 day'")
    assert await sweeps.mark_for_webhooks(bench.connection, overlap=SECOND_LOOK) == 1


async def moved(bench: Bench) -> None:
    """Another address, and back again when the first webhook was half removed."""
    await bench.connect()
    await bench.turn()
    first = bench.settings.public_url
    await restart(bench, public_url=ELSEWHERE)
    await bench.connection.execute("update orcid_sync.webhooks set state = 'removing'")
    await restart(bench, public_url=first)
    await bench.check()
    await bench.connection.execute("update orcid_sync.webhooks set state = 'removing'")
    await bench.connection.execute("update orcid_sync.queue set due_at = now()")


async def off(bench: Bench) -> None:
    """Webhooks were switched off."""
    await bench.connect()
    await bench.turn()
    await restart(bench, webhooks=False)
    assert await sweeps.mark_for_webhooks(bench.connection, overlap=SECOND_LOOK) == 1


async def left(bench: Bench) -> None:
    """Somebody leaves in the middle of a change of secrets."""
    await replaced(bench)
    await bench.turn()
    await bench.disconnect()


SCENES: dict[str, tuple[Callable[[Bench], Awaitable[None]], set[int]]] = {
    "connected": (connected, {1}),
    "dead": (dead, {1}),
    "unsure": (unsure, {1}),
    "forgotten": (forgotten, {1}),
    "replaced": (replaced, {1, 2}),
    "succeeded": (succeeded, {2}),
    "moved": (moved, {1}),
    "off": (off, set()),
    "left": (left, set()),
}


@pytest.mark.fault("F100")
@pytest.mark.invariant("S16")
@pytest.mark.parametrize("scene", SCENES)
async def test_killed_at_any_moment(bench: Bench, monkeypatch: pytest.MonkeyPatch, scene: str) -> None:
    prepare, expected = SCENES[scene]
    deaths = 0
    for moment in itertools.count(2 if scene == "forgotten" else 1):  # at the first, nothing was written down yet
        await _begin_anew(bench)
        await prepare(bench)
        with monkeypatch.context() as patch:
            Deadly(patch, moment)
            try:
                await bench.turn()
                killed = False
            except Killed:
                killed = True
        await assert_all_known(bench)
        if not killed:
            break
        deaths += 1
        await bench.pass_time(timedelta(minutes=2))  # until its lease has lapsed
        await bench.turn()
        assert set((await at_orcid(bench)).values()) == expected, f"killed at moment {moment}"
        assert set(await states(bench)) == expected
        assert set((await states(bench)).values()) <= {"active"}
    assert deaths >= 3


async def _begin_anew(bench: Bench) -> None:
    """As if nothing had ever happened here or there."""
    for hook in list(bench.registry.webhooks.of(O)):
        bench.registry.webhooks.delete(O, hook.uri.replace("/", "%2F"), bench.settings.client_id or "")
    await bench.connection.execute(
        "truncate orcid_sync.webhooks, orcid_sync.callback_generations, orcid_sync.queue, orcid_sync.connections,"
        " orcid.records restart identity cascade"
    )
    await restart(bench, webhooks=True, **FIRST)


FIRST: dict[str, Any] = {"webhook_key_version": 1, "old_webhook_secrets": None}


@pytest.fixture(autouse=True)
def _remember(bench: Bench) -> None:
    FIRST.update(webhook_secret=bench.settings.webhook_secret, public_url=bench.settings.public_url)
