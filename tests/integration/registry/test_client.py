"""The Registry client against the simulated Registry: states of records, tokens, webhooks, works and faults."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from orcid_sync.model.ids import Orcid
from orcid_sync.registry.client import Registry
from orcid_sync.registry.errors import (
    Busy,
    ClientDisabled,
    Deactivated,
    Deprecated,
    Forbidden,
    Locked,
    Malformed,
    NotFound,
    RegistryError,
    ScopeNotGranted,
    Unauthorized,
    Unavailable,
    Unclaimed,
    Unrenderable,
    UsedUp,
    WrongRecord,
)
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID, CLIENT_SECRET, OTHER_CLIENT_ID, OTHER_CLIENT_SECRET
from rig.registry_client import Journal, registry_at

ORCID = Orcid("0000-0002-1825-0097")
OTHER = Orcid("0000-0002-1694-233X")
UNKNOWN = Orcid("0000-0001-5109-3700")
CALLBACK = f"https://hub.example.org/webhooks/{ORCID}/1.abc?x=%2F&y=:"


@asynccontextmanager
async def client_of(
    simulated: SimulatedRegistry, *, client_id: str = CLIENT_ID, client_secret: str = CLIENT_SECRET
) -> AsyncIterator[tuple[Registry, Journal]]:
    journal = Journal()
    async with registry_at(simulated.api_url, journal, client_id=client_id, client_secret=client_secret) as registry:
        yield registry, journal


@pytest.fixture
async def simulated() -> AsyncIterator[SimulatedRegistry]:
    async with SimulatedRegistry() as simulated:
        simulated.add_record(ORCID, works=120)
        simulated.add_record(OTHER)
        yield simulated


@pytest.fixture
async def registry(simulated: SimulatedRegistry) -> AsyncIterator[Registry]:
    async with client_of(simulated) as (registry, _):
        yield registry


async def read(registry: Registry, orcid: Orcid = ORCID, token: str | None = None) -> Any:
    async with registry.record(orcid, token) as body:
        return json.loads(body)


def summaries(record: Any, section: str) -> dict[int, Any]:
    """The summaries of a section by put-code."""
    groups = record["activities-summary"][f"{section}s"]["group"]
    return {item["put-code"]: item for group in groups for item in group[f"{section}-summary"]}


async def test_a_record_is_read_as_the_registry_shows_it(simulated: SimulatedRegistry, registry: Registry) -> None:
    record = await read(registry)

    [own] = simulated.token_service.tokens
    assert record == simulated.view(ORCID, own)
    assert len(summaries(record, "work")) == 120


async def test_concurrent_readers_share_one_token(simulated: SimulatedRegistry) -> None:
    async with client_of(simulated) as (registry, journal):
        await asyncio.gather(*(read(registry) for _ in range(5)), registry.register_webhook(ORCID, CALLBACK))

    assert sorted(scope for token in simulated.token_service.tokens.values() for scope in token.scopes) == [
        "/read-public",
        "/webhook",
    ]
    assert set(journal.stored) == {"/read-public", "/webhook"}
    assert sorted({endpoint for endpoint, _ in journal.observed}) == ["record", "token", "webhook"]
    assert journal.pace.count("slot") == len(simulated.journal.requests) == 8


STATES: list[tuple[Callable[[SimulatedRegistry], None], type[RegistryError]]] = [
    (lambda simulated: simulated.edit.lock(ORCID), Locked),
    (lambda simulated: simulated.edit.unclaim(ORCID), Unclaimed),
    (lambda simulated: simulated.edit.deactivate(ORCID), Deactivated),
    (lambda simulated: simulated.edit.deprecate(ORCID, OTHER), Deprecated),
]


@pytest.mark.parametrize(("change", "error"), STATES, ids=[error.__name__ for _, error in STATES])
async def test_states_of_a_record(
    simulated: SimulatedRegistry,
    registry: Registry,
    change: Callable[[SimulatedRegistry], None],
    error: type[RegistryError],
) -> None:
    change(simulated)

    with pytest.raises(error) as caught:
        await read(registry)

    assert getattr(caught.value, "primary", OTHER) == OTHER
    assert await registry.register_webhook(ORCID, CALLBACK) is True  # the state does not matter (contract section 1.3)


async def test_an_unknown_record(registry: Registry) -> None:
    with pytest.raises(NotFound):
        await read(registry, UNKNOWN)
    with pytest.raises(NotFound):
        await registry.register_webhook(UNKNOWN, CALLBACK)
    with pytest.raises(NotFound):
        await registry.unregister_webhook(UNKNOWN, CALLBACK)


async def test_a_webhook_is_registered_and_removed(simulated: SimulatedRegistry, registry: Registry) -> None:
    assert await registry.register_webhook(ORCID, CALLBACK) is True
    assert await registry.register_webhook(ORCID, CALLBACK) is False
    assert [hook.uri for hook in simulated.webhooks.of(ORCID)] == [CALLBACK]

    async with client_of(simulated, client_id=OTHER_CLIENT_ID, client_secret=OTHER_CLIENT_SECRET) as (stranger, _):
        with pytest.raises(Forbidden):
            await stranger.unregister_webhook(ORCID, CALLBACK)
    await registry.unregister_webhook(ORCID, CALLBACK)
    await registry.unregister_webhook(ORCID, CALLBACK)

    assert simulated.webhooks.of(ORCID) == []


async def test_a_users_token_shows_more_and_its_loss_is_not_final(
    simulated: SimulatedRegistry, registry: Registry
) -> None:
    limited = simulated.edit.add_item(ORCID, "work", {"title": {"title": {"value": "T"}}}, visibility="limited")
    token = simulated.token_service.issue(CLIENT_ID, ["/read-limited"], orcid=ORCID).text

    assert limited in summaries(await read(registry, token=token), "work")
    assert limited not in summaries(await read(registry), "work")
    with pytest.raises(Forbidden):
        await read(registry, OTHER, token)
    simulated.token_service.disable(ORCID, "USER_REVOKED")
    with pytest.raises(Unauthorized):
        await read(registry, token=token)


async def test_a_revoked_token_of_ours_is_replaced(simulated: SimulatedRegistry, registry: Registry) -> None:
    await read(registry)
    for token in simulated.token_service.tokens.values():
        token.disabled = "CLIENT_REVOKED"

    await read(registry)

    assert len(simulated.token_service.tokens) == 2


async def test_an_outage_of_introspection_is_unavailability(simulated: SimulatedRegistry, registry: Registry) -> None:
    await read(registry)
    simulated.token_service.introspection_down = True
    for _ in range(3):
        with pytest.raises(Unavailable):
            await read(registry)
    simulated.token_service.introspection_down = False

    await read(registry)

    assert len(simulated.token_service.tokens) == 2


async def test_a_client_that_is_not_what_it_should_be(simulated: SimulatedRegistry) -> None:
    simulated.token_service.clients[OTHER_CLIENT_ID].scopes = ("/read-public",)
    async with client_of(simulated, client_id=OTHER_CLIENT_ID, client_secret=OTHER_CLIENT_SECRET) as (basic, _):
        with pytest.raises(ScopeNotGranted, match="premium members"):
            await basic.register_webhook(ORCID, CALLBACK)
        await read(basic)
        simulated.token_service.clients[OTHER_CLIENT_ID].deactivated = True
        with pytest.raises(ClientDisabled):
            await read(basic)
    async with client_of(simulated, client_secret="wrong") as (wrong, _):
        with pytest.raises(ClientDisabled):
            await read(wrong)


@pytest.mark.fault("F40")
@pytest.mark.invariant("S8")
async def test_works_come_whole_and_what_is_missing_is_missing(
    simulated: SimulatedRegistry, registry: Registry
) -> None:
    codes = set(summaries(await read(registry), "work"))
    hidden = min(codes)
    simulated.edit.set_visibility(ORCID, "work", hidden, "private")

    asked = sorted(codes)[:99]
    async with registry.works(ORCID, [*asked, 999_999_999]) as found:
        assert set(found) == {*asked} - {hidden}
        assert all(json.loads(work)["put-code"] == put_code for put_code, work in found.items())


async def test_full_items(simulated: SimulatedRegistry, registry: Registry) -> None:
    [funding] = summaries(await read(registry), "funding")

    item = await registry.fetch_item(ORCID, "funding", funding)
    assert json.loads(item)["put-code"] == funding
    with pytest.raises(NotFound):
        await registry.fetch_item(ORCID, "funding", 999_999_999)
    simulated.edit.set_visibility(ORCID, "funding", funding, "private")
    with pytest.raises(Forbidden):
        await registry.fetch_item(ORCID, "funding", funding)


FAULTS: list[tuple[str, dict[str, Any], type[RegistryError]]] = [
    ("slow-drip", {"seconds": 30}, Unavailable),
    ("timeout", {}, Unavailable),
    ("error", {"status": 429}, Busy),
    ("error", {"status": 429, "daily": True}, UsedUp),
    ("error", {"status": 500}, Unrenderable),
    ("error", {"status": 500, "html": True}, Unavailable),
    ("error", {"status": 502}, Unavailable),
    ("error", {"status": 503}, Busy),
    ("error", {"status": 504}, Unavailable),
    ("html", {}, Unrenderable),
    ("reset", {}, Unavailable),
    ("lost-answer", {}, Unavailable),
    ("truncated", {}, Unrenderable),
    ("wrong-length", {}, Unavailable),
    ("wrong-shape", {}, Malformed),
    ("wrong-record", {}, WrongRecord),
]


@pytest.mark.fault("F31", "F32", "F33", "F34", "F35", "F49", "F53")
@pytest.mark.invariant("S8", "S9", "S10")
@pytest.mark.parametrize(("kind", "options", "error"), FAULTS, ids=lambda value: str(value)[:20])
async def test_faults(
    simulated: SimulatedRegistry, kind: str, options: dict[str, Any], error: type[RegistryError]
) -> None:
    journal = Journal(stored={"/read-public": simulated.token_service.issue(CLIENT_ID, ["/read-public"]).text})
    async with registry_at(simulated.api_url, journal, total_seconds=0.5) as registry:
        simulated.faults.add(kind, "record", **options)
        with pytest.raises(error) as caught:
            await read(registry)
        assert type(caught.value) is error
        assert simulated.faults.fired[kind] == journal.pace.count("slot") <= 2

        simulated.faults.clear()
        await read(registry)


@pytest.mark.fault("F33", "F41")
async def test_a_lost_answer_is_made_good_by_asking_again(simulated: SimulatedRegistry, registry: Registry) -> None:
    simulated.faults.add("lost-answer", "webhook-*", count=1)

    assert (
        await registry.register_webhook(ORCID, CALLBACK) is False
    )  # it was registered by the request whose answer got lost
    simulated.faults.add("lost-answer", "webhook-*", count=1)
    await registry.unregister_webhook(ORCID, CALLBACK)

    assert simulated.webhooks.of(ORCID) == []
    assert simulated.faults.fired["lost-answer"] == 2
