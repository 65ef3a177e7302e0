"""Encryption keys: which are in use, replacing them under a running service, and what a wrong or lost one does."""

import asyncio
import base64
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from structlog.testing import capture_logs

from orcid_sync.daemon.startup_checks import CannotServe
from orcid_sync.model.ids import Orcid
from orcid_sync.simulator.world import CLIENT_ID
from orcid_sync.store.database import encryption_keys
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.database.pools import Database, connect
from rig.service.command_line import Cli, bare_environment
from rig.service.daemon import serving, settled
from rig.service.reconciler import LIMITED, OTHER, Bench, O

ROOT = Path(__file__).parents[3]
OLD, NEW, LOST = b"o" * 32, b"n" * 32, b"l" * 32
BEFORE = Vault({"old": OLD})
BOTH = Vault({"new": NEW, "old": OLD})
AFTER = Vault({"new": NEW})

Samples = Callable[[int], list[Orcid]]
Tokens = dict[tuple[str, ...], str]


def text_of(key: bytes) -> str:
    return base64.b64encode(key).decode()


def environment(present: tuple[str, bytes], **old: bytes) -> dict[str, str]:
    """The settings of a ring."""
    ring = ", ".join(f'"{key_id}": "{text_of(key)}"' for key_id, key in old.items())
    return {
        "ORCID_SYNC_ENCRYPTION_KEY_ID": present[0],
        "ORCID_SYNC_ENCRYPTION_KEY": text_of(present[1]),
        **({"ORCID_SYNC_OLD_ENCRYPTION_KEYS": f"{{{ring}}}"} if old else {}),
    }


async def plant(connection: asyncpg.Connection, vault: Vault, orcids: list[Orcid]) -> Tokens:
    """Tokens in every column that holds ciphertexts; returns what they say, by place."""
    said: Tokens = {("client_tokens", "APP-1", "/read-public"): "made-up token of ours"}
    for number, orcid in enumerate(orcids):
        await connection.execute("insert into orcid_sync.connections (orcid) values ($1)", orcid)
        said["tokens", orcid, "access_token"] = f"made-up access token {number}"
        if number % 2:
            said["tokens", orcid, "refresh_token"] = f"made-up refresh token {number}"
        said["retired_tokens", orcid] = f"made-up retired token {number}"
    for place, token in said.items():
        await put(connection, place, sealed(vault, place, token))
    return said


def sealed(vault: Vault, place: tuple[str, ...], token: str) -> str:
    return vault.seal(token, orcid=place[1], column=column_of(place))


def column_of(place: tuple[str, ...]) -> str:
    return {"tokens": place[-1], "retired_tokens": "access_token", "client_tokens": "client_tokens.access_token"}[
        place[0]
    ]


async def put(connection: asyncpg.Connection, place: tuple[str, ...], text: str) -> None:
    """Store a ciphertext."""
    match place:
        case ("client_tokens", client_id, scope):
            await connection.execute(
                "insert into orcid_sync.client_tokens values ($1, $2, $3, now(), now() + interval '1 year')",
                client_id, scope, text,
            )  # fmt: skip
        case ("retired_tokens", orcid):
            await connection.execute(
                "insert into orcid_sync.retired_tokens (orcid, access_token, reason) values ($1, $2, 'replaced')",
                orcid, text,
            )  # fmt: skip
        case ("tokens", orcid, "access_token"):
            await connection.execute("insert into orcid_sync.tokens (orcid, access_token) values ($1, $2)", orcid, text)
        case ("tokens", orcid, "refresh_token"):
            await connection.execute("update orcid_sync.tokens set refresh_token = $2 where orcid = $1", orcid, text)


async def stored(connection: asyncpg.Connection) -> Tokens:
    """Every ciphertext, by place."""
    found: Tokens = {}
    for row in await connection.fetch("select * from orcid_sync.tokens"):
        found["tokens", row["orcid"], "access_token"] = row["access_token"]
        if row["refresh_token"]:
            found["tokens", row["orcid"], "refresh_token"] = row["refresh_token"]
    for row in await connection.fetch("select * from orcid_sync.retired_tokens"):
        found["retired_tokens", row["orcid"]] = row["access_token"]
    for row in await connection.fetch("select * from orcid_sync.client_tokens"):
        found["client_tokens", row["client_id"], row["scope"]] = row["access_token"]
    return found


async def opened(connection: asyncpg.Connection, vault: Vault) -> Tokens:
    """What every ciphertext says."""
    texts = await stored(connection)
    return {place: vault.open(text, orcid=place[1], column=column_of(place)) for place, text in texts.items()}


async def rotated(connection: asyncpg.Connection, vault: Vault = BOTH, **options: Any) -> tuple[int, list[str]]:
    """Rotate; the rows that were sealed anew, and the owners of those that do not open."""
    batches = [batch async for batch in encryption_keys.rotate(connection, vault, **options)]
    return sum(batch.replaced for batch in batches), [owner for batch in batches for owner in batch.damaged]


@pytest.mark.invariant("S19")
@pytest.mark.parametrize("batch", [1, 3, 500])
async def test_everything_is_sealed_anew_and_says_the_same(
    connection: asyncpg.Connection, sample_orcids: Samples, batch: int
) -> None:
    said = await plant(connection, BEFORE, sample_orcids(7))

    assert await rotated(connection, batch=batch) == (7 + 7 + 1, [])

    assert await opened(connection, AFTER) == said
    assert await rotated(connection, batch=batch) == (0, []), "there was nothing left to do"


async def test_what_the_present_key_sealed_is_not_touched(
    connection: asyncpg.Connection, sample_orcids: Samples
) -> None:
    await plant(connection, AFTER, sample_orcids(3))
    before = await stored(connection)

    assert await rotated(connection) == (0, [])
    assert await stored(connection) == before


@pytest.mark.invariant("S19")
async def test_a_row_that_somebody_else_writes_is_left_to_a_later_round(
    connection: asyncpg.Connection, database: Database, sample_orcids: Samples
) -> None:
    """No waiting for others, and nobody's write is lost."""
    [first, second] = sample_orcids(2)
    await plant(connection, BEFORE, [first, second])
    async with database.worker.acquire() as other, other.transaction():
        anew = BEFORE.seal("a newer one", orcid=first, column="access_token")
        await other.execute("update orcid_sync.tokens set access_token = $2 where orcid = $1", first, anew)

        async with asyncio.timeout(3):
            assert (await rotated(connection))[0] == 4
    assert (await rotated(connection))[0] == 1

    assert (await opened(connection, AFTER))["tokens", first, "access_token"] == "a newer one"


@pytest.mark.fault("F90", "F91")
@pytest.mark.invariant("S19")
async def test_what_does_not_open_stops_nobody(connection: asyncpg.Connection, sample_orcids: Samples) -> None:
    """Two ciphertexts were swapped between people: both stay shut, and rotating does not make them valid."""
    first, second, third = sample_orcids(3)
    said = await plant(connection, BEFORE, [first, second, third])
    before = await stored(connection)
    for orcid, other in ((first, second), (second, first)):
        text = before["tokens", other, "access_token"]
        await connection.execute("update orcid_sync.tokens set access_token = $2 where orcid = $1", orcid, text)

    plain = "in the clear"
    await connection.execute("update orcid_sync.tokens set refresh_token = $2 where orcid = $1", third, plain)
    said["tokens", third, "refresh_token"] = plain

    replaced, damaged = await rotated(connection, batch=1)

    assert damaged == [first, second]
    assert replaced == 3 + 3 + 1 - 1, "of the second, the refresh token could be sealed anew"
    tried = await encryption_keys.try_keys(connection, BOTH)
    assert tried["old"].closed == [f"tokens.access_token of {first}", f"tokens.access_token of {second}"]
    assert (tried["old"].opened, tried["new"].opened) == (0, len(said) - 3)


async def test_status_says_what_is_in_use_and_what_may_go(
    cli: Cli, connection: asyncpg.Connection, sample_orcids: Samples
) -> None:
    await plant(connection, BEFORE, sample_orcids(4))
    ring = environment(("new", NEW), old=OLD)

    async def asked(env: dict[str, str]) -> dict[str, tuple[str, int]]:
        shown = await asyncio.to_thread(cli.json, "keys", "status", env=env)
        return {key["key"]: (key["role"], sum(key["tokens"].values())) for key in shown}

    assert await asked(ring) == {"new": ("present", 0), "old": ("old", 4 + 2 + 4 + 1)}
    assert await asked(environment(("new", NEW))) == {"new": ("present", 0), "old": ("missing", 11)}
    assert "To replace the key 'old': orcid-sync keys rotate" in (await cli.apart("keys", "status", env=ring)).stdout

    result = await cli.apart("keys", "rotate", env=ring)
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        ["9 rows were encrypted again.", "Nothing uses the key 'old' any more: remove it from old_encryption_keys."],
    )
    assert await asked(ring) == {"new": ("present", 11), "old": ("old", 0)}
    assert (await cli.apart("keys", "check", env=environment(("new", NEW)))).exit_code == 0


@pytest.mark.fault("F91")
async def test_rotating_without_a_key_in_use_changes_nothing(
    cli: Cli, connection: asyncpg.Connection, sample_orcids: Samples
) -> None:
    lost, kept = sample_orcids(3)[:1], sample_orcids(3)[1:]
    await plant(connection, Vault({"lost": LOST}), lost)
    await connection.execute("delete from orcid_sync.client_tokens")
    await plant(connection, BEFORE, kept)
    before = await stored(connection)
    ring = environment(("new", NEW), old=OLD)

    refused = await cli.apart("keys", "rotate", env=ring)

    assert refused.exit_code == 1
    assert "The key 'lost', which encrypted 2 tokens, is not set." in refused.stderr
    assert await stored(connection) == before

    assert (await cli.apart("keys", "rotate", "--skip-missing", env=ring)).exit_code == 0
    assert await encryption_keys.usage(connection, AFTER) == [
        encryption_keys.KeyUse(
            key_id="new",
            role="present",
            rows={
                "client_tokens.access_token": 1,
                "retired_tokens.access_token": 2,
                "tokens.access_token": 2,
                "tokens.refresh_token": 1,
            },
        ),
        encryption_keys.KeyUse(
            key_id="lost", role="missing", rows={"retired_tokens.access_token": 1, "tokens.access_token": 1}
        ),
    ]


@pytest.mark.invariant("S12")
async def test_a_token_that_somebody_stored_in_the_clear_is_not_quoted(
    cli: Cli, connection: asyncpg.Connection, sample_orcids: Samples
) -> None:
    """In a text with dots, the second part would be taken for the id of a key."""
    await plant(connection, BEFORE, sample_orcids(1))
    await connection.execute("update orcid_sync.tokens set access_token = 'head.canary.tail'")

    for action in ("status", "check", "rotate"):
        result = await cli.apart("keys", action, env=environment(("old", OLD)))  # the rig looks for canaries
        assert result.exit_code == (0 if action == "status" else 1)


@pytest.mark.fault("F91")
@pytest.mark.invariant("S19")
async def test_a_rotation_that_was_killed_goes_on(
    dsn: str, connection: asyncpg.Connection, sample_orcids: Samples, wait_until: Any
) -> None:
    """kill -9 between two batches and in the middle of one, again and again, until nothing is left to do."""
    said = await plant(connection, BEFORE, sample_orcids(1_800))
    await connection.execute(
        """
        create function linger() returns trigger language plpgsql as 'begin perform pg_sleep(0.2); return null; end';
        create trigger linger after update on orcid_sync.tokens for each statement execute function linger();
        """
    )
    clean = {name: value for name, value in os.environ.items() if name not in bare_environment()}
    env = {**clean, **environment(("new", NEW), old=OLD), "DATABASE_URL": dsn, "PYTHONPATH": str(ROOT)}

    async def carried(key_id: str) -> int:
        rows = {use.key_id: use.total for use in await encryption_keys.usage(connection, BOTH)}
        return rows[key_id]

    kills = 0
    while left := await carried("old"):
        rotation = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "orcid_sync", "keys", "rotate", env=env, stdout=asyncio.subprocess.DEVNULL
        )
        if kills < 2:
            await wait_until(lambda left=left: fewer(carried("old"), left), 30)
            rotation.kill()
            kills += 1
        await rotation.wait()
        assert await opened(connection, BOTH) == said
    assert kills == 2, "it was done before it could be killed twice"
    assert await opened(connection, AFTER) == said


async def fewer(number: Any, than: int) -> bool:
    return bool(await number < than)


@pytest.mark.fault("F91")
@pytest.mark.invariant("S19")
async def test_the_service_works_while_its_keys_are_replaced(
    bench: Bench, connection: asyncpg.Connection, wait_until: Any
) -> None:
    old = {"1": bench.settings.key_ring["1"]}
    ring = bench.settings.model_copy(
        update={
            "encryption_key": type(bench.settings.encryption_key)(text_of(NEW)),
            "encryption_key_id": "new",
            "old_encryption_keys": {"1": bench.settings.encryption_key},
        }
    )
    token = await bench.connect(O, scopes=LIMITED)
    await bench.connect(OTHER)
    async with serving(bench.settings, bench.database.dsn):
        await wait_until(lambda: settled(bench), 20)
    assert {use.key_id for use in await encryption_keys.usage(connection, Vault(old))} == {"1"}

    async with serving(ring, bench.database.dsn) as service:
        assert (await rotated(connection, Vault(ring.key_ring)))[0] > 0
        bench.registry.edit.add_item(O, "keyword", {"content": "made while the keys were replaced"})
        assert await service.post(O) == 204
        await wait_until(lambda: settled(bench), 20)
    await bench.assert_mirrored(O, token)

    # The old key is gone for good: nothing needs it.
    without = ring.model_copy(update={"old_encryption_keys": None})
    with capture_logs() as logs:
        async with serving(without, bench.database.dsn) as service:
            bench.registry.edit.add_item(O, "keyword", {"content": "made after the old key was dropped"})
            assert await service.post(O) == 204
            await wait_until(lambda: settled(bench), 20)
    await bench.assert_mirrored(O, token)
    assert not {line["event"] for line in logs} & {"encryption keys", "our own token is given up"}
    assert "vault" not in str([line.get("error") for line in logs])
    assert await bench.access_state(O) == "granted"


@pytest.mark.fault("F91")
async def test_a_wrong_key_under_the_same_id_does_not_serve(bench: Bench, connection: asyncpg.Connection) -> None:
    await bench.connect(O, scopes=LIMITED)
    before = await stored(connection)
    wrong = type(bench.settings.encryption_key)(text_of(LOST))

    with pytest.raises(CannotServe, match="not the key that the database knows by the id '1'"):
        async with serving(bench.settings.model_copy(update={"encryption_key": wrong}), bench.database.dsn):
            pytest.fail("it serves")

    assert await stored(connection) == before


@pytest.mark.fault("F90")
async def test_one_damaged_text_is_no_wrong_key(connection: asyncpg.Connection, sample_orcids: Samples) -> None:
    """More damaged ones than are tried at first: the others are asked before the service refuses."""
    orcids = sample_orcids(30)
    await plant(connection, BEFORE, orcids)
    await connection.execute("delete from orcid_sync.client_tokens")
    await connection.execute("delete from orcid_sync.retired_tokens")
    await connection.execute("update orcid_sync.tokens set access_token = 'v1.old.AAAA', refresh_token = null")
    with pytest.raises(encryption_keys.VaultError):
        await encryption_keys.demand_right_key(connection, BEFORE)

    last = sealed(BEFORE, ("tokens", orcids[-1], "access_token"), "a good one")
    await connection.execute("update orcid_sync.tokens set access_token = $2 where orcid = $1", orcids[-1], last)
    assert await encryption_keys.demand_right_key(connection, BEFORE) == []


@pytest.mark.fault("F91")
async def test_wrong_and_missing_old_keys_are_only_warned_of(
    connection: asyncpg.Connection, sample_orcids: Samples
) -> None:
    first, second = sample_orcids(2)
    await plant(connection, Vault({"lost": LOST}), [first])
    await connection.execute("delete from orcid_sync.client_tokens")
    await plant(connection, BEFORE, [second])

    assert await encryption_keys.demand_right_key(connection, Vault({"new": NEW, "old": LOST})) == [
        "The old key 'old' decrypts nothing that was encrypted under its id: it is the wrong key.",
        "The key 'lost' is not set, but 2 tokens are encrypted with it: the service cannot use them.",
    ]


@pytest.mark.fault("F91")
@pytest.mark.invariant("S10", "S19")
async def test_a_row_whose_key_is_lost_fails_alone(bench: Bench, connection: asyncpg.Connection) -> None:
    """Nothing is concluded from it: the mirror stays, the others are read, and our own token is fetched anew."""
    token = await bench.connect(O, scopes=LIMITED)
    await bench.connect(OTHER)
    assert await bench.turn(O) == "changed"
    before = await bench.mirror(O)
    lost = Vault({"lost": LOST})
    assert token is not None
    text = lost.seal(token, orcid=O, column="access_token")
    await connection.execute("update orcid_sync.tokens set access_token = $2 where orcid = $1", O, text)
    await connection.execute(
        "update orcid_sync.client_tokens set access_token = $1",
        lost.seal("lost", orcid=CLIENT_ID, column="client_tokens.access_token"),
    )

    assert await bench.check(O) == "failed"
    assert await bench.turn(OTHER) == "changed"

    assert (await bench.row(O))["last_error"].startswith("vault: encrypted with the key 'lost', which is not set")
    assert await bench.mirror(O) == before
    assert await bench.access_state(O) == "granted"


@pytest.mark.fault("F91")
async def test_our_own_token_is_fetched_anew_if_it_does_not_open(
    bench: Bench, database: Database, registry: Any
) -> None:
    """Each request for a token adds a row at ORCID (contract section 2.3), but one that nobody can read is no use."""
    from orcid_sync.service.sync.pace_and_circuit import SealedTokens

    tokens = SealedTokens(database.worker, Vault({"lost": LOST}), CLIENT_ID)
    await tokens.save("/read-public", "made-up", 3_600)
    async with connect(database.dsn) as connection:
        assert await SealedTokens(database.worker, bench.vault, CLIENT_ID).load("/read-public") is None
        await bench.connect(OTHER)
        assert await bench.turn(OTHER) == "changed"
        assert [use.key_id for use in await encryption_keys.usage(connection, bench.vault)] == ["1"]
