"""What the tests of the service share: a simulated Registry, a database, and reconciling one iD step by step.

`bench` leases and reconciles when it is told to, without the worker's loop, so that a test decides what happens between
two steps. Its time passes by moving the times in the queue row; the simulated Registry's clock stands still.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import asyncpg
import msgspec
import pytest

from orcid_sync.daemon import serve
from orcid_sync.model.ids import Orcid
from orcid_sync.model.record.doubts import Doubt
from orcid_sync.model.record.parse_record import parse_record
from orcid_sync.model.sync.schedule import Lane
from orcid_sync.registry.client import Account, open_registry
from orcid_sync.registry.http_exchange import Limits
from orcid_sync.service.http.metrics import Metrics
from orcid_sync.service.sync.pace_and_circuit import SealedTokens, SharedPace
from orcid_sync.service.sync.reconcile import Reconciler
from orcid_sync.settings.settings import Settings
from orcid_sync.simulator.api.read_record import Target
from orcid_sync.simulator.base.journal import Request
from orcid_sync.simulator.records.identifiers import numbered_orcid
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.samples.record_builder import RecordBuilder
from orcid_sync.simulator.samples.sample_records import complete_career, register_sources
from orcid_sync.simulator.world import CLIENT_ID, CLIENT_SECRET
from orcid_sync.store.consent import connections
from orcid_sync.store.consent.connections import Entry
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.database.pools import Database
from orcid_sync.store.sync import doubts, queue
from orcid_sync.store.sync.queue import Lease
from rig.records.mirror import mirrored_docs
from rig.service.settings import settings_for

O = Orcid(numbered_orcid(5_000_001))  # noqa: E741 - the iD of the one record in most tests
OTHER = Orcid(numbered_orcid(5_000_002))
LIMITED = ("/read-limited",)
SECOND_LOOK = timedelta(minutes=15)

TIMES = ("due_at", "lease_until", "second_look_at", "notified_at", "verified_at", "unconfirmed_at")


class Reads:
    """Every read that the Registry answered, and what a test wants to happen at that moment."""

    def __init__(self, registry: SimulatedRegistry) -> None:
        self.targets: list[Target] = []
        self.during: Callable[[Target], None] = lambda _target: None
        self._answer = registry.world.answerer.answer
        registry.world.answerer.answer = self._noted  # type: ignore[method-assign]

    def _noted(self, target: Target, *arguments: Any, **options: Any) -> bytes:
        body = self._answer(target, *arguments, **options)
        self.targets.append(target)
        self.during(target)  # after the answer was made, before it is sent
        return body

    def codes(self, endpoint: str = "works-bulk") -> list[list[int]]:
        """The put-codes asked for, call by call."""
        return [[int(code) for code in (t.codes or "").split(",")] for t in self.targets if t.endpoint == endpoint]

    def clear(self) -> None:
        """Forget what was read so far."""
        self.targets.clear()


@dataclass(kw_only=True)
class Bench:
    """One database beside one Registry, reconciled step by step."""

    registry: SimulatedRegistry
    settings: Settings
    database: Database
    connection: asyncpg.Connection
    reconciler: Reconciler
    vault: Vault
    metrics: Metrics
    lost: Any = None
    """What a test took out of the Registry, to put it back."""
    reads: Reads
    own_token: str = field(repr=False)
    """Sees what the service's own token sees."""

    async def connect(
        self,
        orcid: Orcid = O,
        *,
        scopes: Collection[str] = (),
        held: Collection[str] | None = None,
        expires_in: timedelta | None = None,
    ) -> str | None:
        """Connect an iD, with a token of its holder if there are scopes; returns that token.

        `held` are the scopes that ORCID granted, if what is said of the token is not true.
        """
        granted = scopes if held is None else held
        token = self.registry.token_service.issue(CLIENT_ID, granted, orcid=orcid).text if granted else None
        sealed = self.vault.seal(token, orcid=orcid, column="access_token") if token else None
        expires_at = None if expires_in is None else datetime.now(UTC) + expires_in
        entry = Entry(orcid=orcid, access_token=sealed, scopes=tuple(scopes), expires_at=expires_at)
        await connections.connect_orcids(self.connection, [entry])
        return token

    async def disconnect(self, orcid: Orcid = O) -> None:
        await connections.disconnect_orcids(self.connection, [orcid])

    async def notify(self, orcid: Orcid = O) -> None:
        """A notification was acknowledged, and its grace has passed."""
        await queue.mark_due(self.connection, [orcid], lane=Lane.NOTIFICATION)

    async def lease(self, orcid: Orcid = O, *, lasts: timedelta = timedelta(minutes=1)) -> Lease:
        """Lease an iD that is due."""
        leases = await queue.lease_due(self.connection, limit=10, lease=lasts)
        mine = [lease for lease in leases if lease.orcid == orcid]
        for other in leases:
            if other.orcid != orcid:
                await queue.release(self.connection, other)
        assert mine, f"{orcid} is not due: {dict(await self.row(orcid))}"
        return mine[0]

    async def turn(self, orcid: Orcid = O) -> str:
        """One reconciliation of an iD that is due; how it ended."""
        return await self.reconciler.reconcile(await self.lease(orcid))

    async def check(self, orcid: Orcid = O) -> str:
        """One reconciliation as the schedule would do it, at once."""
        await self.connection.execute("update orcid_sync.queue set due_at = now() where orcid = $1", orcid)
        return await self.turn(orcid)

    async def notified(self, orcid: Orcid = O) -> str:
        """One notification and its reconciliation."""
        await self.notify(orcid)
        return await self.turn(orcid)

    async def pass_time(self, lapse: timedelta, orcid: Orcid = O) -> None:
        """Let time pass for one iD, and the circuit close: what is remembered lies further back."""
        moved = ", ".join(f"{name} = {name} - $2::interval" for name in TIMES)
        await self.connection.execute(f"update orcid_sync.queue set {moved} where orcid = $1", orcid, lapse)
        await self.connection.execute(
            "update orcid_sync.doubts set since = since - $2::interval, due_at = due_at - $2::interval"
            " where orcid = $1",
            *(orcid, lapse),
        )
        await self.connection.execute(
            "update orcid_sync.connections set suspect_since = suspect_since - $2::interval where orcid = $1",
            *(orcid, lapse),
        )
        await self.connection.execute(
            "update orcid_sync.tokens set expires_at = expires_at - $2::interval where orcid = $1", orcid, lapse
        )
        for table in ("webhooks", "retired_tokens"):
            await self.connection.execute(
                f"update orcid_sync.{table} set next_try_at = next_try_at - $2::interval where orcid = $1", orcid, lapse
            )
        await self.connection.execute(
            "update orcid_sync.pace set failures = 0, crowded = 0, failing_ids = '{}', failing_since = null,"
            " doubted = false, away = false, probes = 0, paused_until = '-infinity'"
        )

    async def when_due(self, orcid: Orcid = O) -> str:
        """Let time pass until the iD is due, then reconcile it."""
        await self.pass_time(await self.due_in(orcid), orcid)
        return await self.turn(orcid)

    async def due_in(self, orcid: Orcid = O) -> timedelta:
        """Time until the iD is due; negative if it is overdue."""
        query = "select due_at - clock_timestamp() from orcid_sync.queue where orcid = $1"
        wait: timedelta = await self.connection.fetchval(query, orcid)
        return wait

    async def row(self, orcid: Orcid = O) -> Any:
        return await self.connection.fetchrow("select * from orcid_sync.queue where orcid = $1", orcid)

    async def doubts(self, *kinds: str, orcid: Orcid = O) -> list[Doubt]:
        """What is in doubt, of these kinds or at all."""
        found = await doubts.load(self.connection, orcid)
        return [doubt for doubt in found if not kinds or doubt.kind in kinds]

    async def record(self, orcid: Orcid = O) -> Any:
        return await self.connection.fetchrow("select * from orcid.records where orcid = $1", orcid)

    async def access_state(self, orcid: Orcid = O) -> str:
        known = await connections.load(self.connection, orcid)
        assert known is not None
        return known.access_state

    async def withheld(self, orcid: Orcid = O) -> str | None:
        """What readers are not shown."""
        said: str | None = await self.connection.fetchval("select withheld from orcid.records where orcid = $1", orcid)
        return said

    async def retired(self, orcid: Orcid = O) -> list[str]:
        """Why tokens wait to be revoked."""
        query = "select reason from orcid_sync.retired_tokens where orcid = $1 order by number"
        return [row["reason"] for row in await self.connection.fetch(query, orcid)]

    async def noted(self, orcid: Orcid = O) -> list[tuple[str, str, str]]:
        """What the consent ledger says of an iD: event, by whom, how learnt."""
        query = "select event, by, learnt from orcid_sync.consents where orcid = $1 order by number"
        return [tuple(row) for row in await self.connection.fetch(query, orcid)]

    async def past(self, orcid: Orcid = O) -> int:
        """How many contents the history holds."""
        query = "select count(*) from orcid.change_contents where orcid = $1"
        number: int = await self.connection.fetchval(query, orcid)
        return number

    async def number(self, visibility: str | None = None, orcid: Orcid = O) -> int:
        """How many items the mirror holds, of this visibility or at all."""
        query = "select count(*) from orcid.items where orcid = $1 and ($2::text is null or visibility = $2)"
        number: int = await self.connection.fetchval(query, orcid, visibility)
        return number

    async def head(self) -> int:
        """The last position of the feed."""
        last: int = await self.connection.fetchval("select last from orcid_sync.feed_head")
        return last

    async def changes(self, after: int = 0) -> list[Any]:
        """The changes after a position."""
        query = "select * from orcid.changes where seq > $1 order by seq"
        return list(await self.connection.fetch(query, after))

    async def side_steps(self, orcid: Orcid = O) -> dict[str, tuple[int, str]]:
        """What fails beside the reads of an iD: how often in a row, and the kind of the failure."""
        query = """
            select 'webhook' as step, attempts, error from orcid_sync.webhooks where orcid = $1 and attempts > 0
            union all
            select 'revocation', attempts, error from orcid_sync.retired_tokens where orcid = $1 and attempts > 0
            """
        rows = await self.connection.fetch(query, orcid)
        return {row["step"]: (row["attempts"], row["error"].partition(":")[0]) for row in rows}

    async def webhook_rows(self, orcid: Orcid = O) -> list[str]:
        """What our inventory says about the webhooks of an iD."""
        rows = await self.connection.fetch("select state from orcid_sync.webhooks where orcid = $1", orcid)
        return [row["state"] for row in rows]

    async def mirror(self, orcid: Orcid = O) -> dict[str, list[Any]]:
        """Everything that the schema `orcid` holds of an iD, table by table, for comparing two moments."""
        tables = await self.connection.fetch(
            "select c.relname as tablename from pg_class c join pg_attribute a on a.attrelid = c.oid"
            " where c.relnamespace = 'orcid'::regnamespace and c.relkind = 'r' and a.attname = 'orcid'"
        )
        return {
            name: await self.connection.fetch(f"select *, xmin::text from orcid.{name} where orcid = $1", orcid)
            for name in (row["tablename"] for row in tables)
        }

    def ask_aside(self, statement: str, *arguments: Any) -> list[Any]:
        """Ask the database in the middle of something else, while the event loop stands still."""

        async def ask() -> list[Any]:
            other = await asyncpg.connect(self.database.dsn)
            try:
                return list(await other.fetch(statement, *arguments))
            finally:
                await other.close()

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, ask()).result()

    def requests(self, *endpoints: str) -> list[Request]:
        """What was asked of the Registry at these endpoints, or at any."""
        return [one for one in self.registry.journal.requests if not endpoints or one.endpoint in endpoints]

    def view(self, orcid: Orcid = O, token: str | None = None) -> bytes:
        """The record as the Registry shows it to this token, or to our own."""
        return msgspec.json.encode(self.registry.view(orcid, token or self.own_token))

    def full(self, orcid: Orcid, section: str, put_code: int) -> Any:
        """The full form of an item as the Registry shows it."""
        state = self.registry.profiles.state(orcid)
        shown = self.registry.world.renderer.item(state, state.of(section)[put_code])
        return msgspec.json.decode(msgspec.json.encode(shown))

    async def assert_summaries_mirrored(self, orcid: Orcid = O, token: str | None = None) -> None:
        """The mirror equals what the Registry's record says: every item, its place in its group, the dates."""
        view = parse_record(self.view(orcid, token))
        shown = {item.id: item for item in view.items()}
        assert await mirrored_docs(self.connection, orcid) == {
            key: msgspec.json.decode(item.content.doc) for key, item in shown.items()
        }
        rows = await self.connection.fetch("select * from orcid.items where orcid = $1", orcid)
        places = {(r["section"], r["key"]): (r["group_put_code"], r["group_position"]) for r in rows}
        assert places == {key: (i.content.group_put_code, i.content.group_position) for key, i in shown.items()}
        record = await self.record(orcid)
        assert record["state"] == "active"
        assert round(record["registry_modified_at"].timestamp() * 1000) == view.modified_ms

    async def assert_mirrored(self, orcid: Orcid = O, token: str | None = None) -> None:
        """The mirror equals the Registry's view: all that the record says, and every full form."""
        await self.assert_summaries_mirrored(orcid, token)
        for row in await self.connection.fetch("select * from orcid.items where orcid = $1", orcid):
            if row["section"] in ("work", "funding", "peer-review", "research-resource"):
                full = self.full(orcid, row["section"], int(row["key"]))
                assert row["detail"] is not None, row["key"]
                assert _nameless(msgspec.json.decode(row["detail"])) == _nameless(full)


def _nameless(full: Any) -> Any:
    """A full form without the names of its source: they move without a date, and full forms are read by date."""
    return {**full, "source": {name: said for name, said in full["source"].items() if not name.endswith("-name")}}


@pytest.fixture
async def registry() -> AsyncIterator[SimulatedRegistry]:
    """A simulated Registry with two records: O, which has something in every section, and OTHER, a plain one."""
    async with SimulatedRegistry(id_host="orcid.org") as simulated:
        register_sources(simulated.world)
        builder = RecordBuilder(simulated.profiles, O, Random(1))
        complete_career(builder)
        builder.build()
        simulated.add_record(OTHER, works=3)
        yield simulated


@pytest.fixture
def settings(registry: SimulatedRegistry) -> Settings:
    return settings_for(registry, second_look_seconds=SECOND_LOOK.total_seconds())


@pytest.fixture
def limits() -> Limits:
    """Short times: a silent Registry is given up after two seconds, and asked again at once."""
    return Limits(total_seconds=2, large_seconds=0.5, repeat_wait_seconds=0)


@pytest.fixture
async def bench(
    registry: SimulatedRegistry,
    settings: Settings,
    limits: Limits,
    database: Database,
    connection: asyncpg.Connection,
) -> AsyncIterator[Bench]:
    """The service's parts as the daemon composes them, but without its loops."""
    metrics, vault = Metrics(), Vault(settings.key_ring)
    pace = SharedPace(
        database.worker,
        CLIENT_ID,
        rate=settings.requests_per_second,
        burst=settings.burst,
        waited=metrics.count_slot,
    )
    account = Account(
        api_url=registry.api_url, web_url=registry.web_url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET
    )
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            open_registry(
                account,
                pace=pace,
                tokens=SealedTokens(database.worker, vault, CLIENT_ID),
                observe=lambda *_: None,
                limits=limits,
            )
        )
        composed = serve._reconciler(settings, database, client, vault, metrics)
        yield Bench(
            registry=registry,
            settings=settings,
            database=database,
            connection=connection,
            reconciler=replace(composed, chance=lambda: 0.5),
            vault=vault,
            metrics=metrics,
            reads=Reads(registry),
            own_token=registry.token_service.issue(CLIENT_ID, ["/read-public"]).text,
        )
