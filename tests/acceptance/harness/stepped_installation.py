"""One installation of two replicas that moves only when a test says so: every read and every commit is a step.

The store, the reconciler, the intake and the HTTP between them and the simulated Registry are real. What is missing is
the worker's loop, and time: it passes in the Registry's virtual clock and in the queue's rows at once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

import asyncpg

from acceptance.harness.observers import MIRROR, Key
from orcid_sync.daemon import serve
from orcid_sync.model.ids import Orcid
from orcid_sync.model.sync.schedule import Turn
from orcid_sync.registry.client import Account, open_registry
from orcid_sync.registry.http_exchange import Limits
from orcid_sync.service.http.metrics import Metrics
from orcid_sync.service.runtime.health import Draining
from orcid_sync.service.sync.pace_and_circuit import SealedTokens, SharedPace
from orcid_sync.service.sync.reconcile import Finding, Reconciler
from orcid_sync.settings.settings import Settings
from orcid_sync.simulator.registry import SimulatedRegistry
from orcid_sync.simulator.world import CLIENT_ID, CLIENT_SECRET
from orcid_sync.store.consent.connections import Entry, connect_orcids
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.database.pools import Database, DatabaseUnavailable, open_database
from orcid_sync.store.sync import queue
from orcid_sync.store.sync.queue import Lease, LeaseLost

LEASE = timedelta(seconds=60)
SECOND_LOOK = timedelta(minutes=15)

LOCKS = {
    "feed": "select 1 from orcid_sync.feed_head for update",
    "mirror": "lock table orcid.records in exclusive mode",
}
"""What makes a commit wait in its middle."""

TIMES = ("due_at", "lease_until", "second_look_at", "notified_at", "verified_at", "unconfirmed_at")


@dataclass(eq=False, kw_only=True)
class Job:
    """One lease on its way: leased, then read, then committed or lost."""

    lease: Lease
    replica: int
    read_at: int = 0
    """The step in which it was read."""
    read_ms: int = 0
    answered: bool = False
    """Whether the Registry gave an answer from which anything can be learnt."""
    shown: Any = None
    """What the Registry showed at that moment, if it told the truth."""
    finding: Finding | None = None
    task: asyncio.Task[str] | None = None
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)


class Stepped(Reconciler):
    """A reconciler that stops between its last read and its commit, until the job is let through."""

    jobs: dict[tuple[Orcid, int], Job] = {}  # noqa: RUF012 - shared by all on purpose

    async def _commit(self, lease: Lease, turn: Turn, finding: Finding) -> None:
        job = self.jobs[lease.orcid, lease.lease_no]
        job.finding = finding
        job.arrived.set()
        await job.opened.wait()
        await Reconciler._commit(self, lease, turn, finding)


@dataclass(kw_only=True)
class Installation:
    """A database, an intake, and the connections with which a test looks and meddles."""

    settings: Settings
    replicas: list[Database]
    eye: asyncpg.Connection
    """Sees what is committed."""
    hand: asyncpg.Connection
    """Holds locks, so that a commit can be stopped in its middle."""
    sim: SimulatedRegistry
    reconcilers: list[Reconciler] = field(default_factory=list)
    _clients: list[Any] = field(default_factory=list)

    async def begin(self, sim: SimulatedRegistry, entries: list[Entry]) -> None:
        """Start anew: an empty database, another Registry, these iDs connected."""
        await self.eye.execute(WIPE)
        self.sim = sim
        await sim.start()
        self.settings = settings_for(sim, self.settings.public_port)
        vault = Vault(self.settings.key_ring)
        self.reconcilers = []
        for database in self.replicas:
            context = open_client(self.settings, database, vault)
            self._clients.append(context)
            client = await context.__aenter__()
            plain = serve._reconciler(self.settings, database, client, vault, Metrics())
            parts = {part.name: getattr(plain, part.name) for part in fields(plain)}
            self.reconcilers.append(Stepped(**{**parts, "chance": lambda: 0.5}))
        await connect_orcids(self.eye, entries)

    async def end(self) -> None:
        """Drop what is under way, close the Registry."""
        for job in list(Stepped.jobs.values()):
            await self.abandon(job)
        for context in self._clients:
            await context.__aexit__(None, None, None)
        self._clients.clear()
        await self.sim.stop()

    async def pass_time(self, seconds: float) -> None:
        """Let time pass everywhere. The pace forgets: it is not what is tested here."""
        self.sim.clock.advance(seconds)
        moved = ", ".join(f"{name} = {name} - $1::interval" for name in TIMES)
        await self.eye.execute(f"update orcid_sync.queue set {moved}", timedelta(seconds=seconds))
        await self.eye.execute(
            "update orcid_sync.doubts set since = since - $1::interval, due_at = due_at - $1::interval",
            timedelta(seconds=seconds),
        )
        for table in ("webhooks", "retired_tokens"):  # side steps that failed
            await self.eye.execute(
                f"update orcid_sync.{table} set next_try_at = next_try_at - $1::interval",
                timedelta(seconds=seconds),
            )
        await self.eye.execute("delete from orcid_sync.pace")

    async def lease(self, replica: int, limit: int) -> list[Job]:
        """What a replica gets that asks for work."""
        async with self.replicas[replica].worker.acquire() as connection:
            leases = await queue.lease_due(connection, limit=limit, lease=LEASE)
        jobs = [Job(lease=lease, replica=replica) for lease in leases]
        Stepped.jobs |= {(job.lease.orcid, job.lease.lease_no): job for job in jobs}
        return jobs

    async def read(self, job: Job) -> None:
        """Reconcile up to the commit, and stop there."""
        await self.eye.execute("delete from orcid_sync.pace")
        job.task = asyncio.create_task(self.reconcilers[job.replica].reconcile(job.lease))
        arriving = asyncio.create_task(job.arrived.wait())
        await asyncio.wait([job.task, arriving], return_when=asyncio.FIRST_COMPLETED)
        arriving.cancel()

    async def commit(self, job: Job) -> bool:
        """Let it commit; False if it was not to be."""
        assert job.task is not None
        job.opened.set()
        try:
            await job.task
        except (LeaseLost, DatabaseUnavailable):
            return False
        finally:
            Stepped.jobs.pop((job.lease.orcid, job.lease.lease_no), None)
        return True

    async def die_in_commit(self, job: Job, lock: str) -> bool:
        """Let it commit, but cut its connection as soon as it waits for what `lock` has locked. True: it never did."""
        async with self.hand.transaction():
            await self.hand.execute(lock)
            job.opened.set()
            assert job.task is not None
            while not job.task.done():
                await self.eye.execute(KILL_WAITING)
        return await self.commit(job)

    async def abandon(self, job: Job) -> None:
        """The process is killed: nothing more comes from this job."""
        Stepped.jobs.pop((job.lease.orcid, job.lease.lease_no), None)
        if job.task is not None:
            job.task.cancel()
            await asyncio.wait([job.task])

    async def mirror(self) -> tuple[int, dict[Key, str]]:
        """The feed's head, and what the mirror holds, as digests."""
        said = {(row["orcid"], row["section"], row["key"]): row["said"] for row in await self.eye.fetch(MIRROR)}
        return int(said.pop(("", "", ""))), said


WIPE = """
truncate orcid_sync.connections, orcid_sync.client_tokens, orcid_sync.pace cascade;
do $$ declare name text; begin
  for name in select tablename from pg_tables where schemaname = 'orcid' loop
    execute format('delete from orcid.%I', name);
  end loop;
end $$;
update orcid_sync.feed_head set last = 0;
"""

KILL_WAITING = """
select pg_terminate_backend(pid, 1000) from pg_stat_activity
 where datname = current_database() and wait_event_type = 'Lock' and application_name like 'orcid_sync%' limit 1
"""


def settings_for(sim: SimulatedRegistry, port: int) -> Settings:
    """The settings of an installation beside this Registry, which reaches it at this port."""
    return Settings(
        environment="custom",
        api_url=sim.api_url,
        web_url=sim.web_url,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        public_url=f"http://127.0.0.1:{port}",
        public_host="127.0.0.1",
        public_port=port,
        webhook_secret="w" * 40,
        encryption_key="a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=",
        lease_seconds=LEASE.total_seconds(),
        second_look_seconds=SECOND_LOOK.total_seconds(),
        grace_seconds=3,
        requests_per_second=1000,
        burst=1000,
    )


def open_client(settings: Settings, database: Database, vault: Vault) -> Any:
    """A Registry client as the daemon has it, but impatient."""
    account = Account(
        api_url=settings.api_url, web_url=settings.web_url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET
    )
    pace = SharedPace(database.worker, CLIENT_ID, rate=1000, burst=1000)
    limits = Limits(total_seconds=5, repeat_wait_seconds=0)
    tokens = SealedTokens(database.worker, vault, CLIENT_ID)
    return open_registry(account, pace=pace, tokens=tokens, observe=lambda *_: None, limits=limits)


@asynccontextmanager
async def open_installation(dsn: str, port: int) -> AsyncIterator[Installation]:
    """Two replicas' pools, and an intake that listens at this port."""
    sim = SimulatedRegistry()
    await sim.start()
    settings = settings_for(sim, port)
    await sim.stop()
    eye, hand = await asyncpg.connect(dsn), await asyncpg.connect(dsn)
    try:
        async with (
            open_database(dsn, workers=4) as first,
            open_database(dsn, workers=4) as second,
            serve._public(settings, first, Metrics(), Draining(), lambda: None),
        ):
            yield Installation(settings=settings, replicas=[first, second], eye=eye, hand=hand, sim=sim)
    finally:
        eye.terminate()
        hand.terminate()
