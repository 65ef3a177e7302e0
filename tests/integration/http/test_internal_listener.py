"""The internal listener: who is answered, and what health, readiness and metrics say."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import asyncpg
import msgspec
import pytest

from orcid_sync.daemon.internal_listener import internal_side
from orcid_sync.service.console.health_and_metrics import Console, make_console
from orcid_sync.service.http.authentication import Authority
from orcid_sync.service.http.listeners import internal_listener
from orcid_sync.service.http.metrics import Metrics
from orcid_sync.service.runtime.health import Draining, Heartbeats
from orcid_sync.settings.settings import Settings
from orcid_sync.store.database.pools import Database, open_database
from rig.service.intake import SilentProxy, WaitUntil, connect_cold, sample_orcids

PATHS = ["/healthz", "/readyz", "/metrics"]


@dataclass
class Rig:
    """A running console and what feeds it."""

    metrics: Metrics = field(default_factory=Metrics)
    draining: Draining = field(default_factory=Draining)
    now: float = 0.0
    heartbeats: Heartbeats = field(init=False)
    port: int = 0

    def __post_init__(self) -> None:
        self.heartbeats = Heartbeats(lambda: self.now)

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Status and text of an answer."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.port}{path}", headers=headers) as response,
        ):
            return response.status, await response.text()


@asynccontextmanager
async def running_console(
    database: Database, *, host: str = "127.0.0.1", token: str | None = None
) -> AsyncIterator[Rig]:
    rig = Rig()
    console = Console(draining=rig.draining, heartbeats=rig.heartbeats, database=database, metrics=rig.metrics)
    authority = Authority(database.reader, host=host, internal_token=token)
    async with internal_listener(make_console(console, authority), host="127.0.0.1", port=0) as rig.port:
        yield rig


@pytest.fixture
async def rig(database: Database) -> AsyncIterator[Rig]:
    async with running_console(database) as running:
        yield running


async def test_without_a_token_only_loopback_hosts_are_answered(rig: Rig) -> None:
    for path in PATHS:
        for host, status in {
            "localhost": 200,
            "localhost:9090": 200,
            "127.0.0.1:9090": 200,
            "[::1]:9090": 200,
            "evil.example": 421,
            "evil.example:9090": 421,
            "localhost.evil.example": 421,
            "127.0.0.1.evil.example": 421,
            "[": 421,
        }.items():
            assert (await rig.get(path, Host=host))[0] == status, host


@pytest.mark.fault("F98")
async def test_with_a_token_every_path_asks_for_it(database: Database) -> None:
    async with running_console(database, host="0.0.0.0", token="right") as rig:
        for path in [*PATHS, "/unknown"]:
            for wrong in [
                "",
                "right",
                "Bearer",
                "Bearer ",
                "Bearer wrong",
                "Bearer righ",
                "Bearer right2",
                "Basic right",
            ]:
                assert (await rig.get(path, Authorization=wrong))[0] == 401, wrong
        assert (await rig.get("/healthz", Authorization="Bearer right", Host="console.example")) == (
            200,
            '{"status":"alive"}',
        )


@pytest.mark.fault("F98")
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "console.example", "127.0.0.1.example", ""])
async def test_nobody_binds_it_to_the_world_without_a_token(database: Database, host: str) -> None:
    with pytest.raises(ValueError, match="needs a token"):
        async with running_console(database, host=host):
            pass


async def test_unknown_paths_and_methods_are_refused_in_json(rig: Rig) -> None:
    status, text = await rig.get("/nothing")
    assert (status, msgspec.json.decode(text)["title"]) == (404, "Not Found")
    async with aiohttp.ClientSession() as session, session.post(f"http://127.0.0.1:{rig.port}/healthz") as response:
        assert response.status == 405
        assert response.content_type == "application/problem+json"
        assert response.headers["Allow"] == "GET,HEAD"
        assert response.headers["Server"] == "orcid-sync"


@pytest.mark.fault("F23")
async def test_healthz_names_the_loops_that_fell_silent(rig: Rig) -> None:
    rig.heartbeats.beat("worker", period=5)
    rig.heartbeats.beat("scheduler", period=60)
    rig.now = 15
    assert await rig.get("/healthz") == (200, '{"status":"alive"}')
    rig.now = 15.1
    assert await rig.get("/healthz") == (503, '{"status":"silent","loops":["worker"]}')
    rig.heartbeats.end("worker")
    assert (await rig.get("/healthz"))[0] == 200


@pytest.mark.fault("F12")
async def test_readyz_says_that_the_process_is_on_its_way_in_or_out(rig: Rig) -> None:
    rig.draining.starting = True
    assert await rig.get("/readyz") == (503, '{"status":"not ready","reason":"starting"}')
    rig.draining.open()
    assert await rig.get("/readyz") == (200, '{"status":"ready"}')
    rig.draining.begin()
    assert await rig.get("/readyz") == (503, '{"status":"not ready","reason":"draining"}')
    assert (await rig.get("/healthz"))[0] == 200


@pytest.mark.fault("F76")
@pytest.mark.invariant("L6")
async def test_readyz_wants_a_database_that_can_be_written(
    rig: Rig, connection: asyncpg.Connection, wait_until: WaitUntil
) -> None:
    name = await connection.fetchval("select current_database()")
    await connection.execute(f'alter database "{name}" set default_transaction_read_only = on')
    # What is connected already does not notice; a new connection does.
    await connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()")

    async def readiness() -> int:
        return (await rig.get("/readyz"))[0]

    assert await readiness() == 503
    assert (await rig.get("/healthz"))[0] == 200
    await connection.execute(f'alter database "{name}" set default_transaction_read_only = off')
    await wait_until(lambda: ready(rig))


async def ready(rig: Rig) -> bool:
    return (await rig.get("/readyz"))[0] == 200


@pytest.mark.fault("F83")
async def test_readyz_wants_the_schema_of_this_release_or_a_newer_one(rig: Rig, connection: asyncpg.Connection) -> None:
    await connection.execute(
        "insert into orcid_sync.migrations (number, name, checksum) values (9999, '9999_later.sql', 'x')"
    )
    assert (await rig.get("/readyz"))[0] == 200
    await connection.execute("delete from orcid_sync.migrations where number <> 1")
    status, text = await rig.get("/readyz")
    assert status == 503
    assert '"reason":"' in text


@pytest.mark.fault("F04")
async def test_a_black_hole_delays_neither_health_nor_metrics(dsn: str, tmp_path: Path, wait_until: WaitUntil) -> None:
    loop = asyncio.get_running_loop()
    async with (
        SilentProxy(dsn, tmp_path) as proxy,
        open_database(proxy.dsn, workers=1) as database,
        running_console(database) as rig,
    ):
        assert "orcid_sync_queue_due" in samples(await rig.get("/metrics"))
        proxy.go_silent()
        began = loop.time()
        answers = await asyncio.gather(*(rig.get(path) for path in [*PATHS, *PATHS]))
        assert loop.time() - began < 3
        assert [status for status, _ in answers] == [200, 503, 200] * 2
        assert answers[1][1] == '{"status":"not ready","reason":"the database does not answer"}'
        assert "orcid_sync_queue_due" not in samples(answers[2])
        proxy.recover()
        await wait_until(lambda: ready(rig), 10)


def samples(answer: tuple[int, str]) -> set[str]:
    """Names of the samples of a scrape."""
    return {line.partition("{")[0].partition(" ")[0] for line in answer[1].splitlines() if not line.startswith("#")}


async def test_metrics_show_the_queue_by_lane_and_never_an_id(rig: Rig, connection: asyncpg.Connection) -> None:
    orcids = sample_orcids(3)
    await connect_cold(connection, orcids)
    await connection.execute(
        "update orcid_sync.queue set lane = 0, due_at = now() - interval '90 seconds' where orcid = any($1::text[])",
        orcids[:2],
    )
    rig.metrics.changes.labels("work", "added").inc(7)

    status, text = await rig.get("/metrics")

    assert status == 200
    assert 'orcid_sync_queue_due{lane="notification"} 2.0' in text
    assert 'orcid_sync_queue_due{lane="check"} 0.0' in text
    assert re.search(r'orcid_sync_queue_oldest_seconds\{lane="notification"\} 9[0-9]\.', text)
    assert 'orcid_sync_changes_total{op="added",section="work"} 7.0' in text
    assert not re.search(r"[0-9]{4}-[0-9]{4}-[0-9]{4}-[0-9]{3}[0-9X]", text)


@pytest.mark.fault("F45")
@pytest.mark.parametrize(("environment", "refused"), [("production", True), ("sandbox", False)])
async def test_the_listener_speaks_of_one_environment(database: Database, environment: str, *, refused: bool) -> None:
    """As the service composes it: an address in another environment is refused, not taken for the same person's."""
    settings = Settings(environment=environment, internal_port=0, webhooks=False)  # type: ignore[arg-type]
    side = internal_side(settings, database, metrics=Metrics(), draining=Draining(), heartbeats=Heartbeats(lambda: 0))
    async with side as port, aiohttp.ClientSession() as session:
        address = "https://sandbox.orcid.org/0000-0002-1825-0097"
        async with session.get(f"http://127.0.0.1:{port}/v1/changes", params={"orcid": address}) as answer:
            said = await answer.text()
    assert (answer.status, "is an iD of ORCID's sandbox" in said) == ((400, True) if refused else (200, False))
