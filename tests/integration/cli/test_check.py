"""check: what it finds, and what it says to do, against a simulated Registry."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import msgspec
import pytest

from orcid_sync.cli.operations.check_api import NOBODY
from orcid_sync.settings.settings import Settings
from orcid_sync.simulator.base.tokens import Client
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID, CLIENT_SECRET
from orcid_sync.store.database import environment
from orcid_sync.store.database.encryption import Vault
from rig.service.command_line import COMPLETE, KEY, Cli

OTHER_KEY = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="


@pytest.fixture
async def sim() -> AsyncIterator[SimulatedRegistry]:
    """A simulated Registry that knows our client."""
    async with SimulatedRegistry() as simulated:
        yield simulated


def settings_for(sim: SimulatedRegistry) -> dict[str, str]:
    """The environment of a service that uses it."""
    return {
        **COMPLETE,
        "ORCID_SYNC_ENVIRONMENT": "custom",
        "ORCID_SYNC_API_URL": sim.api_url,
        "ORCID_SYNC_WEB_URL": sim.web_url,
        "ORCID_SYNC_CLIENT_ID": CLIENT_ID,
        "ORCID_SYNC_CLIENT_SECRET": CLIENT_SECRET,
        "ORCID_SYNC_PUBLIC_URL": "https://0.0.0.0:9",  # not this machine's own by its looks, and refused at once
    }


async def checked(cli: Cli, env: dict[str, Any], *arguments: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """Exit code, and by name the result and its explanation."""
    result = await cli.apart("check", "--json", *arguments, env=env)
    found = msgspec.json.decode(result.stdout)
    return result.exit_code, {one["name"]: (one["result"], one["explanation"]) for one in found}


async def test_all_is_well(cli: Cli, sim: SimulatedRegistry, connection: asyncpg.Connection) -> None:
    code, found = await checked(cli, settings_for(sim))

    assert code == 0
    assert {name: result for name, (result, _) in found.items()} == {
        "configuration": "ok",
        "public_url": "ok",
        "way in": "warn",
        "database": "ok",
        "schema": "ok",
        "encryption_key": "ok",
        "credentials /read-public": "ok",
        "credentials /webhook": "ok",
        "api_url": "ok",
    }
    # The tokens are kept for the service, so that checking often does not make tokens at ORCID (contract section 2.3).
    await checked(cli, settings_for(sim))
    assert await connection.fetchval("select count(*) from orcid_sync.client_tokens") == 2
    assert len(sim.token_service.tokens) == 2


async def test_offline_asks_nobody(cli: Cli) -> None:
    code, found = await checked(cli, COMPLETE, "--offline")

    assert code == 0
    assert found["credentials"] == ("skipped", "--offline")


@pytest.mark.parametrize(
    ("differs", "name", "result", "said"),
    [
        ({"ORCID_SYNC_CLIENT_ID": None}, "configuration", "fail", "client_id: is missing"),
        ({"ORCID_SYNC_PUBLIC_URL": "http://127.0.0.1:8080"}, "public_url", "warn", "ORCID cannot reach it"),
        ({"ORCID_SYNC_PUBLIC_URL": "http://orcid.example.edu"}, "public_url", "warn", "is plain http"),
        ({"ORCID_SYNC_PUBLIC_URL": None}, "public_url", "fail", "is missing"),
        ({"ORCID_SYNC_WEBHOOKS": "false"}, "public_url", "warn", "webhooks are off"),
        ({"ORCID_SYNC_ENCRYPTION_KEY": None}, "encryption_key", "fail", "openssl rand -base64 32"),
        ({"DATABASE_URL": "postgresql://u:kestrel@127.0.0.1:9/x"}, "database", "fail", "could not be made"),
    ],
)
async def test_says_what_to_fix(
    cli: Cli, sim: SimulatedRegistry, differs: dict[str, Any], name: str, result: str, said: str
) -> None:
    code, found = await checked(cli, {**settings_for(sim), **differs}, "--offline")

    assert found[name][0] == result
    assert said in found[name][1]
    assert code == (1 if result == "fail" else 0)


async def test_a_schema_that_is_behind(cli_on: Callable[[str], Cli], empty_dsn: str, sim: SimulatedRegistry) -> None:
    code, found = await checked(cli_on(empty_dsn), settings_for(sim))

    assert code == 1
    assert found["schema"][0] == "fail"
    assert found["schema"][1].endswith("run orcid-sync migrate")


async def test_another_key_than_the_one_that_sealed(cli: Cli, connection: asyncpg.Connection) -> None:
    """Somebody lost the key: said before the service runs and finds every token unreadable."""
    vault = Vault(Settings(encryption_key=OTHER_KEY).key_ring)  # type: ignore[arg-type]
    orcid = "0000-0002-1825-0097"
    await cli.apart("connect", orcid)
    sealed = vault.seal("kestrel", orcid=orcid, column="access_token")
    await connection.execute("insert into orcid_sync.tokens (orcid, access_token) values ($1, $2)", orcid, sealed)

    assert (await checked(cli, COMPLETE, "--offline"))[1]["encryption_key"][0] == "fail"
    assert (await checked(cli, {**COMPLETE, "ORCID_SYNC_ENCRYPTION_KEY": OTHER_KEY}, "--offline"))[0] == 0
    assert KEY != OTHER_KEY


@pytest.mark.fault("F45")
async def test_the_database_of_another_environment(
    cli: Cli, sim: SimulatedRegistry, connection: asyncpg.Connection
) -> None:
    await environment.settle(connection, "sandbox")

    code, found = await checked(cli, settings_for(sim), "--offline")

    assert code == 1
    assert found["environment"][0] == "fail"
    assert "give custom a database of its own" in found["environment"][1]


async def test_a_wrong_secret(cli: Cli, sim: SimulatedRegistry) -> None:
    code, found = await checked(cli, {**settings_for(sim), "ORCID_SYNC_CLIENT_SECRET": "kestrel-wrong"})

    assert code == 1
    assert found["credentials /read-public"][0] == "fail"
    assert "check client_id, client_secret and environment" in found["credentials /read-public"][1]


async def test_a_client_without_premium_membership(cli: Cli, sim: SimulatedRegistry) -> None:
    """Contract section 1.2: only premium members get /webhook."""
    basic = Client(client_id="APP-BASIC0MEMBER0001", secret="basic-secret", name="Basic", scopes=("/read-public",))
    sim.token_service.clients[basic.client_id] = basic
    env = settings_for(sim) | {
        "ORCID_SYNC_CLIENT_ID": basic.client_id,
        "ORCID_SYNC_CLIENT_SECRET": basic.secret,
    }

    code, found = await checked(cli, env)

    assert code == 1
    assert found["credentials /read-public"][0] == "ok"
    assert found["credentials /webhook"][0] == "fail"
    assert "premium" in found["credentials /webhook"][1]


@pytest.mark.parametrize(
    ("fault", "options", "result", "said"),
    [
        ("error", {"code": 9016}, "ok", "it does not know 0000-0000-0000-0001"),
        ("error", {"code": 9056}, "fail", "redirects elsewhere: api_url must be the address of the API alone"),
        ("error", {"code": 9001, "status": 404}, "fail", "has nothing at this address"),
        ("error", {"code": 9017}, "fail", "your client is a public one"),
        ("error", {"code": 9038}, "fail", "does not let your client read"),
        ("error", {"code": 9008}, "warn", "has troubles"),
        ("error", {"status": 503}, "warn", "try again later"),
        ("error", {"status": 404}, "fail", "something else than ORCID's API answers"),
        ("html", {}, "fail", "something else than ORCID's API answers"),
        ("wrong-shape", {"body": {"hello": "world"}}, "fail", "something else than ORCID's API answers"),
        ("reset", {}, "fail", "no answer. Check that this machine can reach it"),
    ],
)
async def test_what_is_heard_at_the_address_of_the_api(
    cli: Cli, sim: SimulatedRegistry, fault: str, options: dict[str, Any], result: str, said: str
) -> None:
    if fault == "wrong-shape":
        sim.add_record(NOBODY)
    sim.faults.add(fault, "record", orcid=None, **options)

    code, found = await checked(cli, settings_for(sim))

    assert found["api_url"][0] == result
    assert said in found["api_url"][1]
    assert code == (1 if result == "fail" else 0)


async def test_an_api_that_knows_an_id_that_nobody_has_is_not_orcids(cli: Cli, sim: SimulatedRegistry) -> None:
    sim.add_record(NOBODY)

    code, found = await checked(cli, settings_for(sim))

    assert (code, found["api_url"][0]) == (1, "fail")
    assert "an iD that nobody has" in found["api_url"][1]


async def test_the_api_of_another_environment_than_the_tokens(cli: Cli, sim: SimulatedRegistry) -> None:
    async with SimulatedRegistry() as other:
        code, found = await checked(cli, {**settings_for(sim), "ORCID_SYNC_API_URL": other.api_url})

    assert (code, found["api_url"][0]) == (1, "fail")
    assert "Do api_url and web_url belong to the same environment?" in found["api_url"][1]


async def test_a_registry_that_is_away(cli: Cli, sim: SimulatedRegistry) -> None:
    env = settings_for(sim)
    await sim.stop()

    code, found = await asyncio.wait_for(checked(cli, env), 60)

    assert code == 1
    assert "Check that this machine can reach" in found["credentials /read-public"][1]
