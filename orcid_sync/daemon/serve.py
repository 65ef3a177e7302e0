"""The composition root: pools, Registry client, listeners, workers, scheduler, signals; clocks and chance, only here.

Stopping is as careful as starting (design section 6, invariant L7): readiness goes down first, notifications are still
answered while the load balancer looks away, nothing new is leased, what is leased is finished within a bound, and only
then the doors close.
"""

import asyncio
import gc
import random
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Literal

import asyncpg
import structlog

from orcid_sync import __version__
from orcid_sync.daemon.internal_listener import internal_side
from orcid_sync.daemon.jobs import make_jobs
from orcid_sync.daemon.public_listener import desired_of, public_side, rules_of
from orcid_sync.daemon.push_sender import pushing
from orcid_sync.daemon.startup_checks import CannotServe, make_sure
from orcid_sync.model.sync.check_interval import Interval
from orcid_sync.model.sync.schedule import Cause, Policy, Turn
from orcid_sync.registry.client import Account, Registry, open_registry
from orcid_sync.registry.http_exchange import Limits
from orcid_sync.service.http.listeners import allow_connections
from orcid_sync.service.http.metrics import Metrics
from orcid_sync.service.pushes.announce import FeedNews
from orcid_sync.service.pushes.push_loop import PushLoop
from orcid_sync.service.record.read_outcome import Finding
from orcid_sync.service.record.unknown_members import DriftWatch
from orcid_sync.service.runtime.health import Draining, Heartbeats, measured_loop_lag
from orcid_sync.service.runtime.scheduler import JobRunner, schedule
from orcid_sync.service.sync.pace_and_circuit import SealedTokens, SharedPace
from orcid_sync.service.sync.reconcile import Reconciler
from orcid_sync.service.sync.safety_nets import make_net_jobs
from orcid_sync.service.sync.worker import Worker
from orcid_sync.service.webhooks.health import make_health_job
from orcid_sync.service.webhooks.registration import Subscription
from orcid_sync.settings.settings import Settings
from orcid_sync.store.database.encryption import Vault
from orcid_sync.store.database.pools import Database, DatabaseRefused, DatabaseUnavailable, open_database
from orcid_sync.store.sync.queue import Lease

Part = Literal["web", "worker"]

log = structlog.get_logger(__name__)


async def serve(settings: Settings, dsn: str, *, only: Part | None = None, stop: asyncio.Event | None = None) -> None:
    """Run the service until SIGTERM, SIGINT or `stop`.

    `only` leaves the other part to another process. Raises CannotServe, ConfigurationError, DatabaseUnavailable.
    """
    settings.require(*settings.needed_to_serve)
    stop = stop or _stop_signal()
    allow_connections()
    metrics, draining = Metrics(), Draining(starting=True)
    heartbeats = Heartbeats(asyncio.get_running_loop().time)
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(dsn, workers=settings.workers))
        await make_sure(database, settings)
        stack.enter_context(measured_loop_lag(metrics.loop_lag))
        side = internal_side(settings, database, metrics=metrics, draining=draining, heartbeats=heartbeats)
        internal = await stack.enter_async_context(_on_port("internal", settings, side))
        worker, pusher, public = None, None, None
        if only != "web":
            pusher = await stack.enter_async_context(pushing(settings, database, metrics, heartbeats))
            news = await stack.enter_async_context(aclosing(FeedNews(pusher.wake, database.worker)))
            worker = await stack.enter_async_context(_working(settings, database, metrics, heartbeats, news))
        if only != "worker" and settings.has_public_side:
            wake = worker.wake if worker else _nobody
            side = _public(settings, database, metrics, draining, wake)
            public = await stack.enter_async_context(_on_port("public", settings, side))
        draining.open()
        gc.freeze()  # what is loaded by now stays: the collector need not look at it again
        log.info("serving", version=__version__, public_port=public, internal_port=internal, only=only)
        await stop.wait()
        await _drain(settings, draining, worker, pusher)
    log.info("stopped")


def _stop_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    return stop


async def _drain(settings: Settings, draining: Draining, *loops: Worker | PushLoop | None) -> None:
    """Leave no notification unanswered and no lease hanging."""
    log.info("stopping", answering_seconds=settings.drain_seconds)
    draining.begin()
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(settings.drain_seconds))
        for loop in loops:
            if loop is not None:
                group.create_task(loop.stop(settings.stop_seconds))


@asynccontextmanager
async def _on_port(name: str, settings: Settings, listener: AbstractAsyncContextManager[int]) -> AsyncIterator[int]:
    """The listener, with a sentence instead of a traceback if its port cannot be had. Raises CannotServe."""
    host, port = getattr(settings, f"{name}_host"), getattr(settings, f"{name}_port")
    try:
        bound = await listener.__aenter__()
    except OSError as error:
        advice = f"set {name}_port to another port, or stop the program that uses it"
        raise CannotServe(f"The {name} listener cannot use {host}:{port} ({error.strerror}); {advice}.") from None
    try:
        yield bound
    finally:
        await listener.__aexit__(None, None, None)


def _public(
    settings: Settings, database: Database, metrics: Metrics, draining: Draining, wake: Callable[[], None]
) -> AbstractAsyncContextManager[int]:
    tokens = SealedTokens(database.reader, Vault(settings.key_ring), settings.client_id or "")
    registry = _registry(settings, shared_pace(settings, database.reader, metrics), tokens, metrics)
    return public_side(settings, database, registry, metrics=metrics, draining=draining, wake=wake)


def _nobody() -> None:
    """Wakes nobody: whoever works is another process, and hears NOTIFY."""


@asynccontextmanager
async def _working(
    settings: Settings, database: Database, metrics: Metrics, heartbeats: Heartbeats, news: FeedNews
) -> AsyncIterator[Worker]:
    """The worker and the scheduler, running; the worker must have been stopped when the context ends."""
    vault = Vault(settings.key_ring)
    pace = shared_pace(settings, database.worker, metrics)
    tokens = SealedTokens(database.worker, vault, settings.client_id or "")
    async with _registry(settings, pace, tokens, metrics) as registry:
        drift = DriftWatch()
        reconciler = _reconciler(settings, database, registry, vault, metrics, drift, news)
        worker = Worker(
            database,
            reconciler.reconcile,
            pace.admission,
            capacity=settings.workers,
            lease=timedelta(seconds=settings.lease_seconds),
            poll_seconds=settings.poll_seconds,
            heartbeats=heartbeats,
        )
        check_interval = timedelta(hours=settings.check_interval_hours)
        jobs = make_jobs(
            check_interval=check_interval,
            overlap=desired_of(settings).overlap,
            log_of_erasures=settings.erasure_log,
        )
        jobs += [make_health_job(rules_of(settings)), drift.job()]
        jobs += make_net_jobs(
            registry,
            search_every=timedelta(hours=settings.search_interval_hours),
            file=settings.modified_file,
            file_every=timedelta(hours=settings.modified_file_interval_hours),
        )
        scheduler = schedule(jobs, JobRunner(database, heartbeats))
        scheduler.start()
        working = asyncio.create_task(worker.run(), name="worker")
        try:
            yield worker
        finally:
            scheduler.shutdown(wait=False)
            await worker.stop(0)
            await working
            with suppress(DatabaseUnavailable, DatabaseRefused):
                await drift.write(database)


def shared_pace(settings: Settings, pool: asyncpg.Pool, metrics: Metrics) -> SharedPace:
    """The pace of this installation's API client; the same for all its processes."""
    return SharedPace(
        pool,
        settings.client_id or "",
        rate=settings.requests_per_second,
        burst=settings.burst,
        daily=settings.daily_requests,
        waited=metrics.count_slot,
    )


def _registry(
    settings: Settings, pace: SharedPace, tokens: SealedTokens, metrics: Metrics
) -> AbstractAsyncContextManager[Registry]:
    account = Account(
        api_url=settings.api_url,
        web_url=settings.web_url,
        client_id=settings.client_id or "",
        client_secret=settings.client_secret.get_secret_value() if settings.client_secret else "",
    )
    limits = Limits(
        total_seconds=settings.request_timeout_seconds,
        connect_seconds=settings.connect_timeout_seconds,
        body_bytes=settings.max_body_mb * 1024 * 1024,
    )

    def observe(endpoint: str, status: str, seconds: float) -> None:
        metrics.registry_requests.labels(endpoint, status).inc()
        metrics.registry_seconds.labels(endpoint).observe(seconds)

    return open_registry(account, pace=pace, tokens=tokens, observe=observe, limits=limits)


def _reconciler(
    settings: Settings,
    database: Database,
    registry: Registry,
    vault: Vault,
    metrics: Metrics,
    drift: DriftWatch | None = None,
    news: Callable[[], None] = _nobody,
) -> Reconciler:
    return Reconciler(
        database=database,
        registry=registry,
        vault=vault,
        policy=Policy(
            interval=Interval(
                shortest=timedelta(hours=settings.shortest_interval_hours),
                longest=timedelta(hours=settings.check_interval_hours),
            ),
            second_look=timedelta(seconds=settings.second_look_seconds),
            delivery_grace=rules_of(settings).grace,
            hide_locked=settings.locked_records == "hide",
        ),
        grace=timedelta(seconds=settings.grace_seconds),
        subscription=Subscription(database.worker, registry, desired_of(settings)),
        swept=bool(settings.search_interval_hours or settings.modified_file),
        chance=random.random,
        on_commit=partial(_count, metrics, drift or DriftWatch(), news),
    )


def _count(
    metrics: Metrics, drift: DriftWatch, news: Callable[[], None], lease: Lease, turn: Turn, finding: Finding
) -> None:
    """Metrics of one committed reconciliation, what it met that is unknown, and news for who follows the feed."""
    drift.note(finding.unknown)
    if finding.changeset.changes:
        news()
    metrics.reconciliations.labels(finding.outcome).inc()
    now = datetime.now(UTC)
    for change in finding.changeset.changes:
        metrics.changes.labels(change.section, change.op).inc()
        # A first load says nothing about freshness: what it brings may be years old.
        if change.source_modified_at and not change.minor and turn.cause is not Cause.FIRST_LOAD:
            metrics.modified_to_commit.observe(max(0.0, (now - change.source_modified_at).total_seconds()))
    if turn.cause is Cause.NOTIFICATION and finding.settlement.done and lease.notified_at:
        metrics.notified_to_commit.observe(max(0.0, (now - lease.notified_at).total_seconds()))
